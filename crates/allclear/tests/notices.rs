//! Notices through the binary: from a case with a registry to mails on a loopback server and what comes back. The tests
//! with a mail server need Debian's python3-aiosmtpd; where it is not installed they say so and pass.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use store::response::{AssetRow, ContactRow, ImportRow, ObservationRow, OrganisationRow};
use store::{Case, Settings};
use support::{Run, allclear, command, read};
use tempfile::TempDir;

const NOW: &str = "2021-03-08T09:00:00Z";
const NOW_MICROS: i64 = 1_615_194_000_000_000;
const SECRET: &str = "supp0rt.aspx";

/// A case with this many organisations, each with a server, a verified contact and a shell.
fn make_case(folder: &Path, organisations: usize) {
    let case =
        Case::create(&folder.join("case"), &Settings::default(), NOW_MICROS).expect("a new case");
    let (mut rows, mut assets, mut contacts, mut observations) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for n in 0..organisations {
        let id = format!("o{n:05}");
        rows.push(OrganisationRow {
            id: id.clone(),
            name: format!("Clinic {n}"),
            country: Some("DE".to_owned()),
            origin: "imported".to_owned(),
            ..OrganisationRow::default()
        });
        assets.push(AssetRow {
            kind: "domain".to_owned(),
            value: format!("{id}.example"),
            organisation: id.clone(),
            ..AssetRow::default()
        });
        contacts.push(ContactRow {
            id: id.clone(),
            scope: "organisation".to_owned(),
            subject: id.clone(),
            role: "owner".to_owned(),
            channel: "email".to_owned(),
            address: format!("admin@{id}.example"),
            language: Some(if n % 2 == 0 { "en" } else { "de" }.to_owned()),
            verified: true,
            origin: "manual".to_owned(),
            ..ContactRow::default()
        });
        observations.push(ObservationRow {
            id: id.clone(),
            import: "list".to_owned(),
            campaign: "proxylogon".to_owned(),
            asset_kind: "url".to_owned(),
            asset: format!("https://mail.{id}.example/aspnet_client/{SECRET}"),
            claim: "web_shell".to_owned(),
            seen: Some(NOW_MICROS - 3_600_000_000),
            detail: "{}".to_owned(),
            ..ObservationRow::default()
        });
    }
    case.change(NOW_MICROS, async |change| {
        change.put(&rows).await?;
        change.put(&assets).await?;
        change.put(&contacts).await?;
        let import = ImportRow {
            id: "list".to_owned(),
            ..ImportRow::default()
        };
        change.put(&[import]).await?;
        change.put(&observations).await
    })
    .expect("rows of a case");
    let setup = [
        "notice",
        "setup",
        "case",
        "--by",
        "Ada",
        "--sender",
        "CERT Example",
        "--verify",
        "https://cert.example/check",
        "--alone",
        "2",
        "--per-hour",
        "1000000",
    ];
    good(folder, &setup);
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let run = allclear(folder, arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
    run.stdout
}

fn notices(folder: &Path) -> Vec<serde_json::Value> {
    let text = good(folder, &["notice", "list", "case", "--json"]);
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

fn text<'a>(row: &'a serde_json::Value, key: &str) -> &'a str {
    row.get(key)
        .and_then(|value| value.as_str())
        .unwrap_or_default()
}

fn queue(folder: &Path) -> String {
    good(
        folder,
        &[
            "notice",
            "queue",
            "case",
            "--campaign",
            "proxylogon",
            "--by",
            "Ada",
            "--as-of",
            NOW,
        ],
    )
}

fn release(folder: &Path, by: &str) -> Run {
    allclear(
        folder,
        &[
            "notice",
            "release",
            "case",
            "--campaign",
            "proxylogon",
            "--by",
            by,
            "--as-of",
            NOW,
        ],
    )
}

#[test]
fn notices_are_queued_released_by_another_and_taken_back() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    make_case(folder, 4);
    let dry = good(
        folder,
        &[
            "notice",
            "queue",
            "case",
            "--campaign",
            "proxylogon",
            "--by",
            "Ada",
            "--as-of",
            NOW,
            "--dry-run",
        ],
    );
    assert!(
        dry.contains("4 notices queued for 4 organisations, 0 passed over (nothing was changed)"),
        "{dry}"
    );
    assert!(
        dry.contains("why: a contact of its own that a person entered"),
        "{dry}"
    );
    assert!(notices(folder).is_empty());
    // The same case, the same words.
    assert_eq!(dry.replace(" (nothing was changed)", ""), queue(folder));
    assert!(queue(folder).contains("0 notices queued for 0 organisations, 4 passed over"));

    let alone = release(folder, "ada ");
    assert_eq!(alone.code, 2);
    assert!(
        alone
            .stderr
            .contains("ada  queued 4 of these for proxylogon and may release 2 of their own"),
        "{}",
        alone.stderr
    );
    let rows = notices(folder);
    let code = |at: usize| text(&rows[at], "notice").to_owned();
    let suppressed = good(
        folder,
        &[
            "notice",
            "suppress",
            "case",
            "--address",
            "ADMIN@o00003.example",
            "--why",
            "asked",
            "--by",
            "Bo",
        ],
    );
    assert_eq!(
        suppressed,
        "suppression made: address admin@o00003.example; 1 notices stopped\n"
    );
    assert_eq!(release(folder, "Bo").stdout, "3 notices released\n");

    // Nothing is sent unless somebody says so.
    let dry = good(folder, &["notice", "send", "case"]);
    assert_eq!(dry, "3 would be sent; nothing was: --really sends\n");
    let wrong = allclear(
        folder,
        &[
            "notice",
            "resolve",
            "case",
            &code(0),
            "--acted",
            "--why",
            "they called",
            "--by",
            "Bo",
        ],
    );
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("is released: it cannot become acted"),
        "{}",
        wrong.stderr
    );

    let shown = good(folder, &["notice", "show", "case", &code(0).to_lowercase()]);
    assert!(
        shown.contains("https[://]mail.o00000.example/aspnet_client/supp0rt.aspx"),
        "{shown}"
    );
    assert!(
        !shown.contains("Title") && shown.contains("Microsoft Exchange"),
        "{shown}"
    );
    assert!(shown.contains("released by Bo"), "{shown}");
    // What was never sent is taken back without a word to anybody.
    let back = good(
        folder,
        &[
            "notice",
            "retract",
            "case",
            &code(0),
            "--why",
            "wrong list",
            "--by",
            "Bo",
        ],
    );
    assert_eq!(back, format!("{} retracted; it was never sent\n", code(0)));
    let states: Vec<String> = notices(folder)
        .iter()
        .map(|row| text(row, "state").to_owned())
        .collect();
    assert_eq!(states, ["retracted", "released", "released", "suppressed"]);
    good(folder, &["case", "verify", "case"]);
}

#[test]
fn contacts_are_read_from_published_files() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    make_case(folder, 1);
    fs::write(
        folder.join("security.txt"),
        "Contact: mailto:security@o00000.example\nExpires: 2022-01-01T00:00:00Z\n",
    )
    .unwrap();
    let run = allclear(
        folder,
        &["notice", "contacts", "case", "security.txt", "--as-of", NOW],
    );
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("it does not say which domain or network it is about"),
        "{}",
        run.stderr
    );
    let arguments = [
        "notice",
        "contacts",
        "case",
        "security.txt",
        "--about",
        "o00000.example",
        "--as-of",
        NOW,
    ];
    let said = "domain o00000.example: security@o00000.example (abuse, security.txt)\n1 contacts, ";
    assert_eq!(good(folder, &arguments), format!("{said}1 of them new\n"));
    assert_eq!(good(folder, &arguments), format!("{said}0 of them new\n"));
    // The contact that a person entered goes before it, until mail comes back from there.
    queue(folder);
    let rows = notices(folder);
    let code = text(&rows[0], "notice").to_owned();
    assert_eq!(text(&rows[0], "address"), "admin@o00000.example");
    release(folder, "Bo");
    good(folder, &["notice", "send", "case", "--as-of", NOW]);
    let refused = allclear(
        folder,
        &[
            "notice",
            "send",
            "case",
            "--really",
            "--smtp",
            "smtp://127.0.0.1:1",
            "--from",
            "cert@cert.example",
            "--as-of",
            NOW,
        ],
    );
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(
        refused
            .stdout
            .contains("1 wait: the mail server did not take them"),
        "{}",
        refused.stdout
    );
    // No server was reached: that is certain, so nothing is in doubt.
    assert_eq!(text(&notices(folder)[0], "state"), "released");
    assert!(good(folder, &["notice", "show", "case", &code]).contains("Last error: "));
}

/// A mail server that keeps a line for each mail that it took; it ends with its standard input.
const SERVER: &str = r#"
import sys
from aiosmtpd.controller import Controller
log = open(sys.argv[2], "ab", buffering=0)
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        head = envelope.content.split(b"\r\n\r\n", 1)[0]
        ids = [line.split()[1] for line in head.split(b"\r\n") if line.lower().startswith(b"message-id:")]
        log.write(ids[0] + b" " + envelope.rcpt_tos[0].encode() + b"\n")
        return "250 OK"
controller = Controller(Handler(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
sys.stdin.read()
controller.stop()
"#;

struct Server {
    child: Child,
    url: String,
    log: std::path::PathBuf,
}

impl Server {
    /// `None`, and a word about it, where no mail server is installed.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn start(folder: &Path) -> Option<Self> {
        let there = Command::new("/usr/bin/python3")
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no mail server; `apt-get install python3-aiosmtpd` brings one");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let log = folder.join("mails.log");
        fs::write(&log, "").expect("an empty log");
        let child = Command::new("/usr/bin/python3")
            .args(["-c", SERVER, &port.to_string()])
            .arg(&log)
            .stdin(Stdio::piped())
            .spawn()
            .expect("a server");
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                since.elapsed() < Duration::from_secs(30),
                "the mail server does not start"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Self {
            child,
            url: format!("smtp://127.0.0.1:{port}"),
            log,
        })
    }

    /// Message-IDs and recipients, in the order they came.
    fn mails(&self) -> Vec<(String, String)> {
        let log = read(&self.log);
        let whole = log.lines().filter_map(|line| line.split_once(' '));
        whole
            .map(|(id, to)| (id.to_owned(), to.to_owned()))
            .collect()
    }

    fn send<'a>(&'a self, as_of: &'a str) -> Vec<&'a str> {
        vec![
            "notice",
            "send",
            "case",
            "--really",
            "--smtp",
            &self.url,
            "--from",
            "CERT Example <cert@cert.example>",
            "--as-of",
            as_of,
        ]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn what_comes_back_moves_a_notice_on() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    make_case(folder, 5);
    let Some(server) = Server::start(folder) else {
        return;
    };
    queue(folder);
    release(folder, "Bo");
    let sent = good(folder, &server.send(NOW));
    assert_eq!(sent, "5 sent, 0 refused by the mail server, 0 in doubt\n");
    // Sending again sends nothing.
    assert_eq!(
        good(folder, &server.send(NOW)),
        "0 sent, 0 refused by the mail server, 0 in doubt\n"
    );
    assert_eq!(server.mails().len(), 5);

    let rows = notices(folder);
    let code = |at: usize| text(&rows[at], "notice").to_owned();
    fs::create_dir_all(folder.join("mail/new")).unwrap();
    let write = |name: &str, mail: String| {
        fs::write(
            folder.join("mail/new").join(name),
            mail.replace('\n', "\r\n"),
        )
        .unwrap();
    };
    write(
        "1",
        format!(
            "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; a\nAction: failed\n\
         Status: 5.1.1\n\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{}@cert.example>\n\n--b--\n",
            code(0).to_lowercase()
        ),
    );
    write(
        "2",
        format!(
            "From: admin@o00001.example\nAuto-Submitted: auto-replied\nSubject: Re: [{}] away\n\nI am away\n",
            code(1)
        ),
    );
    write(
        "3",
        format!(
            "From: admin@o00002.example\nSubject: Re: [{}]\n\nDONE\n",
            code(2)
        ),
    );
    write(
        "4",
        format!(
            "From: someone@else.example\nSubject: Re: [{}]\n\nnicht unser\n",
            code(3)
        ),
    );
    write("5", "From: x@y.example\nSubject: win\n\nhello\n".to_owned());
    write(
        "6",
        "From: x@y.example\nSubject: [AC-0000-0000-0000]\n\nhello\n".to_owned(),
    );
    let run = allclear(
        folder,
        &["notice", "receive", "case", "mail", "--as-of", NOW],
    );
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stdout,
        "1 acted\n1 bounced\n1 delivered\n1 refuted\n1 not used: quotes no code\n1 not used: quotes no code of this case\n\
         6 mails: 4 used, 2 not\n"
    );
    let again = allclear(
        folder,
        &["notice", "receive", "case", "mail", "--as-of", NOW],
    );
    assert!(
        again.stdout.contains("4 not used: seen before"),
        "{}",
        again.stdout
    );
    let states: Vec<String> = notices(folder)
        .iter()
        .map(|row| text(row, "state").to_owned())
        .collect();
    assert_eq!(states, ["bounced", "delivered", "acted", "refuted", "sent"]);
    assert!(good(folder, &["notice", "show", "case", &code(3)]).contains("from another address"));

    // The silent are reminded; who answered is not, unless it is seen again.
    let later = "2021-03-11T09:00:00Z";
    let reminded = good(
        folder,
        &[
            "notice",
            "remind",
            "case",
            "--campaign",
            "proxylogon",
            "--by",
            "Ada",
            "--as-of",
            later,
        ],
    );
    assert!(
        reminded.contains("2 reminders queued for 2 organisations"),
        "{reminded}"
    );
    let back = good(
        folder,
        &[
            "notice",
            "retract",
            "case",
            &code(4),
            "--why",
            "wrong list",
            "--by",
            "Bo",
            "--as-of",
            later,
        ],
    );
    assert!(
        back.contains("says so to its recipient once it is released"),
        "{back}"
    );
    good(folder, &["case", "verify", "case"]);
}

/// How many notices the test with a kill sends; `ALLCLEAR_NOTICES=10000` is what docs/notices.md gives figures of.
fn notices_of_the_kill_test() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let given = std::env::var("ALLCLEAR_NOTICES").ok();
    given.and_then(|n| n.parse().ok()).unwrap_or(150)
}

#[test]
fn no_notice_is_sent_twice_after_kill_9() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let count = notices_of_the_kill_test();
    make_case(folder, count);
    let Some(server) = Server::start(folder) else {
        return;
    };
    let timed =
        |what: &str, since: Instant| eprintln!("{what}: {:.1} s", since.elapsed().as_secs_f64());
    let since = Instant::now();
    queue(folder);
    timed("queue", since);
    let since = Instant::now();
    assert_eq!(
        release(folder, "Bo").stdout,
        format!("{count} notices released\n")
    );
    timed("release", since);
    let since = Instant::now();
    // Killed twice, at a third and at two thirds of the way.
    for part in 1..=2 {
        let mut child = command(folder)
            .args(server.send(NOW))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        while server.mails().len() < count * part / 3 {
            assert!(
                child.try_wait().unwrap().is_none(),
                "it ended before it was killed"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut last = command(folder)
        .args(server.send(NOW))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    last.stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    last.wait().unwrap();
    timed("send, killed twice", since);

    let mails = server.mails();
    let mut ids: Vec<&str> = mails.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), before, "a notice was sent twice");
    let rows = notices(folder);
    let in_doubt: Vec<String> = rows
        .iter()
        .filter(|row| text(row, "state") == "in_doubt")
        .map(|row| text(row, "notice").to_owned())
        .collect();
    let sent = rows
        .iter()
        .filter(|row| text(row, "state") == "sent")
        .count();
    assert_eq!(sent + in_doubt.len(), count, "{said}");
    // One of each run that was killed at most.
    assert!(in_doubt.len() <= 2, "{in_doubt:?}");
    assert!(mails.len() >= sent && mails.len() <= count);
    let mut line = String::new();
    write!(
        line,
        "{} mails, {sent} sent, {} in doubt",
        mails.len(),
        in_doubt.len()
    )
    .unwrap();
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
    // A person looks into the server's log, and the rest follows.
    for code in in_doubt {
        let id = format!("<{}@cert.example>", code.to_lowercase());
        let outcome = if mails.iter().any(|(sent, _)| *sent == id) {
            "--sent"
        } else {
            "--not-sent"
        };
        good(
            folder,
            &[
                "notice",
                "resolve",
                "case",
                &code,
                outcome,
                "--why",
                "the server's log",
                "--by",
                "Bo",
            ],
        );
    }
    good(folder, &server.send(NOW));
    assert_eq!(server.mails().len(), count);
    assert!(
        notices(folder)
            .iter()
            .all(|row| text(row, "state") == "sent")
    );
}
