//! Asks a case: one query at a time, read-only, with bounds on memory, time and rows.

use crate::files::{Files, store_url};
use crate::ledger::LedgerRows;
use crate::output::Sink;
use crate::source::Source;
use crate::tables::TABLES;
use crate::views::VIEWS;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::datasource::view::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures_util::StreamExt;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout_at};

/// Rows that operators hand each other at once: events with long texts are wide.
const BATCH_ROWS: usize = 4_096;

/// How many operators are named when memory does not suffice.
const CONSUMERS_NAMED: usize = 5;

/// How long a query may be; no person writes a longer one, and a parser's work grows with it.
const QUERY_BYTES_MAX: usize = 1 << 20;

/// What one question may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Memory of operators that keep rows; beyond it they spill to `spill`, and what cannot spill fails with a clear error.
    pub memory_bytes: usize,
    /// A folder for what does not fit into memory. Created when it is needed, emptied when the question is answered.
    pub spill: PathBuf,
    pub spill_bytes_max: u64,
    /// From the question to its last row.
    pub deadline: Duration,
    /// Partitions that are worked on at once.
    pub threads: NonZeroUsize,
}

impl Limits {
    /// One GiB of memory, 64 GiB of spilling, five minutes.
    pub fn new(spill: PathBuf) -> Self {
        Self {
            memory_bytes: 1 << 30,
            spill,
            spill_bytes_max: 64 << 30,
            deadline: Duration::from_mins(5),
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The caller's: not SQL, an unknown column, a function that there is not.
    #[error("the query cannot be understood: {0}")]
    NotUnderstood(String),
    /// The caller's: it would change something, or asks for more than an answer.
    #[error("{0} is not a question: a case answers, and is never changed by SQL")]
    NotAQuestion(String),
    #[error("the query needs more memory than the {} MiB it may have: {detail}", memory_bytes >> 20)]
    Memory { memory_bytes: usize, detail: String },
    #[error("the query was not answered within {} seconds", deadline.as_secs_f32())]
    Deadline { deadline: Duration },
    /// Whoever reads the answer went away, or the disk is full.
    #[error("the answer cannot be written")]
    Output(#[source] io::Error),
    /// The case's: an object is missing or damaged, the ledger cannot be read.
    #[error("the case cannot be read: {0}")]
    Case(String),
    #[error("questions cannot be set up: {0}")]
    Setup(String),
}

impl QueryError {
    /// Whether the caller can mend it by asking something else.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NotUnderstood(_)
                | Self::NotAQuestion(_)
                | Self::Memory { .. }
                | Self::Deadline { .. }
        )
    }
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Rows that were given.
    pub rows: u64,
    /// There were more rows than were asked for.
    pub cut: bool,
}

/// Makes a session hand its plans to other processes.
pub type Elsewhere<'a> = dyn Fn(SessionState) -> Result<SessionState, DataFusionError> + 'a;

/// A case, open for questions.
pub struct Questions {
    // Dropped first: what still runs in it may use the context.
    runtime: Option<Runtime>,
    context: SessionContext,
    limits: Limits,
}

impl Questions {
    /// Opens a case for questions. Reads the ledger when a question is asked, not before.
    pub fn over(source: &Source, limits: Limits) -> Result<Self, QueryError> {
        Self::open(source, limits, None)
    }

    /// As [`over`](Self::over), but the questions are answered by other processes.
    pub fn over_elsewhere(
        source: &Source,
        limits: Limits,
        elsewhere: &Elsewhere<'_>,
    ) -> Result<Self, QueryError> {
        Self::open(source, limits, Some(elsewhere))
    }

    fn open(
        source: &Source,
        limits: Limits,
        elsewhere: Option<&Elsewhere<'_>>,
    ) -> Result<Self, QueryError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits.threads.get())
            .enable_all()
            .build()
            .map_err(|error| QueryError::Setup(error.to_string()))?;
        let context =
            context(source, &limits, elsewhere).map_err(|error| QueryError::Setup(told(&error)))?;
        let questions = Self {
            runtime: Some(runtime),
            context,
            limits,
        };
        questions
            .wait(questions.register(source))
            .map_err(|error| QueryError::Setup(told(&error)))?;
        Ok(questions)
    }

    /// Answers one query into `sink`, at most `rows_max` rows of it.
    pub fn ask(
        &self,
        sql: &str,
        rows_max: Option<u64>,
        sink: &mut dyn Sink,
    ) -> Result<Answer, QueryError> {
        refuse_all_but_questions(sql)?;
        self.wait(async {
            let deadline = Instant::now() + self.limits.deadline;
            let in_time = timeout_at(deadline, self.answer(sql, rows_max, sink));
            in_time.await.unwrap_or(Err(QueryError::Deadline {
                deadline: self.limits.deadline,
            }))
        })
    }

    /// All rows of an answer, for questions whose answers are small.
    pub fn rows(
        &self,
        sql: &str,
        rows_max: u64,
    ) -> Result<(SchemaRef, Vec<RecordBatch>, Answer), QueryError> {
        let mut kept = Kept::default();
        let answer = self.ask(sql, Some(rows_max), &mut kept)?;
        let schema = kept
            .schema
            .unwrap_or_else(|| Arc::new(datafusion::arrow::datatypes::Schema::empty()));
        Ok((schema, kept.batches, answer))
    }

    /// The context of `DataFusion`, for whoever runs the same questions on other machines.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime
            .as_ref()
            .expect("only dropping takes it")
            .block_on(work)
    }

    async fn register(&self, source: &Source) -> Result<(), DataFusionError> {
        for (kind, schema) in [("events", &source.events), ("items", &source.items)] {
            let files = Files::new(
                Arc::clone(&source.ledger),
                source.address.clone(),
                kind,
                Arc::clone(schema),
            );
            self.context.register_table(kind, Arc::new(files))?;
        }
        for table in TABLES {
            let rows = LedgerRows::new(Arc::clone(&source.ledger), source.address.clone(), table);
            self.context.register_table(table.name, Arc::new(rows))?;
        }
        for view in VIEWS {
            let plan = self.context.state().create_logical_plan(view.sql).await?;
            let view_table = ViewTable::new(plan, Some(view.sql.to_owned()));
            self.context
                .register_table(view.name, Arc::new(view_table))?;
        }
        Ok(())
    }

    async fn answer(
        &self,
        sql: &str,
        rows_max: Option<u64>,
        sink: &mut dyn Sink,
    ) -> Result<Answer, QueryError> {
        let only_questions = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let rows = self
            .context
            .sql_with_options(sql, only_questions)
            .await
            .map_err(|error| self.planning(&error))?;
        let mut batches = rows
            .execute_stream()
            .await
            .map_err(|error| self.planning(&error))?;
        sink.begin(&batches.schema()).map_err(QueryError::Output)?;
        let mut answer = Answer {
            rows: 0,
            cut: false,
        };
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| self.running(&error))?;
            let room = rows_max.map_or(u64::MAX, |max| max - answer.rows);
            let take =
                usize::try_from(room).map_or(batch.num_rows(), |room| room.min(batch.num_rows()));
            if take > 0 {
                sink.rows(&batch.slice(0, take))
                    .map_err(QueryError::Output)?;
            }
            answer.rows += take as u64;
            if take < batch.num_rows() {
                answer.cut = true;
                break;
            }
        }
        sink.end().map_err(QueryError::Output)?;
        Ok(answer)
    }

    fn planning(&self, error: &DataFusionError) -> QueryError {
        match error.find_root() {
            DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Diagnostic(..)
            | DataFusionError::Collection(_)
            | DataFusionError::Configuration(_) => QueryError::NotUnderstood(told(error)),
            _ => self.running(error),
        }
    }

    fn running(&self, error: &DataFusionError) -> QueryError {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(detail) => QueryError::Memory {
                memory_bytes: self.limits.memory_bytes,
                detail: detail.clone(),
            },
            DataFusionError::ArrowError(..)
            | DataFusionError::Plan(_)
            | DataFusionError::NotImplemented(_) => QueryError::NotUnderstood(told(error)),
            _ => QueryError::Case(told(error)),
        }
    }
}

impl Drop for Questions {
    /// What runs past its deadline must not hold up the end of the program.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn told(error: &DataFusionError) -> String {
    error.find_root().strip_backtrace()
}

fn context(
    source: &Source,
    limits: &Limits,
    elsewhere: Option<&Elsewhere<'_>>,
) -> Result<SessionContext, DataFusionError> {
    let memory = FairSpillPool::new(limits.memory_bytes);
    let named = NonZeroUsize::new(CONSUMERS_NAMED).unwrap_or(NonZeroUsize::MIN);
    let spill = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![limits.spill.clone()]))
        .with_max_temp_directory_size(limits.spill_bytes_max);
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(TrackConsumersPool::new(memory, named)))
        .with_disk_manager_builder(spill)
        .build_arc()?;
    let store = store_url(&source.address)?;
    environment.register_object_store(store.as_ref(), Arc::clone(&source.objects));

    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_target_partitions(limits.threads.get())
        .with_batch_size(BATCH_ROWS)
        .with_parquet_bloom_filter_pruning(true);
    // Rows are filtered while they are read: a question for one address does not decode the other columns of all rows.
    config.options_mut().execution.parquet.pushdown_filters = true;
    config.options_mut().execution.parquet.reorder_filters = true;
    // Names of columns are as they are written here, so that `SELECT Host` finds `host`.
    config.options_mut().sql_parser.enable_ident_normalization = true;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(environment)
        .with_default_features()
        .build();
    let state = match elsewhere {
        Some(elsewhere) => elsewhere(state)?,
        None => state,
    };
    Ok(SessionContext::new_with_state(state))
}

/// Says what a statement is and why it is refused, before anything is planned.
fn refuse_all_but_questions(sql: &str) -> Result<(), QueryError> {
    if sql.len() > QUERY_BYTES_MAX {
        return Err(QueryError::NotUnderstood("it is longer than 1 MiB".into()));
    }
    let statements =
        DFParser::parse_sql(sql).map_err(|error| QueryError::NotUnderstood(told(&error)))?;
    let mut statements = statements.into_iter();
    let (Some(statement), None) = (statements.next(), statements.next()) else {
        return Err(QueryError::NotUnderstood(
            "one query is answered at a time".into(),
        ));
    };
    if is_question(&statement) {
        return Ok(());
    }
    let text = statement.to_string();
    let verb: String = text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .chars()
        .take(20)
        .collect();
    Err(QueryError::NotAQuestion(verb.to_uppercase()))
}

fn is_question(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => is_sql_question(statement),
        Statement::Explain(explain) => is_question(&explain.statement),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    }
}

fn is_sql_question(statement: &SqlStatement) -> bool {
    match statement {
        SqlStatement::Explain { statement, .. } => is_sql_question(statement),
        SqlStatement::Query(_)
        | SqlStatement::ExplainTable { .. }
        | SqlStatement::ShowTables { .. }
        | SqlStatement::ShowColumns { .. }
        | SqlStatement::ShowFunctions { .. } => true,
        _ => false,
    }
}

/// Keeps an answer.
#[derive(Default)]
struct Kept {
    schema: Option<SchemaRef>,
    batches: Vec<RecordBatch>,
}

impl Sink for Kept {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        self.schema = Some(Arc::clone(schema));
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.batches.push(batch.clone());
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}
