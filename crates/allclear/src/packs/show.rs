//! `allclear pack show`: what a pack knows, for whoever is about to rely on it.

use super::args::{PackFormat, PackShow};
use super::{chosen, line};
use crate::{Outcome, output};
use model::Stage;
use pack::{Manifest, Need, Pack, RuleHead, Step, Vulnerability, YesNo};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

/// Names the form of the JSON, with its version.
const SCHEMA: &str = "allclear/pack/1";

/// Columns that paragraphs are broken at.
const WIDTH: usize = 100;

/// Everything that is shown.
#[derive(Serialize)]
struct Shown<'a> {
    schema: &'static str,
    manifest: &'a Manifest,
    fixed_builds: &'a [Vulnerability],
    /// How many indicators there are of each type.
    indicators: BTreeMap<&'a str, usize>,
    rules: Vec<ShownRule>,
    examples: usize,
    needs: &'a [Need],
    remediation: &'a pack::Remediation,
}

/// A rule, and what a match of it means.
#[derive(Serialize)]
struct ShownRule {
    id: String,
    title: String,
    path: String,
    /// None where the rule does not say it in a form that can be read.
    stage: Option<Stage>,
    step: Option<String>,
    meaning: Option<String>,
    level: String,
    techniques: Vec<String>,
    references: Vec<String>,
}

pub(super) fn run(arguments: &PackShow) -> Outcome {
    for pack in chosen(std::slice::from_ref(&arguments.pack), &arguments.trust)? {
        let shown = Shown::of(&pack);
        output::to_standard_output(&mut |out| match arguments.format {
            PackFormat::Text => shown.text(out),
            PackFormat::Json => report::json_value(&shown, out),
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

impl<'a> Shown<'a> {
    fn of(pack: &'a Pack) -> Self {
        let mut indicators = BTreeMap::new();
        for indicator in &pack.indicators {
            *indicators.entry(indicator.r#type.as_str()).or_default() += 1;
        }
        let mut rules = Vec::new();
        for file in &pack.sigma {
            let heads = pack::sigma_heads(file).unwrap_or_default();
            rules.extend(
                heads
                    .into_iter()
                    .map(|head| ShownRule::of(head, &file.path)),
            );
        }
        for file in &pack.yara {
            let heads = pack::yara_heads(file);
            rules.extend(
                heads
                    .into_iter()
                    .map(|head| ShownRule::of(head, &file.path)),
            );
        }
        for analysis in &pack.analyses {
            let outcomes = analysis.outcomes.iter();
            rules.extend(outcomes.map(|(outcome, shows)| ShownRule {
                id: analysis.id.clone(),
                title: format!("{} ({outcome})", analysis.title),
                path: "analyses.yaml".to_owned(),
                stage: Some(shows.stage),
                step: Some(shows.step.clone()),
                meaning: Some(shows.meaning.clone()),
                level: shows.level.clone(),
                techniques: shows.techniques.clone(),
                references: vec![analysis.reference.clone()],
            }));
        }
        Self {
            schema: SCHEMA,
            manifest: &pack.manifest,
            fixed_builds: &pack.vulnerabilities,
            indicators,
            rules,
            examples: pack.examples.len(),
            needs: &pack.needs,
            remediation: &pack.remediation,
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.story(out)?;
        self.fixed_builds(out)?;
        self.detection(out)?;
        self.needs(out)?;
        self.remediation(out)?;
        heading(out, "References", self.manifest.references.len())?;
        let mut references = self.manifest.references.iter();
        references.try_for_each(|reference| line(out, 1, reference))
    }

    fn story(&self, out: &mut dyn Write) -> io::Result<()> {
        let manifest = self.manifest;
        line(out, 0, &format!("{} {}", manifest.name, manifest.version))?;
        line(out, 0, &manifest.title)?;
        writeln!(out)?;
        paragraph(out, 0, &manifest.story)?;
        let window = &manifest.window;
        writeln!(out)?;
        let times = format!("Window: from {}, fixed {}", window.from, window.fixed);
        line(out, 0, &times)?;
        paragraph(out, 1, &format!("Source: {}", window.source))?;
        let products = manifest.products.join(", ");
        line(out, 0, &format!("Products: {products}"))?;
        heading(out, "Steps", manifest.steps.len())?;
        for step in &manifest.steps {
            paragraph(out, 1, &format!("{}: {}", step.id, step.text))?;
        }
        Ok(())
    }

    fn fixed_builds(&self, out: &mut dyn Write) -> io::Result<()> {
        heading(out, "Fixed builds", self.fixed_builds.len())?;
        for row in self.fixed_builds {
            let later = match row.and_later_updates {
                YesNo::Yes => " and all later updates",
                YesNo::No => "",
            };
            let told = format!(
                "{}  {} {}{later}  {}  {}  ({})",
                row.cve, row.product, row.fixed, row.released, row.update, row.source
            );
            line(out, 1, &told)?;
        }
        Ok(())
    }

    fn detection(&self, out: &mut dyn Write) -> io::Result<()> {
        heading(out, "Indicators", self.indicators.values().sum())?;
        for (kind, count) in &self.indicators {
            line(out, 1, &format!("{kind}: {count}"))?;
        }
        heading(out, "Rules", self.rules.len())?;
        self.rules.iter().try_for_each(|rule| rule.text(out))
    }

    fn needs(&self, out: &mut dyn Write) -> io::Result<()> {
        heading(out, "Needs, before anybody says clear", self.needs.len())?;
        for need in self.needs {
            let span = match need.span {
                pack::NeedSpan::Entry => "while it was vulnerable",
                pack::NeedSpan::FootholdLog => "from the first possible entry on",
                pack::NeedSpan::Latest => "at the latest collection",
            };
            paragraph(out, 1, &format!("{}: {} ({span})", need.id, need.title))?;
            for way in &need.any_of {
                let sources = way.sources.iter().map(|needed| needed.source.as_str());
                let sources: Vec<&str> = sources.collect();
                line(out, 2, &format!("any of: {}", sources.join(" and ")))?;
            }
            paragraph(out, 2, &format!("collect: {}", need.collect))?;
            paragraph(out, 2, &format!("rotates: {}", need.rotates))?;
        }
        Ok(())
    }

    fn remediation(&self, out: &mut dyn Write) -> io::Result<()> {
        let remediation = self.remediation;
        steps(out, "Contain", &remediation.contain)?;
        heading(out, "Patch", remediation.patch.len())?;
        for path in &remediation.patch {
            let (product, from, until) = (&path.product, path.from, path.until);
            let text = format!("{product} {from} to {until}: {}", path.text);
            paragraph(out, 1, &text)?;
            line(out, 2, &format!("source: {}", path.source))?;
        }
        steps(out, "Evict", &remediation.evict)?;
        heading(
            out,
            "Gates, before anybody says evicted",
            remediation.gates.len(),
        )?;
        for gate in &remediation.gates {
            paragraph(out, 1, &format!("{}: {}", gate.id, gate.title))?;
            paragraph(out, 2, &format!("shown by: {}", gate.shown_by))?;
        }
        heading(out, "Mitigations", remediation.mitigations.len())?;
        for mitigation in &remediation.mitigations {
            let (id, title) = (&mitigation.id, &mitigation.title);
            let covers = mitigation.covers.join(", ");
            paragraph(out, 1, &format!("{id}: {title} (covers {covers})"))?;
        }
        Ok(())
    }
}

impl ShownRule {
    fn of(head: RuleHead, path: &str) -> Self {
        let meaning = head.meaning.ok();
        Self {
            id: head.id,
            title: head.title,
            path: path.to_owned(),
            stage: meaning.as_ref().map(|meaning| meaning.stage),
            step: meaning.as_ref().map(|meaning| meaning.step.clone()),
            meaning: meaning.map(|meaning| meaning.meaning),
            level: head.level,
            techniques: head.techniques,
            references: head.references,
        }
    }

    /// `foothold, critical: Title  T1505.003  rules/file.yml`, then what it means and where it comes from.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let stage = self.stage.map_or("no stage", Stage::name);
        let level = match self.level.as_str() {
            "" => "no level",
            level => level,
        };
        let mut told = format!("{stage}, {level}: {}", self.title);
        for part in [&self.techniques.join(" "), &self.path] {
            if !part.is_empty() {
                told.push_str("  ");
                told.push_str(part);
            }
        }
        line(out, 1, &told)?;
        if let Some(meaning) = &self.meaning {
            paragraph(out, 2, meaning)?;
        }
        let mut references = self.references.iter();
        references.try_for_each(|reference| line(out, 2, &format!("source: {reference}")))
    }
}

fn steps(out: &mut dyn Write, title: &str, steps: &[Step]) -> io::Result<()> {
    heading(out, title, steps.len())?;
    for step in steps {
        paragraph(out, 1, &format!("{}: {}", step.id, step.text))?;
        let (who, how_long) = (&step.who, &step.how_long);
        paragraph(out, 2, &format!("by: {who}, {how_long}"))?;
        paragraph(out, 2, &format!("verified by: {}", step.verified_by))?;
        paragraph(out, 2, &format!("breaks: {}", step.breaks))?;
        paragraph(out, 2, &format!("source: {}", step.source))?;
    }
    Ok(())
}

fn heading(out: &mut dyn Write, title: &str, count: usize) -> io::Result<()> {
    writeln!(out)?;
    line(out, 0, &format!("{title}: {count}"))
}

/// A text in lines of bounded width; those that follow the first stand two columns further in.
fn paragraph(out: &mut dyn Write, depth: usize, text: &str) -> io::Result<()> {
    let room = WIDTH - depth * 2;
    let mut row = String::new();
    let mut depth_now = depth;
    for word in text.split_whitespace() {
        let length = row.chars().count() + 1 + word.chars().count();
        if !row.is_empty() && length > room {
            line(out, depth_now, &row)?;
            row.clear();
            depth_now = depth + usize::from(depth > 0);
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(word);
    }
    line(out, depth_now, &row)
}
