//! Tables and steps of plans as bytes, for processes that answer parts of a question elsewhere.
//!
//! What is written is the address of the case and the name of the table: whoever reads it opens the case itself.

use crate::files::{Files, address_of};
use crate::ledger::{LedgerRows, LedgerScan};
use crate::source::{Address, Distant, Ledger, Opener};
use crate::tables::TABLES;
use datafusion::catalog::TableProvider;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion::physical_plan::ExecutionPlan;
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use url::Url;

/// A table of a case.
#[derive(Serialize, Deserialize)]
struct Written {
    address: Address,
    table: String,
    /// Of a step: the columns that it gives.
    #[serde(default)]
    columns: Option<Vec<usize>>,
}

/// The bytes of a table of a case; none where it is another table.
pub fn table_bytes(table: &dyn TableProvider) -> Result<Option<Vec<u8>>> {
    let (address, name) = if let Some(files) = table.downcast_ref::<Files>() {
        (&files.address, files.kind)
    } else if let Some(rows) = table.downcast_ref::<LedgerRows>() {
        (&rows.address, rows.table.name)
    } else {
        return Ok(None);
    };
    bytes(&Written {
        address: address.clone(),
        table: name.to_owned(),
        columns: None,
    })
    .map(Some)
}

/// The table of [`table_bytes`], whose case is opened when the table is read.
pub fn table(bytes: &[u8], opener: &Arc<dyn Opener>) -> Result<Arc<dyn TableProvider>> {
    let written = read(bytes)?;
    let ledger = ledger(&written, opener);
    for (kind, schema) in [
        ("events", store::events::schema as fn() -> _),
        ("items", store::events::items_schema),
    ] {
        if written.table == kind {
            let files = Files::new(ledger, written.address, kind, schema());
            return Ok(Arc::new(files));
        }
    }
    let table = ledger_table(&written.table)?;
    Ok(Arc::new(LedgerRows::new(ledger, written.address, table)))
}

/// The bytes of a step that reads the ledger; none where it is another step.
pub fn step_bytes(step: &dyn ExecutionPlan) -> Result<Option<Vec<u8>>> {
    let Some(scan) = step.downcast_ref::<LedgerScan>() else {
        return Ok(None);
    };
    bytes(&Written {
        address: scan.address.clone(),
        table: scan.table.name.to_owned(),
        columns: Some(scan.columns.clone()),
    })
    .map(Some)
}

/// The step of [`step_bytes`].
pub fn step(bytes: &[u8], opener: &Arc<dyn Opener>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut written = read(bytes)?;
    let table = ledger_table(&written.table)?;
    let columns = written.columns.take().unwrap_or_default();
    let scan = LedgerScan::new(ledger(&written, opener), written.address, table, columns)?;
    Ok(Arc::new(scan))
}

fn ledger(written: &Written, opener: &Arc<dyn Opener>) -> Arc<dyn Ledger> {
    Arc::new(Distant {
        address: written.address.clone(),
        opener: Arc::clone(opener),
    })
}

fn ledger_table(name: &str) -> Result<&'static crate::LedgerTable> {
    let mut tables = TABLES.iter();
    tables
        .find(|table| table.name == name)
        .ok_or_else(|| DataFusionError::Plan(format!("a case has no table {name}")))
}

fn bytes(written: &Written) -> Result<Vec<u8>> {
    serde_json::to_vec(written).map_err(|error| DataFusionError::External(Box::new(error)))
}

fn read(bytes: &[u8]) -> Result<Written> {
    serde_json::from_slice(bytes).map_err(|error| DataFusionError::External(Box::new(error)))
}

/// Finds the stores of cases by the addresses that plans have of them.
#[derive(Debug)]
pub struct Stores {
    opener: Arc<dyn Opener>,
    others: DefaultObjectStoreRegistry,
}

impl Stores {
    pub fn new(opener: Arc<dyn Opener>) -> Self {
        Self {
            opener,
            others: DefaultObjectStoreRegistry::new(),
        }
    }
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.others.register_store(url, store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let Some(address) = address_of(url) else {
            return Err(DataFusionError::Plan(format!("{url} is not of a case")));
        };
        let opener = Arc::clone(&self.opener);
        // Opening waits, and this is asked for within a task.
        let opened = std::thread::spawn(move || opener.open(&address));
        let opened = opened
            .join()
            .map_err(|_panic| DataFusionError::Internal("a case cannot be opened".to_owned()))?;
        Ok(opened.map_err(DataFusionError::External)?.objects)
    }
}
