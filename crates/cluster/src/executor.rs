//! An executor: asks a scheduler for parts of plans, and works on them.

use crate::cases::Cases;
use crate::codec::{Steps, Tables};
use crate::reading::{Hands, Reading};
use crate::scheduler::MESSAGE_BYTES_MAX;
use crate::tls::Tls;
use crate::{MemberError, SCHEDULER_PORT, ballista, refuse_open, runtime};
use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use ballista_executor::ArrowFlightServerProvider;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::flight_service::BallistaFlightService;
use ballista_executor::shutdown::Shutdown;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use model::Timestamp;
use pipeline::case::{Order, Seat, carry_out};
use pipeline::supervise::Crew;
use query::{Address, Opener};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tonic::transport::Server;
use url::Url;

/// How an executor is to be.
pub struct Settings {
    /// `df://host:port` of the scheduler.
    pub scheduler: String,
    /// Where others fetch what it computed.
    pub address: SocketAddr,
    /// The name under which others reach it, where that is not the address.
    pub reached_as: Option<String>,
    pub tls: Option<Tls>,
    /// Parts that are worked on at once.
    pub jobs: usize,
    /// Memory of questions, in bytes, over all parts.
    pub memory_bytes: u64,
    /// How long others wait for collections that it had in hand when it died.
    pub lease: Duration,
    /// A folder of its own for what it has in hand.
    pub work: PathBuf,
    pub store_options: BTreeMap<String, String>,
    /// How collections are read; one reader for each part.
    pub crew: Crew,
    pub clock: fn() -> Timestamp,
}

/// Works until it is killed or told to stop.
///
/// # Errors
/// When the scheduler cannot be reached, or strangers could reach this executor.
pub fn run(settings: Settings) -> Result<(), MemberError> {
    refuse_open(settings.address, settings.tls.as_ref())?;
    std::fs::create_dir_all(&settings.work)
        .map_err(|error| MemberError::Folder(settings.work.clone(), error))?;
    let cases = Arc::new(Cases::new(
        settings.store_options.clone(),
        settings.work.clone(),
    ));
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let config = config(settings, &cases)?;
        start_executor_process(Arc::new(config))
            .await
            .map_err(ballista)
    });
    drop(runtime);
    drop(cases);
    served
}

/// Host and port of a `df://` address.
pub(crate) fn host_and_port(url: &str) -> Result<(String, u16), MemberError> {
    let wrong = || MemberError::Address(url.to_owned());
    let parsed = Url::parse(url).map_err(|_error| wrong())?;
    let host = parsed.host_str().filter(|host| !host.is_empty());
    match (parsed.scheme(), host, parsed.path()) {
        ("df", Some(host), "" | "/") => {
            Ok((host.to_owned(), parsed.port().unwrap_or(SCHEDULER_PORT)))
        }
        _ => Err(wrong()),
    }
}

fn config(settings: Settings, cases: &Arc<Cases>) -> Result<ExecutorProcessConfig, MemberError> {
    let (scheduler_host, scheduler_port) = host_and_port(&settings.scheduler)?;
    let opener: Arc<dyn Opener> = Arc::<Cases>::clone(cases);
    let endpoints = settings.tls.as_ref().map(Tls::endpoints);
    let id = ExecutorProcessConfig::default().executor_id;
    let hands: Arc<dyn Hands> = Arc::new(Worker {
        cases: Arc::clone(cases),
        orders: Mutex::default(),
        crew: settings.crew,
        owner: id.clone(),
        lease: settings.lease,
        work: settings.work.join("reading"),
        number: AtomicU64::new(0),
        clock: settings.clock,
    });
    let session = {
        let endpoints = endpoints.clone();
        move || {
            let config = SessionConfig::new_with_ballista();
            match &endpoints {
                Some(endpoints) => config
                    .with_ballista_use_tls(true)
                    .with_ballista_override_create_grpc_client_endpoint(Arc::clone(endpoints)),
                None => config,
            }
        }
    };
    let spill = settings.work.join("spill");
    let runtime = {
        let opener = Arc::clone(&opener);
        move |_: &SessionConfig| {
            RuntimeEnvBuilder::new()
                .with_temp_file_path(spill.clone())
                .with_object_store_registry(Arc::new(query::distant::Stores::new(Arc::clone(
                    &opener,
                ))))
                .build_arc()
        }
    };
    let shuffles = settings.work.join("shuffles");
    std::fs::create_dir_all(&shuffles)
        .map_err(|error| MemberError::Folder(shuffles.clone(), error))?;
    Ok(ExecutorProcessConfig {
        executor_id: id,
        bind_host: settings.address.ip().to_string(),
        external_host: Some(
            settings
                .reached_as
                .unwrap_or_else(|| settings.address.ip().to_string()),
        ),
        port: settings.address.port(),
        scheduler_host,
        scheduler_port,
        scheduler_connect_timeout_seconds: 60,
        vcores: settings.jobs,
        task_scheduling_policy: TaskSchedulingPolicy::PullStaged,
        work_dir: Some(shuffles.to_string_lossy().into_owned()),
        job_data_ttl_seconds: 3_600,
        job_data_clean_up_interval_seconds: 600,
        grpc_max_decoding_message_size: MESSAGE_BYTES_MAX,
        grpc_max_encoding_message_size: MESSAGE_BYTES_MAX,
        memory_pool_size: Some(settings.memory_bytes),
        override_runtime_producer: Some(Arc::new(runtime)),
        override_config_producer: Some(Arc::new(session)),
        override_logical_codec: Some(Arc::new(Tables {
            opener: Arc::clone(&opener),
            others: BallistaLogicalExtensionCodec::default(),
        })),
        override_physical_codec: Some(Arc::new(Steps {
            opener,
            hands: Some(hands),
            others: BallistaPhysicalExtensionCodec::default(),
        })),
        override_arrow_flight_service: settings.tls.map(flight_by_keys),
        override_create_grpc_client_endpoint: endpoints,
        ..ExecutorProcessConfig::default()
    })
}

/// What it computed, for those who have keys.
fn flight_by_keys(tls: Tls) -> Arc<ArrowFlightServerProvider> {
    Arc::new(
        move |work: String, address: SocketAddr, mut stop: Shutdown, _| {
            let keys = tls.server();
            tokio::spawn(async move {
                let service = FlightServiceServer::new(BallistaFlightService::new(work))
                    .max_decoding_message_size(MESSAGE_BYTES_MAX as usize)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX as usize);
                Server::builder()
                    .tls_config(keys)?
                    .add_service(service)
                    .serve_with_shutdown(address, stop.recv())
                    .await?;
                Ok(())
            })
        },
    )
}

/// Reads collections for whoever gave an order.
struct Worker {
    cases: Arc<Cases>,
    /// The order in hand, which many parts share.
    orders: Mutex<Option<(Address, String, Arc<Order>)>>,
    crew: Crew,
    owner: String,
    lease: Duration,
    work: PathBuf,
    /// So that no two parts share a folder.
    number: AtomicU64,
    clock: fn() -> Timestamp,
}

impl Worker {
    fn order(&self, reading: &Reading) -> Result<Arc<Order>, String> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((address, name, order)) = &*orders
            && (address, name) == (&reading.address, &reading.order)
        {
            return Ok(Arc::clone(order));
        }
        let case = self
            .cases
            .case(&reading.address)
            .map_err(|error| told(&error))?;
        let password = reading.password.as_ref().map(|secret| secret.0.clone());
        let order = Order::get(&case, &reading.order, password).map_err(|error| told(&error))?;
        let order = Arc::new(order);
        *orders = Some((
            reading.address.clone(),
            reading.order.clone(),
            Arc::clone(&order),
        ));
        Ok(order)
    }
}

impl Hands for Worker {
    fn carry_out(&self, reading: &Reading, batch: usize) -> Result<u64, String> {
        let order = self.order(reading)?;
        let case = self
            .cases
            .case(&reading.address)
            .map_err(|error| told(&error))?;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let folder = self.work.join(format!("{number}"));
        let seat = Seat {
            case: &case,
            crew: &self.crew,
            owner: &self.owner,
            lease: self.lease,
            folder: &folder,
            now: &self.clock,
        };
        carry_out(&seat, &order, batch).map_err(|error| told(&error))
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Worker({})", self.owner)
    }
}

/// An error with what caused it, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
