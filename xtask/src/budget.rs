//! `cargo xtask budget`: how many instructions fixed small workloads take, held against a stored budget.
//!
//! Times differ from run to run; instructions, as callgrind counts them, hardly do. So a change that makes the tool slower
//! shows in CI, where no time could be trusted. Counts depend on the compiler: under another version than the budget's
//! they are told, and judge nothing. Loads are made here and by the simulator; where a load has changed since the budget
//! was stored, instructions for each byte are compared, with more room.

use crate::Profile;
use crate::draw::Draw;
use crate::process::{as_typed, command, installed, output, run as run_command, say, tell};
use crate::root;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The stored budget.
const BUDGET: &str = "xtask/budget.json";

/// What is run: an example of `pipeline`, which works in one process.
const PROGRAM: &str = "counted";

/// How far above the budget instructions may be, in percent; below it by as much asks for a new budget.
const ROOM_PERCENT: f64 = 5.0;

/// The same where the load is no longer the budget's.
const ROOM_OTHER_LOAD_PERCENT: f64 = 15.0;

/// A fixed workload.
struct Workload {
    name: &'static str,
    task: &'static str,
    /// Whether it is given the made rules and indicators.
    knowledge: bool,
    load: fn(&Path) -> Result<(), String>,
}

const WORKLOADS: &[Workload] = &[
    Workload {
        name: "start",
        task: "hunt",
        knowledge: true,
        load: |folder| iis_logs(folder, 2),
    },
    Workload {
        name: "iis",
        task: "hunt",
        knowledge: true,
        load: |folder| iis_logs(folder, 10_000),
    },
    Workload {
        name: "httpproxy",
        task: "hunt",
        knowledge: true,
        load: |folder| http_proxy_logs(folder, 5_000),
    },
    Workload {
        name: "evtx",
        task: "hunt",
        knowledge: true,
        load: event_logs,
    },
    Workload {
        name: "check",
        task: "check",
        knowledge: false,
        load: |folder| {
            iis_logs(folder, 500)?;
            http_proxy_logs(folder, 300)?;
            event_logs(folder)
        },
    },
];

/// What a workload took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    instructions: u64,
    /// Bytes of the load, and a sum over its names and content.
    bytes: u64,
    load: String,
    /// What the program says it found: a workload that finds nothing measures nothing.
    found: String,
}

/// Counts by workload, for each profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Budget {
    compiler: String,
    #[serde(default)]
    dev: BTreeMap<String, Count>,
    #[serde(default)]
    release: BTreeMap<String, Count>,
}

/// Counts all workloads, and fails where one is above its budget; with `--bless` the budget becomes what was counted,
/// with `--release` the optimised program is counted.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (mut profile, mut bless) = (Profile::Dev, false);
    for argument in arguments {
        match argument.as_str() {
            "--bless" => bless = true,
            "--release" => profile = Profile::Release,
            other => return Err(format!("`cargo xtask budget` takes no argument `{other}`")),
        }
    }
    if !is_possible() {
        say("left out: valgrind is not installed on this machine");
        return Ok(());
    }
    let program = build(profile)?;
    let folder = root().join("target/budget");
    clear(&folder)?;
    let knowledge = knowledge(&folder)?;
    let mut counts = BTreeMap::new();
    for workload in WORKLOADS {
        let load = folder.join(workload.name);
        (workload.load)(&load)?;
        let count = count(&program, workload, &load, &knowledge, &folder)?;
        say(&format!(
            "{}: {} million instructions, {}",
            workload.name,
            count.instructions / 1_000_000,
            count.found
        ));
        counts.insert(workload.name.to_owned(), count);
    }
    let path = root().join(BUDGET);
    let stored: Budget = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|source| format!("{BUDGET} cannot be understood: {source}"))?,
        Err(_) => Budget::default(),
    };
    if bless {
        return store(&path, stored, profile, counts);
    }
    let held = match profile {
        Profile::Dev => &stored.dev,
        Profile::Release => &stored.release,
    };
    judge(held, &counts, stored.compiler == compiler())
}

/// Whether instructions can be counted here.
pub(crate) fn is_possible() -> bool {
    installed("valgrind", &["--version"])
}

fn compiler() -> String {
    let said = output(command("rustc", &["--version"])).unwrap_or_default();
    said.trim().to_owned()
}

fn build(profile: Profile) -> Result<PathBuf, String> {
    // With the features of the whole workspace, as the tests were built: nothing heavy is compiled again.
    let mut arguments = vec!["build", "--quiet", "--workspace", "--example", PROGRAM];
    if profile == Profile::Release {
        arguments.push("--release");
    }
    run_command(command("cargo", &arguments))?;
    let release = crate::release_binary();
    let target = release
        .parent()
        .and_then(Path::parent)
        .ok_or("the target folder has no parent")?;
    let name = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    Ok(target.join(name).join("examples").join(PROGRAM))
}

fn store(
    path: &Path,
    mut budget: Budget,
    profile: Profile,
    counts: BTreeMap<String, Count>,
) -> Result<(), String> {
    let compiler = compiler();
    if budget.compiler != compiler {
        // Counts of another compiler cannot stand beside these.
        budget = Budget {
            compiler,
            ..Budget::default()
        };
    }
    match profile {
        Profile::Dev => budget.dev = counts,
        Profile::Release => budget.release = counts,
    }
    let mut text = serde_json::to_string_pretty(&budget)
        .map_err(|source| format!("the budget is no JSON: {source}"))?;
    text.push('\n');
    fs::write(path, text).map_err(|source| format!("cannot write {}: {source}", path.display()))
}

/// How a count stands to its budget.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    Within,
    Above,
    /// So far below that the budget guards nothing.
    Below,
}

/// Difference to the budget in percent, and what it means.
fn standing(held: &Count, now: &Count) -> (f64, Standing) {
    let same_load = held.load == now.load;
    let (of_held, of_now) = if same_load {
        (1.0, 1.0)
    } else {
        (held.bytes.max(1) as f64, now.bytes.max(1) as f64)
    };
    let (before, after) = (
        held.instructions.max(1) as f64 / of_held,
        now.instructions as f64 / of_now,
    );
    let percent = (after / before - 1.0) * 100.0;
    let room = if same_load {
        ROOM_PERCENT
    } else {
        ROOM_OTHER_LOAD_PERCENT
    };
    let standing = if percent > room {
        Standing::Above
    } else if percent < -room {
        Standing::Below
    } else {
        Standing::Within
    };
    (percent, standing)
}

fn judge(
    held: &BTreeMap<String, Count>,
    counts: &BTreeMap<String, Count>,
    same_compiler: bool,
) -> Result<(), String> {
    let mut above = Vec::new();
    for (name, now) in counts {
        let millions = now.instructions / 1_000_000;
        let Some(before) = held.get(name) else {
            tell(&format!(
                "{name:<10} {millions:>7} million instructions, no budget yet"
            ));
            continue;
        };
        let (percent, standing) = standing(before, now);
        let says = match standing {
            Standing::Within => "within the budget",
            Standing::Below => "below the budget: `cargo xtask budget --bless` lowers it",
            Standing::Above => "ABOVE the budget",
        };
        tell(&format!(
            "{name:<10} {millions:>7} million instructions, {percent:+.1} %: {says}"
        ));
        if standing == Standing::Above {
            above.push(name.as_str());
        }
        if now.found != before.found {
            tell(&format!(
                "{:<10} found {} (the budget's: {})",
                "", now.found, before.found
            ));
        }
    }
    if above.is_empty() {
        return Ok(());
    }
    if !same_compiler {
        tell(
            "the budget is of another compiler, so this judges nothing; --bless stores one of this compiler",
        );
        return Ok(());
    }
    Err(format!(
        "more instructions than {ROOM_PERCENT} % above the budget: {}; find out why, or `cargo xtask budget --bless` and say \
         in the commit what they buy",
        above.join(", ")
    ))
}

/// Rules and indicators for all workloads.
struct Knowledge {
    rules: PathBuf,
    indicators: PathBuf,
}

fn count(
    program: &Path,
    workload: &Workload,
    load: &Path,
    knowledge: &Knowledge,
    folder: &Path,
) -> Result<Count, String> {
    let out = folder.join(format!("{}.callgrind", workload.name));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (program, evidence) = (text(program), text(load));
    let file = format!("--callgrind-out-file={}", out.display());
    let (rules, indicators) = (text(&knowledge.rules), text(&knowledge.indicators));
    let mut arguments = vec![
        "--tool=callgrind",
        "--quiet",
        &file,
        &program,
        workload.task,
        &evidence,
    ];
    if workload.knowledge {
        arguments.extend(["--rules", &rules, "--indicators", &indicators]);
    }
    let mut valgrind = command("valgrind", &arguments);
    say(&format!("$ {}", as_typed(&valgrind)));
    let done = valgrind
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| format!("cannot start valgrind: {source}"))?;
    if !done.status.success() {
        return Err(format!("{} failed ({})", workload.name, done.status));
    }
    let counted = fs::read_to_string(&out)
        .map_err(|source| format!("cannot read {}: {source}", out.display()))?;
    let (bytes, load) = fingerprint(load);
    Ok(Count {
        instructions: total(&counted).ok_or("callgrind tells no total")?,
        bytes,
        load,
        found: String::from_utf8_lossy(&done.stdout).trim().to_owned(),
    })
}

/// The sum that callgrind writes at the end of its file.
fn total(counted: &str) -> Option<u64> {
    let mut lines = counted.lines().rev();
    lines.find_map(|line| {
        let rest = line
            .strip_prefix("totals:")
            .or_else(|| line.strip_prefix("summary:"))?;
        rest.split_whitespace().next()?.parse().ok()
    })
}

/// Bytes of a load, and a sum over its names and content: FNV-1a, for nobody wants to deceive it.
fn fingerprint(folder: &Path) -> (u64, String) {
    let (mut bytes, mut sum) = (0, 0xCBF2_9CE4_8422_2325_u64);
    let mut add = |part: &[u8]| {
        for byte in part {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    };
    for file in files(folder) {
        let content = fs::read(&file).unwrap_or_default();
        let name = file.strip_prefix(folder).unwrap_or(&file);
        add(name.to_string_lossy().as_bytes());
        add(&content);
        bytes += content.len() as u64;
    }
    (bytes, format!("{sum:016x}"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).into_iter().flatten();
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn clear(folder: &Path) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .map_err(|source| format!("cannot clear {}: {source}", folder.display()))?;
    }
    Ok(())
}

fn write_file(path: &Path, content: &[u8]) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .map_err(|source| format!("cannot make {}: {source}", folder.display()))?;
    }
    fs::write(path, content).map_err(|source| format!("cannot write {}: {source}", path.display()))
}

/// Sigma rules of the usual shapes, and indicators; a few of each match.
fn knowledge(folder: &Path) -> Result<Knowledge, String> {
    const RULES: u64 = 200;
    const INDICATORS: u64 = 1_000;
    let mut draw = Draw::seeded(4);
    let rules = folder.join("rules");
    for number in 0..RULES {
        let (file, folder, tool) = (draw.word(7), draw.word(5), draw.word(6));
        let (source, fields) = if number % 2 == 0 {
            (
                "category: webserver",
                format!(
                    "    cs-method: POST\n    cs-uri-stem|endswith: ['/{file}.aspx', '/{folder}/auth.js']\n  \
                     other:\n    cs-uri-query|contains: '{tool}='\n  filter:\n    sc-status: 404\n"
                ),
            )
        } else {
            (
                "product: windows\n  category: process_creation",
                format!(
                    "    Image|endswith: ['\\{tool}.exe', '\\{file}.exe']\n    CommandLine|contains|all: [' -{folder}', 'http']\n  \
                     other:\n    CommandLine|re: '(?i){tool}\\s+/c\\s+{folder}'\n  filter:\n    ParentImage|startswith: 'C:\\{file}\\'\n"
                ),
            )
        };
        let rule = format!(
            "title: Made {number}\nid: 00000000-0000-4000-8000-{number:012}\nstatus: test\nlevel: low\n\
             logsource:\n  {source}\ndetection:\n  selection:\n{fields}  condition: (selection or other) and not filter\n"
        );
        write_file(
            &rules.join(format!("made-{number:03}.yml")),
            rule.as_bytes(),
        )?;
    }
    let every = "title: Pages\nid: 00000000-0000-4000-8000-999999999999\nstatus: test\nlevel: low\n\
                 logsource:\n  category: webserver\ndetection:\n  selection:\n    cs-uri-stem|contains: '/page7'\n  \
                 condition: selection\n";
    write_file(&rules.join("pages.yml"), every.as_bytes())?;
    let logons = "title: Logons\nid: 00000000-0000-4000-8000-999999999998\nstatus: test\nlevel: low\n\
                  logsource:\n  product: windows\n  service: security\ndetection:\n  selection:\n    EventID: 4624\n  \
                  condition: selection\n";
    write_file(&rules.join("logons.yml"), logons.as_bytes())?;
    let mut table = String::from(
        "type,value,meaning,confidence,first_seen,source\nip,198.19.0.7,made,5,,made\n",
    );
    for number in 0..INDICATORS {
        // Writing to a text cannot fail.
        let _ = match number % 4 {
            0 | 1 => writeln!(
                table,
                "ip,198.18.{}.{},made,5,,made",
                number / 250,
                number % 250 + 1
            ),
            2 => writeln!(
                table,
                "url_path,/{}/{}.aspx,made,5,,made",
                draw.word(5),
                draw.word(8)
            ),
            _ => writeln!(table, "user_agent,Made-{}/1.0,made,5,,made", draw.word(6)),
        };
    }
    let indicators = folder.join("indicators.csv");
    write_file(&indicators, table.as_bytes())?;
    Ok(Knowledge { rules, indicators })
}

const MINUTES_OF_A_DAY: u64 = 1_440;

fn iis_logs(folder: &Path, rows: u64) -> Result<(), String> {
    const AGENTS: &[&str] = &[
        "Mozilla/5.0+(Windows+NT+10.0)",
        "MacOutlook/16.46",
        "curl/7.64",
        "AMProbe/Local",
    ];
    const METHODS: &[&str] = &["GET", "GET", "POST", "OPTIONS"];
    let mut draw = Draw::seeded(1);
    let mut log = String::from(
        "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2021-03-02 00:00:00\n\
         #Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) \
         sc-status sc-substatus sc-win32-status time-taken\n",
    );
    for row in 0..rows {
        let minute = row * MINUTES_OF_A_DAY / rows;
        let (method, agent, query) = (draw.one_of(METHODS), draw.one_of(AGENTS), draw.word(20));
        // Writing to a text cannot fail.
        let _ = writeln!(
            log,
            "2021-03-02 {:02}:{:02}:{:02} 192.0.2.10 {method} /owa/page{}.aspx id={query} 443 OLDQUAY\\user{} 198.19.{}.{} {agent} - \
             {} 0 0 {}",
            minute / 60,
            minute % 60,
            row % 60,
            draw.below(200),
            draw.below(80),
            draw.below(4),
            draw.below(250),
            if draw.below(20) == 0 { 404 } else { 200 },
            draw.below(900),
        );
    }
    let path = folder.join("HOST/C/inetpub/logs/LogFiles/W3SVC1/u_ex210302.log");
    write_file(&path, log.as_bytes())
}

fn http_proxy_logs(folder: &Path, rows: u64) -> Result<(), String> {
    const AGENTS: &[&str] = &[
        "Mozilla/5.0 (Windows NT 10.0)",
        "MacOutlook/16.46",
        "Apple-iPhone11C8/1803.78",
    ];
    let mut draw = Draw::seeded(2);
    let mut log = String::from(
        "\u{feff}#Software: Microsoft Exchange Server\n#Version: 15.02.0792.003\n#Log-type: HttpProxy Logs\n\
         #Date: 2021-03-02T00:00:00.000Z\n#Fields: DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,\
         ClientRequestId,Protocol,UrlHost,UrlStem,ProtocolAction,AuthenticationType,IsAuthenticated,AuthenticatedUser,\
         Organization,AnchorMailbox,UserAgent,ClientIpAddress,ServerHostName,HttpStatus,BackEndStatus,ErrorCode,Method,\
         ProxyAction,TargetServer,TargetServerVersion,RoutingType,RoutingHint,BackEndCookie,GenericInfo,GenericErrors\n",
    );
    for row in 0..rows {
        let minute = row * MINUTES_OF_A_DAY / rows;
        let (agent, request, note) = (draw.one_of(AGENTS), draw.hex(32), draw.word(40));
        let user = draw.below(80);
        // Writing to a text cannot fail.
        let _ = writeln!(
            log,
            "2021-03-02T{:02}:{:02}:{:02}.{:03}Z,{request},15,2,792,3,,Owa,mail.old-quay.example,/owa/page{}.aspx,,FBA,true,\
             OLDQUAY\\user{user},,Sid~S-1-5-21-565575596-942430219-1292749365-{},{agent},198.19.{}.{},EX01,200,200,,POST,Proxy,\
             ex01.old-quay.example,15.02.0792.000,IntraForest,WindowsIdentity,,BeginRequest={note};EndRequest={note};,",
            minute / 60,
            minute % 60,
            row % 60,
            draw.below(1000),
            draw.below(200),
            1200 + user,
            draw.below(4),
            draw.below(250),
        );
    }
    let logging = "HOST/C/Program Files/Microsoft/Exchange Server/V15/Logging";
    let path = folder
        .join(logging)
        .join("HttpProxy/Owa/HttpProxy_2021030200-1.LOG");
    write_file(&path, log.as_bytes())
}

/// The beginnings of a simulated server's event logs: all of them would take callgrind minutes.
fn event_logs(folder: &Path) -> Result<(), String> {
    /// A file's head and one chunk.
    const BYTES_MAX: usize = 4_096 + 65_536;
    let made = folder.with_extension("made");
    clear(&made)?;
    range::make_in_folder(&range::Options::new("proxylogon", 7), &made)
        .map_err(|error| format!("cannot make a server: {error}"))?;
    for log in files(&made) {
        if log.extension().is_some_and(|ending| ending == "evtx") {
            let mut bytes = fs::read(&log)
                .map_err(|source| format!("cannot read {}: {source}", log.display()))?;
            bytes.truncate(BYTES_MAX);
            let name = log.file_name().unwrap_or_default();
            let logs = folder.join("HOST/C/Windows/System32/winevt/Logs");
            write_file(&logs.join(name), &bytes)?;
        }
    }
    clear(&made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(instructions: u64, bytes: u64, load: &str) -> Count {
        Count {
            instructions,
            bytes,
            load: load.to_owned(),
            found: "1 matches in 2 records".to_owned(),
        }
    }

    #[test]
    fn counts_are_held_against_the_budget() {
        let held = counted(1_000, 100, "a");
        let of = |now: &Count| standing(&held, now).1;
        assert_eq!(of(&counted(1_049, 100, "a")), Standing::Within);
        assert_eq!(of(&counted(1_051, 100, "a")), Standing::Above);
        assert_eq!(of(&counted(940, 100, "a")), Standing::Below);
        // Another load: by the byte, with more room.
        assert_eq!(of(&counted(2_200, 200, "b")), Standing::Within);
        assert_eq!(of(&counted(2_400, 200, "b")), Standing::Above);
    }

    #[test]
    fn only_the_same_compiler_s_counts_fail() {
        let budget: BTreeMap<String, Count> = [("iis".to_owned(), counted(100, 1, "a"))].into();
        let slower: BTreeMap<String, Count> = [
            ("iis".to_owned(), counted(200, 1, "a")),
            ("new".to_owned(), counted(1, 1, "a")),
        ]
        .into();
        let problem = judge(&budget, &slower, true).unwrap_err();
        assert!(problem.contains(": iis;"), "{problem}");
        assert!(judge(&budget, &slower, false).is_ok());
        assert!(judge(&budget, &budget, true).is_ok());
    }

    #[test]
    fn callgrind_s_total_is_read() {
        let file = "version: 1\nevents: Ir\nsummary: 17\n\nfn=main\n1 12\n\ntotals: 18\n";
        assert_eq!(total(file), Some(18));
        assert_eq!(total("summary: 17\n"), Some(17));
        assert_eq!(total("nothing"), None);
    }

    #[test]
    fn loads_are_the_same_each_time() {
        let home = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let folder = home.path().join(name);
            iis_logs(&folder, 100).unwrap();
            http_proxy_logs(&folder, 50).unwrap();
            knowledge(&folder).unwrap();
            fingerprint(&folder)
        };
        let (bytes, sum) = make("one");
        assert_eq!((bytes, sum.clone()), make("two"));
        assert!(bytes > 50_000);
        assert_ne!(fingerprint(&home.path().join("one/rules")).1, sum);
    }
}
