//! `allclear clearance`: signed statements that a host is clear, and what becomes of them.

use crate::args::CaseAt;
use crate::audit::{SecretKey, as_text, public_key, signature_of, signer, write_signed};
use crate::case::{case_failure, now, open};
use crate::evict::{campaign_of, host_of, pack_of, packs};
use crate::exit::{self, Failure};
use crate::{Outcome, output, settings};
use clap::{Args, Subcommand};
use model::Timestamp;
use report::visible;
use response::clearance::{
    self, Clearance, FORMAT, REVOCATIONS_FORMAT, Refused, Request, Revocations, Revoked, looks,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use store::response::{ClearanceRow, ObservationRow};
use store::{Case, micros};

/// Exit codes of `clearance verify` beside 0: it holds.
const REVOKED: u8 = 1;
const TAMPERED: u8 = 5;
const OTHER_KEY: u8 = 6;
const MALFORMED: u8 = 7;

#[derive(Debug, Subcommand)]
pub(crate) enum ClearanceCommand {
    /// Issue a clearance for one host and one campaign: JSON with a signature, and the same as HTML and PDF.
    ///
    /// Only where the verdict assures it and every gate passed; otherwise it says what is missing, and the exit code is 1.
    Issue(Box<Issue>),
    /// Check a clearance without the case.
    #[command(
        after_help = "Exit codes: 0 it holds · 1 it was revoked · 2 wrong usage · 5 document or signature was changed · 6 signed \
                      with another key · 7 no clearance"
    )]
    Verify(Verify),
    /// Every clearance of a case, and what became of it.
    List(List),
    /// Take a clearance back.
    Revoke(Revoke),
    /// Revoke what later facts contradict, and say which hosts have to be looked at again. Exit code 1: a look is overdue, or
    /// something was revoked.
    Watch(Box<Watch>),
}

#[derive(Debug, Args)]
pub(crate) struct Issue {
    #[command(flatten)]
    at: CaseAt,

    /// The host.
    #[arg(value_name = "HOST")]
    host: String,

    /// The campaign: the name of its pack.
    #[arg(long, value_name = "NAME")]
    campaign: String,

    /// Who issues it.
    #[arg(long, value_name = "NAME")]
    by: String,

    #[command(flatten)]
    key: SecretKey,

    /// The folder that the documents are written to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,

    #[command(flatten)]
    knowledge: crate::args::Knowledge,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The JSON document; its signature stands beside it (FILE.minisig).
    #[arg(value_name = "FILE.json")]
    file: PathBuf,

    /// The issuer's public key: a .pub file, or the key itself.
    #[arg(long, value_name = "FILE|KEY")]
    key: String,

    /// A list of revocations that `allclear clearance list --revocations` wrote, with its signature beside it.
    #[arg(long, value_name = "FILE")]
    revocations: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    at: CaseAt,

    /// Write one JSON object for each instead of a table.
    #[arg(long)]
    json: bool,

    /// Write a signed list of what was revoked, for those who verify without the case.
    #[arg(long, value_name = "FILE", requires = "key")]
    revocations: Option<PathBuf>,

    /// The secret key that signs the list.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    at: CaseAt,

    /// Its number.
    #[arg(value_name = "NUMBER")]
    id: String,

    /// What became known.
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// Who revokes it.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    at: CaseAt,

    /// As of this time [default: now].
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,

    #[command(flatten)]
    knowledge: crate::args::Knowledge,

    /// Write one JSON object for each instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &ClearanceCommand) -> Outcome {
    match command {
        ClearanceCommand::Issue(issue) => run_issue(issue),
        ClearanceCommand::Verify(verify) => run_verify(verify),
        ClearanceCommand::List(list) => run_list(list),
        ClearanceCommand::Revoke(revoke) => run_revoke(revoke),
        ClearanceCommand::Watch(watch) => run_watch(watch),
    }
}

fn run_issue(given: &Issue) -> Outcome {
    if given.by.trim().is_empty() {
        return Err(Failure::usage(
            "--by is empty",
            "somebody issues a clearance",
        ));
    }
    let signer = signer(&given.key)?;
    let (knowledge, packs) = packs(&given.knowledge)?;
    let pack = pack_of(&packs, &given.campaign)?;
    let case = open(&given.at)?;
    let chain = case.verify_chain().map_err(case_failure)?;
    if chain.broken_count > 0 {
        return Err(Failure::usage(
            "the audit chain of the case is broken: what it holds cannot be believed",
            "`allclear audit verify` says where",
        ));
    }
    let host = host_of(&case, &given.host, &knowledge, &packs)?;
    campaign_of(&host, &given.campaign)?;
    let observations: Vec<ObservationRow> = case.rows().map_err(case_failure)?;
    // Judging added to the chain.
    let head = case.verify_chain().map_err(case_failure)?.head;
    let used = [model::report::PackUsed {
        name: pack.manifest.name.clone(),
        version: pack.manifest.version.clone(),
    }];
    let request = Request {
        host: &host,
        campaign: &given.campaign,
        packs: &used,
        observations: &observations,
        watch: pack.remediation.watch.as_ref(),
        by: &given.by,
        now: now(),
        version: env!("CARGO_PKG_VERSION"),
        audit: head,
    };
    let document = match clearance::document(&request) {
        Ok(document) => document,
        Err(missing) => {
            output::to_standard_output(&mut |out| {
                writeln!(
                    out,
                    "no clearance for {}, {}:",
                    visible(&given.host),
                    visible(&given.campaign)
                )?;
                for line in &missing {
                    writeln!(out, "  - {}", visible(line))?;
                }
                Ok(())
            })?;
            return Ok(ExitCode::from(exit::NOT_ASSURED));
        }
    };
    let mut bytes = serde_json::to_vec_pretty(&document).map_err(Failure::fault)?;
    bytes.push(b'\n');
    let sha256 = hex_sha256(&bytes);
    let path = given.out.join(format!("{}.json", document.id));
    let signature = write_signed(
        &path,
        &bytes,
        &signer,
        &format!("clearance {}", document.id),
    )?;
    let sheet = clearance::sheet(&document, &sha256);
    output::to_file(&path.with_extension("html"), &mut |out| {
        report::sheet_html(&sheet, out)
    })?;
    let pdf = report::sheet_pdf(&sheet);
    output::to_file(&path.with_extension("pdf"), &mut |out| out.write_all(&pdf))?;
    // What is not in the case does not hold: the files come first, and are nothing without the row.
    let row = clearance::row(&document, as_text(&bytes), sha256.clone(), signature);
    case.change(micros(request.now), async |change| {
        change.put(std::slice::from_ref(&row)).await?;
        let detail = json!({
            "clearance": row.id, "host": row.host, "campaign": row.campaign, "verdict": row.verdict, "by": row.person,
            "sha256": row.sha256,
        });
        change.note("clearance issued", &detail).await
    })
    .map_err(case_failure)?;
    output::say(&format!(
        "{}: {} is {} of {}\nsigned {}, with .minisig, .html and .pdf beside it",
        document.id,
        visible(&document.host),
        document.verdict.name(),
        visible(&document.campaign),
        path.display()
    ))?;
    Ok(ExitCode::from(exit::ASSURED))
}

fn hex_sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text
}

fn run_verify(given: &Verify) -> Outcome {
    let key = public_key(&given.key)?;
    let bytes = settings::read(&given.file)?;
    let signature = as_text(&settings::read(&signature_of(&given.file))?);
    let list = given.revocations.as_ref().map(|path| {
        let list = settings::read(path)?;
        let signature = as_text(&settings::read(&signature_of(path))?);
        Ok::<_, Failure>((list, signature))
    });
    let list = list.transpose()?;
    let list = list
        .as_ref()
        .map(|(list, signature)| (list.as_slice(), signature.as_str()));
    match clearance::verify(&bytes, &signature, &key, list) {
        Ok(document) => {
            output::to_standard_output(&mut |out| shown(&document, out))?;
            Ok(ExitCode::from(exit::ASSURED))
        }
        Err(refused) => {
            output::say(&format!("not accepted: {}", visible(&refused.to_string())))?;
            Ok(ExitCode::from(match refused {
                Refused::Revoked(..) => REVOKED,
                Refused::Tampered => TAMPERED,
                Refused::OtherKey => OTHER_KEY,
                Refused::Malformed(_) => MALFORMED,
            }))
        }
    }
}

fn shown(document: &Clearance, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}: {} is {} of {}, by {} on {}",
        visible(&document.id),
        visible(&document.host),
        document.verdict.name(),
        visible(&document.campaign),
        visible(&document.by),
        document.issued
    )?;
    writeln!(out, "{}", visible(&document.scope))?;
    for gate in &document.gates {
        writeln!(
            out,
            "  {:<14} {}",
            visible(&gate.passed_by),
            visible(&gate.title)
        )?;
    }
    if let Some(watch) = &document.watch {
        writeln!(
            out,
            "a new collection every {} days until {}",
            watch.every_days, watch.until
        )?;
    }
    writeln!(
        out,
        "signature and document fit; whether it was revoked since, only its issuer or a list of revocations tells"
    )
}

fn run_list(given: &List) -> Outcome {
    let case = open(&given.at)?;
    let rows: Vec<ClearanceRow> = case.rows().map_err(case_failure)?;
    if let (Some(path), Some(key)) = (&given.revocations, &given.key) {
        let signer = signer(&SecretKey::of(key.clone()))?;
        let list = Revocations {
            format: REVOCATIONS_FORMAT.to_owned(),
            written: now(),
            revoked: rows.iter().filter_map(revoked).collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&list).map_err(Failure::fault)?;
        bytes.push(b'\n');
        write_signed(path, &bytes, &signer, "revoked clearances")?;
    }
    output::to_standard_output(&mut |out| {
        if given.json {
            for row in &rows {
                report::json_line(row, out)?;
            }
            return Ok(());
        }
        for row in &rows {
            let issued = time(row.issued);
            write!(
                out,
                "{}  {}  {}  {}  issued {issued} by {}",
                row.id,
                visible(&row.host),
                visible(&row.campaign),
                visible(&row.verdict),
                visible(&row.person)
            )?;
            match (row.revoked, &row.revoked_why) {
                (Some(at), why) => writeln!(
                    out,
                    "  REVOKED {}: {}",
                    time(at),
                    visible(why.as_deref().unwrap_or_default())
                )?,
                (None, _) => writeln!(out, "  holds")?,
            }
        }
        if rows.is_empty() {
            writeln!(out, "the case has no clearance")?;
        }
        Ok(())
    })?;
    Ok(ExitCode::from(exit::ASSURED))
}

fn time(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

fn revoked(row: &ClearanceRow) -> Option<Revoked> {
    Some(Revoked {
        id: row.id.clone(),
        time: Timestamp::from_microsecond(row.revoked?).ok()?,
        why: row.revoked_why.clone().unwrap_or_default(),
    })
}

fn run_revoke(given: &Revoke) -> Outcome {
    let case = open(&given.at)?;
    let by = (!given.by.trim().is_empty()).then_some(given.by.as_str());
    if by.is_none() {
        return Err(Failure::usage(
            "--by is empty",
            "somebody revokes a clearance",
        ));
    }
    match take_back(&case, &given.id, &given.why, by)? {
        Some(row) => {
            output::say(&format!(
                "{} of {} is revoked; write a new list of revocations and give it to whoever has the document",
                row.id,
                visible(&row.host)
            ))?;
            Ok(ExitCode::from(exit::ASSURED))
        }
        None => Err(Failure::usage(
            format!("no clearance {} holds", visible(&given.id)),
            "`allclear clearance list` names them",
        )),
    }
}

/// Revokes a clearance that holds; none where there is none, or it does not hold any more.
fn take_back(
    case: &Case,
    id: &str,
    why: &str,
    by: Option<&str>,
) -> Result<Option<ClearanceRow>, Failure> {
    let now = micros(now());
    case.change(now, async |change| {
        let row: Option<ClearanceRow> = change.row(&[id]).await?;
        let Some(mut row) = row.filter(|row| row.revoked.is_none()) else {
            return Ok(None);
        };
        row.revoked = Some(now);
        row.revoked_person = by.map(str::to_owned);
        row.revoked_why = Some(why.to_owned());
        change.put(std::slice::from_ref(&row)).await?;
        let detail = json!({ "clearance": row.id, "why": why, "by": by });
        change.note("clearance revoked", &detail).await?;
        Ok(Some(row))
    })
    .map_err(case_failure)
}

fn run_watch(given: &Watch) -> Outcome {
    let (knowledge, packs) = packs(&given.knowledge)?;
    let case = open(&given.at)?;
    let as_of = given.as_of.unwrap_or_else(now);
    let rows: Vec<ClearanceRow> = case.rows().map_err(case_failure)?;
    let observations: Vec<ObservationRow> = case.rows().map_err(case_failure)?;
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    let mut attention = false;
    for row in rows.iter().filter(|row| row.revoked.is_none()) {
        let document: Clearance = serde_json::from_str(&row.document)
            .ok()
            .filter(|document: &Clearance| document.format == FORMAT)
            .ok_or_else(|| Failure::fault(format!("the clearance {} cannot be read", row.id)))?;
        let against = match host_of(&case, &row.host, &knowledge, &packs) {
            Ok(host) => match campaign_of(&host, &row.campaign) {
                Ok(campaign) => {
                    let against = clearance::contrary(&host, campaign, &observations);
                    let taken: Vec<Timestamp> = host
                        .collections
                        .iter()
                        .filter_map(|seen| seen.taken)
                        .collect();
                    for look in looks(&document, &taken, as_of) {
                        let state = match (look.done, look.overdue) {
                            (Some(done), _) => format!("done {done}"),
                            (None, true) => "OVERDUE".to_owned(),
                            (None, false) => "waits".to_owned(),
                        };
                        attention |= look.overdue;
                        lines.push(format!(
                            "{}  {}  {}  look {} due {}  {state}",
                            row.id,
                            visible(&row.host),
                            visible(&row.campaign),
                            look.number,
                            look.due
                        ));
                        objects.push(json!({
                            "clearance": row.id, "host": row.host, "campaign": row.campaign, "look": look,
                        }));
                    }
                    against
                }
                Err(_gone) => vec!["the campaign is not judged any more".to_owned()],
            },
            Err(_gone) => vec!["the case has the host no longer".to_owned()],
        };
        if !against.is_empty() {
            attention = true;
            let why = against.join("; ");
            take_back(&case, &row.id, &why, None)?;
            lines.push(format!(
                "{}  {}  {}  REVOKED: {}",
                row.id,
                visible(&row.host),
                visible(&row.campaign),
                visible(&why)
            ));
            objects.push(json!({
                "clearance": row.id, "host": row.host, "campaign": row.campaign, "revoked": why,
            }));
        }
    }
    output::to_standard_output(&mut |out| {
        if given.json {
            for object in &objects {
                report::json_line(object, out)?;
            }
            return Ok(());
        }
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        if lines.is_empty() {
            writeln!(out, "no clearance holds that asks for another look")?;
        }
        Ok(())
    })?;
    Ok(ExitCode::from(if attention {
        exit::NOT_ASSURED
    } else {
        exit::ASSURED
    }))
}
