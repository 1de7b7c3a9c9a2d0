//! Web requests: what one is, and which come by themselves, hour by hour: Exchange's own probes, people, the internet.

use crate::formats::Guid;
use crate::formats::exchange::HttpProxyRow;
use crate::formats::iis::IisRow;
use crate::moment::{HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::{Server, internet};
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

    /// Whether monitoring looks at it at every turn, or at every eighth.
    fn is_watched_closely(self) -> bool {
        matches!(self, Self::Ecp | Self::Ews | Self::Mapi | Self::Owa)
    }
}

/// One request at the web server, and all that the logs say of it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) time: Moment,
    pub(crate) id: Guid,
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
    pub(crate) fn write_front(&self, server: &Server, extra: bool, out: &mut String) {
        let mut query = self.query.trim_start_matches('?').to_owned();
        if self.protocol.is_some() {
            // The proxy appends this to every request that it handles.
            query = format!("{query}&CorrelationID=<empty>;&cafeReqId={};", self.id);
        }
        let local = matches!(self.client.as_str(), "127.0.0.1" | "::1");
        IisRow {
            time: self.time,
            server: if local { &self.client } else { &server.address },
            method: &self.method,
            stem: &self.stem,
            query: &query,
            port: 443,
            user: &self.user,
            client: &self.client,
            user_agent: &self.user_agent,
            status: self.status,
            duration_ms: self.duration_ms,
            extra: extra.then_some(self.host.as_str()),
        }
        .write(out);
    }

    /// Appends the row of the back-end web site.
    pub(crate) fn write_back(&self, server: &Server, backend: &Backend, out: &mut String) {
        let query = backend.query.trim_start_matches('?');
        IisRow {
            time: self.time,
            server: &server.address,
            method: &self.method,
            stem: &backend.stem,
            query: &format!("{query}&cafeReqId={};", self.id),
            port: 444,
            user: &backend.user,
            client: &backend.client,
            user_agent: &self.user_agent,
            status: backend.status,
            duration_ms: self.duration_ms.saturating_sub(3),
            extra: None,
        }
        .write(out);
    }
}

impl Server {
    /// All that comes by itself in the hour that begins at `hour`, in no order. `extra` adds that many requests of
    /// people to the usual ones.
    pub(crate) fn background(&self, hour: Moment, probe_minutes: i64, extra: u64) -> Vec<Request> {
        let mut requests = Vec::new();
        if self.has_exchange {
            for protocol in Protocol::ALL {
                let mut random = self.random(protocol.name(), hour);
                self.probes(protocol, hour, probe_minutes, &mut random, &mut requests);
            }
            let mut random = self.random("people", hour);
            for _ in 0..self.weight(hour) + extra {
                let time = hour.after(random.between(0, HOUR - 1));
                requests.push(self.person(time, &mut random));
            }
        }
        let mut random = self.random("noise", hour);
        for _ in 0..=random.below(2) {
            let time = hour.after(random.between(0, HOUR - 1));
            requests.push(self.noise(time, &mut random));
        }
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
        let (local, working_day) = self.local_hour(hour);
        let local = usize::try_from(local).expect("an hour of the day");
        if working_day {
            WORKING_DAY[local]
        } else {
            u64::from((8..22).contains(&local))
        }
    }

    /// Exchange's probes of one protocol in one hour.
    fn probes(
        &self,
        protocol: Protocol,
        hour: Moment,
        minutes: i64,
        random: &mut Random,
        requests: &mut Vec<Request>,
    ) {
        let interval = if protocol.is_watched_closely() {
            minutes
        } else {
            minutes * 8
        } * MINUTE;
        let number = Protocol::ALL
            .iter()
            .position(|other| *other == protocol)
            .unwrap_or(0);
        let offset = i64::try_from(number).unwrap_or(0) * 97 * SECOND % interval;
        let first = (hour.0 - offset + interval - 1).div_euclid(interval) * interval + offset;
        let mut slot = first;
        while slot < hour.0 + HOUR {
            let jitter = random.between(0, 20 * SECOND - 1);
            let time = Moment(slot + jitter);
            if time < hour.after(HOUR) {
                requests.push(self.probe(protocol, time, random));
            }
            slot += interval;
        }
    }

    fn probe(&self, protocol: Protocol, time: Moment, random: &mut Random) -> Request {
        let mut request = self.request(time, random);
        request.protocol = Some(protocol);
        let (method, stem) = match protocol {
            Protocol::Autodiscover => ("POST", "/autodiscover/autodiscover.xml"),
            Protocol::Eas => ("OPTIONS", "/Microsoft-Server-ActiveSync/default.eas"),
            Protocol::Ecp => ("GET", "/ecp/"),
            Protocol::Ews => ("GET", "/ews/"),
            Protocol::Mapi => ("POST", "/mapi/emsmdb/"),
            Protocol::Oab => ("GET", "/oab/"),
            Protocol::Owa => ("GET", "/owa/"),
            Protocol::PowerShell => ("GET", "/powershell/"),
            Protocol::Rest => ("GET", "/api/"),
            Protocol::RpcHttp => ("RPC_IN_DATA", "/rpc/rpcproxy.dll"),
        };
        method.clone_into(&mut request.method);
        stem.clone_into(&mut request.stem);
        "localhost".clone_into(&mut request.host);
        "127.0.0.1".clone_into(&mut request.client);
        "Negotiate".clone_into(&mut request.authentication);
        request.user = format!("{}\\{}", self.netbios, self.health_mailbox);
        request.anchor = format!("Sid~{}", self.health_sid);
        "WindowsIdentity".clone_into(&mut request.routing_hint);
        "AMProbe/Local/ClientAccess".clone_into(&mut request.user_agent);
        request.target = Some(self.full_name.clone());
        if protocol.is_watched_closely() {
            request.backend_status = Some(200);
            request.backend = Some(Backend {
                stem: request.stem.clone(),
                query: String::new(),
                user: request.user.clone(),
                client: "::1".to_owned(),
                status: 200,
            });
        }
        request
    }

    /// A request with nothing said yet but its time, its id and lifelike sizes.
    pub(crate) fn request(&self, time: Moment, random: &mut Random) -> Request {
        let small = |random: &mut Random, low, high| {
            u32::try_from(random.between(low, high)).expect("a small number")
        };
        Request {
            time,
            id: random.guid(),
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

    /// Somebody reads mail, or signs in or out.
    fn person(&self, time: Moment, random: &mut Random) -> Request {
        let user = random.pick(&self.users);
        let mut request = self.request(time, random);
        let away = random.chance(30);
        let client = if away { &user.home } else { &user.desk };
        client.clone_into(&mut request.client);
        if random.chance(6) {
            let (protocol, method, stem, query, status) = random.pick(&self.world.pages);
            request.protocol = Some(*protocol);
            method.clone_into(&mut request.method);
            stem.clone_into(&mut request.stem);
            query.clone_into(&mut request.query);
            request.status = *status;
            "FBA".clone_into(&mut request.authentication);
            user.browser.clone_into(&mut request.user_agent);
            return request;
        }
        request.user = format!("{}\\{}", self.netbios, user.name);
        request.anchor = format!("Sid~{}", user.sid);
        "WindowsIdentity".clone_into(&mut request.routing_hint);
        request.target = Some(self.full_name.clone());
        request.backend_status = Some(200);
        let world = &self.world;
        let (protocol, method, stem, query, authentication, agent) = match random.below(100) {
            0..35 => (
                Protocol::Mapi,
                "POST",
                "/mapi/emsmdb/".to_owned(),
                format!("?MailboxId={}@{}", random.guid(), self.domain),
                "Negotiate",
                world.outlook.as_str(),
            ),
            35..60 => {
                let command = random.pick(&["Sync", "Ping", "FolderSync", "GetItemEstimate"]);
                (
                    Protocol::Eas,
                    "POST",
                    "/Microsoft-Server-ActiveSync/default.eas".to_owned(),
                    format!(
                        "?Cmd={command}&User={}%5C{}&DeviceId={}&DeviceType=phone",
                        self.netbios, user.name, user.device
                    ),
                    "Basic",
                    user.phone.as_str(),
                )
            }
            60..78 => {
                let action =
                    random.pick(&["FindItem", "GetItem", "FindConversation", "CreateItem"]);
                (
                    Protocol::Owa,
                    "POST",
                    "/owa/service.svc".to_owned(),
                    format!("?action={action}&EP=1&ID=-{}&AC=1", random.between(2, 400)),
                    "FBA",
                    user.browser.as_str(),
                )
            }
            78..88 => (
                Protocol::Ews,
                "POST",
                "/EWS/Exchange.asmx".to_owned(),
                String::new(),
                "NTLM",
                world.mac_outlook.as_str(),
            ),
            88..94 => (
                Protocol::Autodiscover,
                "POST",
                "/autodiscover/autodiscover.xml".to_owned(),
                String::new(),
                "Negotiate",
                world.outlook.as_str(),
            ),
            94..97 => (
                Protocol::Oab,
                "GET",
                format!("/OAB/{}/oab.xml", self.oab),
                String::new(),
                "Negotiate",
                "Microsoft BITS/7.8",
            ),
            97..99 => (
                Protocol::RpcHttp,
                "RPC_OUT_DATA",
                "/rpc/rpcproxy.dll".to_owned(),
                format!("?{}:6001", self.full_name),
                "NTLM",
                "MSRPC",
            ),
            _ => (
                Protocol::Ecp,
                "GET",
                "/ecp/".to_owned(),
                "?rfr=owa&p=MyAccount".to_owned(),
                "FBA",
                user.browser.as_str(),
            ),
        };
        request.protocol = Some(protocol);
        method.clone_into(&mut request.method);
        authentication.clone_into(&mut request.authentication);
        agent.clone_into(&mut request.user_agent);
        request.stem = stem;
        request.query = query;
        request.backend = Some(Backend {
            stem: request.stem.clone(),
            query: request.query.clone(),
            user: request.user.clone(),
            client: self.address.clone(),
            status: 200,
        });
        request
    }

    /// Something that reaches every address on the internet.
    fn noise(&self, time: Moment, random: &mut Random) -> Request {
        let (method, stem, status, agent) = random.pick(&self.world.noise);
        let mut request = self.request(time, random);
        method.clone_into(&mut request.method);
        stem.clone_into(&mut request.stem);
        agent.clone_into(&mut request.user_agent);
        request.status = *status;
        request.host.clone_from(&self.address);
        request.client = internet::passer_by(random);
        if stem.starts_with("/owa") && !self.has_exchange {
            request.status = 404;
        } else if stem.starts_with("/owa") {
            request.protocol = Some(Protocol::Owa);
            "FBA".clone_into(&mut request.authentication);
        }
        request
    }
}
