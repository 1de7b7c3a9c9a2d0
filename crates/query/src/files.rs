//! The Parquet objects of one kind that the ledger names, as one table.
//!
//! Which objects a question opens is decided before any is opened: the ledger knows the host and the collection of each, so
//! a predicate on either leaves the others alone, and the time of its first and last event. Inside an object the statistics
//! of its row groups answer for `time`, and its bloom filters for addresses.

use crate::source::{Address, Ledger, Object};
use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use object_store::ObjectMeta;
use object_store::path::Path;
use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;
use url::Url;

/// The scheme of the addresses under which `DataFusion` knows stores of cases; they lead nowhere else.
pub(crate) const SCHEME: &str = "allclear";

/// The address of the store of a case: it says where the case is, so that every process that is handed a part of a plan can open it.
pub(crate) fn store_url(address: &Address) -> Result<ObjectStoreUrl> {
    let json =
        serde_json::to_vec(address).map_err(|error| DataFusionError::External(Box::new(error)))?;
    let mut url = format!("{SCHEME}://");
    for byte in json {
        // Hosts of addresses are not case-sensitive everywhere.
        let _infallible = write!(url, "{byte:02x}");
    }
    ObjectStoreUrl::parse(url)
}

/// The case whose store has this address.
pub(crate) fn address_of(url: &Url) -> Option<Address> {
    if url.scheme() != SCHEME {
        return None;
    }
    let digits = url.host_str()?.as_bytes();
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    serde_json::from_slice(&bytes?).ok()
}

/// The columns whose value is the same in all rows of an object, and known to the ledger.
const HOST: &str = "host";
const COLLECTION: &str = "collection";

/// The column of which the ledger knows an object's first and last value.
const TIME: &str = "time";

/// All objects of one kind.
#[derive(Debug)]
pub(crate) struct Files {
    ledger: Arc<dyn Ledger>,
    pub(crate) address: Address,
    pub(crate) kind: &'static str,
    schema: SchemaRef,
}

impl Files {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        address: Address,
        kind: &'static str,
        schema: SchemaRef,
    ) -> Self {
        Self {
            ledger,
            address,
            kind,
            schema,
        }
    }

    /// The objects in which a row can be that meets all filters.
    fn that_may_hold(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        objects: Vec<Object>,
    ) -> Result<Vec<Object>> {
        let Some(filter) = conjunction(filters.iter().cloned()) else {
            return Ok(objects);
        };
        let columns = DFSchema::try_from(self.schema.as_ref().clone())?;
        let filter = state.create_physical_expr(filter, &columns)?;
        let schema = Arc::clone(&self.schema);
        let predicate = PruningPredicateBuilder::new()
            .with_file_schema(schema)
            .try_build(filter)?;
        let keep = predicate.prune(&Named(&objects))?;
        Ok(objects
            .into_iter()
            .zip(keep)
            .filter_map(|(object, keep)| keep.then_some(object))
            .collect())
    }
}

#[async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (ledger, kind) = (Arc::clone(&self.ledger), self.kind);
        let objects = tokio::task::spawn_blocking(move || ledger.objects(kind))
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))?
            .map_err(DataFusionError::External)?;
        let mut objects = self.that_may_hold(state, filters, objects)?;
        objects.sort();
        let files = objects
            .iter()
            .map(|object| self.file(object))
            .collect::<Result<Vec<_>>>()?;

        let mut options = TableParquetOptions::new();
        options.global = state.config_options().execution.parquet.clone();
        let source =
            ParquetSource::new(TableSchema::from(&self.schema)).with_table_parquet_options(options);
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let store = store_url(&self.address)?;
        let config = FileScanConfigBuilder::new(store, Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl Files {
    fn file(&self, object: &Object) -> Result<PartitionedFile> {
        // Names are kept as they are: their host is percent-encoded already.
        let location = Path::parse(&object.name)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let file = PartitionedFile::new_from_meta(ObjectMeta {
            location,
            // Objects never change, so their age says nothing.
            last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
            size: object.bytes,
            e_tag: None,
            version: None,
        });
        Ok(file.with_statistics(Arc::new(self.statistics(object))))
    }

    fn statistics(&self, object: &Object) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema);
        if let Some(rows) = object.rows.and_then(|rows| usize::try_from(rows).ok()) {
            statistics.num_rows = Precision::Exact(rows);
        }
        for (name, value) in [(HOST, &object.host), (COLLECTION, &object.collection)] {
            let Ok(at) = self.schema.index_of(name) else {
                continue;
            };
            let value = Precision::Exact(ScalarValue::Utf8(Some(value.clone())));
            statistics.column_statistics[at] = ColumnStatistics::new_unknown()
                .with_null_count(Precision::Exact(0))
                .with_min_value(value.clone())
                .with_max_value(value);
        }
        statistics
    }
}

/// What the ledger knows of objects, in the form in which `DataFusion` decides what to leave alone.
struct Named<'a>(&'a [Object]);

impl Named<'_> {
    fn values(&self, column: &Column) -> Option<Vec<&str>> {
        match column.name.as_str() {
            HOST => Some(self.0.iter().map(|object| object.host.as_str()).collect()),
            COLLECTION => Some(
                self.0
                    .iter()
                    .map(|object| object.collection.as_str())
                    .collect(),
            ),
            _ => None,
        }
    }
}

impl Named<'_> {
    /// The bound of each object, where the ledger knows one.
    fn bounds(&self, column: &Column, time: fn(&Object) -> Option<i64>) -> Option<ArrayRef> {
        if column.name == TIME {
            let times: TimestampMicrosecondArray = self.0.iter().map(time).collect();
            return Some(Arc::new(times.with_timezone("UTC")));
        }
        Some(Arc::new(StringArray::from(self.values(column)?)))
    }
}

impl PruningStatistics for Named<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |object| object.first)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |object| object.last)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let values = self.values(column)?;
        Some(Arc::new(UInt64Array::from(vec![0; values.len()])))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let held = self.values(column)?;
        let among = |held: &str| {
            values
                .iter()
                .any(|value| value.try_as_str().flatten() == Some(held))
        };
        Some(held.into_iter().map(|held| Some(among(held))).collect())
    }
}
