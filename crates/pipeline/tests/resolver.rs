//! Logs of a resolver that lie with the evidence of one host, and speak of many by their addresses.

mod support;

use model::report::{Report, VerdictName};
use range::{Collection, Layout, Made, Options, Zip};
use std::fs::File;
use std::io::BufWriter;
use tempfile::TempDir;

fn checked(scenario: &str) -> (Made, Report) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("evidence.zip");
    let file = BufWriter::new(File::create(&path).expect("a new file"));
    let mut sink = Collection::new(Zip::new(file), Layout::Drives);
    let options = Options {
        probe_minutes: 240,
        ..Options::new(scenario, 3)
    };
    let made = range::make(&options, &mut sink).expect("the scenario can be made");
    drop(sink);
    let known = range::known_files_csv(&made.known_files);
    let report = support::report("sunburst", &path, known.as_bytes(), &[], 2);
    (made, report)
}

fn verdict(report: &Report, host: &str) -> VerdictName {
    let mut hosts = report.hosts.iter();
    let host = hosts
        .find(|known| known.host.eq_ignore_ascii_case(host))
        .expect("the host is reported");
    host.campaigns.first().expect("one pack was used").verdict
}

/// The address is the host's own, but no evidence that is read says so.
#[test]
fn a_victim_known_by_an_address_only_keeps_the_host_of_the_log_from_being_clear() {
    let (made, report) = checked("sunburst-resolver-log");
    let verdict_of_host = verdict(&report, &made.truth.host);
    assert_eq!(verdict_of_host, VerdictName::Unproven);
    let other = report
        .hosts
        .iter()
        .find(|host| host.host.parse::<std::net::IpAddr>().is_ok())
        .expect("the address is a host of its own");
    assert_eq!(verdict(&report, &other.host), VerdictName::Compromised);
}

#[test]
fn a_log_of_many_hosts_that_tells_of_no_victim_clears() {
    let (made, report) = checked("sunburst-resolver-clean");
    assert_eq!(verdict(&report, &made.truth.host), VerdictName::Clear);
    assert_eq!(report.hosts.len(), 1, "nobody else is spoken of");
}
