//! Whole simulated servers: every scenario holds together, reads back with independent readers, and is the same for the
//! same seed, whatever is withheld of it.

use evtx::{EvtxParser, ParserSettings};
use jiff::Timestamp;
use notatin::parser_builder::ParserBuilder;
use range::{
    Collection, Error, Folder, Layout, Made, Memory, Options, Patching, Sink, Source, Taken, Tar,
    Withheld, Zip, about, campaigns, make, make_host, make_in_folder, scenarios,
};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

type Files = BTreeMap<String, (Timestamp, Vec<u8>)>;

const INSTALL: &str = "C/Program Files/Microsoft/Exchange Server/V15";

/// A server with few rows, so that many can be made.
fn thin(scenario: &str, seed: u64) -> Options {
    Options {
        probe_minutes: 180,
        ..Options::new(scenario, seed)
    }
}

fn evidence(options: &Options) -> (Made, Files) {
    let mut sink = Collection::new(Memory::default(), Layout::Drives);
    let made = make(options, &mut sink).expect("the options are sound");
    (made, sink.container.files)
}

/// The name in the collection of an original path.
fn collected(path: &str) -> String {
    path.replacen(':', "", 1).replace('\\', "/")
}

fn text(files: &Files, name: &str) -> String {
    let (_, bytes) = files.get(name).unwrap_or_else(|| panic!("{name} is there"));
    String::from_utf8(bytes.clone()).expect("a text file")
}

fn is_event_log(name: &str) -> bool {
    name.rsplit('.').next() == Some("evtx")
}

fn records(bytes: &[u8]) -> Vec<(u64, String)> {
    EvtxParser::from_buffer(bytes.to_vec())
        .expect("an event log")
        .with_configuration(
            ParserSettings::default()
                .validate_checksums(true)
                .num_threads(1),
        )
        .records()
        .map(|record| {
            let record = record.expect("a sound record");
            (record.event_record_id, record.data)
        })
        .collect()
}

#[test]
fn every_scenario_holds_together() {
    for (scenario, seed) in scenarios().into_iter().zip(0..) {
        holds_together(scenario, seed);
    }
}

fn holds_together(scenario: &str, seed: u64) {
    let options = Options {
        probe_minutes: 1_440,
        ..Options::new(scenario, seed)
    };
    let (made, files) = evidence_of_all(&options);
    let truth = made.truth.campaigns[0].clone();
    let told = format!("{scenario} {seed}");
    assert!(
        truth.story.windows(2).all(|two| two[0].time <= two[1].time),
        "{told}: in order"
    );
    for foothold in &truth.footholds {
        let file = files.get(&collected(&foothold.path));
        if foothold.sha256.is_empty() {
            continue;
        }
        assert_eq!(
            file.is_some(),
            foothold.present,
            "{told}: {}",
            foothold.path
        );
        if let Some((_, bytes)) = file {
            let hash = Sha256::digest(bytes);
            let hash = hash.iter().map(|byte| format!("{byte:02x}"));
            assert_eq!(foothold.sha256, hash.collect::<Vec<_>>().concat());
            assert!(!foothold.left_in.is_empty(), "{told}: {}", foothold.path);
        }
    }
    let about = about(scenario).expect("the scenario is known");
    assert_eq!(
        Some(&truth.verdict),
        about.verdict.as_ref(),
        "{told}: {truth:#?}"
    );
    assert_eq!(truth.stages, about.stages, "{told}");
    let effects = ["exploited", "foothold", "hands_on", "impact"];
    let effect = truth
        .stages
        .iter()
        .any(|stage| effects.contains(&stage.as_str()));
    assert_eq!(truth.compromised, effect, "{told}");
    assert_eq!(truth.first.is_some(), effect, "{told}");
    let assured = ["clear", "evicted"].contains(&truth.verdict.as_str());
    assert!(!assured || truth.covered, "{told}");
    assert!(
        truth.accepted.iter().all(|also| also == "compromised"),
        "{told}"
    );
    let install = made.truth.install.as_ref().map(|path| collected(path));
    if let Some(folder) = &install {
        let installed = files.keys().any(|name| name.starts_with(folder.as_str()));
        assert!(installed, "{told}: {folder}");
    }
    assert_eq!(install.is_none(), truth.verdict == "not_affected", "{told}");
    every_campaign_has_its_truth(&made, &told);
    for name in files.keys() {
        assert!(!name.contains('{'), "{told}: {name}");
    }
}

/// The scenario's own campaign comes first; of the others nobody ever came.
fn every_campaign_has_its_truth(made: &Made, told: &str) {
    let (own, others) = made.truth.campaigns.split_first().expect("a campaign");
    let about = about(&made.truth.scenario).expect("the scenario is known");
    assert_eq!(own.campaign, about.campaign, "{told}");
    let mut names: Vec<&str> = others.iter().map(|truth| truth.campaign.as_str()).collect();
    assert!(names.is_sorted(), "{told}: {names:?}");
    names.push(&own.campaign);
    names.sort_unstable();
    assert_eq!(names, campaigns(), "{told}");
    let left = own.provable || own.accepted.iter().any(|also| also == "compromised");
    for truth in others {
        let told = format!("{told}: {truth:?}");
        assert!(!truth.compromised && !truth.provable, "{told}");
        assert!(
            truth.story.is_empty() && truth.footholds.is_empty(),
            "{told}"
        );
        assert!(
            ["not_affected", "unproven", "exposed", "clear"].contains(&truth.verdict.as_str()),
            "{told}"
        );
        let is_there = truth.exposure != "not_affected" && truth.exposure != "unknown";
        let accused = truth.accepted.iter().any(|also| also == "compromised");
        assert_eq!(accused, is_there && left, "{told}");
        assert!(truth.verdict != "clear" || truth.covered, "{told}");
        assert_eq!(
            truth.exposure == "vulnerable",
            truth.verdict == "exposed",
            "{told}"
        );
    }
}

/// As `evidence`, with a truth about all collections; the files are those of the last.
fn evidence_of_all(options: &Options) -> (Made, Files) {
    let all = Rc::new(RefCell::new(Vec::new()));
    let made = make_host(options, &mut |_| {
        all.borrow_mut().push(Files::new());
        Ok(Box::new(Shared(Rc::clone(&all))))
    });
    let made =
        made.unwrap_or_else(|error| panic!("{} {}: {error}", options.scenario, options.seed));
    let files = all.borrow_mut().pop().expect("a collection");
    assert_eq!(made.truth.collections.len(), all.borrow().len() + 1);
    (made, files)
}

/// Keeps what is written in memory, where the test can see it afterwards.
struct Shared(Rc<RefCell<Vec<Files>>>);

impl Sink for Shared {
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let mut all = self.0.borrow_mut();
        let files = all.last_mut().expect("a collection was begun");
        files.insert(collected(path), (modified, contents.to_owned()));
        Ok(())
    }

    fn finish(&mut self, _: &Taken) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let hash = |options: &Options| {
        let (_, files) = evidence(options);
        let mut hasher = Sha256::new();
        for (name, (modified, bytes)) in &files {
            hasher.update(format!("{name}\0{modified}\0{}\0", bytes.len()));
            hasher.update(bytes);
        }
        hasher.finalize()
    };
    let options = thin("proxylogon", 7);
    assert_eq!(hash(&options), hash(&options));
    assert_ne!(hash(&options), hash(&thin("proxylogon", 8)));
}

#[test]
fn event_logs_and_hives_read_back() {
    let (made, files) = evidence(&Options::new("proxylogon", 1));
    let mut logs = 0;
    for (name, (_, bytes)) in &files {
        if !is_event_log(name) {
            continue;
        }
        logs += 1;
        let records = records(bytes);
        let first = records[0].0;
        assert!(
            records
                .iter()
                .zip(first..)
                .all(|((id, _), number)| *id == number),
            "{name}: ids without a gap"
        );
        let host = made.truth.host.to_lowercase();
        assert!(records.iter().all(|(_, xml)| xml.contains(&host)), "{name}");
    }
    assert!(logs >= 8, "{logs} event logs");

    let management = &files["C/Windows/System32/winevt/Logs/MSExchange Management.evtx"].1;
    let tampering = records(management)
        .into_iter()
        .filter(|(_, xml)| xml.contains("Set-OabVirtualDirectory") && xml.contains("Page_Load"))
        .count();
    assert_eq!(tampering, 1);
    let security = &files["C/Windows/System32/winevt/Logs/Security.evtx"].1;
    let commands = records(security)
        .into_iter()
        .filter(|(_, xml)| xml.contains("w3wp.exe") && xml.contains("cmd.exe"))
        .count();
    assert_eq!(commands, 2);

    let hive = |name: &str| {
        let bytes = files[&format!("C/Windows/System32/config/{name}")]
            .1
            .clone();
        ParserBuilder::from_file(Cursor::new(bytes))
            .build()
            .expect("a hive")
    };
    let mut software = hive("SOFTWARE");
    let setup = software
        .get_key(r"Microsoft\ExchangeServer\v15\Setup", false)
        .expect("readable")
        .expect("present");
    let install = setup.get_value("MsiInstallPath").expect("present");
    assert!(format!("{:?}", install.get_content().0).contains("Exchange Server"));
    let mut system = hive("SYSTEM");
    let name = system
        .get_key(r"ControlSet001\Control\ComputerName\ComputerName", false)
        .expect("readable")
        .expect("present")
        .get_value("ComputerName")
        .expect("present");
    assert!(format!("{:?}", name.get_content().0).contains(&made.truth.host));
}

#[test]
fn text_logs_have_a_cell_for_every_column_and_the_build_of_their_time() {
    let (made, files) = evidence(&thin("mail-theft", 3));
    let mut rows = 0;
    for (name, (_, bytes)) in &files {
        let content = String::from_utf8_lossy(bytes);
        if name.contains("/Logging/") {
            let mut lines = content.trim_start_matches('\u{feff}').lines();
            let fields = lines
                .find_map(|line| line.strip_prefix("#Fields: "))
                .expect("a head");
            let columns = fields.split(',').count();
            for line in lines {
                assert_eq!(cells(line), columns, "{name}: {line}");
                let time = line.split(',').next().expect("a first cell");
                let time = time.parse::<Timestamp>().expect("a time");
                let span = made
                    .truth
                    .builds
                    .iter()
                    .find(|span| span.from <= time && time < span.until)
                    .expect("a build at every time of a row");
                if name.contains("/HttpProxy/") {
                    let build = span.build.replace('.', ",");
                    assert!(line.contains(&format!(",{build},")), "{name}: {line}");
                }
                if name.contains("/ECP/Server/") {
                    assert!(line.contains(&format!("S:BLD={};", span.build)), "{line}");
                }
                rows += 1;
            }
        } else if name.contains("/LogFiles/") {
            let mut columns = 0;
            for line in content.lines() {
                if let Some(fields) = line.strip_prefix("#Fields: ") {
                    columns = fields.split(' ').count();
                } else if !line.starts_with('#') {
                    assert_eq!(line.split(' ').count(), columns, "{name}: {line}");
                    rows += 1;
                }
            }
        }
    }
    assert!(rows > 10_000, "{rows} rows");
}

/// Cells of a row, with quotes as in RFC 4180.
fn cells(line: &str) -> usize {
    let mut quoted = false;
    let mut count = 1;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

#[test]
fn the_same_attack_stands_in_every_log_that_records_it() {
    let (_, files) = evidence(&Options {
        probe_minutes: 60,
        ..Options::new("shell-deleted", 5)
    });
    let holding = |needle: &str| {
        files
            .iter()
            .filter(|(name, (_, bytes))| {
                !is_event_log(name) && String::from_utf8_lossy(bytes).contains(needle)
            })
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
    };
    let relayed = holding("schema=ResetOABVirtualDirectory");
    assert!(relayed.iter().any(|name| name.contains("HttpProxy/Ecp/")));
    assert!(relayed.iter().any(|name| name.contains("ECP/Server/")));
    assert!(relayed.iter().any(|name| name.contains("W3SVC2")));
    assert!(
        holding("proxyLogon.ecp")
            .iter()
            .any(|name| name.contains("HttpProxy/Ecp/"))
    );
    assert!(
        holding("virtualPath=").len() >= 4,
        "the shell's page and three of the product"
    );
}

#[test]
fn withholding_takes_out_what_it_names_and_changes_nothing_else() {
    let options = Options {
        start: "2021-02-16T00:00:00Z".parse().expect("a time"),
        end: "2021-03-14T00:00:00Z".parse().expect("a time"),
        probe_minutes: 720,
        ..Options::new("proxylogon", 2)
    };
    let (_, whole) = evidence(&options);
    let from = "2021-02-20T00:00:00Z".parse().expect("a time");
    let until = "2021-02-22T12:00:00Z".parse().expect("a time");
    for source in Source::ALL {
        for withheld in [Withheld::whole(source), Withheld::span(source, from, until)] {
            let (_, rest) = evidence(&Options {
                withhold: vec![withheld.clone()],
                ..options.clone()
            });
            let mut touched = 0;
            for (name, (modified, bytes)) in &whole {
                match rest.get(name) {
                    Some((same, left)) if left == bytes => assert_eq!(same, modified),
                    Some((_, left)) if is_event_log(name) => {
                        let all = records(bytes).into_iter().collect::<BTreeMap<_, _>>();
                        let left = records(left);
                        assert!(left.len() < all.len(), "{name}");
                        assert!(left.iter().all(|(id, xml)| all[id] == *xml), "{name}");
                        touched += 1;
                    }
                    Some((_, left)) => {
                        assert!(withheld.span.is_some(), "{name}: {withheld:?}");
                        assert_rows_missing(name, bytes, left);
                        touched += 1;
                    }
                    None => touched += 1,
                }
            }
            assert!(rest.keys().all(|name| whole.contains_key(name)));
            let sysmon = whole.keys().any(|name| name.contains("Sysmon"));
            // A resolver's log lies with the evidence of few servers.
            let absent = source == Source::Sysmon && !sysmon || source == Source::Dns;
            assert_eq!(touched > 0, !absent, "{withheld:?}");
        }
    }
}

/// Every line left is a line of the whole, in the same order.
fn assert_rows_missing(name: &str, whole: &[u8], left: &[u8]) {
    let whole = String::from_utf8_lossy(whole);
    let left = String::from_utf8_lossy(left);
    let mut lines = whole.lines();
    for line in left.lines() {
        assert!(lines.any(|other| other == line), "{name}: {line}");
    }
}

#[test]
fn one_protocol_or_site_can_be_withheld() {
    let (_, files) = evidence(&Options {
        withhold: vec![
            Withheld {
                instance: Some("ecp".into()),
                ..Withheld::whole(Source::HttpProxy)
            },
            Withheld {
                instance: Some("2".into()),
                ..Withheld::whole(Source::Iis)
            },
        ],
        ..thin("clean", 1)
    });
    let any = |part: &str| files.keys().any(|name| name.contains(part));
    assert!(!any("HttpProxy/Ecp/") && any("HttpProxy/Owa/"));
    assert!(!any("W3SVC2") && any("W3SVC1"));
}

#[test]
fn a_size_is_reached_by_requests_of_people() {
    let (_, files) = evidence(&Options {
        text_bytes: Some(60_000_000),
        ..Options::new("clean", 3)
    });
    let bytes: usize = files
        .iter()
        .filter(|(name, _)| name.to_lowercase().ends_with(".log"))
        .map(|(_, (_, bytes))| bytes.len())
        .sum();
    assert!((48_000_000..72_000_000).contains(&bytes), "{bytes} bytes");
}

#[test]
fn a_server_that_is_never_patched_keeps_its_build() {
    let (made, files) = evidence(&Options {
        patching: Patching::Never,
        host: Some("EX01".into()),
        build_before: Some("15.1.2044.4".into()),
        ..thin("clean", 1)
    });
    assert_eq!(made.truth.campaigns[0].verdict, "exposed");
    assert_eq!(made.truth.builds.len(), 1);
    assert_eq!(made.truth.builds[0].build, "15.1.2044.4");
    assert_eq!(made.truth.host, "EX01");
    let setup = text(&files, "C/ExchangeSetupLogs/ExchangeSetup.log");
    assert!(setup.contains("Setup version: 15.1.2044.4."));
}

#[test]
fn the_product_can_be_installed_anywhere() {
    let (made, files) = evidence(&Options {
        install: Some(r"D:\Exchange\V15".into()),
        ..thin("proxylogon", 1)
    });
    assert_eq!(made.truth.install.as_deref(), Some(r"D:\Exchange\V15"));
    assert!(files.contains_key("D/Exchange/V15/Bin/ExSetup.exe"));
    assert!(!files.keys().any(|name| name.contains("Program Files")));
    let sites = text(
        &files,
        "C/Windows/System32/inetsrv/config/applicationHost.config",
    );
    assert!(sites.contains(r"D:\Exchange\V15\FrontEnd\HttpProxy\owa"));
}

#[test]
fn shipped_files_are_in_the_table_of_known_files() {
    let (made, files) = evidence(&thin("clean", 1));
    let running = &made.truth.builds.last().expect("a build").build;
    let mut listed = 0;
    for known in made
        .known_files
        .iter()
        .filter(|known| known.build == *running)
    {
        let name = format!("{INSTALL}{}", known.path.replace('\\', "/"));
        let (_, bytes) = files
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is there"));
        let hash = Sha256::digest(bytes);
        let hash = hash.iter().map(|byte| format!("{byte:02x}"));
        assert_eq!(hash.collect::<Vec<_>>().concat(), known.sha256, "{name}");
        listed += 1;
    }
    let scripts = files.keys().filter(|name| {
        name.starts_with(INSTALL)
            && [".aspx", ".asax", ".svc", ".asmx"]
                .iter()
                .any(|end| name.ends_with(end))
    });
    assert!(scripts.count() >= 30);
    assert!(listed >= 50, "{listed}");
}

#[test]
fn archives_hold_the_same_files_in_a_collectors_layout() {
    let options = Options {
        start: "2021-03-01T00:00:00Z".parse().expect("a time"),
        end: "2021-03-02T00:00:00Z".parse().expect("a time"),
        patching: Patching::Never,
        ..thin("clean", 1)
    };
    let (_, files) = evidence(&options);

    let mut sink = Collection::new(Tar::new(Vec::new()), Layout::Drives);
    make(&options, &mut sink).expect("the options are sound");
    let mut read = BTreeMap::new();
    let bytes = sink.container.into_inner();
    for entry in tar::Archive::new(Cursor::new(bytes))
        .entries()
        .expect("a tar")
    {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("readable");
        read.insert(name, content);
    }
    let expected = files
        .iter()
        .map(|(name, (_, bytes))| (name.clone(), bytes.clone()))
        .collect::<BTreeMap<_, _>>();
    assert_eq!(
        read.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    assert!(read == expected);

    let mut sink = Collection::new(Zip::new(Vec::new()), Layout::Velociraptor);
    make(&options, &mut sink).expect("the options are sound");
    let bytes = sink.container.into_inner();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    assert_eq!(archive.len(), files.len() + 4);
    let name = "uploads/auto/C%3A/Windows/System32/winevt/Logs/Microsoft-Windows-TaskScheduler%254Operational.evtx";
    let mut content = Vec::new();
    archive
        .by_name(name)
        .expect("present")
        .read_to_end(&mut content)
        .expect("readable");
    let original =
        "C/Windows/System32/winevt/Logs/Microsoft-Windows-TaskScheduler%4Operational.evtx";
    assert!(content == files[original].1);
    let mut uploads = String::new();
    archive
        .by_name("uploads.json")
        .expect("present")
        .read_to_string(&mut uploads)
        .expect("readable");
    assert_eq!(uploads.lines().count(), files.len());
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what the range itself wrote is read back"
)]
fn a_folder_gets_the_evidence_its_truth_and_the_known_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        start: "2021-03-01T00:00:00Z".parse().expect("a time"),
        end: "2021-03-02T00:00:00Z".parse().expect("a time"),
        patching: Patching::Never,
        ..thin("clean", 1)
    };
    let made = make_in_folder(&options, folder.path()).expect("the options are sound");
    let hive = folder
        .path()
        .join("evidence")
        .join(&made.truth.host)
        .join("C/Windows/System32/config/SYSTEM");
    let modified = std::fs::metadata(hive)
        .expect("present")
        .modified()
        .expect("a time");
    assert_eq!(Timestamp::try_from(modified).expect("a time"), options.end);
    let truth = std::fs::read_to_string(folder.path().join("truth.json")).expect("present");
    let truth: range::FleetTruth = serde_json::from_str(&truth).expect("a truth");
    assert_eq!(truth.hosts, std::slice::from_ref(&made.truth));
    assert_eq!(made.truth.collections[0].path, made.truth.host);
    assert!(folder.path().join("known-files.csv").exists());

    // A folder that cannot be made is an error of the environment.
    let blocked = folder.path().join("truth.json");
    let mut sink = Collection::new(Folder::new(&blocked), Layout::Drives);
    assert!(matches!(make(&options, &mut sink), Err(Error::Io(_))));
}

#[test]
fn unsound_options_are_refused() {
    let outcome = |options: &Options| {
        let mut sink = Collection::new(Memory::default(), Layout::Drives);
        make(options, &mut sink)
            .map(|_| ())
            .expect_err("unsound")
            .to_string()
    };
    assert!(outcome(&Options::new("unheard-of", 1)).starts_with("no scenario is named unheard-of"));
    let three_parts = Options {
        build_before: Some("15.1.2176".into()),
        ..Options::new("clean", 1)
    };
    assert_eq!(
        outcome(&three_parts),
        "15.1.2176 is not a build of four parts"
    );
    let early = Options {
        patching: Patching::At("2021-02-01T00:00:00Z".parse().expect("a time")),
        ..Options::new("proxylogon", 1)
    };
    assert_eq!(
        outcome(&early),
        "the patch comes before the end of the scenario's story"
    );
    let short = Options {
        end: "2021-02-01T00:00:00Z".parse().expect("a time"),
        ..Options::new("proxylogon", 1)
    };
    assert_eq!(
        outcome(&short),
        "the scenario's story does not lie within the time simulated"
    );
}
