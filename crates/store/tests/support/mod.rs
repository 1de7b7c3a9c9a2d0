//! Servers that tests start for themselves, and a small case.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use store::{Case, CollectionRow, Judged, NewCollection, NewPart, Settings, VerdictRow};

/// 2021-03-02 00:00 UTC.
pub(crate) const NOW: i64 = 1_614_643_200_000_000;

/// A PostgreSQL server of its own, on a socket in a folder.
pub(crate) struct Postgres {
    folder: tempfile::TempDir,
    server: Child,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: it ends its children and stops at once.
        let pid = self.server.id().to_string();
        let _asked = Command::new("kill").args(["-INT", &pid]).status();
        let _ended = self.server.wait();
    }
}

impl Postgres {
    /// `None` where there is no PostgreSQL and nobody insists on it.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = binaries() else {
            assert!(
                std::env::var_os("ALLCLEAR_REQUIRE_POSTGRES").is_none(),
                "ALLCLEAR_REQUIRE_POSTGRES is set, and there is no PostgreSQL"
            );
            eprintln!("skipped: there is no PostgreSQL on this machine");
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("pg")
            .tempdir_in("/tmp")
            .unwrap();
        let data = folder.path().join("data");
        open_to_all(folder.path());
        let done = unprivileged(&bin.join("initdb"))
            .args([
                "-U",
                "allclear",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
                "--locale=C.UTF-8",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "initdb failed");
        let server = unprivileged(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "log_min_messages=fatal",
            ])
            .spawn()
            .unwrap();
        let postgres = Self { folder, server };
        let ready = || {
            Command::new(bin.join("pg_isready"))
                .args(["--quiet", "-U", "allclear", "-h"])
                .arg(postgres.folder.path())
                .status()
                .unwrap()
                .success()
        };
        for _ in 0..600 {
            if ready() {
                return Some(postgres);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL did not answer within half a minute");
    }

    pub(crate) fn url(&self) -> String {
        let folder = self.folder.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://allclear@{folder}/postgres")
    }
}

fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let mut folders: Vec<PathBuf> = versions
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().rev().find(|folder| {
        let programs = ["initdb", "postgres", "pg_isready"];
        programs
            .iter()
            .all(|program| folder.join(program).is_file())
    })
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"])
        .arg(program)
        .current_dir("/tmp");
    command
}

fn open_to_all(folder: &Path) {
    let done = Command::new("chmod")
        .arg("777")
        .arg(folder)
        .status()
        .unwrap();
    assert!(done.success());
}

/// A case in a folder, and what it needs for as long as it lives.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) settings: Settings,
    _postgres: Option<Postgres>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: Settings::default(),
            _postgres: None,
        }
    }

    pub(crate) fn postgres() -> Option<Self> {
        let postgres = Postgres::start()?;
        let settings = Settings {
            database_url: Some(postgres.url()),
            ..Settings::default()
        };
        Some(Self {
            folder: tempfile::tempdir().unwrap(),
            settings,
            _postgres: Some(postgres),
        })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("case")
    }

    pub(crate) fn create(&self) -> Case {
        Case::create(&self.path(), &self.settings, NOW).unwrap()
    }

    pub(crate) fn open(&self) -> Case {
        Case::open(&self.path(), &self.settings).unwrap()
    }
}

/// A collection that tells of these hosts.
pub(crate) fn collection(id: &str, hosts: &[&str]) -> NewCollection {
    let parts = hosts.iter().map(|host| NewPart {
        host: (*host).to_owned(),
        rule: "SYSTEM hive".to_owned(),
        bytes: format!("{id} {host}").into_bytes(),
    });
    NewCollection {
        row: CollectionRow {
            id: id.to_owned(),
            sha256: "00".repeat(32),
            label: format!("evidence/{id}"),
            container: "folder".to_owned(),
            taken: Some(NOW - 1),
            taken_rule: "folder".to_owned(),
            rejected: "{}".to_owned(),
            ..CollectionRow::default()
        },
        parts: parts.collect(),
        files: Vec::new(),
        location: Some((format!("/evidence/{id}"), "f".to_owned())),
    }
}

/// A judgement of this host with one verdict.
pub(crate) fn judged(host: &str, verdict: &str, dirty: i64) -> Judged {
    Judged {
        host: host.to_owned(),
        host_rule: "SYSTEM hive".to_owned(),
        as_of: Some(NOW),
        report: format!("{host} is {verdict}").into_bytes(),
        verdicts: vec![VerdictRow {
            host: host.to_owned(),
            campaign: "a-campaign".to_owned(),
            pack_version: "1".to_owned(),
            verdict: verdict.to_owned(),
            exposure: "patched".to_owned(),
            sufficient: true,
            reasons: "[\"NUL \0 in evidence\"]".to_owned(),
            ..VerdictRow::default()
        }],
        why: "a new collection".to_owned(),
        dirty,
        ..Judged::default()
    }
}
