//! Whether a case is whole: every object there as it was written, every entry of the audit chain bound to the one before.

use super::{Case, audit};
use crate::CaseError;
use crate::ledger::count;
use crate::objects::Contents;
use crate::rows::ObjectRow;
use serde::{Deserialize, Serialize};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Objects that were read.
    pub objects: u64,
    pub bytes: u64,
    /// Entries of the audit chain.
    pub audit: u64,
    /// Objects that the ledger names and that are not there.
    pub missing: Vec<String>,
    /// Objects of another size or hash than the ledger says.
    pub damaged: Vec<String>,
    /// Objects that lie there and that the ledger does not name: left by a run that did not come to its end.
    pub unnamed: Vec<String>,
    /// The first entry that was changed, or before which some are missing.
    pub audit_broken: Option<i64>,
    /// Rows that refer to something that is not there, in words.
    pub unresolved: Vec<String>,
    /// Objects without a name that were removed.
    pub removed: u64,
}

impl Verified {
    /// Whether nothing is wrong. What the ledger does not name does no harm.
    pub fn whole(&self) -> bool {
        self.missing.is_empty()
            && self.damaged.is_empty()
            && self.audit_broken.is_none()
            && self.unresolved.is_empty()
    }
}

/// Entries of a broken chain that are told one by one.
const BROKEN_MAX: usize = 100;

/// The last entry of an audit chain, which stands for all before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number; 0 where there is none.
    pub seq: i64,
    /// In microseconds since 1970.
    pub time: i64,
    pub hash: String,
}

/// What reading an audit chain showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    pub entries: u64,
    pub head: Head,
    /// Entries that are not as they were written, the first hundred of them.
    pub broken: Vec<Broken>,
    pub broken_count: u64,
}

/// An entry that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub seq: i64,
    pub wrong: Wrong,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Entries before it are gone, or stand elsewhere.
    Missing { from: i64 },
    /// It does not follow the one before: one of the two was replaced, or they changed places.
    Unbound,
    /// What it says is not what was hashed.
    Changed,
}

/// Rows that must find their counterpart. Databases see to it for the others.
const REFERENCES: [(&str, &str); 6] = [
    (
        "reports of hosts",
        "SELECT COUNT(*) FROM hosts WHERE report_object IS NOT NULL AND report_object NOT IN (SELECT name FROM objects)",
    ),
    (
        "reports of verdicts",
        "SELECT COUNT(*) FROM verdicts WHERE report_object IS NOT NULL AND report_object NOT IN (SELECT name FROM objects)",
    ),
    (
        "what readers said of hosts",
        "SELECT COUNT(*) FROM parts WHERE object NOT IN (SELECT name FROM objects) \
         OR collection NOT IN (SELECT id FROM collections) OR host NOT IN (SELECT host FROM hosts)",
    ),
    (
        "collections of objects",
        "SELECT COUNT(*) FROM objects WHERE collection IS NOT NULL AND collection NOT IN (SELECT id FROM collections)",
    ),
    (
        "hosts of verdicts",
        "SELECT COUNT(*) FROM verdicts WHERE host NOT IN (SELECT host FROM hosts)",
    ),
    (
        "hosts of findings",
        "SELECT COUNT(*) FROM findings WHERE host NOT IN (SELECT host FROM hosts)",
    ),
];

impl Case {
    /// Reads every object and looks whether all is as the ledger says.
    pub fn verify(&self) -> Result<Verified, CaseError> {
        let mut found = Verified::default();
        let mut objects = Vec::new();
        self.each_object(&mut |object| objects.push(object))?;
        for object in &objects {
            match self.objects.contents(&object.name)? {
                None => found.missing.push(object.name.clone()),
                Some(contents) => {
                    found.objects += 1;
                    found.bytes += contents.bytes;
                    if !same(object, &contents) {
                        found.damaged.push(object.name.clone());
                    }
                }
            }
        }
        found.unnamed = self.orphans()?;
        self.verify_audit(&mut found)?;
        for (what, sql) in REFERENCES {
            let unresolved = self
                .ledger
                .read(async |connection| count(connection, sql, vec![]).await)?;
            if unresolved > 0 {
                found.unresolved.push(format!("{unresolved} {what}"));
            }
        }
        Ok(found)
    }

    /// The same, and removes objects that the ledger does not name. Nobody else may work on the case: it takes a run.
    pub fn verify_and_repair(&self, _run: &super::Run) -> Result<Verified, CaseError> {
        let mut found = self.verify()?;
        for name in &found.unnamed {
            self.objects.delete(name)?;
            found.removed += 1;
        }
        Ok(found)
    }

    fn verify_audit(&self, found: &mut Verified) -> Result<(), CaseError> {
        let chain = self.verify_chain()?;
        found.audit = chain.entries;
        found.audit_broken = chain.broken.first().map(|broken| broken.seq);
        Ok(())
    }

    /// Reads the audit chain from its first entry to its last.
    pub fn verify_chain(&self) -> Result<Chain, CaseError> {
        let mut chain = Chain::default();
        let mut expected = 1;
        self.each_audit(&mut |row| {
            chain.entries += 1;
            let wrong = if row.seq != expected {
                Some(Wrong::Missing { from: expected })
            } else if row.previous != chain.head.hash {
                Some(Wrong::Unbound)
            } else if row.hash != audit::hash_of(&row) {
                Some(Wrong::Changed)
            } else {
                None
            };
            if let Some(wrong) = wrong {
                chain.broken_count += 1;
                if chain.broken.len() < BROKEN_MAX {
                    chain.broken.push(Broken {
                        seq: row.seq,
                        wrong,
                    });
                }
            }
            expected = row.seq + 1;
            chain.head = Head {
                seq: row.seq,
                time: row.time,
                hash: row.hash,
            };
        })?;
        Ok(chain)
    }

    /// Whether the chain still holds the entry that a head named earlier; what was added since is no matter.
    pub fn holds(&self, head: &Head) -> Result<bool, CaseError> {
        let mut holds = false;
        self.each_audit(&mut |row| {
            holds |= row.seq == head.seq && row.hash == head.hash;
        })?;
        Ok(holds || head.seq == 0)
    }
}

fn same(object: &ObjectRow, contents: &Contents) -> bool {
    u64::try_from(object.bytes) == Ok(contents.bytes) && object.sha256 == contents.sha256
}
