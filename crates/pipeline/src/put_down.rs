//! Events that a worker puts down for a case while it reads.

use crate::job::{EventsAt, ItemReport};
use model::{Gap, GapKind, Place};
use std::path::PathBuf;
use store::events::{Columns, Staging};

/// The file of one worker, opened with its first record.
#[derive(Default)]
pub(crate) struct Events {
    path: Option<PathBuf>,
    staging: Option<Staging>,
    /// Number of the item in hand.
    number: u64,
    failed: Option<String>,
}

/// Which fields feed the columns that all sources share.
fn columns() -> Columns {
    Columns::parse(pack::EVENT_COLUMNS)
        .expect("the table that comes with Allclear is read by a test")
}

/// What became of the events of one item.
#[derive(Default)]
pub(crate) struct PutDown {
    at: Option<EventsAt>,
    gap: Option<Gap>,
}

impl Events {
    /// Events go to the file at `path`, or nowhere.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            ..Self::default()
        }
    }

    /// Where the next item's records go, and under which number.
    pub(crate) fn next(&mut self) -> Option<(&mut Staging, u64)> {
        let path = self.path.as_ref()?;
        if self.staging.is_none() && self.failed.is_none() {
            match Staging::create(path, columns()) {
                Ok(staging) => self.staging = Some(staging),
                Err(error) => self.failed = Some(error.to_string()),
            }
        }
        self.number += 1;
        let number = self.number;
        self.staging.as_mut().map(|staging| (staging, number))
    }

    /// Closes the item in hand. Events that could not be kept are a gap: questions would not find them.
    pub(crate) fn end_item(&mut self, item: &str) -> PutDown {
        let Some(path) = &self.path else {
            return PutDown::default();
        };
        let ended = match (&mut self.staging, &self.failed) {
            (Some(staging), _) => staging.end_item().map_err(|error| error.to_string()),
            (None, failed) => Err(failed.clone().unwrap_or_default()),
        };
        let gap = |detail: String| Gap::new(GapKind::Limit, Place::item("", item), detail);
        match ended {
            Ok(ended) => PutDown {
                at: (ended.rows > 0).then(|| EventsAt {
                    file: path.clone(),
                    number: self.number,
                    rows: ended.rows,
                }),
                gap: (ended.cut > 0).then(|| {
                    gap(format!(
                        "{} records are kept in the case with some of their fields cut off",
                        ended.cut
                    ))
                }),
            },
            Err(error) => PutDown {
                at: None,
                gap: Some(gap(format!(
                    "its events could not be kept in the case: {error}"
                ))),
            },
        }
    }
}

impl PutDown {
    /// Adds it to what is told of the item.
    pub(crate) fn tell(self, report: &mut ItemReport) {
        report.events = self.at;
        report.gaps.extend(self.gap);
    }
}
