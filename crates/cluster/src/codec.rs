//! Our tables and steps in Ballista's messages: a mark, a letter for what it is, and JSON; everything else is Ballista's own.

use crate::reading::{Hands, Reading, ReadingStep, ReadingTable};
use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use query::{Opener, distant};
use std::sync::Arc;

/// Before what is ours; no message of Ballista begins like this, as its first byte would be no field of any.
const MARK: &[u8] = b"\0allclear/1 ";

/// A table or step of a case.
const OF_CASE: u8 = b'c';
/// A reading.
const READING: u8 = b'r';

fn put(kind: u8, bytes: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(MARK);
    into.push(kind);
    into.extend_from_slice(bytes);
}

/// What is ours, and its kind.
fn ours(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let rest = bytes.strip_prefix(MARK)?;
    rest.split_first().map(|(kind, rest)| (*kind, rest))
}

fn reading_bytes(reading: &Reading) -> Result<Vec<u8>> {
    serde_json::to_vec(reading).map_err(|error| DataFusionError::External(Box::new(error)))
}

fn reading(bytes: &[u8]) -> Result<Reading> {
    serde_json::from_slice(bytes).map_err(|error| DataFusionError::External(Box::new(error)))
}

fn unknown() -> DataFusionError {
    DataFusionError::Plan("a member of the cluster is of another version of Allclear".to_owned())
}

/// For tables.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) opener: Arc<dyn Opener>,
    pub(crate) others: BallistaLogicalExtensionCodec,
}

impl LogicalExtensionCodec for Tables {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[LogicalPlan],
        ctx: &TaskContext,
    ) -> Result<Extension> {
        self.others.try_decode(buf, inputs, ctx)
    }

    fn try_encode(&self, node: &Extension, buf: &mut Vec<u8>) -> Result<()> {
        self.others.try_encode(node, buf)
    }

    fn try_decode_table_provider(
        &self,
        buf: &[u8],
        table_ref: &TableReference,
        schema: SchemaRef,
        ctx: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        match ours(buf) {
            Some((OF_CASE, bytes)) => distant::table(bytes, &self.opener),
            Some((READING, bytes)) => Ok(Arc::new(ReadingTable(reading(bytes)?))),
            Some(_) => Err(unknown()),
            None => self
                .others
                .try_decode_table_provider(buf, table_ref, schema, ctx),
        }
    }

    fn try_encode_table_provider(
        &self,
        table_ref: &TableReference,
        node: Arc<dyn TableProvider>,
        buf: &mut Vec<u8>,
    ) -> Result<()> {
        if let Some(ReadingTable(reading)) = node.downcast_ref::<ReadingTable>() {
            put(READING, &reading_bytes(reading)?, buf);
            return Ok(());
        }
        match distant::table_bytes(node.as_ref())? {
            Some(bytes) => {
                put(OF_CASE, &bytes, buf);
                Ok(())
            }
            None => self.others.try_encode_table_provider(table_ref, node, buf),
        }
    }

    fn try_decode_file_format(
        &self,
        buf: &[u8],
        ctx: &TaskContext,
    ) -> Result<Arc<dyn FileFormatFactory>> {
        self.others.try_decode_file_format(buf, ctx)
    }

    fn try_encode_file_format(
        &self,
        buf: &mut Vec<u8>,
        node: Arc<dyn FileFormatFactory>,
    ) -> Result<()> {
        self.others.try_encode_file_format(buf, node)
    }
}

/// For steps of plans.
#[derive(Debug)]
pub(crate) struct Steps {
    pub(crate) opener: Arc<dyn Opener>,
    /// Who reads collections; nobody on a scheduler.
    pub(crate) hands: Option<Arc<dyn Hands>>,
    pub(crate) others: BallistaPhysicalExtensionCodec,
}

impl PhysicalExtensionCodec for Steps {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match ours(buf) {
            Some((OF_CASE, bytes)) => distant::step(bytes, &self.opener),
            Some((READING, bytes)) => Ok(Arc::new(ReadingStep::new(
                reading(bytes)?,
                self.hands.clone(),
            ))),
            Some(_) => Err(unknown()),
            None => self.others.try_decode(buf, inputs, ctx, converter),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        if let Some(step) = node.downcast_ref::<ReadingStep>() {
            put(READING, &reading_bytes(&step.reading)?, buf);
            return Ok(());
        }
        match distant::step_bytes(node.as_ref())? {
            Some(bytes) => {
                put(OF_CASE, &bytes, buf);
                Ok(())
            }
            None => self.others.try_encode(node, buf, converter),
        }
    }
}
