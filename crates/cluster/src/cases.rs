//! Cases that a member of a cluster has opened.

use query::{Address, LedgerError, Opener, Source};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Case, CaseError, Settings};

/// Opens each case once.
pub(crate) struct Cases {
    /// Options of stores: keys and endpoints as this machine has them.
    store_options: BTreeMap<String, String>,
    /// Where a case whose folder this machine does not have keeps what it has in hand.
    work: PathBuf,
    open: Mutex<BTreeMap<Address, Arc<Case>>>,
}

impl Cases {
    pub(crate) fn new(store_options: BTreeMap<String, String>, work: PathBuf) -> Self {
        Self {
            store_options,
            work,
            open: Mutex::default(),
        }
    }

    /// The case at this address. Waits; must not be called from within a task of an asynchronous runtime.
    pub(crate) fn case(&self, address: &Address) -> Result<Arc<Case>, CaseError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(case) = open.get(address) {
            return Ok(Arc::clone(case));
        }
        let settings = Settings {
            database_url: address.database_url.clone(),
            store_url: address.store_url.clone(),
            store_options: self.store_options.clone(),
        };
        let case = if Case::is_case(&address.folder) {
            Case::open(&address.folder, &settings)?
        } else if address.database_url.is_some() && address.store_url.is_some() {
            let folder = self.work.join("cases").join(format!("{:03}", open.len()));
            Case::join(&folder, &settings)?
        } else {
            // A case without a store of its own is where its folder is, and nowhere else.
            return Err(CaseError::NoCase(address.folder.clone()));
        };
        let case = Arc::new(case);
        open.insert(address.clone(), Arc::clone(&case));
        Ok(case)
    }
}

impl Opener for Cases {
    fn open(&self, address: &Address) -> Result<Source, LedgerError> {
        let case = self.case(address)?;
        Ok(Source::of(case)?)
    }
}

impl std::fmt::Debug for Cases {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Cases")
    }
}
