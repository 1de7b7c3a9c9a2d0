//! Event logs: real chunks, densely packed by a tool outside of the project, and the same events as flat JSON for peers
//! that read no event logs.

use super::{Bench, made, walk, write};
use crate::process::{command, output, say};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

const TABLES: &str = include_str!("../peers/pysigma_tables.py");

/// Where the packing tool and real logs stand unless options say otherwise, from the project's folder.
const DENSE_TOOL: &str = "../shared/tools/dense-evtx.py";
const REAL_LOGS: &str = "../shared/evidence/evtx";

const SYSMON: &str = "Microsoft-Windows-Sysmon/Operational";

/// Full event logs.
pub(in crate::bench) struct EventLogs {
    pub(in crate::bench) folder: PathBuf,
    pub(in crate::bench) files: Vec<PathBuf>,
    pub(in crate::bench) bytes: u64,
    pub(in crate::bench) events: u64,
    /// Chunks that differ; the rest repeats them.
    distinct: u64,
}

/// The same events, one flat JSON object a line.
pub(in crate::bench) struct FlatEvents {
    pub(in crate::bench) file: PathBuf,
    pub(in crate::bench) bytes: u64,
    /// Binds Sigma's log sources to channels and event numbers, for rsigma.
    pub(in crate::bench) pipeline: PathBuf,
    pub(in crate::bench) tables: LogSources,
}

impl EventLogs {
    /// The load in a sentence.
    pub(in crate::bench) fn told(&self) -> String {
        format!(
            "{:.1} MB of full event logs ({} files, {} events) packed from {} distinct chunks of real ones",
            self.bytes as f64 / 1e6,
            self.files.len(),
            super::grouped(self.events),
            super::grouped(self.distinct),
        )
    }
}

/// Packs the logs, or says why there are none.
pub(in crate::bench) fn event_logs(bench: &mut Bench) -> Result<EventLogs, String> {
    let beside = |given: &Option<PathBuf>, usual: &str| {
        given.clone().unwrap_or_else(|| bench.root.join(usual))
    };
    let tool = beside(&bench.options.dense_tool, DENSE_TOOL);
    let real = beside(&bench.options.evtx, REAL_LOGS);
    if !real.is_dir() {
        return Err(
            "there are no real event logs here; name a folder of them by --evtx".to_owned(),
        );
    }
    if !tool.is_file() {
        return Err(
            "the tool that packs chunks densely is not here; name it by --dense-tool".to_owned(),
        );
    }
    let dump = bench.tools.tool("evtx_dump")?;
    let folder = bench.load("evtx");
    let sources = walk(&real).len();
    let stamp = format!("{sources} files, {} bytes wanted", bench.options.bytes);
    let said = made(&folder, &stamp, |folder| {
        say("packing event logs");
        output(command(
            "python3",
            &[
                &Bench::text(&tool),
                "--out",
                &Bench::text(folder),
                "--bytes",
                &bench.options.bytes.to_string(),
                "--evtx-dump",
                &Bench::text(&dump.program),
                &Bench::text(&real),
            ],
        ))
        .ok_or_else(|| "the tool that packs event logs failed".to_owned())
    })?;
    let files: Vec<PathBuf> = walk(&folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "evtx"))
        .collect();
    let number = |what: &str| number_before(&said, what);
    Ok(EventLogs {
        bytes: number("bytes")?,
        events: number("events")?,
        distinct: number("distinct")?,
        folder,
        files,
    })
}

/// The number that stands before a word in a sentence.
fn number_before(said: &str, word: &str) -> Result<u64, String> {
    let words: Vec<&str> = said
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let at = words.iter().position(|known| known.trim() == word);
    let number = at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok());
    number.ok_or_else(|| format!("the packing tool does not tell its {word}"))
}

/// Where Sigma's log sources are found on Windows, as pySigma has it.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::bench) struct LogSources {
    services: BTreeMap<String, OneOrMore<String>>,
    sysmon: BTreeMap<String, OneOrMore<u64>>,
    powershell: BTreeMap<String, PowerShell>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

#[derive(Clone, Debug, Deserialize)]
struct PowerShell {
    service: String,
    #[serde(rename = "EventID")]
    event: u64,
}

impl<T: PartialEq> OneOrMore<T> {
    fn has(&self, wanted: &T) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::More(more) => more.contains(wanted),
        }
    }
}

impl LogSources {
    /// Whether events of this service are told by their channel.
    pub(in crate::bench) fn binds_service(&self, service: &str) -> bool {
        self.services.contains_key(service)
    }

    /// Whether events of this category are told by channel and event number.
    pub(in crate::bench) fn binds_category(&self, category: &str) -> bool {
        self.sysmon.contains_key(category) || self.powershell.contains_key(category)
    }

    /// A processing pipeline that binds every rule to its channel and event numbers.
    fn pipeline(&self) -> Value {
        let mut steps = Vec::new();
        let mut add = |name: &str, source: Value, conditions: Value| {
            steps.push(json!({
                "id": format!("bind_{name}"),
                "type": "add_condition",
                "conditions": conditions,
                "rule_conditions": [source],
            }));
        };
        let category =
            |name: &str| json!({"type": "logsource", "product": "windows", "category": name});
        for (name, events) in &self.sysmon {
            let conditions = if name == "process_creation" {
                // Windows' own auditing tells of the same.
                json!({"Channel": [SYSMON, "Security"], "EventID": [1, 4688]})
            } else {
                json!({"Channel": SYSMON, "EventID": events})
            };
            add(name, category(name), conditions);
        }
        for (name, power_shell) in &self.powershell {
            let channel = self.services.get(&power_shell.service);
            add(
                name,
                category(name),
                json!({"Channel": channel, "EventID": power_shell.event}),
            );
        }
        for (name, channel) in &self.services {
            let service = json!({"type": "logsource", "product": "windows", "service": name});
            add(name, service, json!({"Channel": channel}));
        }
        json!({"name": "Windows event logs", "priority": 10, "transformations": steps})
    }

    /// The one service and category that an event can carry as a hint.
    fn hints(&self, channel: &str, event: u64) -> (Option<&str>, Option<&str>) {
        let service = self
            .services
            .iter()
            .find(|(_, channels)| channels.has(&channel.to_owned()))
            .map(|(name, _)| name.as_str());
        let by_event = || {
            let mut categories = self.sysmon.iter();
            categories
                .find(|(_, events)| events.has(&event))
                .map(|(name, _)| name.as_str())
        };
        let by_service = || {
            let mut categories = self.powershell.iter();
            categories
                .find(|(_, one)| one.event == event && service == Some(one.service.as_str()))
                .map(|(name, _)| name.as_str())
        };
        let category = match (channel, event) {
            (SYSMON, _) => by_event(),
            ("Security", 4688) => Some("process_creation"),
            _ => by_service(),
        };
        (service, category)
    }
}

/// Flattens all events once, outside of what is measured.
pub(in crate::bench) fn flat_events(
    bench: &mut Bench,
    logs: &EventLogs,
) -> Result<FlatEvents, String> {
    let dump = bench.tools.tool("evtx_dump")?;
    let python = bench.tools.tool("pysigma")?;
    let folder = bench.load("evtx-flat");
    let stamp = format!("{} bytes, {} events", logs.bytes, logs.events);
    let tables = output(command(&Bench::text(&python.program), &["-c", TABLES]))
        .ok_or("pySigma does not tell its tables")?;
    let tables: LogSources = serde_json::from_str(&tables)
        .map_err(|source| format!("pySigma's tables cannot be understood: {source}"))?;
    let file = folder.join("events.ndjson");
    made(&folder, &stamp, |_folder| {
        say("flattening events");
        let out = fs::File::create(&file)
            .map_err(|source| format!("cannot write {}: {source}", file.display()))?;
        let mut out = BufWriter::with_capacity(1 << 20, out);
        let mut lines = 0;
        for log in &logs.files {
            lines += flatten_log(&dump.program, log, &tables, &mut out)?;
        }
        Ok(lines.to_string())
    })?;
    let pipeline = folder.join("pipeline.yml");
    // JSON is YAML.
    write(&pipeline, format!("{:#}\n", tables.pipeline()).as_bytes())?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    Ok(FlatEvents {
        file,
        bytes,
        pipeline,
        tables,
    })
}

fn flatten_log(
    dump: &Path,
    log: &Path,
    tables: &LogSources,
    out: &mut impl Write,
) -> Result<u64, String> {
    let mut child = dump_of(dump, log)?;
    let mut lines = 0;
    if let Some(stdout) = child.stdout.take() {
        lines = flatten_lines(stdout, tables, out)
            .map_err(|source| format!("cannot flatten {}: {source}", log.display()))?;
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(lines),
        _ => Err(format!("evtx_dump failed at {}", log.display())),
    }
}

fn dump_of(dump: &Path, log: &Path) -> Result<Child, String> {
    let (program, log) = (Bench::text(dump), Bench::text(log));
    let arguments = ["-t", "1", "-o", "jsonl", "--separate-json-attributes", &log];
    command(&program, &arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| format!("cannot start evtx_dump: {source}"))
}

fn flatten_lines(
    stdout: ChildStdout,
    tables: &LogSources,
    out: &mut impl Write,
) -> std::io::Result<u64> {
    let mut count = 0;
    let mut stdout = BufReader::with_capacity(1 << 20, stdout);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line)? > 0 {
        if let Ok(event) = serde_json::from_slice::<Value>(&line) {
            serde_json::to_writer(&mut *out, &flat(&event, tables))?;
            out.write_all(b"\n")?;
            count += 1;
        }
        line.clear();
    }
    Ok(count)
}

/// One event's values under the names that Sigma's rules use.
fn flat(event: &Value, tables: &LogSources) -> Map<String, Value> {
    let mut flat = Map::new();
    let system = &event["Event"]["System"];
    for part in ["EventData", "UserData"] {
        take_leaves(&event["Event"][part], &mut flat, 0);
    }
    for name in [
        "Channel", "EventID", "Computer", "Level", "Task", "Keywords", "Opcode", "Version",
    ] {
        let told = &system[name];
        if !told.is_null() {
            flat.insert(name.to_owned(), told.clone());
        }
    }
    let attribute = |element: &str, name: &str| system[element][name].clone();
    flat.insert(
        "Provider_Name".to_owned(),
        attribute("Provider_attributes", "Name"),
    );
    flat.insert(
        "TimeCreated".to_owned(),
        attribute("TimeCreated_attributes", "SystemTime"),
    );
    let channel = system["Channel"].as_str().unwrap_or_default();
    let number = system["EventID"].as_u64().unwrap_or(0);
    if (channel, number) == ("Security", 4688) {
        name_as_sysmon_does(&mut flat);
    }
    let (service, category) = tables.hints(channel, number);
    flat.insert("logsource_product".to_owned(), json!("windows"));
    for (name, hint) in [
        ("logsource_service", service),
        ("logsource_category", category),
    ] {
        if let Some(hint) = hint {
            flat.insert(name.to_owned(), json!(hint));
        }
    }
    flat
}

/// Takes values without the elements around them; Sigma writes names without spaces.
fn take_leaves(value: &Value, flat: &mut Map<String, Value>, depth: usize) {
    /// Deeper elements do not occur in what Windows writes.
    const DEPTH_MAX: usize = 4;
    let Value::Object(members) = value else {
        return;
    };
    for (name, value) in members
        .iter()
        .filter(|(name, _)| !name.ends_with("_attributes"))
    {
        match value {
            Value::Object(inner) if inner.len() == 1 && inner.contains_key("#text") => {
                flat.insert(name.replace(' ', ""), inner["#text"].clone());
            }
            Value::Object(_) if depth < DEPTH_MAX => take_leaves(value, flat, depth + 1),
            Value::Object(_) => {}
            leaf => {
                flat.insert(name.replace(' ', ""), leaf.clone());
            }
        }
    }
}

/// Gives a process creation of Windows' own auditing the names that Sigma has from Sysmon.
fn name_as_sysmon_does(flat: &mut Map<String, Value>) {
    // The creator's id must go first, as the new process's takes its name.
    let names = [
        ("ProcessId", "ParentProcessId"),
        ("NewProcessId", "ProcessId"),
        ("NewProcessName", "Image"),
        ("ParentProcessName", "ParentImage"),
        ("SubjectUserName", "User"),
        ("SubjectLogonId", "LogonId"),
    ];
    for (own, sysmon) in names {
        if let Some(value) = flat.get(own).cloned() {
            flat.insert(sysmon.to_owned(), value);
        }
    }
}

#[cfg(test)]
pub(in crate::bench) mod tests {
    use super::*;

    pub(in crate::bench) fn tables() -> LogSources {
        let text = r#"{"services":{"security":"Security","powershell":["PS/Operational","PSCore/Operational"],
            "sysmon":"Microsoft-Windows-Sysmon/Operational"},"sysmon":{"process_creation":1,"registry_add":12,
            "registry_event":[12,13]},"powershell":{"ps_script":{"service":"powershell","EventID":4104}}}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn events_are_flat_and_hinted() {
        let event = json!({"Event": {"System": {"Provider_attributes": {"Name": "P"}, "EventID": 4688,
            "Channel": "Security", "TimeCreated_attributes": {"SystemTime": "2021"}},
            "EventData": {"ProcessId": "0x1", "NewProcessId": "0x2", "NewProcessName": "c:\\a.exe", "Threat Name": "T",
            "Data": {"#text": ["x", "y"]}}}});
        let flat = Value::Object(flat(&event, &tables()));
        assert_eq!(
            flat,
            json!({"ProcessId": "0x2", "NewProcessId": "0x2", "NewProcessName": "c:\\a.exe", "ThreatName": "T",
                "Data": ["x", "y"], "Channel": "Security", "EventID": 4688, "Provider_Name": "P", "TimeCreated": "2021",
                "ParentProcessId": "0x1", "Image": "c:\\a.exe", "logsource_product": "windows",
                "logsource_service": "security", "logsource_category": "process_creation"})
        );
        let user = json!({"Event": {"System": {"EventID": 12, "Channel": SYSMON},
            "UserData": {"Cleared_attributes": {"xmlns": "x"}, "Cleared": {"SubjectUserName": "bob"}}}});
        let flat = super::flat(&user, &tables());
        assert_eq!(flat["SubjectUserName"], "bob");
        assert_eq!(flat["logsource_category"], "registry_add");
    }

    #[test]
    fn every_log_source_is_bound() {
        let pipeline = tables().pipeline();
        let steps = pipeline["transformations"].as_array().unwrap();
        assert_eq!(steps.len(), 7);
        let script = steps
            .iter()
            .find(|step| step["id"] == "bind_ps_script")
            .unwrap();
        assert_eq!(
            script["conditions"],
            json!({"Channel": ["PS/Operational", "PSCore/Operational"], "EventID": 4104})
        );
        assert!(tables().binds_service("security") && !tables().binds_service("dhcp"));
        assert!(tables().binds_category("ps_script") && !tables().binds_category("webserver"));
    }

    #[test]
    fn numbers_are_read_from_what_the_packing_tool_says() {
        let said = "22 files, 998900000 bytes, 1048020 events, 508 distinct chunks, 30 rounds\n";
        assert_eq!(number_before(said, "events"), Ok(1_048_020));
        assert_eq!(number_before(said, "distinct"), Ok(508));
        assert!(number_before(said, "cakes").is_err());
    }
}
