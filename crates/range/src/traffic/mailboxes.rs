//! People who read their mail: Outlook in bursts, sessions in the browser from logon to logoff, telephones that keep a
//! request open through the night.

use super::{Protocol, Request};
use crate::moment::{HOUR, MINUTE, Moment, SECOND};
use crate::people::{Client, Device, User};
use crate::random::Random;
use crate::server::Server;

/// Of a hundred sessions in the browser, so many begin with a wrong password.
const MISTYPED_PERCENT: u64 = 7;

/// Of a hundred times, people are outside of the office.
const AWAY_PERCENT: u64 = 30;

/// Requests of one hour, one activity after the other, until there are enough.
struct Hour<'a> {
    server: &'a Server,
    begin: Moment,
    /// How many requests there are to be in all.
    enough: usize,
    random: Random,
    requests: &'a mut Vec<Request>,
}

impl Server {
    /// So many requests of people in the hour.
    pub(super) fn people_at_work(&self, hour: Moment, count: u64, requests: &mut Vec<Request>) {
        let count = usize::try_from(count).expect("requests of an hour fit into memory");
        let enough = requests.len() + count;
        let mut hour = Hour {
            server: self,
            begin: hour,
            enough,
            random: self.random("people", hour),
            requests,
        };
        while hour.requests.len() < enough {
            hour.activity();
        }
    }

    /// Telephones that are told of new mail by a request that stays open for most of an hour, day and night.
    pub(super) fn devices_awake(&self, hour: Moment, requests: &mut Vec<Request>) {
        let owners = self
            .users
            .iter()
            .filter_map(|user| Some((user, user.devices.first()?)));
        for (number, (user, device)) in owners.take(self.habits.awake_devices).enumerate() {
            let number = i64::try_from(number).unwrap_or(0);
            let mut random = self.random("awake device", hour.after(number));
            // The longest heartbeat is 59 minutes, so now and then an hour passes without an end of one.
            if random.chance(12) {
                continue;
            }
            let time = hour.after(random.between(0, HOUR - 1));
            let mut request = self.device_request(time, user, device, "Ping", &mut random);
            request.duration_ms = u32::try_from(random.between(900, 3_540) * SECOND).unwrap_or(0);
            request.bytes_out = 25;
            user.home.clone_into(&mut request.client);
            request.reach_back_end(self);
            requests.push(request);
        }
    }

    fn device_request(
        &self,
        time: Moment,
        user: &User,
        device: &Device,
        command: &str,
        random: &mut Random,
    ) -> Request {
        let mut request = self.signed_in(time, Protocol::Eas, (&user.name, &user.sid), random);
        "POST".clone_into(&mut request.method);
        "Basic".clone_into(&mut request.authentication);
        "/Microsoft-Server-ActiveSync/default.eas".clone_into(&mut request.stem);
        request.query = format!(
            "?Cmd={command}&User={}&DeviceId={}&DeviceType={}",
            user.query_name, device.id, device.kind
        );
        device.agent.clone_into(&mut request.user_agent);
        request
    }
}

impl Hour<'_> {
    /// Somebody does something, which may take several requests.
    fn activity(&mut self) {
        let server = self.server;
        let user = self.random.pick(&server.users);
        let away = self.random.chance(AWAY_PERCENT);
        let client = if away { &user.home } else { &user.desk };
        let begin = self.begin.after(self.random.between(0, HOUR - 1));
        if self.random.chance(4) {
            return self.page(begin, user, client);
        }
        match self.random.pick(&user.clients) {
            Client::Outlook => self.outlook(begin, user, client),
            Client::OldOutlook => self.old_outlook(begin, user, client),
            Client::MacOutlook => self.mac_outlook(begin, user, client),
            Client::Browser => self.browser(begin, user, client),
            Client::Phone => self.phone(begin, user),
        }
    }

    /// Adds a request, unless there are enough or the hour is over.
    fn push(&mut self, mut request: Request, client: &str) {
        if self.requests.len() < self.enough && request.time < self.begin.after(HOUR) {
            client.clone_into(&mut request.client);
            if request.target.is_some() {
                request.reach_back_end(self.server);
            }
            self.requests.push(request);
        }
    }

    fn of_user(&mut self, time: Moment, protocol: Protocol, user: &User) -> Request {
        let owner = (user.name.as_str(), user.sid.as_str());
        self.server
            .signed_in(time, protocol, owner, &mut self.random)
    }

    /// A page that needs no session.
    fn page(&mut self, time: Moment, user: &User, client: &str) {
        let pages = &self.server.world.pages;
        let (protocol, method, stem, query, status) = self.random.pick(pages);
        let mut request = self.server.request(time, &mut self.random);
        request.protocol = Some(*protocol);
        method.clone_into(&mut request.method);
        stem.clone_into(&mut request.stem);
        query.clone_into(&mut request.query);
        request.status = *status;
        "FBA".clone_into(&mut request.authentication);
        user.browser.clone_into(&mut request.user_agent);
        self.push(request, client);
    }

    fn outlook(&mut self, begin: Moment, user: &User, client: &str) {
        let server = self.server;
        let mut time = begin;
        let query = format!("?MailboxId={}@{}", user.mailbox, server.domain);
        let purpose = self.random.below(20);
        let (protocol, method, stem, count) = match purpose {
            0 | 1 => (
                Protocol::Autodiscover,
                "POST",
                "/autodiscover/autodiscover.xml".to_owned(),
                1,
            ),
            2 => (
                Protocol::Oab,
                "GET",
                format!("/OAB/{}/oab.xml", server.oab),
                1,
            ),
            3 | 4 => (Protocol::Mapi, "POST", "/mapi/nspi/".to_owned(), 2),
            5 => (Protocol::Ews, "POST", "/EWS/Exchange.asmx".to_owned(), 1),
            _ => (
                Protocol::Mapi,
                "POST",
                "/mapi/emsmdb/".to_owned(),
                self.random.between(1, 6),
            ),
        };
        for _ in 0..count {
            let mut request = self.of_user(time, protocol, user);
            method.clone_into(&mut request.method);
            stem.clone_into(&mut request.stem);
            if protocol == Protocol::Mapi {
                query.clone_into(&mut request.query);
            }
            "Negotiate".clone_into(&mut request.authentication);
            if protocol == Protocol::Oab {
                // Windows' transfer service asks for the size first, then for the parts.
                "Microsoft BITS/7.8".clone_into(&mut request.user_agent);
                let mut asked = request.clone();
                asked.id = self.random.guid();
                asked.time = time.after(-40);
                "HEAD".clone_into(&mut asked.method);
                asked.bytes_out = 0;
                if asked.time >= self.begin {
                    self.push(asked, client);
                }
            } else {
                user.outlook.clone_into(&mut request.user_agent);
            }
            self.push(request, client);
            time = time.after(self.random.between(30, 4 * SECOND));
        }
    }

    fn old_outlook(&mut self, begin: Moment, user: &User, client: &str) {
        let query = format!("?{}@{}:6001", user.mailbox, self.server.domain);
        for method in ["RPC_OUT_DATA", "RPC_IN_DATA"] {
            let delay = self.random.between(0, 90);
            let mut request = self.of_user(begin.after(delay), Protocol::RpcHttp, user);
            method.clone_into(&mut request.method);
            "/rpc/rpcproxy.dll".clone_into(&mut request.stem);
            query.clone_into(&mut request.query);
            "NTLM".clone_into(&mut request.authentication);
            "MSRPC".clone_into(&mut request.user_agent);
            request.duration_ms = u32::try_from(self.random.between(5, 900) * SECOND).unwrap_or(0);
            self.push(request, client);
        }
    }

    fn mac_outlook(&mut self, begin: Moment, user: &User, client: &str) {
        let mut time = begin;
        for _ in 0..self.random.between(1, 5) {
            let mut request = self.of_user(time, Protocol::Ews, user);
            "POST".clone_into(&mut request.method);
            "/EWS/Exchange.asmx".clone_into(&mut request.stem);
            "NTLM".clone_into(&mut request.authentication);
            self.server
                .world
                .mac_outlook
                .clone_into(&mut request.user_agent);
            // Attachments come whole.
            if self.random.chance(8) {
                request.bytes_out =
                    u32::try_from(self.random.between(90_000, 9_000_000)).unwrap_or(0);
            }
            self.push(request, client);
            time = time.after(self.random.between(80, 7 * SECOND));
        }
    }

    /// A session: the page to sign in, perhaps a wrong password, mail, perhaps the options, perhaps the end.
    fn browser(&mut self, begin: Moment, user: &User, client: &str) {
        const ACTIONS: [&str; 9] = [
            "FindItem",
            "GetItem",
            "FindConversation",
            "GetConversationItems",
            "CreateItem",
            "UpdateItem",
            "GetFileAttachment",
            "SubscribeToNotification",
            "GetPersona",
        ];
        let mut time = begin;
        let fresh = self.random.chance(50);
        if fresh {
            self.unsigned(time, user, client, ("GET", "/owa/auth/logon.aspx", 200));
            time = time.after(self.random.between(3, 40) * SECOND);
            if self.random.chance(MISTYPED_PERCENT) {
                self.unsigned(time, user, client, ("POST", "/owa/auth.owa", 302));
                time = time.after(self.random.between(4, 30) * SECOND);
            }
            self.unsigned(time, user, client, ("POST", "/owa/auth.owa", 302));
            time = time.after(self.random.between(80, 900));
            let page = ("GET", "/owa/", String::new());
            self.signed(time, Protocol::Owa, user, client, page);
        }
        for number in 0..self.random.between(1, 7) {
            time = time.after(self.random.between(200, 90 * SECOND));
            let action = self.random.pick(&ACTIONS);
            let query = format!("?action={action}&EP=1&ID=-{}&AC=1", number + 2);
            let page = ("POST", "/owa/service.svc", query);
            self.signed(time, Protocol::Owa, user, client, page);
        }
        if self.random.chance(6) {
            time = time.after(self.random.between(1, 20) * SECOND);
            let page = ("GET", "/ecp/", "?rfr=owa&p=MyAccount".to_owned());
            self.signed(time, Protocol::Ecp, user, client, page);
        }
        if fresh && self.random.chance(35) {
            time = time.after(self.random.between(1, 15) * MINUTE);
            let page = ("GET", "/owa/logoff.owa", String::new());
            self.signed(time, Protocol::Owa, user, client, page);
        }
    }

    fn unsigned(
        &mut self,
        time: Moment,
        user: &User,
        client: &str,
        (method, stem, status): (&str, &str, u16),
    ) {
        let mut request = self.server.request(time, &mut self.random);
        request.protocol = Some(Protocol::Owa);
        method.clone_into(&mut request.method);
        stem.clone_into(&mut request.stem);
        if method == "GET" {
            request.query = format!(
                "?replaceCurrent=1&url=https%3a%2f%2f{}%2fowa%2f",
                self.server.public
            );
        }
        request.status = status;
        "FBA".clone_into(&mut request.authentication);
        user.browser.clone_into(&mut request.user_agent);
        self.push(request, client);
    }

    fn signed(
        &mut self,
        time: Moment,
        protocol: Protocol,
        user: &User,
        client: &str,
        (method, stem, query): (&str, &str, String),
    ) {
        let mut request = self.of_user(time, protocol, user);
        method.clone_into(&mut request.method);
        stem.clone_into(&mut request.stem);
        request.query = query;
        "FBA".clone_into(&mut request.authentication);
        user.browser.clone_into(&mut request.user_agent);
        self.push(request, client);
    }

    fn phone(&mut self, begin: Moment, user: &User) {
        if user.devices.is_empty() {
            return self.page(begin, user, &user.home);
        }
        let device = self.random.pick(&user.devices);
        let server = self.server;
        let mut time = begin;
        // A password that was changed at the desk: the device goes on with the old one for a while.
        if self.random.chance(3) {
            for _ in 0..self.random.between(1, 4) {
                let random = &mut self.random;
                let mut request = server.device_request(time, user, device, "Sync", random);
                request.status = 401;
                request.target = None;
                request.backend_status = None;
                request.anchor.clear();
                request.routing_hint.clear();
                self.push(request, &user.home);
                time = time.after(self.random.between(2, 9) * MINUTE);
            }
            return;
        }
        let commands: &[&str] = match self.random.below(12) {
            0 => &["FolderSync", "GetItemEstimate", "Sync"],
            1 => &["SmartReply", "Sync"],
            2 => &["Search"],
            3 => &["Provision", "FolderSync"],
            4..7 => &["Ping"],
            _ => &["Sync", "Ping"],
        };
        for command in commands {
            let random = &mut self.random;
            let request = server.device_request(time, user, device, command, random);
            self.push(request, &user.home);
            time = time.after(self.random.between(200, 5 * SECOND));
        }
    }
}
