//! Reports of Windows Error Reporting (`ProgramData\Microsoft\Windows\WER\ReportArchive\…\Report.wer`): programs that
//! crashed or hung, with their path and the libraries they had loaded. What an exploit broke stands here.
//!
//! Lines of `Name=Value` in UTF-16; `EventTime` is a file time. The names are those of
//! <https://learn.microsoft.com/en-us/windows/win32/wer/wer-reporting-api-reference>, as the reports write them.

use crate::little_endian::filetime;
use crate::simple_record::SimpleRecord;
use crate::text::lines::{Lines, Piece, head_text, may_hold};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, GapKind, SourceName};
use std::collections::BTreeMap;

/// Fields of one report; the largest, with all modules of a large program, have some hundreds.
const FIELDS_MAX: usize = 10_000;

/// Libraries that are named.
const MODULES_MAX: usize = 512;

/// Parts of a crash's signature.
const SIGNATURE_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct ErrorReport;

impl Artifact for ErrorReport {
    fn kind(&self) -> &'static str {
        "windows.wer"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let named = model::extension(probe.path) == "wer";
        let head = &probe.head[..probe.head.len().min(1_024)];
        if may_hold(head, &["EventType="]) {
            let text = head_text(head);
            if text.trim_start_matches('\u{feff}').starts_with("Version=")
                && text.contains("EventType=")
            {
                return Match::Content;
            }
        }
        if named { Match::Path } else { Match::No }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn keeps_rhythm(&self) -> bool {
        false
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut lines = Lines::new(content.stream());
        while let Some(piece) = lines.next() {
            match piece {
                Piece::Line(line) => {
                    let text = String::from_utf8_lossy(line.bytes);
                    if let Some((name, value)) = text.split_once('=')
                        && fields.len() < FIELDS_MAX
                    {
                        fields.insert(name.trim().to_owned(), value.trim().to_owned());
                    }
                }
                Piece::TooLong { number } => sink.rejected(At::Line(number), "line too long"),
                Piece::Nuls { offset, .. } | Piece::Broken { offset } => {
                    let at = At::Offset(offset);
                    sink.gap(
                        GapKind::Partial,
                        at,
                        (None, None),
                        "the report is damaged here",
                    );
                }
            }
        }
        let Some(event) = fields.get("EventType") else {
            return sink.rejected(At::Item, "not an error report");
        };
        let source = SourceName::new(self.kind());
        let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let time = text("EventTime").parse().ok().and_then(filetime);
        let signature: Vec<String> = (0..SIGNATURE_MAX)
            .filter_map(|number| {
                let name = fields.get(&format!("Sig[{number}].Name"))?;
                let value = fields.get(&format!("Sig[{number}].Value"))?;
                Some(format!("{name}={value}"))
            })
            .collect();
        let modules: Vec<&str> = (0..MODULES_MAX)
            .map_while(|number| fields.get(&format!("LoadedModule[{number}]")))
            .map(String::as_str)
            .collect();
        let mut record = SimpleRecord::new(&source, At::Item)
            .with("EventType", event.as_str())
            .with("name", text("AppName"))
            .with("process", text("AppPath"))
            .with("Image", text("AppPath"))
            .with("original_name", text("OriginalFilename"))
            .with("target_process_id", text("TargetAppId"))
            .with("signature", signature.join("; "))
            .with("modules", modules.join(", "))
            .with("user", text("UserImpersonationVector"));
        record.time = time;
        sink.record(&record);
    }
}
