//! Many processes on one case: the same answers as one process, whoever of them is killed on the way.

#![cfg(feature = "cluster")]
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its own files cannot be written"
)]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;
use support::{Run, allclear, command};

/// Collections of the test that kills.
const COLLECTIONS: usize = 60;

/// Small servers' web logs, with a shell used on every third one.
fn evidence(folder: &Path, hosts: usize) {
    for host in 0..hosts {
        let logs = folder.join(format!(
            "evidence/EX{host:03}/C/inetpub/logs/LogFiles/W3SVC1"
        ));
        fs::create_dir_all(&logs).unwrap();
        let mut text = "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method \
                        cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken\n"
            .to_owned();
        for minute in 0..60 {
            writeln!(text, "2021-03-03 01:{minute:02}:00 10.0.0.1 GET /owa/auth/logon.aspx - 443 - 192.0.2.{host} Mozilla/5.0 200 15").unwrap();
            if host.is_multiple_of(3) && minute == 30 {
                writeln!(text, "2021-03-03 01:30:30 10.0.0.1 POST /aspnet_client/discover.aspx - 443 - 203.0.113.7 python-requests/2.25.1 200 15").unwrap();
            }
        }
        fs::write(logs.join("u_ex210303.log"), text).unwrap();
    }
}

/// A member of a cluster, which ends with the test.
struct Member(Child);

impl Member {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let child = command(folder)
            .arg("cluster")
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Self(child)
    }

    /// A signal that nothing can be done about.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// The first line that it says, which is that it works.
    fn first_line(&mut self) -> String {
        let mut line = String::new();
        let error = self.0.stderr.take().expect("it was piped");
        let mut error = BufReader::new(error);
        error.read_line(&mut line).unwrap();
        // What it says later must not stop it.
        thread::spawn(move || std::io::copy(&mut error, &mut std::io::sink()));
        line.trim_end().to_owned()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A scheduler and two executors on this machine.
struct Cluster {
    folder: PathBuf,
    port: u16,
    keys: Vec<String>,
    scheduler: Member,
    executors: Vec<Member>,
}

impl Cluster {
    fn start(folder: &Path, keys: Option<&str>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let keys: Vec<String> = keys.map_or(Vec::new(), |keys| {
            vec!["--keys".to_owned(), keys.to_owned()]
        });
        let scheduler = Self::scheduler(folder, port, &keys);
        let mut cluster = Self {
            folder: folder.to_owned(),
            port,
            keys,
            scheduler,
            executors: Vec::new(),
        };
        cluster.executor();
        cluster.executor();
        cluster
    }

    fn scheduler(folder: &Path, port: u16, keys: &[String]) -> Member {
        let bind = format!("127.0.0.1:{port}");
        let mut arguments = vec!["scheduler", "--bind", &bind, "--executor-seconds", "10"];
        arguments.extend(keys.iter().map(String::as_str));
        let mut member = Member::start(folder, &arguments);
        let line = member.first_line();
        assert_eq!(line, format!("scheduler at df://127.0.0.1:{port}"));
        member
    }

    fn executor(&mut self) {
        let url = self.url();
        let mut arguments = vec![
            "executor",
            "--scheduler",
            &url,
            "--jobs",
            "1",
            "--lease",
            "5",
        ];
        arguments.extend(self.keys.iter().map(String::as_str));
        let mut member = Member::start(&self.folder, &arguments);
        let line = member.first_line();
        assert!(line.starts_with("executor at 127.0.0.1:"), "{line}");
        self.executors.push(member);
    }

    fn url(&self) -> String {
        format!("df://127.0.0.1:{}", self.port)
    }

    /// The scheduler dies, and is started again by whoever watches over it.
    fn kill_scheduler(&mut self) {
        self.scheduler.kill();
        thread::sleep(Duration::from_millis(500));
        self.scheduler = Self::scheduler(&self.folder, self.port, &self.keys);
    }

    /// An executor dies, and another one comes in its place.
    fn kill_executor(&mut self) {
        self.executors.remove(0).kill();
        self.executor();
    }
}

/// The report without what names the place where it was kept.
fn report(run: &Run) -> Value {
    let mut report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", run.stdout, run.stderr));
    for host in report["hosts"].as_array_mut().expect("hosts") {
        for collection in host["collections"].as_array_mut().expect("collections") {
            collection["manifest"] = Value::Null;
        }
    }
    report
}

/// Rows of an answer, and how often each comes: without `ORDER BY` an answer has no order.
fn rows(run: &Run, query: &str) -> BTreeMap<String, usize> {
    assert_eq!(run.code, 0, "{query}\n{}", run.stderr);
    let mut rows = BTreeMap::new();
    for line in run.stdout.lines() {
        *rows.entry(line.to_owned()).or_default() += 1;
    }
    rows
}

#[test]
fn a_cluster_answers_as_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, 20);
    let format = ["--format", "json"];
    let alone = ["check", "evidence", "--case", "alone"];
    let alone = allclear(path, &[&alone[..], &format].concat());
    let cluster = Cluster::start(path, None);
    let url = cluster.url();
    let many = ["check", "evidence", "--case", "many", "--cluster", &url];
    let many = allclear(path, &[&many[..], &format].concat());
    assert_eq!(many.code, alone.code, "{}", many.stderr);
    assert_eq!(report(&many), report(&alone));
    assert!(
        many.stderr
            .starts_with("20 collections read, 0 known already; 20 hosts judged"),
        "{}",
        many.stderr
    );
    assert_eq!(allclear(path, &["case", "verify", "many"]).code, 0);

    // Every table and view that docs/questions.md lists, and a join of two of them.
    let listed = allclear(
        path,
        &[
            "sql",
            "many",
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
            "--format",
            "csv",
        ],
    );
    let mut questions: Vec<String> = listed
        .stdout
        .lines()
        .skip(1)
        .map(|table| format!("SELECT * FROM {table}"))
        .collect();
    assert!(questions.len() > 12, "{}", listed.stdout);
    questions.push(
        "SELECT f.host, f.rule, COUNT(e.time) AS events FROM findings f JOIN events e ON e.host = f.host \
         WHERE e.src_ip = '203.0.113.7' GROUP BY f.host, f.rule"
            .to_owned(),
    );
    for query in &questions {
        // Each case has its own name, times of its own commits, and a place of its own.
        let here = ["sql", "many", query, "--format", "json"];
        let one = allclear(path, &here);
        let there = allclear(path, &[&here[..], &["--cluster", &url]].concat());
        assert_eq!(rows(&there, query), rows(&one, query), "{query}");
    }
}

#[test]
fn deaths_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, COLLECTIONS);
    let format = ["--format", "json", "--quiet"];
    let alone = ["check", "evidence", "--case", "alone"];
    let alone = allclear(path, &[&alone[..], &format].concat());
    let mut cluster = Cluster::start(path, None);
    let url = cluster.url();
    let many = ["check", "evidence", "--case", "many", "--cluster", &url];
    let running = command(path)
        .args([&many[..], &format].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // While some of it is read: an executor, the scheduler, and an executor again.
    thread::sleep(Duration::from_millis(2_500));
    cluster.kill_executor();
    thread::sleep(Duration::from_millis(1_500));
    cluster.kill_scheduler();
    thread::sleep(Duration::from_millis(1_500));
    cluster.kill_executor();
    let many = support::run_of(running.wait_with_output().unwrap());
    assert_eq!(many.code, alone.code, "{}", many.stderr);
    assert_eq!(report(&many), report(&alone));
    // No collection was committed twice, and nothing that a dead process left is taken for a part of the case.
    let counted = allclear(
        path,
        &[
            "sql",
            "many",
            "SELECT COUNT(*), COUNT(DISTINCT collection) FROM (SELECT collection, host FROM events GROUP BY collection, host)",
            "--format",
            "csv",
        ],
    );
    assert_eq!(
        counted.stdout.lines().nth(1),
        Some(&*format!("{COLLECTIONS},{COLLECTIONS}"))
    );
    let again = ["check", "evidence", "--case", "many", "--format", "json"];
    let again = allclear(path, &again);
    assert!(
        again
            .stderr
            .starts_with(&format!("0 collections read, {COLLECTIONS} known already")),
        "{}",
        again.stderr
    );
    assert_eq!(allclear(path, &["case", "verify", "many"]).code, 0);
}

#[test]
fn strangers_are_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, 3);
    // Without keys nothing is offered to a network.
    for member in [
        &["cluster", "scheduler", "--bind", "0.0.0.0:0"][..],
        &["cluster", "executor", "--bind", "0.0.0.0:0"],
    ] {
        let refused = allclear(path, member);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("allclear cluster keys"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(allclear(path, &["cluster", "keys", "keys"]).code, 0);
    assert_eq!(allclear(path, &["cluster", "keys", "other"]).code, 0);
    // Keys are never written over.
    assert_eq!(allclear(path, &["cluster", "keys", "keys"]).code, 2);
    let cluster = Cluster::start(path, Some("keys"));
    let url = cluster.url();
    let case = [
        "check",
        "evidence",
        "--case",
        "case",
        "--cluster",
        &url,
        "--quiet",
    ];
    let known = allclear(path, &[&case[..], &["--cluster-keys", "keys"]].concat());
    assert_eq!(known.code, 1, "{}", known.stderr);
    let question = [
        "sql",
        "case",
        "SELECT COUNT(*) AS n FROM events",
        "--format",
        "csv",
    ];
    let question = [&question[..], &["--deadline", "20", "--cluster", &url]].concat();
    let answered = allclear(path, &[&question[..], &["--cluster-keys", "keys"]].concat());
    assert_eq!(answered.stdout, "n\n181\n", "{}", answered.stderr);
    // Other keys, and none.
    for stranger in [&["--cluster-keys", "other"][..], &[]] {
        let refused = allclear(path, &[&question[..], stranger].concat());
        assert_ne!(refused.code, 0, "{}", refused.stdout);
        // The names of the columns are known here; no row comes from there.
        assert!(refused.stdout.lines().count() <= 1, "{}", refused.stdout);
    }
}

#[test]
fn a_cluster_that_does_nothing_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    evidence(path, 1);
    let check = ["check", "evidence", "--case", "case", "--quiet"];
    assert_eq!(allclear(path, &check).code, 1);
    // Nobody listens there.
    let sql = ["sql", "case", "SELECT 1 FROM hosts", "--deadline", "3"];
    let nobody = allclear(
        path,
        &[&sql[..], &["--cluster", "df://127.0.0.1:9"]].concat(),
    );
    assert_ne!(nobody.code, 0);
    let wrong = allclear(
        path,
        &[&sql[..], &["--cluster", "http://127.0.0.1"]].concat(),
    );
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    // A scheduler without any executor.
    let mut cluster = Cluster::start(path, None);
    for executor in &mut cluster.executors {
        executor.kill();
    }
    let url = cluster.url();
    let alone = allclear(path, &[&sql[..], &["--cluster", &url]].concat());
    assert_eq!(alone.code, 2, "{}", alone.stderr);
    assert!(
        alone.stderr.contains("within 3 seconds"),
        "{}",
        alone.stderr
    );
}
