//! The table of suspicious requests that Test-ProxyLogon leaves behind: nine columns of HttpProxy rows.
//!
//! Written by PowerShell's `Export-Csv`: a line `#TYPE …`, then quoted values. On many victims it is all that is left
//! of the proxy's logs. Its times are those of the logs, in UTC and ISO 8601; releases of one week, and spreadsheets
//! that saved the file again, wrote them in the form of the system's culture instead. Whether `03/02/2021` is the
//! second of March or the third of February is taken from other rows of the same file where one of them can only be
//! read one way, and is left open otherwise.

use crate::exchange::log::EXCHANGE_CSV;
use crate::text::lines::{Lines, Piece, head_text};
use crate::text::table::{DayOrder, Format, Row, TimeForm, Watch, read_rows};
use crate::text::time::culture_date;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Fact, GapKind, PriorTool, Record, SourceName};

/// Columns that every release wrote.
const COLUMNS: [&str; 6] = [
    "datetime",
    "requestid",
    "urlstem",
    "useragent",
    "anchormailbox",
    "httpstatus",
];

/// A column of the logs themselves that the tool never kept.
const LOG_ONLY_COLUMN: &str = "proxyaction";

#[derive(Debug)]
pub(crate) struct TestProxyLogon;

impl Artifact for TestProxyLogon {
    fn kind(&self) -> &'static str {
        "prior.test_proxylogon"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        if head_delimiter(probe.head).is_some() {
            Match::Content
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        let delimiter = head_delimiter(content.head()).unwrap_or(b',');
        let order = day_order(content, delimiter);
        let format = Format {
            delimiter,
            time: TimeForm::Culture(order),
            ..EXCHANGE_CSV
        };
        let mut rows = Rows::default();
        read_rows(&format, &source, None, content, sink, &mut rows);
    }
}

/// Counts rows and those whose time stays open.
#[derive(Default)]
struct Rows {
    count: u64,
    undated: u64,
    first_undated: Option<At>,
}

impl Watch for Rows {
    fn row(&mut self, row: &Row<'_>) {
        self.count += 1;
        if row.time().is_none() {
            self.undated += 1;
            self.first_undated = self.first_undated.or(Some(row.at()));
        }
    }

    fn finish(&mut self, _source: &SourceName, sink: &mut dyn Sink) {
        if let Some(at) = self.first_undated {
            let detail = format!(
                "{} of {} times can be read with the day or the month first, or not at all; they are left out",
                self.undated, self.count
            );
            sink.gap(GapKind::NotUnderstood, at, (None, None), &detail);
        }
        let fact = PriorTool {
            tool: "Test-ProxyLogon".to_owned(),
            time: None,
            outcome: format!("reported {} suspicious requests", self.count),
        };
        sink.fact(At::Item, Fact::PriorTool(fact));
    }
}

/// The delimiter of the head, where the first lines hold the tool's.
fn head_delimiter(head: &[u8]) -> Option<u8> {
    let text = head_text(head.get(..head.len().min(4 * 1024)).unwrap_or_default());
    let line = text
        .lines()
        .take(8)
        .map(|line| line.trim().to_ascii_lowercase())
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    [b',', b';', b'\t'].into_iter().find(|delimiter| {
        let names: Vec<&str> = line
            .split(char::from(*delimiter))
            .map(|name| name.trim().trim_matches('"'))
            .collect();
        COLUMNS.iter().all(|column| names.contains(column)) && !names.contains(&LOG_ONLY_COLUMN)
    })
}

/// Whether any date of the file can only be read with the day, or only with the month first. The time is the first
/// column of every release.
fn day_order(content: &mut dyn Content, delimiter: u8) -> DayOrder {
    let mut order = DayOrder::Unknown;
    let mut lines = Lines::new(content.stream());
    while let Some(piece) = lines.next() {
        let Piece::Line(line) = piece else {
            continue;
        };
        let first = line
            .bytes
            .split(|byte| *byte == delimiter)
            .next()
            .unwrap_or_default();
        let text = String::from_utf8_lossy(first);
        let Some((a, b, _)) = culture_date(text.trim_matches('"')) else {
            continue;
        };
        let seen = match (a > 12, b > 12) {
            (true, false) => DayOrder::DayFirst,
            (false, true) => DayOrder::MonthFirst,
            _ => continue,
        };
        if order != DayOrder::Unknown && order != seen {
            // Rows of two cultures in one file: none decides for the others.
            return DayOrder::Unknown;
        }
        order = seen;
    }
    order
}
