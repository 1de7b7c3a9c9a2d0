//! The internet: whoever looks at every address there is, and whoever tries passwords.

use super::{Protocol, Request};
use crate::moment::{DAY, HOUR, Moment, SECOND};
use crate::random::Random;
use crate::server::{Server, internet};

/// On so many of a hundred days somebody tries passwords, all within an hour.
const GUESSING_PERCENT: u64 = 6;

/// A password that somebody tried.
#[derive(Clone, Debug)]
pub(crate) struct Guess {
    pub(crate) time: Moment,
    pub(crate) user: String,
    pub(crate) address: String,
}

impl Server {
    /// The passwords that strangers try in the hour.
    pub(crate) fn guesses(&self, hour: Moment) -> Vec<Guess> {
        let day = hour.day_start();
        let mut random = self.random("guessing", day);
        let chosen = random.chance(GUESSING_PERCENT);
        let at = day.after(random.between(0, 23) * HOUR);
        if !self.has_exchange || !chosen || at != hour || hour.after(DAY) < self.start {
            return Vec::new();
        }
        let addresses = [
            internet::passer_by(&mut random),
            internet::passer_by(&mut random),
        ];
        let mut time = hour.after(random.between(0, 600) * SECOND);
        let mut guesses = Vec::new();
        for _ in 0..random.between(8, 30) {
            let user = if random.chance(55) {
                random.pick(&self.users).name.clone()
            } else {
                let common = [
                    "administrator",
                    "info",
                    "scanner",
                    "test",
                    "backup",
                    "sales",
                ];
                (*random.pick(&common)).to_owned()
            };
            guesses.push(Guess {
                time,
                user,
                address: random.pick(&addresses).clone(),
            });
            time = time.after(random.between(2, 95) * SECOND);
        }
        guesses.retain(|guess| guess.time < hour.after(HOUR) && self.is_up(guess.time));
        guesses
    }

    /// The same as requests. A guesser stays with one door.
    pub(super) fn guessing(&self, hour: Moment, requests: &mut Vec<Request>) {
        const AGENTS: [&str; 4] = [
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
            "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)",
            "python-requests/2.24.0",
            "",
        ];
        let mut random = self.random("guessed door", hour);
        let (protocol, method, stem, status) = *random.pick(&[
            (Protocol::Owa, "POST", "/owa/auth.owa", 302),
            (
                Protocol::Eas,
                "OPTIONS",
                "/Microsoft-Server-ActiveSync",
                401,
            ),
            (Protocol::Ews, "POST", "/EWS/Exchange.asmx", 401),
            (
                Protocol::Autodiscover,
                "GET",
                "/autodiscover/autodiscover.xml",
                401,
            ),
            (Protocol::RpcHttp, "RPC_IN_DATA", "/rpc/rpcproxy.dll", 401),
        ]);
        let agent = *random.pick(&AGENTS);
        for guess in self.guesses(hour) {
            let mut request = self.request(guess.time, &mut random);
            request.protocol = Some(protocol);
            method.clone_into(&mut request.method);
            stem.clone_into(&mut request.stem);
            request.status = status;
            if status == 401 {
                "Basic".clone_into(&mut request.authentication);
                request.user = format!("{}\\{}", self.netbios, guess.user);
            } else {
                "FBA".clone_into(&mut request.authentication);
            }
            agent.clone_into(&mut request.user_agent);
            request.client = guess.address;
            requests.push(request);
        }
    }

    /// What reaches every address on the internet.
    pub(super) fn noise(&self, hour: Moment, requests: &mut Vec<Request>) {
        let site = match &self.described {
            None => 1,
            Some(product) if product.internet => product.site,
            Some(_) => return,
        };
        let mut random = self.random("noise", hour);
        for _ in 0..=random.below(2) {
            let time = hour.after(random.between(0, HOUR - 1));
            let mut request = self.passer_by(time, &mut random);
            request.site = site;
            requests.push(request);
        }
    }

    fn passer_by(&self, time: Moment, random: &mut Random) -> Request {
        let mut request = self.request(time, random);
        let later = self
            .world
            .later_noise
            .iter()
            .filter(|(since, ..)| is_after(time, since))
            .collect::<Vec<_>>();
        let (method, stem, status, agent) = if !later.is_empty() && random.chance(30) {
            let (_, method, stem, status, agent) = random.pick(&later);
            (method, stem, status, agent)
        } else {
            let (method, stem, status, agent) = random.pick(&self.world.noise);
            (method, stem, status, agent)
        };
        method.clone_into(&mut request.method);
        match stem.split_once('?') {
            Some((stem, query)) => {
                stem.clone_into(&mut request.stem);
                request.query = format!("?{query}");
            }
            None => stem.clone_into(&mut request.stem),
        }
        agent.clone_into(&mut request.user_agent);
        request.status = *status;
        request.host.clone_from(&self.address);
        request.client = internet::passer_by(random);
        let door = [
            ("owa", Protocol::Owa),
            ("autodiscover", Protocol::Autodiscover),
            ("ecp", Protocol::Ecp),
        ]
        .into_iter()
        .find(|(door, _)| {
            let stem = request.stem.to_lowercase();
            stem.trim_start_matches('/').starts_with(door)
        });
        match door {
            Some(_) if !self.has_exchange => request.status = 404,
            Some((_, protocol)) => {
                request.protocol = Some(protocol);
                "FBA".clone_into(&mut request.authentication);
            }
            None => {}
        }
        request
    }
}

/// Whether `time` is on `day` (`2021-12-10`) or later.
fn is_after(time: Moment, day: &str) -> bool {
    time.w3c().as_str() >= day
}
