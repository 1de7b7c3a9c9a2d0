//! The way of a command to a cluster.

use crate::cases::Cases;
use crate::codec::Tables;
use crate::executor::host_and_port;
use crate::reading::{Reading, ReadingTable, Secret, first_error};
use crate::scheduler::MESSAGE_BYTES_MAX;
use crate::tls::Tls;
use crate::{MemberError, runtime};
use async_trait::async_trait;
use ballista_core::extension::{SessionConfigExt, SessionStateExt};
use ballista_core::serde::BallistaLogicalExtensionCodec;
use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::DataFusionError;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::{SessionConfig, SessionContext};
use pipeline::case::Order;
use query::Source;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Case;

/// Kind of the jobs that read a collection.
const READ: &str = "read";

/// How often it is looked whether anything goes on.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A cluster, by its scheduler.
#[derive(Clone, Debug)]
pub struct Cluster {
    scheduler: String,
    tls: Option<Tls>,
}

/// How long it is waited while nothing goes on: no executor takes anything, or there is no scheduler.
#[derive(Clone, Copy, Debug)]
pub struct Patience(pub Duration);

/// Why a cluster did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("nothing went on for {} seconds; the last word of the cluster was: {last}", .patience.as_secs())]
    Stalled { patience: Duration, last: String },
    /// What executors say.
    #[error("{0}")]
    Executor(String),
    #[error(transparent)]
    Case(#[from] store::CaseError),
    #[error(transparent)]
    Order(#[from] pipeline::case::CaseError),
    #[error(transparent)]
    Member(#[from] MemberError),
}

impl Cluster {
    /// The cluster whose scheduler is at `df://host:port`.
    pub fn at(url: &str, tls: Option<Tls>) -> Result<Self, MemberError> {
        let (host, port) = host_and_port(url)?;
        Ok(Self {
            scheduler: format!("http://{host}:{port}"),
            tls,
        })
    }

    /// Makes a session hand its plans to the cluster.
    pub fn session(&self, state: SessionState) -> Result<SessionState, DataFusionError> {
        let tables = Tables {
            // What travels is written here and read elsewhere.
            opener: Arc::new(Cases::new(BTreeMap::new(), std::env::temp_dir())),
            others: BallistaLogicalExtensionCodec::default(),
        };
        let config = state.config().clone();
        let mut config = config
            .with_ballista_logical_extension_codec(Arc::new(tables))
            // Plans that change while they run never end where a window stands over a join (Ballista 55.0.0, `epidemic_curve`).
            .with_ballista_adaptive_query_planner(false)
            .with_ballista_grpc_client_max_message_size(MESSAGE_BYTES_MAX as usize);
        if let Some(tls) = &self.tls {
            config = config
                .with_ballista_use_tls(true)
                .with_ballista_override_create_grpc_client_endpoint(tls.endpoints());
        }
        let state = SessionStateBuilder::new_from_existing(state)
            .with_config(config)
            .build();
        let state = state.upgrade_for_ballista(self.scheduler.clone())?;
        let there = Arc::clone(state.query_planner());
        Ok(SessionStateBuilder::new_from_existing(state)
            .with_query_planner(Arc::new(Planner { there }))
            .build())
    }

    /// Has an order carried out: until every batch was, or nothing goes on any more. A scheduler that dies is waited for, and
    /// given the order again; what is done already is not done twice.
    pub fn carry_out(
        &self,
        source: &Source,
        case: &Case,
        order: &Order,
        patience: Patience,
    ) -> Result<(), ClusterError> {
        let name = order.put(case)?;
        let reading = Reading {
            address: source.address.clone(),
            order: name.clone(),
            password: order.password().map(|text| Secret(text.to_owned())),
            batches: order.batches(),
        };
        let done = self.wait_for(case, &reading, patience);
        // It is of no use any longer; where it stays behind, the next run removes it.
        let _ = case.objects().delete(&name);
        done
    }

    fn wait_for(
        &self,
        case: &Case,
        reading: &Reading,
        patience: Patience,
    ) -> Result<(), ClusterError> {
        let runtime = runtime()?;
        let mut watch = Watch::new(case, patience)?;
        let outcome = loop {
            let asked = runtime.spawn(ask(self.clone(), reading.clone()));
            while !asked.is_finished() && !watch.is_over()? {
                std::thread::sleep(LOOK_AGAIN);
            }
            if !asked.is_finished() {
                asked.abort();
                break Err(watch.stalled());
            }
            match runtime.block_on(asked) {
                Ok(Ok(rows)) => {
                    break match first_error(&rows) {
                        Some(error) => Err(ClusterError::Executor(error)),
                        None => Ok(()),
                    };
                }
                Ok(Err(error)) => watch.last = error.strip_backtrace(),
                Err(error) => watch.last = error.to_string(),
            }
            if watch.is_over()? {
                break Err(watch.stalled());
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        runtime.shutdown_background();
        outcome
    }
}

/// Plans for the cluster, but for what it does not answer.
#[derive(Debug)]
struct Planner {
    there: Arc<dyn QueryPlanner + Send + Sync>,
}

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        // With Ballista 55.0.0 some joins of grouped rows never end (the view `epidemic_curve`), with either of its planners and
        // either kind of join: questions with joins are answered by the process that asks them.
        if plan.exists(|node| Ok(matches!(node, LogicalPlan::Join(_))))? {
            let here = DefaultPhysicalPlanner::default();
            return here.create_physical_plan(plan, session).await;
        }
        self.there.create_physical_plan(plan, session).await
    }
}

/// Whether anything goes on: something is done that was not, or somebody renewed a lease.
struct Watch<'a> {
    case: &'a Case,
    patience: Duration,
    progress: (i64, i64),
    since: Instant,
    last: String,
}

impl<'a> Watch<'a> {
    fn new(case: &'a Case, patience: Patience) -> Result<Self, ClusterError> {
        Ok(Self {
            progress: case.progress(READ)?,
            case,
            patience: patience.0,
            since: Instant::now(),
            last: "that it has no executor for it".to_owned(),
        })
    }

    fn is_over(&mut self) -> Result<bool, ClusterError> {
        let progress = self.case.progress(READ)?;
        if progress != self.progress {
            self.progress = progress;
            self.since = Instant::now();
        }
        Ok(self.since.elapsed() > self.patience)
    }

    fn stalled(&self) -> ClusterError {
        ClusterError::Stalled {
            patience: self.patience,
            last: self.last.clone(),
        }
    }
}

async fn ask(cluster: Cluster, reading: Reading) -> Result<Vec<RecordBatch>, DataFusionError> {
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new())
        .with_default_features()
        .build();
    let context = SessionContext::new_with_state(cluster.session(state)?);
    let rows = context.read_table(Arc::new(ReadingTable(reading)))?;
    rows.collect().await
}
