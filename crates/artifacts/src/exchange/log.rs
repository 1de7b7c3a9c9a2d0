//! What the comma-separated logs of Exchange have in common, and the kinds that need nothing more.

use crate::text::head::Normal;
use crate::text::lines::{head_text, may_hold};
use crate::text::names::{is_below, log_name};
use crate::text::table::{Format, TimeForm, read_table};
use crate::text::watch::{ExchangeRows, is_log_name};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::SourceName;

/// Bytes of an item in which its head must stand.
const HEAD_SEARCHED_BYTES: usize = 16 * 1024;

/// How Exchange writes rows.
pub(crate) const EXCHANGE_CSV: Format = Format {
    delimiter: b',',
    quotes: true,
    absent: None,
    time: TimeForm::Iso,
    free: &[
        "UserAgent",
        "UrlStem",
        "UrlQuery",
        "AnchorMailbox",
        "RoutingHint",
        "BackEndCookie",
        "BackEndGenericInfo",
        "GenericInfo",
        "GenericErrors",
        "EventData",
        "Parameters",
        "Message",
    ],
    default_heads: &[],
    parts: false,
    normalise,
};

/// The same with parts in `EventData`. Extracts of such logs have lost their head and sometimes the columns between
/// time and data.
pub(crate) const EXCHANGE_EVENT_DATA: Format = Format {
    default_heads: &[
        "TimeStamp,ServerName,EventId,EventData",
        "TimeStamp,EventData",
    ],
    parts: true,
    ..EXCHANGE_CSV
};

/// A log of Exchange: how it is told from others, and what its rows show.
#[derive(Debug)]
pub(crate) struct ExchangeLog {
    pub(crate) kind: &'static str,
    /// The value of `#Log-type:` in lower case begins with one of these.
    pub(crate) log_types: &'static [&'static str],
    /// Folder and the folder in it, or both names of a log outside such folders.
    pub(crate) folder: (&'static str, &'static str),
    /// Beginning of the file's name in lower case.
    pub(crate) file_name: &'static str,
    pub(crate) event_data: bool,
    pub(crate) host_rule: &'static str,
    pub(crate) build_rule: &'static str,
}

/// The control panel's own log: every command that it ran.
pub(crate) static ECP_SERVER: ExchangeLog = ExchangeLog {
    kind: "exchange.ecp_server",
    log_types: &["ecp server"],
    folder: ("ecp", "server"),
    file_name: "ecpserver",
    event_data: true,
    host_rule: "ECP ServerName",
    build_rule: "ECP entry",
};

/// The control panel's requests.
pub(crate) static ECP_ACTIVITY: ExchangeLog = ExchangeLog {
    kind: "exchange.ecp_activity",
    log_types: &["ecp activity"],
    folder: ("ecp", "activity"),
    file_name: "ecpactivity",
    event_data: true,
    host_rule: "ECP ServerName",
    build_rule: "ECP entry",
};

/// Cmdlets that ran in remote and local shells.
pub(crate) static CMDLET_INFRA: ExchangeLog = ExchangeLog {
    kind: "exchange.cmdlet_infra",
    log_types: &["rps ", "psws ", "pswsdi "],
    folder: ("logging", "cmdletinfra"),
    file_name: "rps_cmdlet",
    event_data: false,
    host_rule: "CmdletInfra ServerHostName",
    build_rule: "CmdletInfra row",
};

/// Exchange Web Services.
pub(crate) static EWS: ExchangeLog = ExchangeLog {
    kind: "exchange.ews",
    log_types: &["ews", "exchange web services"],
    folder: ("logging", "ews"),
    file_name: "ews_",
    event_data: false,
    host_rule: "EWS ServerHostName",
    build_rule: "EWS row",
};

/// Autodiscover behind the proxy.
pub(crate) static AUTODISCOVER: ExchangeLog = ExchangeLog {
    kind: "exchange.autodiscover",
    log_types: &["autodiscover"],
    folder: ("logging", "autodiscover"),
    file_name: "autod",
    event_data: false,
    host_rule: "Autodiscover ServerHostName",
    build_rule: "Autodiscover row",
};

/// Outlook Anywhere.
pub(crate) static RPCHTTP: ExchangeLog = ExchangeLog {
    kind: "exchange.rpchttp",
    log_types: &["rpchttp", "rpc http", "rpc over http"],
    folder: ("logging", "rpchttp"),
    file_name: "rpchttp_",
    event_data: false,
    host_rule: "RpcHttp ServerHostName",
    build_rule: "RpcHttp row",
};

/// MAPI over HTTP.
pub(crate) static MAPIHTTP: ExchangeLog = ExchangeLog {
    kind: "exchange.mapihttp",
    log_types: &[
        "mapihttp",
        "mapi http",
        "mapi over http",
        "mapi mailbox",
        "mapi address book",
    ],
    folder: ("logging", "mapihttp"),
    file_name: "mapi",
    event_data: false,
    host_rule: "MapiHttp ServerHostName",
    build_rule: "MapiHttp row",
};

/// Every kind of log that tells itself by `#Log-type:`.
pub(crate) static EXCHANGE_LOGS: [&ExchangeLog; 7] = [
    &ECP_SERVER,
    &ECP_ACTIVITY,
    &CMDLET_INFRA,
    &EWS,
    &AUTODISCOVER,
    &RPCHTTP,
    &MAPIHTTP,
];

impl Artifact for ExchangeLog {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = LogHead::of(probe);
        if let Some(log_type) = &head.log_type {
            if self
                .log_types
                .iter()
                .any(|known| log_type.starts_with(known))
            {
                return Match::Content;
            }
            if is_known_log_type(log_type) {
                return Match::No;
            }
        }
        if head.is_of_another_product {
            return Match::No;
        }
        let (outer, inner) = self.folder;
        let placed = is_below(probe.path, outer, inner)
            // The proxy's logs have folders of the same names.
            && !is_below(probe.path, "httpproxy", inner);
        let named = log_name(probe.path)
            .to_ascii_lowercase()
            .starts_with(self.file_name);
        if is_log_name(probe.path) && (placed || (named && head.log_type.is_some())) {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind))
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let format = if self.event_data {
            &EXCHANGE_EVENT_DATA
        } else {
            &EXCHANGE_CSV
        };
        let source = SourceName::new(self.kind);
        let mut rows = ExchangeRows::new(self.host_rule, self.build_rule);
        read_table(format, &source, item, content, sink, &mut rows);
    }
}

/// What the head of an item says of its kind.
pub(crate) struct LogHead {
    /// The first bytes as text.
    pub(crate) text: String,
    /// Value of `#Log-type:` in lower case.
    pub(crate) log_type: Option<String>,
    /// Whether `#Software:` names something other than Exchange.
    pub(crate) is_of_another_product: bool,
}

impl LogHead {
    pub(crate) fn of(probe: &Probe<'_>) -> Self {
        let head = probe
            .head
            .get(..probe.head.len().min(HEAD_SEARCHED_BYTES))
            .unwrap_or_default();
        let marks = ["#Software:", "#Log-type:", "#Fields:", "AnchorMailbox"];
        let text = if may_hold(head, &marks) {
            head_text(head)
        } else {
            String::new()
        };
        let value = |keyword: &str| {
            text.lines().take(64).find_map(|line| {
                let (start, value) = line.split_at_checked(keyword.len())?;
                start
                    .eq_ignore_ascii_case(keyword)
                    .then(|| value.trim().to_lowercase())
            })
        };
        let log_type = value("#Log-type:");
        let is_of_another_product =
            value("#Software:").is_some_and(|software| !software.contains("exchange"));
        Self {
            text,
            log_type,
            is_of_another_product,
        }
    }
}

/// Whether a reader of ours takes logs of this type.
pub(crate) fn is_known_log_type(log_type: &str) -> bool {
    log_type.starts_with("httpproxy")
        || log_type.starts_with("oab generator")
        || EXCHANGE_LOGS
            .iter()
            .flat_map(|log| log.log_types)
            .any(|known| log_type.starts_with(known))
}

/// Normalised names of the columns that Exchange's logs share.
fn normalise(column: &dyn Fn(&str) -> Option<usize>) -> Vec<(&'static str, Normal)> {
    let any = |names: &[&str]| names.iter().find_map(|name| column(name));
    let mut normal = Vec::new();
    let mut add = |name, value: Option<Normal>| {
        if let Some(value) = value {
            normal.push((name, value));
        }
    };
    add(
        "client",
        any(&["ClientIpAddress", "ClientIp", "client-ip"]).map(Normal::Address),
    );
    add(
        "user_agent",
        any(&["UserAgent", "client-software"]).map(Normal::Text),
    );
    add(
        "path",
        any(&["UrlStem", "UriStem"])
            .map(Normal::Path)
            .or_else(|| any(&["RequestUrl", "Url"]).map(Normal::UrlPath)),
    );
    add(
        "query",
        any(&["UrlQuery", "UriQuery"])
            .map(Normal::Query)
            .or_else(|| any(&["RequestUrl", "Url"]).map(Normal::UrlQuery)),
    );
    add(
        "status",
        any(&["HttpStatus", "HttpStatusCode"]).map(Normal::Number),
    );
    add("method", any(&["Method", "HttpMethod"]).map(Normal::Text));
    add(
        "user",
        any(&["AuthenticatedUser", "client-name"]).map(Normal::Text),
    );
    add("host_header", any(&["UrlHost"]).map(Normal::Text));
    add(
        "server",
        any(&["ServerHostName", "ServerName", "server-hostname"]).map(Normal::Text),
    );
    add("anchor", any(&["AnchorMailbox"]).map(Normal::Text));
    add("routing_hint", any(&["RoutingHint"]).map(Normal::Text));
    add("protocol", any(&["Protocol"]).map(Normal::Text));
    let build = [
        "MajorVersion",
        "MinorVersion",
        "BuildVersion",
        "RevisionVersion",
    ]
    .map(column);
    if let [Some(major), Some(minor), Some(update), Some(revision)] = build {
        add(
            "build",
            Some(Normal::Build([major, minor, update, revision])),
        );
    }
    let command = any(&["Cmdlet", "CmdletName"]).map(|cmdlet| {
        match any(&["Parameters", "CmdletParameters"]) {
            Some(parameters) => Normal::Joined(cmdlet, parameters),
            None => Normal::Text(cmdlet),
        }
    });
    add("command", command);
    normal
}
