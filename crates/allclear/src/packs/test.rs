//! `allclear pack test`: every rule against its examples.

use super::args::PackTest;
use super::{chosen, line, rules};
use crate::exit;
use crate::{Outcome, output};
use detect::ExampleOutcome;
use pack::Pack;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

pub(super) fn run(arguments: &PackTest) -> Outcome {
    let packs = chosen(&arguments.packs, &arguments.trust)?;
    let tested: Vec<(&Pack, detect::PackTest)> = packs
        .iter()
        .map(|pack| (pack, detect::try_pack(pack)))
        .collect();
    output::to_standard_output(&mut |out| {
        let mut tested = tested.iter();
        tested.try_for_each(|(pack, tested)| tell(out, pack, tested))
    })?;
    let failures: usize = tested.iter().map(|(_, tested)| failures(tested)).sum();
    Ok(if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::NOT_ASSURED)
    })
}

fn failures(tested: &detect::PackTest) -> usize {
    let failed = tested.outcomes.iter().filter_map(ExampleOutcome::failure);
    failed.count() + tested.untested.len()
}

fn tell(out: &mut dyn Write, pack: &Pack, tested: &detect::PackTest) -> io::Result<()> {
    let titles = titles(pack);
    let named = |rule: &str| match titles.get(rule) {
        Some(title) if title == rule => title.clone(),
        Some(title) => format!("{title} ({rule})"),
        None => rule.to_owned(),
    };
    for outcome in &tested.outcomes {
        let state = if outcome.failure().is_none() {
            "pass"
        } else {
            "fail"
        };
        let did = if outcome.matched {
            "matched"
        } else {
            "left alone"
        };
        let (path, number) = (&outcome.path, outcome.number);
        let rule = named(&outcome.rule);
        line(out, 0, &format!("{state}  {path}#{number}  {rule}  {did}"))?;
        if let Some(why) = outcome.failure() {
            line(out, 2, why)?;
        }
    }
    for failure in &tested.untested {
        let rule = named(&failure.rule);
        line(out, 0, &format!("fail  {}  {rule}", failure.path))?;
        line(out, 2, &failure.why)?;
    }
    let told = format!(
        "{} {}: {} rules on {} examples, {} failures",
        pack.manifest.name,
        pack.manifest.version,
        rules(pack),
        pack.examples.len(),
        failures(tested)
    );
    line(out, 0, &told)
}

/// Titles of the pack's rules, by id.
fn titles(pack: &Pack) -> BTreeMap<String, String> {
    let sigma = pack.sigma.iter().map(pack::sigma_heads);
    let sigma = sigma.flat_map(Result::unwrap_or_default);
    let yara = pack.yara.iter().flat_map(pack::yara_heads);
    let heads = sigma.chain(yara).map(|head| (head.id, head.title));
    let analyses = pack.analyses.iter();
    heads
        .chain(analyses.map(|analysis| (analysis.id.clone(), analysis.title.clone())))
        .collect()
}
