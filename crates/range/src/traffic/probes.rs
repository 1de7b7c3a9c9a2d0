//! The probes by which Exchange watches itself, at a steady rhythm.

use super::{Backend, Protocol, Request};
use crate::moment::{HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::Server;

impl Protocol {
    /// Whether monitoring looks at it at every turn, or at every eighth.
    fn is_watched_closely(self) -> bool {
        matches!(self, Self::Ecp | Self::Ews | Self::Mapi | Self::Owa)
    }
}

impl Server {
    /// Exchange's probes of all protocols in the hour.
    pub(super) fn probes(&self, hour: Moment, minutes: i64, requests: &mut Vec<Request>) {
        for protocol in Protocol::ALL {
            let mut random = self.random(protocol.name(), hour);
            self.probes_of(protocol, hour, minutes, &mut random, requests);
        }
    }

    fn probes_of(
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
}
