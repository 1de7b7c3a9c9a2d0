//! A table of the ledger, streamed in batches: a fleet's findings need not fit into memory.

use crate::source::{Address, Cell, Ledger};
use crate::tables::{Kind, LedgerTable};
use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    StringBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use std::fmt;
use std::sync::Arc;

/// Rows that are handed over at once: a few MiB of findings with their evidence.
const BATCH_ROWS: usize = 2_048;

/// Batches that wait for a slow reader.
const BATCHES_AHEAD: usize = 2;

/// One table of the ledger.
#[derive(Debug)]
pub(crate) struct LedgerRows {
    ledger: Arc<dyn Ledger>,
    pub(crate) address: Address,
    pub(crate) table: &'static LedgerTable,
    schema: SchemaRef,
}

impl LedgerRows {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        address: Address,
        table: &'static LedgerTable,
    ) -> Self {
        Self {
            ledger,
            address,
            table,
            schema: table.schema(),
        }
    }
}

#[async_trait]
impl TableProvider for LedgerRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let every = || (0..self.table.columns.len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(every);
        Ok(Arc::new(LedgerScan::new(
            Arc::clone(&self.ledger),
            self.address.clone(),
            self.table,
            columns,
        )?))
    }
}

/// Some columns of every row, as a step of a plan.
#[derive(Debug)]
pub(crate) struct LedgerScan {
    ledger: Arc<dyn Ledger>,
    pub(crate) address: Address,
    pub(crate) table: &'static LedgerTable,
    pub(crate) columns: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl LedgerScan {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        address: Address,
        table: &'static LedgerTable,
        columns: Vec<usize>,
    ) -> Result<Self> {
        let schema = Arc::new(table.schema().project(&columns)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            ledger,
            address,
            table,
            columns,
            properties: Arc::new(properties),
        })
    }
}

impl DisplayAs for LedgerScan {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.columns.iter().map(|&at| self.table.columns[at].name);
        let names: Vec<&str> = names.collect();
        write!(out, "LedgerScan: {}, columns={names:?}", self.table.name)
    }
}

impl ExecutionPlan for LedgerScan {
    fn name(&self) -> &'static str {
        "LedgerScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        leaf(self, &children)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        leaf(self, &children)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&schema), BATCHES_AHEAD);
        let sender = stream.tx();
        let (ledger, table) = (Arc::clone(&self.ledger), self.table);
        let columns = self.columns.clone();
        stream.spawn_blocking(move || {
            let names: Vec<&str> = columns.iter().map(|&at| table.columns[at].name).collect();
            let kinds = columns.iter().map(|&at| table.columns[at].kind);
            let mut batch = Batch::new(schema, kinds);
            // A row of the wrong form, or that nobody listens any more, ends the reading.
            let mut stopped = None;
            let read = ledger.rows(table.ledger, &names, &mut |row| {
                stopped = batch.push(table, row).err();
                if stopped.is_some() {
                    return false;
                }
                batch.rows < BATCH_ROWS || sender.blocking_send(batch.finish()).is_ok()
            });
            read.map_err(DataFusionError::External)?;
            if let Some(error) = stopped {
                return Err(error);
            }
            if batch.rows > 0 {
                // Nobody listens any more: nothing is lost.
                let _ = sender.blocking_send(batch.finish());
            }
            Ok(())
        });
        Ok(stream.build())
    }
}

/// A step that begins a plan, which it stays.
pub(crate) fn leaf(
    step: Arc<dyn ExecutionPlan>,
    children: &[Arc<dyn ExecutionPlan>],
) -> Result<Arc<dyn ExecutionPlan>> {
    if children.is_empty() {
        Ok(step)
    } else {
        Err(DataFusionError::Internal(format!(
            "{} has no input",
            step.name()
        )))
    }
}

/// Rows that become a batch.
struct Batch {
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
}

enum Builder {
    Text(StringBuilder),
    Whole(Int64Builder),
    Real(Float64Builder),
    Flag(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Batch {
    fn new(schema: SchemaRef, kinds: impl Iterator<Item = Kind>) -> Self {
        let builders = kinds
            .map(|kind| match kind {
                Kind::Text => Builder::Text(StringBuilder::new()),
                Kind::Whole => Builder::Whole(Int64Builder::new()),
                Kind::Real => Builder::Real(Float64Builder::new()),
                Kind::Flag => Builder::Flag(BooleanBuilder::new()),
                Kind::Time => {
                    Builder::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
                }
            })
            .collect();
        Self {
            schema,
            builders,
            rows: 0,
        }
    }

    fn push(&mut self, table: &LedgerTable, row: &[Cell]) -> Result<()> {
        if row.len() != self.builders.len() {
            return Err(wrong(table, "a row has another number of columns"));
        }
        for (builder, cell) in self.builders.iter_mut().zip(row) {
            if !builder.push(cell) {
                return Err(wrong(table, "a value is not of its column's type"));
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}

fn wrong(table: &LedgerTable, what: &str) -> DataFusionError {
    DataFusionError::Execution(format!("in the ledger's table {}, {what}", table.ledger))
}

impl Builder {
    /// `false`: the value is of another type.
    fn push(&mut self, cell: &Cell) -> bool {
        match (self, cell) {
            (Self::Text(values), Cell::Text(text)) => values.append_value(text),
            (Self::Text(values), Cell::Null) => values.append_null(),
            (Self::Whole(values), Cell::Whole(number)) => values.append_value(*number),
            (Self::Whole(values), Cell::Null) => values.append_null(),
            (Self::Real(values), Cell::Real(number)) => values.append_value(*number),
            (Self::Real(values), Cell::Whole(number)) => values.append_value(*number as f64),
            (Self::Real(values), Cell::Null) => values.append_null(),
            (Self::Flag(values), Cell::Whole(number)) => values.append_value(*number != 0),
            (Self::Flag(values), Cell::Null) => values.append_null(),
            (Self::Time(values), Cell::Whole(micros)) => values.append_value(*micros),
            (Self::Time(values), Cell::Null) => values.append_null(),
            _ => return false,
        }
        true
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(values.finish()),
            Self::Whole(values) => Arc::new(values.finish()),
            Self::Real(values) => Arc::new(values.finish()),
            Self::Flag(values) => Arc::new(values.finish()),
            Self::Time(values) => Arc::new(values.finish()),
        }
    }
}
