//! Web requests: what one is, and which come by themselves, hour by hour: Exchange's own probes, people with their
//! programs and telephones, machines of the owner, the internet.

mod machines;
mod mailboxes;
mod probes;
mod strangers;

use crate::calendar::DayKind;
use crate::formats::Guid;
use crate::formats::exchange::HttpProxyRow;
use crate::formats::iis::{Column, IisRow};
use crate::moment::Moment;
use crate::random::Random;
use crate::server::Server;
use serde::Deserialize;

/// Protocols of the front-end proxy, each with logs of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Protocol {
    Autodiscover,
    Eas,
    Ecp,
    Ews,
    Mapi,
    Oab,
    Owa,
    PowerShell,
    Rest,
    RpcHttp,
}

impl Protocol {
    pub(crate) const ALL: [Self; 10] = [
        Self::Autodiscover,
        Self::Eas,
        Self::Ecp,
        Self::Ews,
        Self::Mapi,
        Self::Oab,
        Self::Owa,
        Self::PowerShell,
        Self::Rest,
        Self::RpcHttp,
    ];

    /// The name of its log folder, and its value in the column `Protocol`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Autodiscover => "Autodiscover",
            Self::Eas => "Eas",
            Self::Ecp => "Ecp",
            Self::Ews => "Ews",
            Self::Mapi => "Mapi",
            Self::Oab => "Oab",
            Self::Owa => "Owa",
            Self::PowerShell => "PowerShell",
            Self::Rest => "Rest",
            Self::RpcHttp => "RpcHttp",
        }
    }
}

/// One request at the web server, and all that the logs say of it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) time: Moment,
    pub(crate) id: Guid,
    /// The number of the web site that it came to.
    pub(crate) site: u32,
    /// Nothing where IIS answers without Exchange.
    pub(crate) protocol: Option<Protocol>,
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) stem: String,
    /// With its question mark, or empty.
    pub(crate) query: String,
    pub(crate) authentication: String,
    pub(crate) user: String,
    pub(crate) anchor: String,
    pub(crate) routing_hint: String,
    pub(crate) user_agent: String,
    pub(crate) client: String,
    pub(crate) status: u16,
    pub(crate) backend_status: Option<u16>,
    pub(crate) error: String,
    pub(crate) target: Option<String>,
    pub(crate) bytes_in: u32,
    pub(crate) bytes_out: u32,
    pub(crate) duration_ms: u32,
    /// What reached the back end's web site, where that is logged.
    pub(crate) backend: Option<Backend>,
}

/// A request as it reached the back end.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) stem: String,
    pub(crate) query: String,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) status: u16,
}

impl Request {
    /// Appends the front-end proxy's row.
    pub(crate) fn write_proxy(&self, server: &Server, protocol: Protocol, out: &mut String) {
        let proxied = self.target.is_some() && !self.user.is_empty();
        HttpProxyRow {
            time: self.time,
            id: self.id,
            version: server.build_at(self.time).0,
            protocol: protocol.name(),
            url_host: &self.host,
            url_stem: &self.stem,
            url_query: &self.query,
            authentication: &self.authentication,
            user: &self.user,
            anchor: &self.anchor,
            routing_hint: &self.routing_hint,
            user_agent: &self.user_agent,
            client: &self.client,
            server: &server.host,
            status: self.status,
            backend_status: self.backend_status,
            error: &self.error,
            method: &self.method,
            target: self.target.as_deref(),
            request_bytes: self.bytes_in,
            response_bytes: self.bytes_out,
            duration_ms: self.duration_ms,
            database: proxied.then_some(server.database),
        }
        .write(out);
    }

    /// Appends the row of the front-end web site.
    pub(crate) fn write_front(&self, server: &Server, columns: &[Column], out: &mut String) {
        let rest = if self.protocol.is_some() {
            // The proxy appends this to every request that it handles.
            format!("CorrelationID=<empty>;&cafeReqId={};", self.id)
        } else {
            String::new()
        };
        let local = matches!(self.client.as_str(), "127.0.0.1" | "::1");
        let balancer = server
            .habits
            .balancer
            .as_ref()
            .filter(|balancer| !local && balancer.address != self.client);
        let client = match balancer {
            Some(balancer) if balancer.hides_clients => &balancer.address,
            _ => &self.client,
        };
        IisRow {
            time: self.time,
            site: self.site,
            computer: &server.host,
            server: if local { &self.client } else { &server.address },
            method: &self.method,
            stem: &self.stem,
            query: self.query.trim_start_matches('?'),
            query_rest: &rest,
            port: server
                .described
                .as_ref()
                .map_or(443, |product| product.port(self.site)),
            user: &self.user,
            client,
            user_agent: &self.user_agent,
            host: &self.host,
            forwarded_for: balancer.map_or("", |_| &self.client),
            status: self.status,
            bytes_sent: self.bytes_out,
            bytes_received: self.bytes_in,
            duration_ms: self.duration_ms,
        }
        .write(columns, out);
    }

    /// Appends the row of the back-end web site.
    pub(crate) fn write_back(
        &self,
        server: &Server,
        backend: &Backend,
        columns: &[Column],
        out: &mut String,
    ) {
        IisRow {
            time: self.time,
            site: 2,
            computer: &server.host,
            server: &server.address,
            method: &self.method,
            stem: &backend.stem,
            query: backend.query.trim_start_matches('?'),
            query_rest: &format!("cafeReqId={};", self.id),
            port: 444,
            user: &backend.user,
            client: &backend.client,
            user_agent: &self.user_agent,
            host: &server.full_name,
            forwarded_for: "",
            status: backend.status,
            bytes_sent: self.bytes_out,
            bytes_received: self.bytes_in,
            duration_ms: self.duration_ms.saturating_sub(3),
        }
        .write(columns, out);
    }
}

impl Server {
    /// All that comes by itself in the hour that begins at `hour`, in no order. `extra` adds that many requests of
    /// people to the usual ones.
    pub(crate) fn background(&self, hour: Moment, probe_minutes: i64, extra: u64) -> Vec<Request> {
        let mut requests = Vec::new();
        if self.has_exchange {
            self.probes(hour, probe_minutes, &mut requests);
            self.people_at_work(hour, self.weight(hour) + extra, &mut requests);
            self.devices_awake(hour, &mut requests);
            self.machines(hour, probe_minutes, &mut requests);
            self.guessing(hour, &mut requests);
        }
        if let Some(product) = &self.described {
            self.described_requests(product, hour, probe_minutes, extra, &mut requests);
        }
        self.noise(hour, &mut requests);
        requests.retain(|request| {
            self.is_up(request.time) && self.start <= request.time && request.time < self.end
        });
        requests
    }

    /// How many requests people make in the hour, by the local clock.
    pub(crate) fn weight(&self, hour: Moment) -> u64 {
        const WORKING_DAY: [u64; 24] = [
            0, 0, 0, 0, 0, 1, 2, 5, 9, 10, 10, 9, 6, 8, 10, 9, 8, 5, 3, 2, 2, 1, 1, 0,
        ];
        let (local, day) = self.calendar.hour(hour);
        let usual = WORKING_DAY[usize::try_from(local).expect("an hour of the day")];
        let percent = self.habits.activity_percent;
        match day {
            DayKind::Working => (usual * percent).div_ceil(100),
            DayKind::Quiet => (usual * percent).div_ceil(200),
            DayKind::Free => u64::from((8..22).contains(&local)),
        }
    }

    /// A request with nothing said yet but its time, its id and lifelike sizes.
    pub(crate) fn request(&self, time: Moment, random: &mut Random) -> Request {
        let small = |random: &mut Random, low, high| {
            u32::try_from(random.between(low, high)).expect("a small number")
        };
        Request {
            time,
            id: random.guid(),
            site: 1,
            protocol: None,
            method: "GET".to_owned(),
            host: self.public.clone(),
            stem: "/".to_owned(),
            query: String::new(),
            authentication: String::new(),
            user: String::new(),
            anchor: String::new(),
            routing_hint: String::new(),
            user_agent: String::new(),
            client: String::new(),
            status: 200,
            backend_status: None,
            error: String::new(),
            target: None,
            bytes_in: small(random, 0, 900),
            bytes_out: small(random, 200, 20_000),
            duration_ms: small(random, 3, 180),
            backend: None,
        }
    }

    /// A request of a mailbox's owner or of a machine that signed in, sent on to the back end.
    fn signed_in(
        &self,
        time: Moment,
        protocol: Protocol,
        (user, sid): (&str, &str),
        random: &mut Random,
    ) -> Request {
        let mut request = self.request(time, random);
        request.protocol = Some(protocol);
        request.user = format!("{}\\{user}", self.netbios);
        request.anchor = format!("Sid~{sid}");
        "WindowsIdentity".clone_into(&mut request.routing_hint);
        request.target = Some(self.full_name.clone());
        request.backend_status = Some(200);
        request
    }
}

impl Request {
    /// Says that the back end saw the same request, and answered as the front end did.
    fn reach_back_end(&mut self, server: &Server) {
        self.backend = Some(Backend {
            stem: self.stem.clone(),
            query: self.query.clone(),
            user: self.user.clone(),
            client: server.address.clone(),
            status: self.status,
        });
    }
}
