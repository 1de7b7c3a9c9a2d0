//! The arguments of `allclear range`.

use super::drill::DrillCommand;
use super::score::RangeScore;
use super::victims::{RangeCountVictims, RangeVictims};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RangeCommand {
    /// Write the evidence of synthetic servers, and the truth beside it.
    Make(Box<RangeMake>),
    /// The scenarios that can be made, campaign by campaign, with a sentence each.
    Scenarios,
    /// Hold a report against the truth: grave errors first. Exit code 1: a grave error, or a number below its threshold.
    Score(RangeScore),
    /// Evidence for a team to train on, the truth sealed until its answers are scored.
    #[command(subcommand)]
    Drill(DrillCommand),
    /// Write a registry of organisations, the lists that tell of them, and the truth beside them.
    Victims(RangeVictims),
    /// Hold the victims that a case counts against the truth.
    CountVictims(RangeCountVictims),
}

#[derive(Debug, Args)]
pub(crate) struct RangeMake {
    /// What happened; see `allclear range scenarios`. Names joined by `+` happen on the same server. Of a fleet, `campaign`
    /// draws what befell each host as in the real campaign, and `every` takes each scenario in turn [default: a break-in;
    /// of a fleet: campaign]
    #[arg(long, value_name = "NAME[+NAME…]")]
    pub(crate) scenario: Option<String>,

    /// Decides everything that is drawn: the same seed gives the same bytes on any machine.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// How many servers; more than one are a fleet of organisations [default: 1; for `every`, one of each scenario]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) hosts: Option<u32>,

    /// How the evidence of a host is packed, such as folder, zip, tar.gz or velociraptor; `mixed` takes every kind in turn
    /// [default: folder; of a fleet: zip]
    #[arg(long, value_name = "KIND")]
    pub(crate) container: Option<String>,

    /// Add requests until the text logs of a server have about this size: 200MB, 1GB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) scale: Option<String>,

    /// Minutes between the probes by which Exchange watches itself, which make most of a small server's evidence; a real
    /// server probes every minute.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=240))]
    pub(crate) probe_minutes: u16,

    /// Leave out evidence: source, source:instance, and either with @from..until; may be given several times.
    #[arg(long, value_name = "SPEC")]
    pub(crate) withhold: Vec<String>,

    /// Folder to write to; must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// How many hosts are made at once; it changes no byte [default: the machine's processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) jobs: Option<u32>,

    /// No progress on standard error.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}
