//! An order as a plan: a partition is a batch of collections, and its output says how many of them were read.
//!
//! Findings, verdicts and events do not come back this way: whoever carries out a batch commits them to the case.

use async_trait::async_trait;
use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
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
use query::Address;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) address: Address,
    /// The name of the order in the case.
    pub(crate) order: String,
    pub(crate) password: Option<Secret>,
    pub(crate) batches: usize,
}

/// The password of the evidence. It is in no plan that is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

/// Carries out batches; on executors only.
pub(crate) trait Hands: fmt::Debug + Send + Sync {
    /// Called on a thread that may block. What goes wrong is told in words.
    fn carry_out(&self, reading: &Reading, batch: usize) -> std::result::Result<u64, String>;
}

/// Columns of the answer: the batch, how many collections were read, what went wrong.
fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("batch", DataType::Int64, false),
        Field::new("read", DataType::Int64, false),
        Field::new("error", DataType::Utf8, true),
    ]))
}

/// What went wrong, of an answer's rows.
pub(crate) fn first_error(rows: &[RecordBatch]) -> Option<String> {
    rows.iter().find_map(|rows| {
        let errors = rows.column_by_name("error")?;
        let errors = errors.as_any().downcast_ref::<StringArray>()?;
        errors.iter().flatten().next().map(str::to_owned)
    })
}

/// A reading as a table, so that it can be asked for.
#[derive(Debug)]
pub(crate) struct ReadingTable(pub(crate) Reading);

#[async_trait]
impl TableProvider for ReadingTable {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = projection.is_none_or(|columns| columns.iter().copied().eq(0..3));
        if !all {
            return Err(DataFusionError::Plan(
                "a reading is asked for as a whole".to_owned(),
            ));
        }
        Ok(Arc::new(ReadingStep::new(self.0.clone(), None)))
    }
}

/// A reading as a step of a plan.
#[derive(Debug)]
pub(crate) struct ReadingStep {
    pub(crate) reading: Reading,
    hands: Option<Arc<dyn Hands>>,
    properties: Arc<PlanProperties>,
}

impl ReadingStep {
    pub(crate) fn new(reading: Reading, hands: Option<Arc<dyn Hands>>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema()),
            Partitioning::UnknownPartitioning(reading.batches),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            reading,
            hands,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for ReadingStep {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "Reading: {}, batches={}",
            self.reading.order, self.reading.batches
        )
    }
}

impl ExecutionPlan for ReadingStep {
    fn name(&self) -> &'static str {
        "Reading"
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
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, batch: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let hands = self.hands.clone().ok_or_else(|| {
            DataFusionError::Internal("collections are read by executors".to_owned())
        })?;
        let reading = self.reading.clone();
        let mut stream = RecordBatchReceiverStream::builder(schema(), 1);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            let (read, error) = match hands.carry_out(&reading, batch) {
                Ok(read) => (i64::try_from(read).unwrap_or(i64::MAX), None),
                Err(error) => (0, Some(error)),
            };
            let number = i64::try_from(batch).unwrap_or(i64::MAX);
            let row = RecordBatch::try_new(
                schema(),
                vec![
                    Arc::new(Int64Array::from(vec![number])),
                    Arc::new(Int64Array::from(vec![read])),
                    Arc::new(StringArray::from(vec![error])),
                ],
            );
            // Nobody listens any more: what was read is committed all the same.
            let _ = sender.blocking_send(row.map_err(DataFusionError::from));
            Ok(())
        });
        Ok(stream.build())
    }
}
