//! `allclear registry import`.

use super::Import;
use crate::case::{self, failure, now};
use crate::exit::{ASSURED, Failure, NOT_ASSURED};
use crate::lists::{self, List};
use crate::{Outcome, output};
use report::visible;
use response::import::{self, Counts, Kind, Options, Outcome as Fate, Planned, Rows, Tables};
use serde_json::json;
use std::io::{self, Write};
use std::process::ExitCode;
use store::response::ImportRow;
use store::{Case, CaseError, micros};

/// Rows that are told one by one in text.
const TOLD_MAX: usize = 40;

/// A list, and what it holds.
struct Named {
    list: List,
    kind: Kind,
    /// Id of the import.
    id: String,
}

pub(super) fn run(arguments: &Import) -> Outcome {
    let mut named = Vec::new();
    for path in &arguments.files {
        named.push(name(lists::read(path)?, arguments)?);
    }
    // Whatever names an organisation comes after the organisations.
    named.sort_by_key(|named| named.kind);
    let now = micros(now());
    let planned = if arguments.dry_run {
        let tables = if Case::is_case(&arguments.at.case) {
            Tables::load(&case::open(&arguments.at)?).map_err(failure)?
        } else {
            Tables::default()
        };
        let mut rows = Rows::of(tables);
        let plan = |named: &Named| {
            import::plan(&mut rows, &named.list.table, options(named, arguments, now))
        };
        named.iter().map(plan).collect()
    } else {
        let case = case::open_or_create(&arguments.at.case, &arguments.at.behind)?;
        write(&case, &named, arguments, now).map_err(failure)?
    };
    tell(&named, &planned, arguments)?;
    let refused = planned
        .iter()
        .any(|planned| planned.counts().refusals() > 0);
    Ok(ExitCode::from(if refused { NOT_ASSURED } else { ASSURED }))
}

fn name(list: List, arguments: &Import) -> Result<Named, Failure> {
    let table = &list.table;
    let kind = match arguments.kind {
        Some(kind) => kind.kind(),
        None => Kind::of(table).ok_or_else(|| {
            Failure::usage(
                format!("the columns of {} do not say what it holds", list.label),
                "organisations need name; aliases alias,organisation; assets kind,value,organisation; contacts \
                 address,organisation (or scope,subject); responders name,hours: name the columns so, or give --kind",
            )
        })?,
    };
    if let Some(column) = kind.missing(table) {
        let column = column.replace('|', " or ");
        return Err(Failure::usage(
            format!("{} has no column {column}", list.label),
            format!(
                "a list of {} needs {}",
                kind.name(),
                kind.needs().join(", ").replace('|', " or ")
            ),
        ));
    }
    let origin = if arguments.manual {
        "manual"
    } else {
        "imported"
    };
    let id = import::derived("i", &["registry", kind.name(), origin, &list.sha256]);
    Ok(Named { list, kind, id })
}

fn options<'a>(named: &'a Named, arguments: &Import, now: i64) -> Options<'a> {
    Options {
        kind: named.kind,
        manual: arguments.manual,
        import: &named.id,
        now,
    }
}

/// All lists in one transaction, an entry of the audit chain for each that was not there or changes something.
fn write(
    case: &Case,
    named: &[Named],
    arguments: &Import,
    now: i64,
) -> Result<Vec<Planned>, CaseError> {
    case.change(now, async |change| {
        let mut rows = Rows::of(Tables {
            organisations: change.rows().await?,
            aliases: change.rows().await?,
            assets: change.rows().await?,
            contacts: change.rows().await?,
            responders: change.rows().await?,
            merges: change.rows().await?,
        });
        let mut all = Vec::new();
        for named in named {
            let planned = import::plan(&mut rows, &named.list.table, options(named, arguments, now));
            let known = change.row::<ImportRow>(&[&named.id]).await?.is_some();
            if known && !planned.changes() {
                all.push(planned);
                continue;
            }
            let counts = planned.counts();
            change.put(&[row(named, &counts, now)]).await?;
            change.put(&planned.organisations).await?;
            change.put(&planned.aliases).await?;
            change.put(&planned.assets).await?;
            change.put(&planned.contacts).await?;
            change.put(&planned.responders).await?;
            let detail = json!({
                "import": named.id, "kind": named.kind.name(), "file": named.list.label, "sha256": named.list.sha256,
                "manual": arguments.manual, "by": arguments.by, "counts": counts,
            });
            change.note("registry imported", &detail).await?;
            all.push(planned);
        }
        Ok(all)
    })
}

fn row(named: &Named, counts: &Counts, now: i64) -> ImportRow {
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    ImportRow {
        id: named.id.clone(),
        kind: named.kind.name().to_owned(),
        label: named.list.label.clone(),
        sha256: named.list.sha256.clone(),
        imported: now,
        rows_in: whole(counts.rows_in),
        accepted: whole(counts.accepted),
        refused: json!(counts.refused).to_string(),
    }
}

fn tell(named: &[Named], planned: &[Planned], arguments: &Import) -> Result<(), Failure> {
    output::to_standard_output(&mut |out| {
        for (named, planned) in named.iter().zip(planned) {
            if arguments.json {
                as_json(named, planned, arguments, out)?;
            } else {
                as_text(named, planned, arguments, out)?;
            }
        }
        if arguments.dry_run && !arguments.json {
            writeln!(out, "a dry run: nothing was changed")?;
        }
        Ok(())
    })
}

fn as_json(
    named: &Named,
    planned: &Planned,
    arguments: &Import,
    out: &mut dyn Write,
) -> io::Result<()> {
    for line in &planned.lines {
        let mut value = json!(line);
        value["file"] = json!(named.list.label);
        writeln!(out, "{value}")?;
    }
    let total = json!({
        "file": named.list.label, "kind": named.kind.name(), "sha256": named.list.sha256, "import": named.id,
        "dry_run": arguments.dry_run, "counts": planned.counts(),
    });
    writeln!(out, "{total}")
}

fn as_text(
    named: &Named,
    planned: &Planned,
    arguments: &Import,
    out: &mut dyn Write,
) -> io::Result<()> {
    let counts = planned.counts();
    writeln!(
        out,
        "{}: {}, {} rows = {} accepted + {} refused; {} added, {} changed, {} unchanged{}",
        visible(&named.list.label),
        named.kind.name(),
        counts.rows_in,
        counts.accepted,
        counts.refusals(),
        counts.added,
        counts.changed,
        counts.unchanged,
        match counts.manual_stands {
            0 => String::new(),
            number => format!(", {number} where a manual row stands"),
        }
    )?;
    let told = |line: &&import::Line| match line.outcome {
        Fate::Refused { .. } | Fate::ManualStands => true,
        Fate::Added | Fate::Changed { .. } => arguments.dry_run,
        Fate::Unchanged => false,
    };
    let mut lines = planned.lines.iter().filter(told);
    for line in lines.by_ref().take(TOLD_MAX) {
        let what = visible(&line.what);
        write!(out, "  line {}: ", line.line)?;
        match &line.outcome {
            Fate::Added => writeln!(out, "adds {what}")?,
            Fate::Changed { fields } if fields.is_empty() => writeln!(out, "adds to {what}")?,
            Fate::Changed { fields } => {
                let fields: Vec<String> = fields.iter().map(field).collect();
                writeln!(out, "changes {what}: {}", fields.join(", "))?;
            }
            Fate::Unchanged => {}
            Fate::ManualStands => writeln!(out, "a manual row stands against it: {what}")?,
            Fate::Refused { why } => writeln!(out, "refused: {why}")?,
        }
    }
    let more = lines.count();
    if more > 0 {
        writeln!(out, "  and {more} more rows; --json tells all")?;
    }
    for (why, count) in &counts.refused {
        writeln!(out, "  refused {count}: {why}")?;
    }
    Ok(())
}

fn field(field: &import::Field) -> String {
    let shown = |value: &Option<String>| match value {
        None => "nothing".to_owned(),
        Some(text) => format!("`{}`", visible(text)),
    };
    format!(
        "{} from {} to {}",
        field.field,
        shown(&field.before),
        shown(&field.after)
    )
}
