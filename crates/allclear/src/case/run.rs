//! `allclear check --case`, `allclear case judge`, `allclear report` and `allclear diff`.

use super::open::{now, open, open_or_create, work_failure};
use super::{Judge, failure};
use crate::args::{Check, Diff, Report as ReportArguments};
use crate::check::{crew, exit_code, manifest_line, name_manifest, progress_bar, show};
use crate::exit::{self, Failure};
use crate::settings::{self, Tables};
use crate::{Outcome, attest, evict, output};
use evidence::{Collection, Options};
use pipeline::Judgement;
use pipeline::case::{Change, Done, Times, Work};
use pipeline::job::Knowledge;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use store::Case;

/// Hosts up to which a run into a case prints its whole report.
const HOSTS_TOLD_MAX: usize = 50;

/// Reads the collections into the case, and reports on their hosts.
pub(crate) fn check(
    check: &Check,
    folder: &Path,
    collections: &[Collection],
    knowledge: &Knowledge,
    judgement: &Judgement<'_>,
) -> Outcome {
    let case = open_or_create(folder, &check.behind)?;
    let _run = case.begin_run().map_err(failure)?;
    // What persons stated once holds for every later run.
    evict::keep(&case, judgement.attestations)?;
    let attestations = evict::kept(&case)?;
    let shipped = settings::shipped_of_case(&case, &check.known)?;
    let tables = Tables::builtin();
    let judgement = &Judgement {
        packs: judgement.packs,
        knowledge: tables.knowledge(&shipped),
        host: judgement.host,
        as_of: judgement.as_of,
        attestations: &attestations,
    };
    let bar = progress_bar(check.readers.quiet);
    let work = Work {
        case: &case,
        knowledge,
        crew: &crew(&check.readers)?,
        judgement,
        reread: check.reread,
        now: &now,
    };
    let done = {
        #[cfg(feature = "cluster")]
        {
            match crate::cluster::named(&check.cluster)? {
                Some(cluster) => {
                    bar.set_message("read by the cluster");
                    crate::cluster::check(&cluster, &case, check, &work, collections)
                }
                None => here(&work, collections, &bar),
            }
        }
        #[cfg(not(feature = "cluster"))]
        here(&work, collections, &bar)
    };
    bar.finish_and_clear();
    let done = done.map_err(work_failure)?;
    if let Some(path) = &check.manifest {
        write_manifest(&case, &done.hosts, path)?;
    }
    if !check.readers.quiet {
        tell(&done, &mut io::stderr().lock())?;
    }
    let asked_for_all =
        check.output.output.is_some() || check.output.format != crate::args::Format::Text;
    if done.hosts.len() > HOSTS_TOLD_MAX && !asked_for_all {
        return super::list::summary(&case, &done.hosts);
    }
    let mut report = pipeline::case::report(&case, Some(&done.hosts)).map_err(work_failure)?;
    name_manifest(&mut report, check.manifest.as_deref().unwrap_or(folder));
    output::report(&report, &check.output)?;
    Ok(ExitCode::from(exit_code(&report)))
}

/// Has the collections read by processes of this machine.
fn here(
    work: &Work<'_>,
    collections: &[Collection],
    bar: &indicatif::ProgressBar,
) -> Result<Done, pipeline::case::CaseError> {
    let mut bytes = 0;
    pipeline::case::check(work, collections, &mut |progress| {
        show(bar, progress, &mut bytes);
    })
}

fn write_manifest(case: &Case, hosts: &BTreeSet<String>, path: &Path) -> Result<(), Failure> {
    let mut failed = None;
    output::to_file(path, &mut |out| {
        let outcome =
            pipeline::case::manifest(case, hosts, &mut |id, item| manifest_line(out, id, item));
        if let Err(error) = outcome {
            failed = Some(error);
        }
        Ok(())
    })?;
    failed.map_or(Ok(()), |error| Err(work_failure(error)))
}

/// Says what came in and which verdicts changed.
fn tell(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{} collections read, {} known already; {} hosts judged",
        done.read, done.known, done.judged
    )?;
    changes(&done.changes, out)
}

fn changes(changes: &[Change], out: &mut dyn Write) -> io::Result<()> {
    for change in changes.iter().filter(|change| change.before.is_some()) {
        let line = format!(
            "{}  {}  {} -> {}  ({})",
            change.host,
            change.campaign,
            change.before.as_deref().unwrap_or("-"),
            change.now,
            change.why
        );
        writeln!(out, "  {}", report::visible(&line))?;
    }
    Ok(())
}

/// `allclear case judge`: the same evidence, judged by what is known now.
pub(super) fn judge(judge: &Judge) -> Outcome {
    let knowledge = settings::knowledge(&judge.knowledge, Options::default())?;
    let packs = settings::packs(&knowledge)?;
    let stated = attest::read(&judge.attest, &packs)?;
    let tables = Tables::builtin();
    let case = open(&judge.at)?;
    let _run = case.begin_run().map_err(failure)?;
    evict::keep(&case, &stated)?;
    let shipped = settings::shipped_of_case(&case, &judge.known)?;
    let attestations = evict::kept(&case)?;
    let judgement = Judgement {
        packs: &packs,
        knowledge: tables.knowledge(&shipped),
        host: None,
        as_of: judge.as_of,
        attestations: &attestations,
    };
    let work = Work {
        case: &case,
        knowledge: &knowledge,
        crew: &crew(&judge.readers)?,
        judgement: &judgement,
        reread: false,
        now: &now,
    };
    let done = pipeline::case::check(&work, &[], &mut |_progress| {}).map_err(work_failure)?;
    output::to_standard_output(&mut |out| {
        if judge.json {
            return report::json_line(&done, out);
        }
        let changed = done.changes.iter().filter(|change| change.before.is_some());
        writeln!(
            out,
            "{} hosts judged, {} verdicts changed",
            done.judged,
            changed.count()
        )?;
        changes(&done.changes, out)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A host of the case, judged by these packs and by what persons have stated. Only hosts of which something is new are judged.
pub(crate) fn judged_now(
    case: &Case,
    knowledge: &Knowledge,
    packs: &[pack::Pack],
    host: &str,
) -> Result<model::report::Report, Failure> {
    let tables = Tables::builtin();
    let _run = case.begin_run().map_err(failure)?;
    let shipped = settings::shipped_of_case(case, &[])?;
    let attestations = evict::kept(case)?;
    let judgement = Judgement {
        packs,
        knowledge: tables.knowledge(&shipped),
        host: None,
        as_of: None,
        attestations: &attestations,
    };
    let work = Work {
        case,
        knowledge,
        crew: &pipeline::supervise::Crew {
            workers: 1,
            command: None,
            item_seconds: 0,
            seconds_per_mib: 0,
        },
        judgement: &judgement,
        reread: false,
        now: &now,
    };
    pipeline::case::check(&work, &[], &mut |_progress| {}).map_err(work_failure)?;
    let wanted = BTreeSet::from([host.to_owned()]);
    pipeline::case::report(case, Some(&wanted)).map_err(work_failure)
}

/// `allclear report CASE`: the same answers, so the same exit code.
pub(crate) fn report(arguments: &ReportArguments) -> Outcome {
    let case = open(&arguments.at)?;
    let wanted: BTreeSet<String> = arguments.host.iter().cloned().collect();
    let wanted = (!wanted.is_empty()).then_some(&wanted);
    let mut report = pipeline::case::report(&case, wanted).map_err(work_failure)?;
    if let Some(name) = arguments.host.iter().find(|name| {
        let mut hosts = report.hosts.iter();
        !hosts.any(|host| host.host == **name)
    }) {
        return Err(Failure::usage(
            format!("the case has no host {name}"),
            "`allclear case list` names them",
        ));
    }
    name_manifest(&mut report, &arguments.at.case);
    output::report(&report, &arguments.output)?;
    Ok(ExitCode::from(exit_code(&report)))
}

/// `allclear diff`: what became of a host between two times, judged by the built-in packs.
pub(crate) fn diff(diff: &Diff) -> Outcome {
    let knowledge = settings::knowledge(&diff.knowledge, Options::default())?;
    let packs = settings::packs(&knowledge)?;
    let shipped = settings::shipped_files(&[])?;
    let tables = Tables::builtin();
    let judgement = Judgement {
        packs: &packs,
        knowledge: tables.knowledge(&shipped),
        host: None,
        as_of: None,
        attestations: &[],
    };
    let case = open(&diff.at)?;
    let work = Work {
        case: &case,
        knowledge: &knowledge,
        crew: &pipeline::supervise::Crew {
            workers: 1,
            command: None,
            item_seconds: 0,
            seconds_per_mib: 0,
        },
        judgement: &judgement,
        reread: false,
        now: &now,
    };
    let times = Times {
        from: diff.from,
        to: diff.to,
    };
    let found = pipeline::case::at_times(&work, &diff.host, times).map_err(work_failure)?;
    if diff.json {
        output::to_standard_output(&mut |out| report::json_line(&found, out))?;
    } else {
        output::text(&mut |options, out| report::diff(&found, options, out))?;
    }
    let changed = found
        .campaigns
        .iter()
        .any(model::diff::CampaignDiff::is_change);
    Ok(ExitCode::from(if changed {
        exit::NOT_ASSURED
    } else {
        exit::ASSURED
    }))
}
