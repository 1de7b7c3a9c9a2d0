//! `allclear notice receive`: what came back, and what follows from it.

use super::Receive;
use super::change::advance;
use crate::case::{failure, open};
use crate::exit::{self, Failure};
use crate::{Outcome, output};
use response::notice::receive::{MAIL_BYTES_MAX, MailKind, Words, read, words};
use response::notice::state::State;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store::Case;
use store::response::{NoticeMailRow, NoticeRow};

/// More mails than come back in a campaign; stops a folder that is something else.
const MAILS_MAX: usize = 1_000_000;
/// Folders below a Maildir that are looked into.
const DEPTH_MAX: usize = 4;

pub(super) fn run(receive: &Receive) -> Outcome {
    let case = open(&receive.at)?;
    let now = receive.now.micros();
    let mut files = Vec::new();
    for path in &receive.paths {
        below(path, 0, &mut files)?;
    }
    files.sort();
    files.dedup();
    let words = words();
    let mut used: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut unused: BTreeMap<&'static str, u64> = BTreeMap::new();
    for path in &files {
        match one(&case, path, &words, now)? {
            Ok(outcome) => *used.entry(outcome).or_default() += 1,
            Err(reason) => *unused.entry(reason).or_default() += 1,
        }
    }
    output::to_standard_output(&mut |out| {
        for (outcome, count) in &used {
            writeln!(out, "{count} {outcome}")?;
        }
        for (reason, count) in &unused {
            writeln!(out, "{count} not used: {reason}")?;
        }
        let (used, unused): (u64, u64) = (used.values().sum(), unused.values().sum());
        writeln!(out, "{} mails: {used} used, {unused} not", files.len())
    })?;
    Ok(ExitCode::from(if unused.is_empty() {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }))
}

/// What one mail leads to: a state, or why it is not used.
fn one(
    case: &Case,
    path: &Path,
    words: &[Words],
    now: i64,
) -> Result<Result<&'static str, &'static str>, Failure> {
    let bytes = mail(path)?;
    let received = match read(&bytes, words) {
        Ok(received) => received,
        Err(why) => return Ok(Err(why.name())),
    };
    if case
        .row::<NoticeMailRow>(&[&received.id])
        .map_err(failure)?
        .is_some()
    {
        return Ok(Err("seen before"));
    }
    let mut notice = None;
    for code in &received.codes {
        notice = case.row::<NoticeRow>(&[code]).map_err(failure)?;
        if notice.is_some() {
            break;
        }
    }
    let Some(notice) = notice else {
        return Ok(Err("quotes no code of this case"));
    };
    let from = State::parse(&notice.state);
    // Whatever comes back shows that it was sent.
    let wanted = received
        .state
        .or_else(|| (from == Some(State::InDoubt)).then_some(State::Sent));
    let to = wanted.filter(|to| from.is_some_and(|from| from.may_become(*to)));
    let stranger =
        received.kind == MailKind::Answer && received.sender != notice.address.to_lowercase();
    let why = if stranger {
        format!(
            "{} (from another address: {})",
            received.why, received.sender
        )
    } else {
        received.why.clone()
    };
    let outcome = match (to, wanted) {
        (Some(to), _) => to.name(),
        (None, Some(to)) if from == Some(to) => "already so",
        (None, Some(_)) => "changes nothing any more",
        (None, None) => "still on its way",
    };
    let row = NoticeMailRow {
        id: received.id,
        notice: notice.id.clone(),
        kind: received.kind.name().to_owned(),
        sender: received.sender,
        label: path.display().to_string(),
        outcome: match to {
            Some(to) => to.name().to_owned(),
            None => format!("{outcome}: {why}"),
        },
        received: now,
    };
    let detail = serde_json::json!({ "notice": notice.id, "mail": row.id, "kind": row.kind, "state": to.map(State::name) });
    case.change(now, async |change| {
        if change.add(std::slice::from_ref(&row)).await? == 0 {
            return Ok(());
        }
        if let Some(to) = to {
            advance(change, &notice, to, now, None, &why).await?;
        }
        change.note("notice answered", &detail).await
    })
    .map_err(failure)?;
    Ok(Ok(outcome))
}

/// The beginning of a mail: a byte more than is read, so that one that is too large is told.
#[expect(
    clippy::disallowed_methods,
    reason = "mail that a person named is read here"
)]
fn mail(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(MAIL_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(bound)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(
        format!("cannot read {}: {error}", path.display()),
        "check the path",
    )
}

/// The files below a path. Of a Maildir, `tmp` holds mails that are not whole yet.
fn below(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let kind = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if kind.is_file() {
        files.push(path.to_owned());
    }
    if files.len() > MAILS_MAX {
        return Err(Failure::usage(
            format!("more than {MAILS_MAX} files"),
            "name the folder that mail lies in",
        ));
    }
    if !kind.is_dir() || depth > DEPTH_MAX {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let name = entry.file_name();
        if !is_link && name != "tmp" && !name.to_string_lossy().starts_with('.') {
            below(&entry.path(), depth + 1, files)?;
        }
    }
    Ok(())
}
