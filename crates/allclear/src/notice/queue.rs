//! `allclear notice queue` and `remind`: writes notices, and says whom to and why.

use super::Queue;
use super::kept::{Kept, template_failure};
use crate::case::{failure, open};
use crate::exit::Failure;
use crate::{Outcome, output};
use response::notice::queue::{Given, Queue as Result_, Written, queue as to_queue};
use response::notice::remind::{remind as to_remind, rules};
use response::notice::text::TextError;
use sha2::{Digest, Sha256};
use std::process::ExitCode;
use store::Case;

/// Organisations that were passed over, and notices, that are named one by one in text.
const NAMED_MAX: usize = 50;

pub(super) fn queue(queue: &Queue) -> Outcome {
    run(queue, "notices queued", "passed over", &to_queue)
}

pub(super) fn remind(remind: &Queue) -> Outcome {
    run(remind, "reminders queued", "left alone", &|given| {
        to_remind(given, &rules())
    })
}

type Make = dyn Fn(&Given<'_>) -> Result<Result_, TextError>;

fn run(queue: &Queue, what: &str, passed: &str, make: &Make) -> Outcome {
    let case = open(&queue.at)?;
    let now = queue.now.micros();
    let folder = queue.templates.as_deref();
    let kept = Kept::load(&case, &queue.campaign, folder, now, &queue.by)?;
    let made = make(&kept.given(now, &queue.by)).map_err(template_failure)?;
    if !queue.dry_run && !made.written.is_empty() {
        keep(&case, &made.written, now, &queue.by, what)?;
    }
    output::to_standard_output(&mut |out| {
        if queue.json {
            for written in &made.written {
                let row = &written.notice;
                let about: Vec<&str> = written
                    .subjects
                    .iter()
                    .map(|row| row.organisation.as_str())
                    .collect();
                let line = serde_json::json!({
                    "notice": row.id, "kind": row.kind, "route": row.route, "channel": row.channel, "address": row.address,
                    "level": row.level, "tlp": row.tlp, "language": row.language, "audience": row.audience,
                    "encrypted": row.pgp_key.is_some(), "reason": row.reason, "organisations": about,
                });
                report::json_line(&line, out)?;
            }
            for (id, why) in &made.passed {
                let line = serde_json::json!({ "passed": id, "reason": why });
                report::json_line(&line, out)?;
            }
            return Ok(());
        }
        for written in made.written.iter().take(NAMED_MAX) {
            let row = &written.notice;
            let about: Vec<&str> = written
                .subjects
                .iter()
                .take(3)
                .map(|row| kept.name(&row.organisation))
                .collect();
            let more = written.subjects.len().saturating_sub(about.len());
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let to = format!(
                "{}{}",
                row.address.replace('\n', ", "),
                if row.pgp_key.is_some() {
                    " (encrypted)"
                } else {
                    ""
                }
            );
            writeln!(out, "{}  {}", row.id, report::visible(&to))?;
            writeln!(
                out,
                "  about {}{more}; {}, {}, for the {} in {}",
                report::visible(&about.join(", ")),
                row.level,
                row.tlp,
                row.audience,
                row.language
            )?;
            writeln!(out, "  why: {}", report::visible(&row.reason))?;
        }
        if made.written.len() > NAMED_MAX {
            writeln!(
                out,
                "… and {} more; --json names all",
                made.written.len() - NAMED_MAX
            )?;
        }
        for (id, why) in made.passed.iter().take(NAMED_MAX) {
            writeln!(
                out,
                "{passed}: {}: {}",
                report::visible(kept.name(id)),
                report::visible(why)
            )?;
        }
        if made.passed.len() > NAMED_MAX {
            writeln!(
                out,
                "… and {} more; --json names all",
                made.passed.len() - NAMED_MAX
            )?;
        }
        let would = if queue.dry_run {
            " (nothing was changed)"
        } else {
            ""
        };
        writeln!(
            out,
            "{} {what} for {} organisations, {} {passed}{would}",
            made.written.len(),
            made.written
                .iter()
                .map(|written| written.subjects.len())
                .sum::<usize>(),
            made.passed.len()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Puts new notices into the case, in one transaction with their entry in the audit chain.
pub(super) fn keep(
    case: &Case,
    written: &[Written],
    now: i64,
    person: &str,
    what: &str,
) -> Result<(), Failure> {
    let mut hash = Sha256::new();
    let (mut notices, mut subjects, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for one in written {
        hash.update(format!("{} {}\n", one.notice.id, one.notice.sha256));
        notices.push(one.notice.clone());
        subjects.extend(one.subjects.iter().cloned());
        steps.push(one.step.clone());
    }
    let digest = crate::lists::hex(&hash.finalize());
    let detail = serde_json::json!({
        "by": person, "campaign": notices.first().map(|row| row.campaign.clone()), "notices": notices.len(),
        "organisations": subjects.len(), "sha256": digest,
    });
    case.change(now, async |change| {
        change.add(&notices).await?;
        change.add(&subjects).await?;
        change.add(&steps).await?;
        change.note(what, &detail).await
    })
    .map_err(failure)
}
