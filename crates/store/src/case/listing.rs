//! Rows and objects of a case as they are read: of one host, or all of them as they come.

use super::{Case, text};
use crate::CaseError;
use crate::objects::LocalObject;
use crate::rows::{
    AuditRow, CollectionRow, CoverageRow, FindingRow, GapRow, HostRow, JobRow, ObjectRow, PartRow,
    TakenRow, VerdictRow,
};
use std::collections::BTreeMap;

impl Case {
    pub fn collection(&self, id: &str) -> Result<Option<CollectionRow>, CaseError> {
        self.ledger.one("WHERE id = $1", vec![text(id)])
    }

    pub fn host(&self, host: &str) -> Result<Option<HostRow>, CaseError> {
        self.ledger.one("WHERE host = $1", vec![text(host)])
    }

    /// Hosts whose report does not rest on all that is known of them, in order of name.
    pub fn dirty_hosts(&self) -> Result<Vec<HostRow>, CaseError> {
        self.ledger.all("WHERE dirty <> 0 ORDER BY host", vec![])
    }

    /// What readers said of a host, in the order in which its collections came.
    pub fn host_parts(&self, host: &str) -> Result<Vec<PartRow>, CaseError> {
        let rest = "WHERE host = $1 ORDER BY \
                    (SELECT seq FROM collections WHERE collections.id = parts.collection)";
        self.ledger.all(rest, vec![text(host)])
    }

    /// Verdicts of a host for all campaigns, the oldest first.
    pub fn history(&self, host: &str) -> Result<Vec<VerdictRow>, CaseError> {
        self.ledger
            .all("WHERE host = $1 ORDER BY campaign, seq", vec![text(host)])
    }

    /// The verdicts that hold now, of one host.
    pub fn verdicts(&self, host: &str) -> Result<Vec<VerdictRow>, CaseError> {
        let rest = "WHERE host = $1 AND current = 1 ORDER BY campaign";
        self.ledger.all(rest, vec![text(host)])
    }

    pub fn findings(&self, host: &str) -> Result<Vec<FindingRow>, CaseError> {
        self.ledger
            .all("WHERE host = $1 ORDER BY id", vec![text(host)])
    }

    pub fn gaps(&self, host: &str) -> Result<Vec<GapRow>, CaseError> {
        self.ledger
            .all("WHERE host = $1 ORDER BY number", vec![text(host)])
    }

    pub fn coverage(&self, host: &str) -> Result<Vec<CoverageRow>, CaseError> {
        let rest = "WHERE host = $1 ORDER BY campaign, need";
        self.ledger.all(rest, vec![text(host)])
    }

    /// The objects of one host: events, items, what readers said, reports.
    pub fn host_objects(&self, host: &str) -> Result<Vec<ObjectRow>, CaseError> {
        self.ledger
            .all("WHERE host = $1 ORDER BY name", vec![text(host)])
    }

    /// Every host in order of name; rows are given as they come, so that none but the present one is held.
    pub fn each_host(&self, visit: &mut dyn FnMut(HostRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY host", vec![], visit)
    }

    /// Every collection in the order in which they came.
    pub fn each_collection(&self, visit: &mut dyn FnMut(CollectionRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY seq", vec![], visit)
    }

    /// Every verdict, those of the past among them, by host, campaign and age.
    pub fn each_verdict(&self, visit: &mut dyn FnMut(VerdictRow)) -> Result<(), CaseError> {
        self.ledger
            .each("ORDER BY host, campaign, seq", vec![], visit)
    }

    pub fn each_coverage(&self, visit: &mut dyn FnMut(CoverageRow)) -> Result<(), CaseError> {
        self.ledger
            .each("ORDER BY host, campaign, need", vec![], visit)
    }

    pub fn each_finding(&self, visit: &mut dyn FnMut(FindingRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY host, id", vec![], visit)
    }

    pub fn each_gap(&self, visit: &mut dyn FnMut(GapRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY host, number", vec![], visit)
    }

    /// Every object in order of name: among them the Parquet files of events and items, with host, collection and span.
    pub fn each_object(&self, visit: &mut dyn FnMut(ObjectRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY name", vec![], visit)
    }

    pub fn each_part(&self, visit: &mut dyn FnMut(PartRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY host, collection", vec![], visit)
    }

    pub fn each_taken(&self, visit: &mut dyn FnMut(TakenRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY collection, item", vec![], visit)
    }

    pub fn each_audit(&self, visit: &mut dyn FnMut(AuditRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY seq", vec![], visit)
    }

    pub fn each_job(&self, visit: &mut dyn FnMut(JobRow)) -> Result<(), CaseError> {
        self.ledger.each("ORDER BY seq", vec![], visit)
    }

    /// The bytes of an object: a report, what readers said.
    pub fn read_object(&self, name: &str) -> Result<Vec<u8>, CaseError> {
        self.objects.get(name)
    }

    /// An object as a file: events, items.
    pub fn local_object(&self, name: &str) -> Result<LocalObject, CaseError> {
        self.objects.local(name, &self.staging())
    }

    /// The objects of these kinds that no run may lose: their number and bytes, by kind.
    pub fn sizes(&self) -> Result<BTreeMap<String, (u64, u64)>, CaseError> {
        let mut sizes = BTreeMap::new();
        self.each_object(&mut |object: ObjectRow| {
            let (number, bytes): &mut (u64, u64) = sizes.entry(object.kind).or_default();
            *number += 1;
            *bytes = bytes.saturating_add(u64::try_from(object.bytes).unwrap_or(0));
        })?;
        Ok(sizes)
    }
}
