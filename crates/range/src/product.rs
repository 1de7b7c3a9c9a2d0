//! Server products that data describe: what one installs, registers, serves and does by itself stands in
//! `packs/NAME/range/product.json`. Windows around it is the same for all.
//!
//! Exchange alone writes logs of its own that the simulator knows by itself; see `logs` and `traffic`.

use crate::Error;
use crate::calendar::DayKind;
use crate::campaign::Campaign;
use crate::events::{Logged, Process, application_event};
use crate::files::{DiskFile, config_text, page_text, version_image};
use crate::formats::dns::Question;
use crate::formats::registry::Key;
use crate::library::library;
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::{Build, Server};
use crate::source::Source;
use crate::traffic::Request;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const FILE: &str = "product.json";

/// A product, as its file describes it. Texts are templates: `{install}`, `{build}`, `{level}` (its first three parts),
/// `{release}`, `{update}`, `{host}`, `{fqdn}`, `{domain}`, `{netbios}`, `{address}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Described {
    #[serde(rename = "about")]
    _about: String,
    /// Install folder, without a trailing backslash.
    pub(crate) install: String,
    /// How names of such servers begin.
    pub(crate) host_prefixes: Vec<String>,
    /// Company and product, as version resources name them.
    company: String,
    title: String,
    #[serde(default)]
    registry: Vec<RegistryKey>,
    /// Name, title, command.
    pub(crate) services: Vec<(String, String, String)>,
    /// Programs that carry the build, each with its size; an update replaces them.
    binaries: Vec<(String, usize)>,
    /// Scripts that the web server runs, static files, and configuration.
    #[serde(default)]
    pages: Vec<String>,
    #[serde(default)]
    statics: Vec<String>,
    #[serde(default)]
    configs: Vec<String>,
    pub(crate) sites: Vec<Site>,
    /// The number of the site that people, machines and strangers ask, unless something else is said.
    pub(crate) site: u32,
    /// Whether strangers on the internet reach that site.
    #[serde(default)]
    pub(crate) internet: bool,
    /// Name and file of native modules of the web server.
    #[serde(default)]
    pub(crate) modules: Vec<(String, String)>,
    /// Application and address of pages that people's requests had compiled.
    #[serde(default)]
    pub(crate) compiled: Vec<(String, String)>,
    /// What people ask for.
    #[serde(default)]
    people: Vec<Asked>,
    /// What machines ask for, at a steady rhythm.
    #[serde(default)]
    machines: Vec<Machine>,
    /// Processes that the product starts.
    #[serde(default)]
    processes: Vec<Started>,
    /// What it writes to the application log.
    #[serde(default)]
    events: Vec<Event>,
    /// Names that it asks of the DNS.
    #[serde(default)]
    names: Vec<Name>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistryKey {
    hive: Hive,
    key: String,
    /// Texts and numbers of 32 bits.
    values: BTreeMap<String, Value>,
    /// Whether an update writes it anew.
    #[serde(default)]
    updated: bool,
}

/// Below the current control set of SYSTEM, or in SOFTWARE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Hive {
    System,
    Software,
}

/// A web site.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Site {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) protocol: String,
    pub(crate) port: u16,
    /// Folder and application pool of its root.
    pub(crate) root: String,
    pub(crate) pool: String,
    /// Path in the URL, folder, application pool.
    #[serde(default)]
    pub(crate) applications: Vec<(String, String, String)>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    stem: String,
    #[serde(default)]
    query: String,
    status: u16,
    /// Whether who asks has signed in.
    #[serde(default)]
    signed_in: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    /// Rarer where the owner of the simulation wants fewer probes.
    every_minutes: i64,
    method: String,
    stem: String,
    #[serde(default)]
    query: String,
    status: u16,
    agent: String,
    /// The server itself, or a neighbour in its network.
    from: From,
    #[serde(default)]
    site: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum From {
    Itself,
    Neighbour,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Started {
    image: String,
    command_line: String,
    parent: String,
    /// How often on a day.
    daily: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    source: String,
    id: u16,
    text: String,
    /// Hours between two.
    every_hours: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    #[serde(rename = "name")]
    text: String,
    answer: String,
    /// The program that asks.
    image: String,
    every_hours: i64,
}

impl Described {
    /// The product of a campaign: from the campaign's own folder, or from that of another that goes for the same.
    ///
    /// # Errors
    /// When nobody describes it, or its file is wrong.
    pub(crate) fn of(campaign: &Campaign) -> Result<Self, Error> {
        let library = library();
        let own = library.of_campaign(&campaign.name, FILE);
        let text = match own {
            Some(text) => text,
            None => Campaign::all()?
                .iter()
                .filter(|other| other.product == campaign.product)
                .find_map(|other| library.of_campaign(&other.name, FILE))
                .ok_or_else(|| Error::Product(campaign.product.clone()))?,
        };
        Ok(serde_json::from_str(text)?)
    }

    fn site(&self, id: u32) -> Option<&Site> {
        self.sites.iter().find(|site| site.id == id)
    }

    /// The port of a site; that of HTTPS for one that is not the product's.
    pub(crate) fn port(&self, site: u32) -> u16 {
        self.site(site).map_or(443, |site| site.port)
    }
}

impl Server {
    /// The names in braces replaced, for a build.
    pub(crate) fn described_text(&self, template: &str, build: Build) -> String {
        template
            .replace("{install}", &self.install)
            .replace("{build}", &build.to_string())
            .replace("{level}", &build.cumulative())
            .replace("{release}", &self.release.name)
            .replace("{update}", &self.release.update)
            .replace("{host}", &self.host)
            .replace("{fqdn}", &self.full_name)
            .replace("{domain}", &self.domain)
            .replace("{netbios}", &self.netbios)
            .replace("{address}", &self.address)
    }

    /// The product's keys in a hive.
    pub(crate) fn described_keys(&self, product: &Described, hive: Hive, root: &mut Key) {
        let installed = self.installed().timestamp();
        let (running, last) = match self.patch() {
            Some(patch) => (self.after, patch.boot.timestamp()),
            None => (self.before, installed),
        };
        for key in product.registry.iter().filter(|key| key.hive == hive) {
            let (build, written) = if key.updated {
                (running, last)
            } else {
                (self.before, installed)
            };
            let place = root.key(&self.described_text(&key.key, build), written);
            for (name, value) in &key.values {
                match value {
                    Value::Number(number) => {
                        let number = number
                            .as_u64()
                            .and_then(|number| u32::try_from(number).ok());
                        place.value(name, number.unwrap_or(0));
                    }
                    other => {
                        let text = other.as_str().unwrap_or_default();
                        place.value(name, self.described_text(text, build));
                    }
                }
            }
        }
    }

    /// The product's files of a build, by path.
    pub(crate) fn described_contents(
        &self,
        product: &Described,
        build: Build,
    ) -> Vec<(String, Vec<u8>)> {
        let level = build.cumulative();
        let filled = |path: &String| self.described_text(path, build);
        let mut files = Vec::new();
        for path in product.pages.iter().map(filled) {
            let text = page_text(&path, &level, &product.company);
            files.push((path, text.into_bytes()));
        }
        for path in product.statics.iter().map(filled) {
            let text = format!(
                "/* Synthetic stand-in for {path}, {level}. Not {}'s file. */\r\n",
                product.company
            );
            files.push((path, text.into_bytes()));
        }
        for path in product.configs.iter().map(filled) {
            let text = config_text(&path);
            files.push((path, text.into_bytes()));
        }
        for (path, size) in &product.binaries {
            let path = filled(path);
            let maker = (product.company.as_str(), product.title.as_str());
            let bytes = version_image(&path, build, maker, *size);
            files.push((path, bytes));
        }
        files
    }

    /// The product's files as they lie on the disk.
    pub(crate) fn described_files(&self, product: &Described) -> Vec<DiskFile> {
        let installed = self.installed();
        let (running, replaced) = match self.patch() {
            Some(patch) => (self.after, patch.boot.after(-4 * MINUTE)),
            None => (self.before, installed),
        };
        let served: Vec<String> = product
            .sites
            .iter()
            .flat_map(|site| {
                let applications = site.applications.iter().map(|(_, folder, _)| folder);
                std::iter::once(&site.root).chain(applications)
            })
            .map(|folder| self.described_text(folder, running).to_lowercase())
            .collect();
        let files = self.described_contents(product, running).into_iter();
        files
            .map(|(path, bytes)| {
                let lower = path.to_lowercase();
                let in_web = served.iter().any(|folder| lower.starts_with(folder));
                let is_binary = bytes.starts_with(b"MZ");
                DiskFile {
                    source: if in_web {
                        Source::WebRoots
                    } else {
                        Source::ProductFiles
                    },
                    modified: if is_binary { replaced } else { installed },
                    path,
                    bytes,
                }
            })
            .collect()
    }

    /// What people and machines ask the product's site for in the hour.
    pub(crate) fn described_requests(
        &self,
        product: &Described,
        hour: Moment,
        probe_minutes: i64,
        extra: u64,
        requests: &mut Vec<Request>,
    ) {
        let mut random = self.random("pages", hour);
        if !product.people.is_empty() {
            for _ in 0..self.weight(hour) + extra {
                let time = hour.after(random.between(0, HOUR - 1));
                let asked = random.pick(&product.people);
                let user = random.pick(&self.users);
                let mut request = self.request(time, &mut random);
                request.site = product.site;
                request.method.clone_from(&asked.method);
                request.stem = self.described_text(&asked.stem, self.before);
                request.query.clone_from(&asked.query);
                request.status = asked.status;
                request.client.clone_from(&user.desk);
                request.user_agent.clone_from(&user.browser);
                request.host.clone_from(&self.full_name);
                if asked.signed_in {
                    request.user = format!("{}\\{}", self.netbios, user.name);
                }
                requests.push(request);
            }
        }
        for (number, machine) in (0..).zip(&product.machines) {
            let mut random = self.random(&format!("machine {number}"), hour);
            let interval = machine.every_minutes.max(probe_minutes).max(1) * MINUTE;
            let offset = number * 97 * SECOND % interval;
            let mut slot =
                (hour.0 - offset + interval - 1).div_euclid(interval) * interval + offset;
            while slot < hour.0 + HOUR {
                let time = Moment(slot + random.between(0, 9 * SECOND)).min(hour.after(HOUR - 1));
                let mut request = self.request(time, &mut random);
                request.site = machine.site.unwrap_or(product.site);
                request.method.clone_from(&machine.method);
                request.stem = self.described_text(&machine.stem, self.before);
                request.query.clone_from(&machine.query);
                request.status = machine.status;
                request.user_agent.clone_from(&machine.agent);
                request.host.clone_from(&self.full_name);
                request.client = match machine.from {
                    From::Itself => self.address.clone(),
                    From::Neighbour => self.neighbour(number),
                };
                requests.push(request);
                slot += interval;
            }
        }
    }

    /// Another machine of the server's network.
    fn neighbour(&self, number: i64) -> String {
        let (network, _) = self.address.rsplit_once('.').unwrap_or((&self.address, ""));
        format!("{network}.{}", 61 + number.rem_euclid(38))
    }

    /// Processes that the product starts on the day that begins at `day`, where something records them, and what it
    /// writes to the application log.
    pub(crate) fn described_day(&self, product: &Described, day: Moment) -> Vec<Logged> {
        let mut random = self.random("product", day);
        let mut logged = Vec::new();
        for started in &product.processes {
            for _ in 0..started.daily {
                let time = day.after(random.between(0, DAY - 1));
                let [image, command_line, parent] =
                    [&started.image, &started.command_line, &started.parent]
                        .map(|text| self.described_text(text, self.before));
                let parent_line = format!("\"{parent}\"");
                let process = Process {
                    image: &image,
                    command_line: &command_line,
                    parent_image: &parent,
                    parent_command_line: &parent_line,
                    id: u32::try_from(random.between(900, 3_500) * 4).unwrap_or(0),
                    parent_id: 7_112,
                };
                if self.process_auditing {
                    logged.push(self.process_created(time, &process));
                }
                if self.sysmon {
                    logged.push(Self::sysmon_process(time, &process, &mut random));
                }
            }
        }
        for event in &product.events {
            let mut at = day.after(random.between(0, HOUR));
            while at < day.after(DAY) {
                let text = self.described_text(&event.text, self.build_at(at));
                logged.push(application_event(at, &event.source, event.id, vec![text]));
                at = at.after(event.every_hours.max(1) * HOUR + random.between(-600, 600) * SECOND);
            }
        }
        if self.sysmon {
            for asked in self.described_names(product, day) {
                let (question, image) = asked;
                logged.push(Self::sysmon_name(&question, &image, &mut random));
            }
        }
        logged
    }

    /// Names that the product asks for on a day, each with the program that does.
    pub(crate) fn described_names(
        &self,
        product: &Described,
        day: Moment,
    ) -> Vec<(Question, String)> {
        let mut random = self.random("names", day);
        let mut asked = Vec::new();
        for name in &product.names {
            let mut at = day.after(random.between(0, 50) * MINUTE);
            while at < day.after(DAY) {
                let question = Question {
                    time: at,
                    client: self.address.clone(),
                    port: random_port(&mut random),
                    name: self.described_text(&name.text, self.before),
                    answers: vec![self.described_text(&name.answer, self.before)],
                };
                asked.push((question, self.described_text(&name.image, self.before)));
                at = at.after(name.every_hours.max(1) * HOUR + random.between(-300, 300) * SECOND);
            }
        }
        asked
    }

    /// What the resolver of the server's network is asked on a day, but for what the story makes it ask.
    pub(crate) fn questions(&self, day: Moment) -> Vec<Question> {
        let mut random = self.random("resolver", day);
        let mut questions: Vec<Question> = Vec::new();
        if let Some(product) = &self.described {
            let names = self.described_names(product, day).into_iter();
            questions.extend(names.map(|(question, _)| question));
        }
        let common = &self.world.common_names;
        let mut hour = day;
        while hour < day.after(DAY) {
            let (_, kind) = self.calendar.hour(hour);
            let most = if kind == DayKind::Working { 6 } else { 4 };
            for _ in 0..random.between(3, most) {
                let (name, answer) = random.pick(common);
                let desk = random.pick(&self.users).desk.clone();
                questions.push(Question {
                    time: hour.after(random.between(0, HOUR - 1)),
                    client: desk,
                    port: random_port(&mut random),
                    name: name.clone(),
                    answers: vec![answer.clone()],
                });
            }
            hour = hour.after(HOUR);
        }
        questions.retain(|question| self.start <= question.time && question.time < self.end);
        questions
    }
}

/// A port that a client asks from.
pub(crate) fn random_port(random: &mut Random) -> u16 {
    u16::try_from(random.between(49_200, 65_000)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use crate::{Collection, Layout, Made, Memory, Options, make};
    use std::collections::BTreeMap;

    type Files = BTreeMap<String, Vec<u8>>;

    fn made(scenario: &str) -> (Made, Files) {
        let mut sink = Collection::new(Memory::default(), Layout::Drives);
        let made = make(&Options::new(scenario, 5), &mut sink).unwrap();
        let files = sink.container.files.into_iter();
        (
            made,
            files.map(|(name, (_, bytes))| (name, bytes)).collect(),
        )
    }

    /// All text logs of a folder, one after the other.
    fn log(files: &Files, folder: &str) -> String {
        let logs = files.iter().filter(|(name, _)| name.contains(folder));
        logs.map(|(_, bytes)| String::from_utf8_lossy(bytes))
            .collect()
    }

    /// Whether a file holds a text, in UTF-16 as event logs and hives keep it, or as it is.
    fn holds(files: &Files, name: &str, text: &str) -> bool {
        let bytes = &files[name];
        let wide = crate::formats::utf16(text);
        [wide.as_slice(), text.as_bytes()]
            .into_iter()
            .any(|wanted| bytes.windows(wanted.len()).any(|window| window == wanted))
    }

    #[test]
    fn a_product_that_only_data_describe_has_all_that_a_server_has() {
        let (made, files) = made("invented-entered");
        let own = &made.truth.campaigns[0];
        assert_eq!(
            (own.campaign.as_str(), own.verdict.as_str()),
            ("invented", "compromised")
        );
        assert!(made.truth.host.starts_with("PORTAL"));
        let requests = log(&files, "W3SVC1042");
        for asked in [
            "POST /_layouts/15/ToolPane.aspx DisplayMode=Edit",
            "GET /_layouts/15/spinstall0.aspx",
            "GET /_layouts/15/start.aspx",
            "portal+check",
        ] {
            assert!(requests.contains(asked), "{asked}");
        }
        assert!(log(&files, "W3SVC2/").is_empty() && log(&files, "/Logging/").is_empty());
        let install = "C/Program Files/Example/Portal/16";
        let page = format!("{install}/TEMPLATE/LAYOUTS/spinstall0.aspx");
        assert!(files.contains_key(&page));
        assert!(files[&format!("{install}/ISAPI/Example.Portal.dll")].starts_with(b"MZ"));
        let config = "C/Windows/System32/config/";
        assert!(holds(
            &files,
            &format!("{config}SOFTWARE"),
            "16.0.10417.20037"
        ));
        assert!(holds(&files, &format!("{config}SYSTEM"), "PortalTimer"));
        let sites = "C/Windows/System32/inetsrv/config/applicationHost.config";
        assert!(holds(&files, sites, r"Portal\16\TEMPLATE\LAYOUTS"));
        let logs = "C/Windows/System32/winevt/Logs/";
        let started = "cmd.exe /c powershell -e ";
        assert!(holds(&files, &format!("{logs}Security.evtx"), started));
        let sysmon = format!("{logs}Microsoft-Windows-Sysmon%4Operational.evtx");
        assert!(holds(&files, &sysmon, "spinstall0.aspx"));
        assert!(holds(
            &files,
            &format!("{logs}Application.evtx"),
            "Example Portal"
        ));
        let known = made.known_files.iter();
        assert!(
            known
                .clone()
                .any(|file| file.path == r"\TEMPLATE\LAYOUTS\ToolPane.aspx")
        );
        assert!(known.clone().all(|file| !file.path.contains("spinstall0")));
        let exchange = files.keys().find(|name| name.contains("Exchange"));
        assert_eq!(exchange, None);
    }

    #[test]
    fn every_other_campaign_finds_its_product_absent_there() {
        let (made, _) = made("invented-clean");
        let (own, others) = made.truth.campaigns.split_first().unwrap();
        assert_eq!((own.verdict.as_str(), own.covered), ("clear", true));
        assert!(others.len() >= 2);
        for truth in others {
            assert_eq!(truth.verdict, "not_affected", "{}", truth.campaign);
            assert_eq!(truth.exposure, "not_affected");
        }
    }

    #[test]
    fn a_product_that_nobody_describes_is_told() {
        let mut campaign = crate::campaign::Campaign::named("proxylogon").unwrap();
        campaign.product = "unheard-of".into();
        let error = super::Described::of(&campaign).unwrap_err();
        assert_eq!(error.to_string(), "nobody describes the product unheard-of");
    }
}
