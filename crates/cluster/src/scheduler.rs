//! The scheduler: takes plans, cuts them into parts, hands these to whoever asks for work. It keeps nothing that a case needs.

use crate::cases::Cases;
use crate::codec::{Steps, Tables};
use crate::tls::Tls;
use crate::{MemberError, ballista, refuse_open, runtime};
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer;
use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use query::Opener;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// Messages that are larger are refused.
pub(crate) const MESSAGE_BYTES_MAX: u32 = 64 << 20;

/// How a scheduler is to be.
#[derive(Debug)]
pub struct Settings {
    pub address: SocketAddr,
    pub tls: Option<Tls>,
    /// After so many seconds without a word an executor is taken for dead, and its parts are handed to others. Executors say
    /// something every five seconds.
    pub executor_seconds: u64,
    /// Options of stores, as the environment has them.
    pub store_options: BTreeMap<String, String>,
}

/// Works until it is killed. `listening` is told the address once connections are taken.
///
/// # Errors
/// When the address is taken, or could be reached by strangers.
pub fn run(settings: &Settings, listening: &mut dyn FnMut(SocketAddr)) -> Result<(), MemberError> {
    refuse_open(settings.address, settings.tls.as_ref())?;
    let cases = Arc::new(Cases::new(
        settings.store_options.clone(),
        std::env::temp_dir(),
    ));
    let opener: Arc<dyn Opener> = Arc::<Cases>::clone(&cases);
    let runtime = runtime()?;
    let served = runtime.block_on(serve(settings, &opener, listening));
    // The cases close their connections, which waits: not within the runtime.
    drop(runtime);
    drop(cases);
    served
}

async fn serve(
    settings: &Settings,
    opener: &Arc<dyn Opener>,
    listening: &mut dyn FnMut(SocketAddr),
) -> Result<(), MemberError> {
    let address = settings.address;
    let failed = |error| MemberError::Listen(address, error);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let config = Arc::new(SchedulerConfig {
        external_host: bound.ip().to_string(),
        bind_host: bound.ip().to_string(),
        bind_port: bound.port(),
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        executor_timeout_seconds: settings.executor_seconds,
        expire_dead_executor_interval_seconds: 5,
        grpc_server_max_decoding_message_size: MESSAGE_BYTES_MAX,
        grpc_server_max_encoding_message_size: MESSAGE_BYTES_MAX,
        override_logical_codec: Some(Arc::new(Tables {
            opener: Arc::clone(opener),
            others: BallistaLogicalExtensionCodec::default(),
        })),
        override_physical_codec: Some(Arc::new(Steps {
            opener: Arc::clone(opener),
            hands: None,
            others: BallistaPhysicalExtensionCodec::default(),
        })),
        override_create_grpc_client_endpoint: settings.tls.as_ref().map(Tls::endpoints),
        use_tls: settings.tls.is_some(),
        ..SchedulerConfig::default()
    });
    config.validate().map_err(ballista)?;
    let cluster = BallistaCluster::new_from_config(&config)
        .await
        .map_err(ballista)?;
    let scheduler =
        create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::clone(&config))
            .await
            .map_err(ballista)?;
    listening(bound);
    let Some(tls) = &settings.tls else {
        return start_grpc_service_with_listener(listener, scheduler)
            .await
            .map_err(ballista);
    };
    let service = SchedulerGrpcServer::new(scheduler)
        .max_decoding_message_size(MESSAGE_BYTES_MAX as usize)
        .max_encoding_message_size(MESSAGE_BYTES_MAX as usize);
    Server::builder()
        .tls_config(tls.server())
        .map_err(ballista)?
        .add_service(service)
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await
        .map_err(ballista)
}
