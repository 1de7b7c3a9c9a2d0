//! Machines that ask by themselves: the load balancer, the owner's monitoring, an archive, a partner's calendars,
//! an administrator's remote shell.

use super::{Protocol, Request};
use crate::calendar::DayKind;
use crate::moment::{HOUR, MINUTE, Moment, SECOND};
use crate::server::Server;

/// The balancer asks for one protocol's health page at every turn of this number of Exchange's own probes.
const BALANCER_TURN: i64 = 4;

/// The owner's monitoring comes at every turn of this number.
const MONITOR_TURN: i64 = 8;

/// Of a hundred hours in which people work, in so many an administrator opens a remote shell.
const SHELL_PERCENT: u64 = 4;

/// Of a hundred hours, in so many the partner organisation asks for somebody's free time.
const PARTNER_PERCENT: u64 = 10;

impl Server {
    pub(super) fn machines(&self, hour: Moment, minutes: i64, requests: &mut Vec<Request>) {
        self.health_pages(hour, minutes, requests);
        self.monitoring(hour, minutes, requests);
        self.archive(hour, requests);
        self.partner(hour, requests);
        self.remote_shell(hour, requests);
    }

    /// The load balancer wants to know who is alive: a page that every protocol has, `healthcheck.htm`.
    fn health_pages(&self, hour: Moment, minutes: i64, requests: &mut Vec<Request>) {
        const PAGES: [(Protocol, &str); 6] = [
            (Protocol::Owa, "/owa/healthcheck.htm"),
            (Protocol::Mapi, "/mapi/healthcheck.htm"),
            (Protocol::Ews, "/ews/healthcheck.htm"),
            (
                Protocol::Eas,
                "/Microsoft-Server-ActiveSync/healthcheck.htm",
            ),
            (Protocol::Autodiscover, "/autodiscover/healthcheck.htm"),
            (Protocol::Ecp, "/ecp/healthcheck.htm"),
        ];
        let Some(balancer) = &self.habits.balancer else {
            return;
        };
        let interval = minutes * BALANCER_TURN * MINUTE;
        let mut random = self.random("balancer", hour);
        let mut slot = (hour.0 + interval - 1).div_euclid(interval) * interval;
        while slot < hour.0 + HOUR {
            let turn = (slot / interval).rem_euclid(6);
            let (protocol, stem) = PAGES[usize::try_from(turn).expect("below six")];
            let time = Moment(slot + random.between(0, SECOND));
            let mut request = self.request(time, &mut random);
            request.protocol = Some(protocol);
            stem.clone_into(&mut request.stem);
            request.host.clone_from(&self.address);
            request.client.clone_from(&balancer.address);
            balancer.agent.clone_into(&mut request.user_agent);
            (request.bytes_in, request.bytes_out) = (0, 20);
            request.duration_ms = 1;
            requests.push(request);
            slot += interval;
        }
    }

    fn monitoring(&self, hour: Moment, minutes: i64, requests: &mut Vec<Request>) {
        let Some((address, agent)) = &self.habits.monitor else {
            return;
        };
        let interval = minutes * MONITOR_TURN * MINUTE;
        let mut random = self.random("monitor", hour);
        let mut slot = (hour.0 + interval - 1).div_euclid(interval) * interval + 7 * MINUTE;
        while slot < hour.0 + HOUR {
            let mut request = self.request(Moment(slot), &mut random);
            request.protocol = Some(Protocol::Owa);
            "/owa/auth/logon.aspx".clone_into(&mut request.stem);
            "?replaceCurrent=1".clone_into(&mut request.query);
            "FBA".clone_into(&mut request.authentication);
            request.client.clone_from(address);
            (*agent).clone_into(&mut request.user_agent);
            requests.push(request);
            slot += interval;
        }
    }

    /// At night the archive fetches what came by day, mailbox by mailbox, with an account that may open each.
    fn archive(&self, hour: Moment, requests: &mut Vec<Request>) {
        let Some(address) = &self.habits.archive else {
            return;
        };
        let (local, _) = self.calendar.hour(hour);
        if local != 2 {
            return;
        }
        let mut random = self.random("archive", hour);
        let sid = format!("{}-1107", self.domain_sid);
        let mut time = hour.after(random.between(1, 9) * MINUTE);
        for _ in 0..random.between(3, 8) {
            let account = ("svc-archive", sid.as_str());
            let mut request = self.signed_in(time, Protocol::Ews, account, &mut random);
            "POST".clone_into(&mut request.method);
            "/EWS/Exchange.asmx".clone_into(&mut request.stem);
            "NTLM".clone_into(&mut request.authentication);
            "ExchangeServicesClient/15.00.0913.015".clone_into(&mut request.user_agent);
            request.client.clone_from(address);
            request.bytes_out = u32::try_from(random.between(4_000, 4_000_000)).unwrap_or(0);
            request.reach_back_end(self);
            requests.push(request);
            time = time.after(random.between(1, 50) * SECOND);
        }
    }

    /// Another organisation's Exchange asks for free times, in the name of federation.
    fn partner(&self, hour: Moment, requests: &mut Vec<Request>) {
        const ADDRESS: &str = "2001:db8:fede::25";
        let mut random = self.random("partner", hour);
        if !self.habits.federated || !random.chance(PARTNER_PERCENT) {
            return;
        }
        let time = hour.after(random.between(0, HOUR - MINUTE));
        for (protocol, stem, wait) in [
            (
                Protocol::Autodiscover,
                "/autodiscover/autodiscover.svc/WSSecurity",
                0,
            ),
            (Protocol::Ews, "/ews/exchange.asmx/WSSecurity", 700),
        ] {
            let mut request = self.request(time.after(wait), &mut random);
            request.protocol = Some(protocol);
            "POST".clone_into(&mut request.method);
            stem.clone_into(&mut request.stem);
            ADDRESS.clone_into(&mut request.client);
            "ASProxy/CrossForest/EmailDomain//15.20.3846.034".clone_into(&mut request.user_agent);
            request.target = Some(self.full_name.clone());
            request.backend_status = Some(200);
            request.reach_back_end(self);
            if let Some(backend) = &mut request.backend {
                backend.user = self.machine_account();
            }
            requests.push(request);
        }
    }

    /// An administrator works from their desk: a remote shell is a series of requests under one name.
    fn remote_shell(&self, hour: Moment, requests: &mut Vec<Request>) {
        let mut random = self.random("remote shell", hour);
        let (_, day) = self.calendar.hour(hour);
        let at_work = day == DayKind::Working && self.weight(hour) > 3;
        if !at_work || !random.chance(SHELL_PERCENT) {
            return;
        }
        let sid = format!("{}-500", self.domain_sid);
        let mut time = hour.after(random.between(0, 40) * MINUTE);
        for _ in 0..random.between(2, 6) {
            let account = ("Administrator", sid.as_str());
            let mut request = self.signed_in(time, Protocol::PowerShell, account, &mut random);
            "POST".clone_into(&mut request.method);
            self.full_name.clone_into(&mut request.host);
            "/powershell".clone_into(&mut request.stem);
            "?serializationLevel=Full;ExchClientVer=15.1.2176.2;clientApplication=ManagementShell;TargetServer=;PSVersion=5.1.14393.3866".clone_into(&mut request.query);
            "Kerberos".clone_into(&mut request.authentication);
            "Microsoft WinRM Client".clone_into(&mut request.user_agent);
            request.client.clone_from(&self.users[0].desk);
            request.reach_back_end(self);
            requests.push(request);
            time = time.after(random.between(1, 90) * SECOND);
        }
    }
}
