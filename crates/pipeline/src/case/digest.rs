//! What detection and judgement went by, as hashes: whether either has to be done again.

use crate::Judgement;
use crate::gather::hex;
use crate::job::Knowledge;
use model::Attestation;
use pack::Pack;
use sha2::{Digest, Sha256};
use std::fmt::{self, Debug, Write};

/// Hashes over what a case is judged by. The program's version is part of each: another version may read rules otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    /// Over every rule and indicator.
    pub(crate) detection: String,
    /// Over what looks at the bytes of files.
    pub(crate) bytes: String,
    /// Over the above and everything else that verdicts rest on, but for what persons state of one host.
    pub(crate) judgement: String,
}

impl Digests {
    pub(crate) fn of(knowledge: &Knowledge, judgement: &Judgement<'_>) -> Self {
        let (detection, bytes) = of_detection(knowledge, judgement.packs);
        let given = &judgement.knowledge;
        let judgement = hash(&(&detection, given.shipped, judgement.as_of, judgement.host));
        Self {
            detection,
            bytes,
            judgement,
        }
    }

    /// What the judgement of one host goes by.
    pub(crate) fn of_host(&self, attestations: &[Attestation]) -> String {
        hash(&(&self.judgement, attestations))
    }
}

/// Over every rule and indicator, and over what looks at the bytes of files.
pub(super) fn of_detection(knowledge: &Knowledge, packs: &[Pack]) -> (String, String) {
    let extra = &knowledge.extra;
    let yara: Vec<_> = packs
        .iter()
        .map(|pack| (&pack.manifest.name, &pack.yara))
        .collect();
    let bytes = hash(&(VERSION, yara, &extra.yara));
    let detection = hash(&(VERSION, packs, &extra.sigma, &extra.yara, &extra.indicators));
    (detection, bytes)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// SHA-256 over the value as its `Debug` form shows it: every field, in order.
fn hash(value: &dyn Debug) -> String {
    let mut hasher = Hasher(Sha256::new());
    // A hasher takes whatever it is given.
    let _infallible = write!(hasher, "{value:?}");
    hex(&hasher.0.finalize())
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}
