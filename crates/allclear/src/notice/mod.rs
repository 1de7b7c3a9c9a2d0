//! `allclear notice`: who is told, who released it, what was sent and what came back; a file for each group of commands.

mod change;
mod contacts;
mod kept;
mod queue;
mod receive;
mod send;
mod show;
mod wire;

use crate::Outcome;
use crate::args::CaseAt;
use clap::{Args, Subcommand};
use model::Timestamp;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum NoticeCommand {
    /// Say who sends notices, how recipients can check that, and how many go out; or show what was said.
    Setup(Setup),
    /// Take contacts from what is published: security.txt, RDAP answers (JSON) and whois texts, given as files.
    Contacts(Contacts),
    /// Write a notice for each recipient of a campaign; nothing is sent.
    Queue(Queue),
    /// Every notice with its state.
    List(List),
    /// One notice: its words, why this recipient, what became of it.
    Show(Show),
    /// Let queued notices be sent. Beyond a number, somebody else than who queued them must do it.
    Release(Release),
    /// Do not write to an address, a domain or an organisation, or do not send one notice.
    Suppress(Suppress),
    /// Take a notice back; who may have it is written to.
    Retract(Retract),
    /// Send what was released. Without --really it only says what it would do.
    Send(Send),
    /// Say what became of a notice of which nobody knows whether it was sent.
    Resolve(Resolve),
    /// Read bounces, automatic replies and answers.
    ///
    /// Exit code 1: some mail was not used.
    Receive(Receive),
    /// Write reminders where they are due, by what the recipients did.
    Remind(Queue),
}

/// When, and who.
#[derive(Debug, Args)]
struct Now {
    /// Do it as of this time, such as 2021-03-08T09:00:00Z [default: now].
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
}

impl Now {
    fn micros(&self) -> i64 {
        store::micros(self.as_of.unwrap_or_else(crate::case::now))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Setup {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    /// The organisation that sends.
    #[arg(long, value_name = "NAME", requires = "by")]
    sender: Option<String>,

    /// The page on which a recipient can look up the number of a notice. It must ask for nothing else.
    #[arg(long, value_name = "URL", requires = "by")]
    verify: Option<String>,

    /// A telephone number for the same.
    #[arg(long, value_name = "NUMBER", requires = "by")]
    phone: Option<String>,

    /// How many notices of a campaign a person may release who queued them [default: 10].
    #[arg(long, value_name = "N", requires = "by")]
    alone: Option<u64>,

    /// How many notices go to one domain in an hour [default: 30].
    #[arg(long, value_name = "N", requires = "by", value_parser = clap::value_parser!(u64).range(1..))]
    per_domain: Option<u64>,

    /// How many notices go out in an hour [default: 2000].
    #[arg(long, value_name = "N", requires = "by", value_parser = clap::value_parser!(u64).range(1..))]
    per_hour: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Contacts {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The domain, address or network that the files were asked for [default: what they say themselves].
    #[arg(long, value_name = "NAME")]
    about: Option<String>,

    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    /// The campaign.
    #[arg(long, value_name = "NAME")]
    campaign: String,

    /// Who queues.
    #[arg(long, value_name = "NAME")]
    by: String,

    /// Texts of your own: a folder with AUDIENCE.LANGUAGE.txt (and notice.LANGUAGE.txt, …) instead of the pack's and ours.
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,

    /// Say who would be told what and why, and change nothing.
    #[arg(long)]
    dry_run: bool,

    /// Write one JSON object for each notice and for each organisation that was passed over.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    at: CaseAt,

    /// Only of this campaign.
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,

    /// Only in this state, such as `in_doubt`.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,

    /// Write one JSON object for each notice instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    at: CaseAt,

    /// Its number, such as AC-1234-5678-9ABC.
    #[arg(value_name = "CODE")]
    code: String,

    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true, id = "which")]
struct Which {
    /// Numbers of notices.
    #[arg(value_name = "CODE")]
    codes: Vec<String>,

    /// Every queued notice of this campaign.
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Release {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    #[command(flatten)]
    which: Which,

    /// Who releases.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "whom")]
struct Whom {
    /// This notice.
    #[arg(value_name = "CODE")]
    code: Option<String>,

    /// An e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,

    /// A domain and all below it.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,

    /// An organisation, by its id.
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Suppress {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    #[command(flatten)]
    whom: Whom,

    /// Why.
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,

    /// From now on write again.
    #[arg(long)]
    lift: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Retract {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    /// Its number.
    #[arg(value_name = "CODE")]
    code: String,

    /// What was wrong, as the recipient will read it.
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// Who retracts.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    /// Send. Without it nothing leaves this machine.
    #[arg(long, requires_all = ["smtp", "from"])]
    really: bool,

    /// The mail server: smtp://HOST:PORT (encrypted by STARTTLS, except on this machine) or <smtps://HOST>. A user's password
    /// comes from `ALLCLEAR_SMTP_PASSWORD`.
    #[arg(long, value_name = "URL")]
    smtp: Option<String>,

    /// The address that notices come from and are answered to.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,

    /// Write letters into this folder, a text file each, to be printed and posted.
    #[arg(long, value_name = "DIR")]
    letters: Option<PathBuf>,

    /// At most this many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "outcome")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word of the command line, and one of them is given"
)]
struct ResolveTo {
    /// It was sent, or posted: a log or a person says so.
    #[arg(long)]
    sent: bool,

    /// It certainly was not: it may be sent.
    #[arg(long)]
    not_sent: bool,

    /// They say that they have it.
    #[arg(long)]
    acknowledged: bool,

    /// They say that they acted.
    #[arg(long)]
    acted: bool,

    /// They say that it is not so, or not theirs.
    #[arg(long)]
    refuted: bool,

    /// It came back.
    #[arg(long)]
    bounced: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    /// Numbers of notices.
    #[arg(required = true, value_name = "CODE")]
    codes: Vec<String>,

    #[command(flatten)]
    to: ResolveTo,

    /// What this rests on.
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Debug, Args)]
pub(crate) struct Receive {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    now: Now,

    /// Mails, one a file, and folders of them; a Maildir is one.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(crate) fn run(command: &NoticeCommand) -> Outcome {
    match command {
        NoticeCommand::Setup(setup) => kept::setup(setup),
        NoticeCommand::Contacts(contacts) => contacts::run(contacts),
        NoticeCommand::Queue(queue) => queue::queue(queue),
        NoticeCommand::List(list) => show::list(list),
        NoticeCommand::Show(show) => show::show(show),
        NoticeCommand::Release(release) => change::release(release),
        NoticeCommand::Suppress(suppress) => change::suppress(suppress),
        NoticeCommand::Retract(retract) => change::retract(retract),
        NoticeCommand::Send(send) => send::run(send),
        NoticeCommand::Resolve(resolve) => change::resolve(resolve),
        NoticeCommand::Receive(receive) => receive::run(receive),
        NoticeCommand::Remind(remind) => queue::remind(remind),
    }
}
