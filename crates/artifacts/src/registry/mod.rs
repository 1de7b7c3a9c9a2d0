//! Registry hives: what starts by itself, what is installed, how the host is called.
//!
//! The format is read by [`hive`]; which keys mean something stands in [`keys`]. Only those keys are walked, each to its
//! end: that a key is absent is known because every list on the way to it was whole. A hive that was in use when it was
//! copied is read together with its transaction logs ([`logs`]) where the collection holds them beside it.
//!
//! The item is of the source `windows.registry`, as the hive is what a need asks for. Its records are of a source by what
//! they tell of (`registry.services`, `registry.autostart`, …), so that rules can ask for them.

mod accounts;
mod amcache;
mod deleted;
mod hive;
mod keys;
mod logs;
mod shimcache;
mod tasks;

use crate::products::products;
use crate::simple_record::SimpleRecord;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use hive::{Damage, Hive, Key};
use keys::Role;
use model::{
    At, Build, BuildSeen, Fact, GapKind, HostNameSeen, InstallPath, Persistence, PersistenceKind,
    PriorTool, SourceName, Timestamp, host_name_rank,
};
use pack::SetupValues;

const FAMILY: &str = "windows.registry";

/// Damaged places that become gaps one by one.
const GAPS_MAX: usize = 50;

/// Registry hives.
#[derive(Debug)]
pub(crate) struct RegistryHive;

impl Artifact for RegistryHive {
    fn kind(&self) -> &'static str {
        "windows.registry"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        if hive::is_primary(probe.head) {
            Match::Content
        } else if keys::role_of_path(probe.path).is_some()
            && model::extension(probe.path) != "evtx"
            && is_in_config_folder(probe.path)
        {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, probe: &Probe<'_>) -> Option<SourceName> {
        let role = keys::role_of_path(probe.path)
            .or_else(|| keys::role_of_path(&hive::own_name(probe.head)));
        Some(source_of(probe.path, role))
    }

    fn keeps_rhythm(&self) -> bool {
        false
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let logs: Vec<Vec<u8>> = evidence::COMPANIONS
            .iter()
            .filter_map(|ending| content.companion(ending))
            .filter(|log| log.len() as u64 <= logs::LOG_BYTES_MAX)
            .collect();
        let has_logs = !logs.is_empty();
        let opened = content
            .seekable()
            .map_err(|_error| "it cannot be read")
            .and_then(|source| Hive::open(source, logs));
        let mut hive = match opened {
            Ok(hive) => hive,
            Err(reason) => {
                let detail = format!("the hive cannot be read: {reason}");
                return sink.gap(GapKind::Unreadable, At::Item, (None, None), &detail);
            }
        };
        say_state(&hive, has_logs, sink);
        let root = match hive.root() {
            Ok(root) => root,
            Err(damage) => {
                let detail = format!("the root key cannot be read: {}", damage.reason);
                let at = At::Offset(damage.offset);
                return sink.gap(GapKind::Unreadable, at, (None, None), &detail);
            }
        };
        let role = role_of(&mut hive, &root, item.path);
        let mut reading = Reading {
            source: source_of(item.path, role),
            prefix: keys::prefix(role, item.path),
            states: !is_backup(item.path),
            hive,
            sink,
        };
        match role {
            Some(Role::System) => reading.system(&root),
            Some(Role::Software) => reading.software(&root),
            Some(Role::User) => reading.user(&root),
            Some(Role::Sam) => {
                reading.accounts(&root);
                reading.groups(&root);
            }
            Some(Role::Amcache) => reading.amcache(&root),
            Some(Role::Other) | None => {}
        }
        reading.deleted_keys();
        reading.finish();
    }
}

fn source_of(path: &str, role: Option<Role>) -> SourceName {
    if is_backup(path) {
        return SourceName::of(FAMILY, "backup");
    }
    match role {
        Some(role) if role.name().is_empty() => {
            let name = model::file_name(path).to_lowercase();
            SourceName::of(FAMILY, name.trim_end_matches(".dat"))
        }
        Some(role) => SourceName::of(FAMILY, role.name()),
        None => SourceName::of(FAMILY, "unknown"),
    }
}

/// Windows keeps old copies of hives below `RegBack`; they state nothing about the present.
fn is_backup(path: &str) -> bool {
    let lower = path.to_ascii_lowercase().replace('/', "\\");
    lower.contains("\\regback\\")
}

fn is_in_config_folder(path: &str) -> bool {
    let lower = path.to_ascii_lowercase().replace('/', "\\");
    lower.contains("\\system32\\config\\")
}

/// What the keys below the root say; else the file's name.
fn role_of(hive: &mut Hive<'_>, root: &Key, path: &str) -> Option<Role> {
    for (name, role) in keys::SIGNS {
        if hive.find(root, name).is_some() {
            return Some(role);
        }
    }
    keys::role_of_path(path).or_else(|| keys::role_of_path(hive.name()))
}

/// Says whether the file is as Windows would leave it.
fn say_state(hive: &Hive<'_>, has_logs: bool, sink: &mut dyn Sink) {
    if !hive.is_checksum_right() {
        let detail = "the checksum of the hive's header does not match";
        sink.gap(GapKind::Partial, At::Offset(0), (None, None), detail);
    }
    match hive.recovered() {
        Some(recovered) if recovered.breaks_off => {
            let detail = format!(
                "the hive was in use when it was copied; {} writes of its transaction logs are read, and the logs break off behind them",
                recovered.writes
            );
            let span = (hive.written(), None);
            sink.gap(GapKind::NotUnderstood, At::Item, span, &detail);
        }
        None if hive.is_dirty() => {
            let detail = if has_logs {
                "the hive was in use when it was copied, and its transaction logs hold nothing that fits; changes after its last write may be missing"
            } else {
                "the hive was in use when it was copied, and its transaction logs are not with it; changes after its last write may be missing"
            };
            let span = (hive.written(), None);
            sink.gap(GapKind::NotUnderstood, At::Item, span, detail);
        }
        Some(_) | None => {}
    }
}

/// How the time of a fact is told that is the last write of its key: any value of the key may have been what was written.
fn key_clock(key: &Key) -> String {
    match key.changed {
        Some(_) => "the last write of the registry key".to_owned(),
        None => String::new(),
    }
}

/// The source of records that tell of one kind of thing.
fn record_source(kind: &str) -> SourceName {
    SourceName::new(&format!("registry.{kind}"))
}

/// The reading of one hive.
struct Reading<'a> {
    source: SourceName,
    /// What stands before the paths of this hive's keys in the registry of a running system.
    prefix: String,
    /// Whether the hive states facts about the present.
    states: bool,
    hive: Hive<'a>,
    sink: &'a mut dyn Sink,
}

impl Reading<'_> {
    fn system(&mut self, root: &Key) {
        let Some(control_set) = self.current_control_set(root) else {
            return;
        };
        self.computer_name(&control_set);
        self.time_zone(&control_set);
        self.services(&control_set);
        for (path, values) in keys::SYSTEM_VALUES {
            self.run_values(&control_set, path, values);
        }
        for (path, value) in keys::SYSTEM_VALUES_BELOW {
            self.run_values_below(&control_set, path, value);
        }
        for path in keys::SYSTEM_KEYS {
            self.run_key(&control_set, path);
        }
        self.shim_cache(&control_set);
    }

    /// The control set that the host booted with; the first where `Select` does not say.
    fn current_control_set(&mut self, root: &Key) -> Option<Key> {
        let select = self.hive.find(root, "Select");
        let current = select
            .and_then(|select| self.hive.value(&select, "Current"))
            .and_then(|value| value.number());
        let number = current
            .filter(|number| (1..=999).contains(number))
            .unwrap_or(1);
        let name = format!("ControlSet{number:03}");
        let found = self.hive.find(root, &name);
        if found.is_none() {
            let detail = format!("the hive has no key `{name}`");
            self.sink
                .gap(GapKind::Partial, At::Item, (None, None), &detail);
        }
        found
    }

    fn computer_name(&mut self, control_set: &Key) {
        let Some(key) = self
            .hive
            .find_path(control_set, "Control\\ComputerName\\ComputerName")
        else {
            return;
        };
        let name = self.text(&key, "ComputerName");
        self.entry(
            &key,
            "Control\\ComputerName\\ComputerName",
            "ComputerName",
            &name,
        );
        if !name.is_empty() {
            self.fact(
                &key,
                Fact::HostName(HostNameSeen {
                    name,
                    rule: "registry ComputerName".to_owned(),
                    rank: host_name_rank::REGISTRY,
                }),
            );
        }
    }

    fn time_zone(&mut self, control_set: &Key) {
        let path = "Control\\TimeZoneInformation";
        let Some(key) = self.hive.find_path(control_set, path) else {
            return;
        };
        let name = [
            self.text(&key, "TimeZoneKeyName"),
            self.text(&key, "StandardName"),
        ]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
        self.entry(&key, path, "TimeZoneKeyName", &name);
        // Windows keeps minutes west of UTC, as a signed number.
        let bias = self
            .hive
            .value(&key, "Bias")
            .and_then(|value| value.number())
            .and_then(|number| u32::try_from(number).ok())
            .map(u32::cast_signed);
        if let Some(bias) = bias.filter(|bias| bias.abs() <= 24 * 60) {
            self.fact(
                &key,
                Fact::TimeZone {
                    offset_minutes: -bias,
                    name,
                },
            );
        }
    }

    fn services(&mut self, control_set: &Key) {
        let Some(services) = self.hive.find(control_set, "Services") else {
            return;
        };
        for service in self.hive.subkeys(&services) {
            self.service(&service);
        }
    }

    fn service(&mut self, service: &Key) {
        let image = self.text(service, "ImagePath");
        let parameters = self.hive.find(service, "Parameters");
        let dll = parameters
            .map(|key| self.text(&key, "ServiceDll"))
            .filter(|dll| !dll.is_empty())
            .unwrap_or_else(|| self.text(service, "ServiceDll"));
        let command = match (image.as_str(), dll.as_str()) {
            (image, "") => image.to_owned(),
            ("", dll) => dll.to_owned(),
            (image, dll) => format!("{image} (ServiceDll {dll})"),
        };
        let number = |value: Option<hive::Value>| {
            value
                .and_then(|value| value.number())
                .map(|number| number.to_string())
                .unwrap_or_default()
        };
        let start = number(self.hive.value(service, "Start"));
        let kind = number(self.hive.value(service, "Type"));
        let account = self.text(service, "ObjectName");
        let display_name = self.text(service, "DisplayName");
        let source = record_source("services");
        let description = self.text(service, "Description");
        let failure = self.text(service, "FailureCommand");
        let object = format!("Services\\{}", service.name);
        let target = match (image.as_str(), dll.as_str()) {
            ("", "") => String::new(),
            ("", _) => self.object(&format!("{object}\\Parameters\\ServiceDll")),
            _ => self.object(&format!("{object}\\ImagePath")),
        };
        let details = if image.is_empty() { &dll } else { &image };
        let record = SimpleRecord::new(&source, At::Offset(service.offset))
            .with("key", object)
            .with("name", service.name.as_str())
            .with("command", command.as_str())
            .with("process", image.as_str())
            .with("service_dll", dll.as_str())
            .with("start", start)
            .with("type", kind)
            .with("user", account.as_str())
            .with("display_name", display_name)
            .with("description", description)
            .with("failure_command", failure)
            .with("target_object", target)
            .with("details", details.as_str())
            .changed(service.changed);
        self.sink.record(&record);
        // Drivers without a path load from their default place; keys without either hold settings only.
        self.fact(
            service,
            Fact::Persistence(Persistence {
                kind: PersistenceKind::Service,
                name: service.name.clone(),
                command,
                changed: service.changed,
                clock: key_clock(service),
                author: account,
            }),
        );
    }

    fn software(&mut self, root: &Key) {
        for product in products() {
            for values in &product.setup_values {
                self.product(root, &product.id, values);
            }
        }
        for tool in keys::TOOLS {
            self.tool(root, tool);
        }
        self.windows(root);
        self.uninstall(root);
        for path in keys::RUN_KEYS {
            self.run_key(root, path);
        }
        for (path, values) in keys::RUN_VALUES {
            self.run_values(root, path, values);
        }
        for (path, value) in keys::RUN_VALUES_BELOW {
            self.run_values_below(root, path, value);
        }
        self.task_cache(root);
    }

    /// The hive of one user: `NTUSER.DAT` has its Run keys below `Software`.
    fn user(&mut self, root: &Key) {
        if let Some(software) = self.hive.find(root, "Software") {
            for path in keys::RUN_KEYS {
                self.run_key(&software, path);
            }
            for (path, values) in keys::RUN_VALUES {
                self.run_values(&software, path, values);
            }
        }
        for (path, values) in keys::USER_VALUES {
            self.run_values(root, path, values);
        }
    }

    fn product(&mut self, root: &Key, product: &str, values: &SetupValues) {
        let Some(key) = self.hive.find_path(root, &values.key) else {
            return;
        };
        let path = self.text(&key, &values.install_path);
        // A value without a name is the key's own, and tells no build.
        let stated = if values.build.is_empty() {
            String::new()
        } else {
            self.text(&key, &values.build)
        };
        let update: Option<Build> = stated.parse().ok();
        let numbers: Vec<u32> = values
            .update_level
            .iter()
            .filter_map(|name| self.hive.value(&key, name)?.number())
            .filter_map(|number| u32::try_from(number).ok())
            .collect();
        let level = match numbers.as_slice() {
            // The number behind them is that of the installer, which security updates leave as it is.
            [major, minor, build] => Some(Build {
                major: *major,
                minor: *minor,
                build: *build,
                revision: None,
            }),
            _ => None,
        };
        let shown = level.map(|level| level.to_string()).unwrap_or_default();
        let record = SimpleRecord::new(&self.source, At::Offset(key.offset))
            .with("key", values.key.as_str())
            .with("name", product)
            .with(values.install_path.as_str(), path.as_str())
            .with(values.build.as_str(), stated.as_str())
            .with("update_level", shown)
            .with(
                "build",
                update
                    .or(level)
                    .map(|build| build.to_string())
                    .unwrap_or_default(),
            )
            .changed(key.changed);
        self.sink.record(&record);
        if !path.is_empty() {
            self.fact(
                &key,
                Fact::InstallPath(InstallPath {
                    product: product.to_owned(),
                    path: model::windows_path(&path).trim_end_matches('\\').to_owned(),
                    rule: "registry Setup key".to_owned(),
                }),
            );
        }
        let level = level.filter(|level| {
            update.is_none_or(|update| update.cumulative_update() != level.cumulative_update())
        });
        for build in [update, level].into_iter().flatten() {
            self.fact(
                &key,
                Fact::Build(BuildSeen {
                    product: product.to_owned(),
                    build,
                    first: None,
                    last: None,
                    count: 1,
                    rule: "registry Setup key".to_owned(),
                }),
            );
        }
    }

    fn tool(&mut self, root: &Key, tool: &keys::ToolTrace) {
        let Some(key) = self.hive.find_path(root, tool.key) else {
            return;
        };
        // Written as a value or as a key of its own.
        let below = self.hive.find(&key, tool.value);
        let state = match &below {
            Some(below) => self.text(below, ""),
            None => self.text(&key, tool.value),
        };
        let changed = below.as_ref().unwrap_or(&key).changed;
        self.entry(&key, tool.key, tool.value, &state);
        self.fact(
            &key,
            Fact::PriorTool(PriorTool {
                tool: tool.tool.to_owned(),
                time: changed,
                outcome: if state.is_empty() {
                    "it left its key in the registry".to_owned()
                } else {
                    format!("it left the state `{state}` in the registry")
                },
            }),
        );
    }

    fn windows(&mut self, root: &Key) {
        let path = "Microsoft\\Windows NT\\CurrentVersion";
        let Some(key) = self.hive.find_path(root, path) else {
            return;
        };
        let installed = self
            .hive
            .value(&key, "InstallDate")
            .and_then(|value| value.number())
            .and_then(|seconds| i64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        let installed = installed.map(|time| time.to_string()).unwrap_or_default();
        let product = self.text(&key, "ProductName");
        let build = self.text(&key, "CurrentBuild");
        let record = SimpleRecord::new(&self.source, At::Offset(key.offset))
            .with("key", path)
            .with("name", product)
            .with("build", build)
            .with("installed", installed)
            .changed(key.changed);
        self.sink.record(&record);
    }

    /// Programs that can be uninstalled, among them the update that a server claims to have.
    fn uninstall(&mut self, root: &Key) {
        for path in keys::UNINSTALL {
            let Some(programs) = self.hive.find_path(root, path) else {
                continue;
            };
            for program in self.hive.subkeys(&programs) {
                let name = self.text(&program, "DisplayName");
                let version = self.text(&program, "DisplayVersion");
                let date = self.text(&program, "InstallDate");
                let record = SimpleRecord::new(&self.source, At::Offset(program.offset))
                    .with("key", format!("{path}\\{}", program.name))
                    .with("name", name)
                    .with("version", version)
                    .with("install_date", date)
                    .changed(program.changed);
                self.sink.record(&record);
            }
        }
    }

    /// A key whose every value is a command.
    fn run_key(&mut self, root: &Key, path: &str) {
        let Some(key) = self.hive.find_path(root, path) else {
            return;
        };
        for (name, value) in self.hive.values(&key) {
            self.persistence(&key, path, &name, &value.text());
        }
    }

    /// A key of which some values are commands.
    fn run_values(&mut self, root: &Key, path: &str, names: &[&str]) {
        let Some(key) = self.hive.find_path(root, path) else {
            return;
        };
        for name in names {
            let command = self.text(&key, name);
            if !command.is_empty() {
                self.persistence(&key, path, name, &command);
            }
        }
    }

    /// A key whose subkeys each may name a command.
    fn run_values_below(&mut self, root: &Key, path: &str, name: &str) {
        let Some(parent) = self.hive.find_path(root, path) else {
            return;
        };
        for key in self.hive.subkeys(&parent) {
            let command = self.text(&key, name);
            if !command.is_empty() {
                let path = format!("{path}\\{}", key.name);
                self.persistence(&key, &path, name, &command);
            }
        }
    }

    fn persistence(&mut self, key: &Key, path: &str, name: &str, command: &str) {
        let source = record_source("autostart");
        let record = SimpleRecord::new(&source, At::Offset(key.offset))
            .with("key", path)
            .with("name", name)
            .with("command", command)
            .with("target_object", self.object(&format!("{path}\\{name}")))
            .with("details", command)
            .changed(key.changed);
        self.sink.record(&record);
        self.fact(
            key,
            Fact::Persistence(Persistence {
                kind: PersistenceKind::RunKey,
                name: format!("{path}\\{name}"),
                command: command.to_owned(),
                changed: key.changed,
                clock: key_clock(key),
                author: String::new(),
            }),
        );
    }

    /// The path of a key or value in the registry of a running system.
    fn object(&self, path: &str) -> String {
        format!("{}\\{path}", self.prefix)
    }

    /// A single value worth a record.
    fn entry(&mut self, key: &Key, path: &str, name: &str, value: &str) {
        let record = SimpleRecord::new(&self.source, At::Offset(key.offset))
            .with("key", path)
            .with("name", name)
            .with("value", value)
            .changed(key.changed);
        self.sink.record(&record);
    }

    fn text(&mut self, key: &Key, name: &str) -> String {
        self.hive
            .value(key, name)
            .map(|value| value.text())
            .unwrap_or_default()
    }

    fn fact(&mut self, key: &Key, fact: Fact) {
        if self.states {
            self.sink.fact(At::Offset(key.offset), fact);
        }
    }

    /// Says what on the way was damaged; each damaged cell is a record that was not read.
    fn finish(mut self) {
        let damages = self.hive.take_damages();
        for (number, Damage { offset, reason }) in damages.listed.iter().enumerate() {
            self.sink.rejected(At::Offset(*offset), reason);
            if number < GAPS_MAX {
                let detail = format!("the hive is damaged: {reason}");
                let at = At::Offset(*offset);
                self.sink.gap(GapKind::Partial, at, (None, None), &detail);
            }
        }
        if damages.count > damages.listed.len().min(GAPS_MAX) as u64 {
            let detail = format!("the hive is damaged in {} places", damages.count);
            self.sink
                .gap(GapKind::Partial, At::Item, (None, None), &detail);
        }
    }
}

#[cfg(test)]
mod tests;
