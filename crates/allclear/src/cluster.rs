//! `allclear cluster`, and the way of `check --cluster` and `sql --cluster` to one.

use crate::args::{Check, OnCluster};
use crate::case::{now, store_options};
use crate::check::crew;
use crate::exit::{self, Failure};
use crate::{Outcome, output};
use clap::{Args, Subcommand};
use cluster::{Cluster, MemberError, Patience, Tls, executor, keys, scheduler};
use evidence::Collection;
use pipeline::case::{CaseError, Done, Work, check_elsewhere};
use query::Source;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use store::Case;

/// How long a check waits while no executor takes anything: longer than a member needs to be started again.
const PATIENCE: Patience = Patience(Duration::from_mins(3));

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Hand out work; runs until it is stopped. It keeps nothing that a case needs.
    Scheduler(Scheduler),
    /// Do work; runs until it is stopped.
    Executor(Executor),
    /// Make keys by which the members of a cluster know each other; every member and every caller gets a copy of the folder.
    Keys(Keys),
}

#[derive(Debug, Args)]
pub(crate) struct Scheduler {
    /// Where it listens.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50050")]
    bind: SocketAddr,

    /// Keys, as `allclear cluster keys` made them; without them only this machine is served.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    /// Seconds after which an executor that says nothing is taken for dead, and its work is given to others.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    executor_seconds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Executor {
    /// The scheduler that it asks for work.
    #[arg(long, value_name = "URL", default_value = "df://127.0.0.1:50050")]
    scheduler: String,

    /// Where others fetch what it computed; port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    bind: SocketAddr,

    /// The name or address under which others reach it [default: that of --bind].
    #[arg(long, value_name = "NAME")]
    reached_as: Option<String>,

    /// Keys, as `allclear cluster keys` made them; without them only this machine is served.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    /// Seconds that others wait for collections that it had in hand when it died.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(3..=86_400))]
    lease: u64,

    /// A folder for what it has in hand; only one executor uses it [default: one for temporary files].
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,

    /// MiB of memory that questions may take, over all that are answered at once.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(64..))]
    memory: u64,

    #[command(flatten)]
    readers: crate::args::Readers,
}

#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// The folder, which is made.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn run(command: &ClusterCommand) -> Outcome {
    match command {
        ClusterCommand::Scheduler(scheduler) => serve(scheduler),
        ClusterCommand::Executor(executor) => work(executor),
        ClusterCommand::Keys(keys) => make_keys(keys),
    }
}

fn serve(given: &Scheduler) -> Outcome {
    let settings = scheduler::Settings {
        address: given.bind,
        tls: tls(given.keys.as_deref())?,
        executor_seconds: given.executor_seconds,
        store_options: store_options(),
    };
    scheduler::run(&settings, &mut |address| {
        say(&format!("scheduler at df://{address}"));
    })
    .map_err(failure)?;
    Ok(ExitCode::from(exit::ASSURED))
}

fn work(given: &Executor) -> Outcome {
    let keys = tls(given.keys.as_deref())?;
    let address = free_port(given.bind)?;
    let temporary = tempfile::tempdir()?;
    let work = match &given.work {
        Some(folder) => output::absolute(folder)?,
        None => temporary.path().to_owned(),
    };
    let mut crew = crew(&given.readers)?;
    let jobs = usize::try_from(crew.workers).unwrap_or(1).max(1);
    // One reader for each part, and as many parts at once as there are to be readers.
    crew.workers = 1;
    if !given.readers.quiet {
        say(&format!(
            "executor at {address}, {jobs} parts at once, for {}",
            given.scheduler
        ));
    }
    executor::run(executor::Settings {
        scheduler: given.scheduler.clone(),
        address,
        reached_as: given.reached_as.clone(),
        tls: keys,
        jobs,
        memory_bytes: given.memory << 20,
        lease: Duration::from_secs(given.lease),
        work,
        store_options: store_options(),
        crew,
        clock: now,
    })
    .map_err(failure)?;
    Ok(ExitCode::from(exit::ASSURED))
}

fn make_keys(given: &Keys) -> Outcome {
    keys::make(&given.folder).map_err(|error| {
        Failure::usage(
            error,
            "name a folder that holds no keys and that you may write to",
        )
    })?;
    let folder = given.folder.display().to_string();
    output::to_standard_output(&mut |out| {
        writeln!(
            out,
            "keys written to {}: give every member a copy of the folder, and nobody else",
            report::visible(&folder)
        )
    })?;
    Ok(ExitCode::from(exit::ASSURED))
}

/// A port is known before it is used: the scheduler tells it to others.
fn free_port(address: SocketAddr) -> Result<SocketAddr, Failure> {
    if address.port() != 0 {
        return Ok(address);
    }
    let ip: IpAddr = address.ip();
    let listener = TcpListener::bind((ip, 0)).map_err(|error| {
        Failure::usage(
            format!("cannot listen at {ip}: {error}"),
            "name an address of this machine with --bind",
        )
    })?;
    Ok(listener.local_addr()?)
}

/// The cluster that a command is to use.
pub(crate) fn named(on: &OnCluster) -> Result<Option<Cluster>, Failure> {
    let Some(url) = &on.cluster else {
        return Ok(None);
    };
    let keys = tls(on.cluster_keys.as_deref())?;
    Cluster::at(url, keys).map(Some).map_err(failure)
}

fn tls(folder: Option<&std::path::Path>) -> Result<Option<Tls>, Failure> {
    folder
        .map(Tls::of_folder)
        .transpose()
        .map_err(|error| failure(error.into()))
}

/// Has the collections read by a cluster.
pub(crate) fn check(
    cluster: &Cluster,
    case: &Case,
    given: &Check,
    work: &Work<'_>,
    collections: &[Collection],
) -> Result<Done, CaseError> {
    // The way in of the executors is not this process's own, which holds the right to work on the case.
    check_elsewhere(work, collections, &mut |order| {
        let source = source(case, given).map_err(|error| error.to_string())?;
        cluster
            .carry_out(&source, case, order, PATIENCE)
            .map_err(|error| error.to_string())
    })
}

fn source(case: &Case, given: &Check) -> Result<Source, store::CaseError> {
    let settings = store::Settings {
        database_url: given.behind.database_url.clone(),
        store_url: given.behind.store.clone(),
        store_options: store_options(),
    };
    Source::of(Case::open(case.folder(), &settings)?)
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(io::stderr().lock(), "{}", report::visible(text));
}

fn failure(error: MemberError) -> Failure {
    let advice = match &error {
        MemberError::Open(_) => {
            "make keys with `allclear cluster keys DIR` and name them with --keys, or listen at 127.0.0.1"
        }
        MemberError::Listen(..) => "name another address with --bind",
        MemberError::Address(_) => "such as df://127.0.0.1:50050",
        MemberError::Tls(_) => "name a folder that `allclear cluster keys DIR` made",
        MemberError::Folder(..) => "name another folder with --work",
        MemberError::Ballista(_) => {
            return Failure::fault(error)
                .with_advice("look whether the scheduler is running, and start this again");
        }
    };
    Failure::usage(error, advice)
}
