//! Leads: what ranks a page or a file, and that nothing of it ever reaches a verdict.

use assess::{Knowledge, assess, derived_findings, leads};
use model::report::{CampaignReport, Lead, Leads};
use model::{
    Build, BuildSeen, CollectionSeen, Compilation, CompiledPage, Fact, FactAt, FileTimes,
    InstallPath, ItemSeen, LogFile, Named, Observed, Place, SourceName, Timestamp,
    VirtualDirectory, WebPage, WebPagesLeftOut,
};
use pack::shipped_files::ShippedFiles;
use pack::{BuildTable, LeadTable, Pack, Product};
use proptest::prelude::*;
use std::sync::LazyLock;

const COLLECTION: &str = "c-1";
const INSTALL: &str = "C:\\Exchange";
const OWA: &str = "C:\\Exchange\\FrontEnd\\HttpProxy\\owa";
const WWWROOT: &str = "C:\\inetpub\\wwwroot";
const MFT: &str = "C:\\$MFT";

/// A page that the vendor ships in every build.
const LOGON: &str = "/owa/auth/logon.aspx";
const SHELL: &str = "/owa/auth/x7.aspx";

struct Known {
    packs: Vec<Pack>,
    builds: BuildTable,
    products: Vec<Product>,
    shipped: ShippedFiles,
    table: LeadTable,
    questions: Vec<pack::Question>,
    review: pack::Review,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| Known {
    packs: pack::builtin_packs(),
    builds: BuildTable::builtin(),
    products: pack::products(),
    shipped: ShippedFiles::builtin(),
    table: LeadTable::builtin(),
    questions: pack::questions(),
    review: pack::Review::builtin(),
});

fn knowledge() -> Knowledge<'static> {
    Knowledge {
        builds: &KNOWN.builds,
        products: &KNOWN.products,
        shipped: &KNOWN.shipped,
        questions: &KNOWN.questions,
        review: &KNOWN.review,
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn site() -> SourceName {
    SourceName::of("iis.site", "1")
}

fn log(day: u32) -> String {
    format!("C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex2102{day:02}.log")
}

fn add(host: &mut Observed, item: &str, fact: Fact) {
    host.facts.push(FactAt {
        fact,
        place: Place::item(COLLECTION, item),
    });
}

/// A server of Exchange with a web site whose log covers February, and one page that everybody uses.
fn host() -> Observed {
    let mut host = Observed {
        host: "EX01".to_owned(),
        collections: vec![CollectionSeen {
            id: COLLECTION.to_owned(),
            taken: Some(time("2021-03-20T00:00:00Z")),
            ..CollectionSeen::default()
        }],
        ..Observed::default()
    };
    for path in [
        format!("{OWA}\\auth\\logon.aspx"),
        format!("{OWA}\\auth\\style.css"),
        format!("{WWWROOT}\\iisstart.htm"),
    ] {
        host.collections[0].items.push(ItemSeen {
            path,
            ..ItemSeen::default()
        });
    }
    let build: Build = "15.1.2176.2".parse().expect("a build");
    let seen = BuildSeen {
        product: "exchange".to_owned(),
        build,
        first: None,
        last: None,
        count: 1,
        rule: "registry Setup key".to_owned(),
    };
    add(&mut host, "SOFTWARE", Fact::Build(seen));
    let install = InstallPath {
        product: "exchange".to_owned(),
        path: INSTALL.to_owned(),
        rule: "registry".to_owned(),
    };
    add(&mut host, "SOFTWARE", Fact::InstallPath(install));
    for (url_path, physical_path) in [("/", WWWROOT), ("/owa", OWA)] {
        let directory = VirtualDirectory {
            site: "Default Web Site".to_owned(),
            site_id: 1,
            url_path: url_path.to_owned(),
            physical_path: physical_path.to_owned(),
        };
        let fact = Fact::VirtualDirectory(directory);
        add(&mut host, "applicationHost.config", fact);
    }
    for day in 1..=28 {
        let file = LogFile {
            source: site(),
            name: format!("u_ex2102{day:02}.log"),
            begun: None,
            first: Some(time(&format!("2021-02-{day:02}T00:00:00Z"))),
            last: Some(time(&format!("2021-02-{day:02}T23:59:00Z"))),
            records: 1_000,
            period_seconds: Some(86_400),
            columns: Vec::new(),
        };
        add(&mut host, &log(day), Fact::LogFile(file));
        let everybody = WebPage {
            clients: Named {
                more: true,
                ..Named::default()
            },
            agents: Named {
                more: true,
                ..Named::default()
            },
            answered: 900,
            referred: 400,
            ..page(LOGON, &format!("2021-02-{day:02}T08:00:00Z"))
        };
        add(&mut host, &log(day), Fact::WebPage(everybody));
    }
    host
}

/// Three posts from one address.
fn page(path: &str, first: &str) -> WebPage {
    let mut clients = Named::default();
    clients.add("198.51.100.7", 4);
    let mut agents = Named::default();
    agents.add("tool/1.0", 2);
    WebPage {
        source: site(),
        path: path.to_owned(),
        script: true,
        answered: 3,
        failed: 0,
        posted: 3,
        referred: 0,
        first: time(first),
        last: time(first),
        last_line: Some(77),
        clients,
        agents,
        missed: 0,
        missed_first: None,
        missed_last: None,
    }
}

fn found(mut host: Observed) -> Leads {
    derived_findings(&knowledge(), &mut host);
    leads(&knowledge(), &KNOWN.table, &host)
}

fn shown(lead: &Lead) -> String {
    let signals: Vec<&str> = lead.signals.iter().map(|one| one.signal.as_str()).collect();
    format!(
        "{} {} {}: {}",
        lead.score,
        lead.kind,
        lead.subject,
        signals.join(" ")
    )
}

#[track_caller]
fn check(host: Observed, expected: &[&str]) {
    let leads = found(host);
    let all: Vec<String> = leads.list.iter().map(shown).collect();
    assert_eq!(all, expected, "{leads:#?}");
}

#[test]
fn a_page_that_one_client_posts_to_late_is_the_first_lead_with_its_places() {
    let mut host = host();
    let fact = Fact::WebPage(page(SHELL, "2021-02-27T03:00:00Z"));
    add(&mut host, &log(27), fact);
    let leads = found(host);
    let [lead] = leads.list.as_slice() else {
        panic!("{leads:#?}");
    };
    assert_eq!(
        shown(lead),
        "100 page /owa/auth/x7.aspx: not_shipped posted_by_one one_client no_referrer late_in_log few_log_files gone one_agent only_success"
    );
    assert_eq!(lead.clients, ["198.51.100.7"]);
    assert_eq!(
        lead.file.as_deref(),
        Some(&*format!("{OWA}\\auth\\x7.aspx"))
    );
    assert_eq!(lead.places.len(), 2);
    assert_eq!(lead.places[1].line, Some(77));
    let texts: Vec<&str> = lead.signals.iter().map(|one| one.text.as_str()).collect();
    assert!(texts.contains(&"only one client ever asked for it (198.51.100.7; 3 requests)"));
    assert!(texts.contains(&"in 1 of 28 log files"));
    assert!(leads.note.contains("never a verdict alone"));
}

#[test]
fn what_the_vendor_ships_stays_below_what_is_shown() {
    let mut host = host();
    // A page of administration that one person uses.
    let fact = Fact::WebPage(page("/owa/auth/errorfe.aspx", "2021-02-27T03:00:00Z"));
    add(&mut host, &log(27), fact);
    check(
        host,
        &[
            "40 page /owa/auth/errorfe.aspx: posted_by_one one_client no_referrer late_in_log few_log_files one_agent only_success",
        ],
    );
}

#[test]
fn a_page_that_many_use_is_no_lead_whoever_ships_it() {
    let mut host = host();
    for day in 10..=28 {
        let first = format!("2021-02-{day:02}T08:00:00Z");
        let used = WebPage {
            clients: Named {
                more: true,
                ..Named::default()
            },
            ..page("/intranet/news.aspx", &first)
        };
        add(&mut host, &log(day), Fact::WebPage(used));
    }
    check(host, &[]);
}

#[test]
fn the_servers_own_probes_and_quiet_sites_have_few_clients_by_nature() {
    let mut own = host();
    let mut clients = Named::default();
    clients.add("127.0.0.1", 4);
    clients.add("::1", 4);
    for day in 1..=28 {
        let probe = WebPage {
            clients: clients.clone(),
            ..page(SHELL, &format!("2021-02-{day:02}T08:00:00Z"))
        };
        add(&mut own, &log(day), Fact::WebPage(probe));
    }
    check(own, &[]);
    // A back end that only its front end asks.
    let mut quiet = host();
    quiet
        .facts
        .retain(|known| !matches!(&known.fact, Fact::WebPage(page) if page.clients.more));
    let fact = Fact::WebPage(page("/owa/auth/errorfe.aspx", "2021-02-02T03:00:00Z"));
    add(&mut quiet, &log(2), fact);
    check(quiet, &[]);
}

#[test]
fn a_picture_that_takes_posts_is_a_lead() {
    let mut host = host();
    let disguised = WebPage {
        script: false,
        ..page("/owa/auth/logo.png", "2021-02-27T03:00:00Z")
    };
    add(&mut host, &log(27), Fact::WebPage(disguised));
    let leads = found(host);
    let first = leads.shown().next().map(shown).unwrap_or_default();
    assert!(
        first.starts_with("100 page /owa/auth/logo.png: disguised posted_by_one"),
        "{first}"
    );
}

#[test]
fn an_interface_of_the_product_stays_below_what_is_shown() {
    let mut host = host();
    let interface = WebPage {
        script: false,
        ..page("/owa", "2021-02-27T03:00:00Z")
    };
    add(&mut host, &log(27), Fact::WebPage(interface));
    check(
        host,
        &[
            "40 page /owa: posted_by_one one_client no_referrer late_in_log few_log_files one_agent only_success",
        ],
    );
}

#[test]
fn interfaces_that_make_up_names_are_told_in_one_sentence() {
    let mut host = host();
    for number in 0..30 {
        let named = WebPage {
            script: false,
            ..page(&format!("/api/users/{number}"), "2021-02-27T03:00:00Z")
        };
        add(&mut host, &log(27), Fact::WebPage(named));
    }
    let left_out = WebPagesLeftOut {
        source: site(),
        requests: 9_990_000,
    };
    add(&mut host, &log(27), Fact::WebPagesLeftOut(left_out));
    let leads = found(host);
    assert!(leads.list.is_empty(), "{leads:#?}");
    let notices: Vec<&str> = leads.notices.iter().map(|one| one.text.as_str()).collect();
    assert!(notices[0].contains("30 paths below /api"), "{notices:?}");
    assert!(notices[1].contains("9990000 requests"), "{notices:?}");
}

fn times(path: &str, created: &str, named: &str) -> Fact {
    Fact::FileTimes(FileTimes {
        path: path.to_owned(),
        created: Some(time(created)),
        modified: Some(time(created)),
        named: Some(time(named)),
        deleted: false,
    })
}

#[test]
fn a_young_script_with_old_times_among_shipped_ones_is_a_lead() {
    const INSTALLED: &str = "2020-06-01T10:00:00Z";
    let mut host = host();
    for name in ["logon", "logoff", "expiredpassword", "errorfe"] {
        let path = format!("{OWA}\\auth\\{name}.aspx");
        add(&mut host, MFT, times(&path, INSTALLED, INSTALLED));
    }
    let path = format!("{OWA}\\auth\\x7.aspx");
    let fact = times(&path, "2020-06-01T10:00:00Z", "2021-02-27T03:00:00Z");
    add(&mut host, MFT, fact);
    check(
        host,
        &[
            "55 file C:\\Exchange\\FrontEnd\\HttpProxy\\owa\\auth\\x7.aspx: not_shipped times_set younger_than_neighbours",
        ],
    );
}

#[test]
fn a_compilation_that_stands_alone_is_joined_to_its_page() {
    let mut host = host();
    let fact = Fact::WebPage(WebPage {
        posted: 0,
        ..page(SHELL, "2021-02-27T03:00:04Z")
    });
    add(&mut host, &log(27), fact);
    let compiled = |time_text: &str, page: Option<&str>| {
        Fact::Compilation(Compilation {
            time: time(time_text),
            application: "owa".to_owned(),
            page: page.map(str::to_owned),
        })
    };
    let events = [
        // A restart: one page after the other.
        compiled("2021-02-20T06:00:00Z", None),
        compiled("2021-02-20T06:10:00Z", None),
        compiled("2021-02-27T03:00:01Z", None),
        compiled("2021-02-27T03:00:03Z", Some("x7.aspx")),
    ];
    for event in events {
        add(&mut host, "Security.evtx", event);
    }
    let leads = found(host);
    let all: Vec<String> = leads.list.iter().map(shown).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("/owa/auth/x7.aspx"), "{all:?}");
    assert!(all[0].contains("compiled_alone"), "{all:?}");
}

#[test]
fn a_compiled_page_that_nobody_logged_and_nobody_ships_is_a_lead() {
    let mut host = host();
    let compiled = CompiledPage {
        virtual_path: SHELL.to_owned(),
        assembly: "App_Web_llfrjg0v".to_owned(),
        sources: Vec::new(),
    };
    add(&mut host, "x7.aspx.compiled", Fact::CompiledPage(compiled));
    check(
        host,
        &["55 compiled /owa/auth/x7.aspx: compiled_without_source not_shipped compiled_unlogged"],
    );
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (1_600_000_000_i64..1_620_000_000)
        .prop_map(|second| Timestamp::from_second(second).expect("a time of 2020 or 2021"))
}

fn named() -> impl Strategy<Value = Named> {
    (
        prop::collection::btree_set("(10\\.0\\.0\\.[0-9]|127\\.0\\.0\\.1|tool)", 0..3),
        any::<bool>(),
    )
        .prop_map(|(texts, more)| Named {
            texts: if more {
                std::collections::BTreeSet::default()
            } else {
                texts
            },
            more,
        })
}

fn path() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        LOGON,
        SHELL,
        "/x.aspx",
        "/owa/auth/logo.png",
        "/api/1",
        "/",
        "",
        "no path",
    ])
    .prop_map(str::to_owned)
}

fn file() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        format!("{OWA}\\auth\\logon.aspx"),
        format!("{OWA}\\auth\\x7.aspx"),
        format!("{WWWROOT}\\a.aspx"),
        "…\\b.aspx".to_owned(),
    ])
}

/// A fact on which only leads may rest.
fn fact() -> impl Strategy<Value = Fact> {
    let counts = (0..50_u64, 0..50_u64, 0..50_u64, 0..50_u64, 0..50_u64);
    let page = (
        path(),
        any::<bool>(),
        counts,
        any_time(),
        any_time(),
        named(),
        named(),
        prop::option::of(any_time()),
    )
        .prop_map(
            |(path, script, counts, a, b, clients, agents, missed_first)| {
                Fact::WebPage(WebPage {
                    source: site(),
                    path,
                    script,
                    answered: counts.0,
                    failed: counts.1,
                    posted: counts.2,
                    referred: counts.3,
                    first: a.min(b),
                    last: a.max(b),
                    last_line: Some(counts.4),
                    clients,
                    agents,
                    missed: counts.4,
                    missed_first,
                    missed_last: missed_first,
                })
            },
        );
    let left_out = (1..9_u64).prop_map(|requests| {
        Fact::WebPagesLeftOut(WebPagesLeftOut {
            source: site(),
            requests,
        })
    });
    let compilation =
        (any_time(), prop::option::of(Just("x7.aspx".to_owned()))).prop_map(|(time, page)| {
            Fact::Compilation(Compilation {
                time,
                application: "owa".to_owned(),
                page,
            })
        });
    let times = || prop::option::of(any_time());
    let file = (file(), times(), times(), times(), any::<bool>()).prop_map(
        |(path, created, modified, named, deleted)| {
            Fact::FileTimes(FileTimes {
                path,
                created,
                modified,
                named,
                deleted,
            })
        },
    );
    prop_oneof![page, left_out, compilation, file]
}

fn judged(mut host: Observed) -> Vec<CampaignReport> {
    derived_findings(&knowledge(), &mut host);
    let packs = KNOWN.packs.iter();
    packs
        .map(|pack| assess(pack, &knowledge(), &host, None))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever leads rest on changes nothing in any campaign's verdict, exposure, compromise, coverage or steps.
    #[test]
    fn what_leads_rest_on_changes_no_verdict(facts in prop::collection::vec((fact(), 1..28_u32), 0..40)) {
        let mut with = host();
        for (fact, day) in facts {
            add(&mut with, &log(day), fact);
        }
        let leads = found(with.clone());
        prop_assert!(leads.list.iter().all(|lead| lead.score <= 100 && !lead.signals.is_empty()));
        let mut without = with.clone();
        without.facts.retain(|known| !matches!(
            known.fact,
            Fact::WebPage(_) | Fact::WebPagesLeftOut(_) | Fact::Compilation(_) | Fact::FileTimes(_)
        ));
        prop_assert_eq!(judged(with), judged(without));
    }

    /// The order in which facts come changes nothing.
    #[test]
    fn leads_do_not_depend_on_order(facts in prop::collection::vec((fact(), 1..28_u32), 0..40)) {
        let mut forward = host();
        let mut backward = host();
        for (fact, day) in &facts {
            add(&mut forward, &log(*day), fact.clone());
        }
        for (fact, day) in facts.iter().rev() {
            add(&mut backward, &log(*day), fact.clone());
        }
        // The pipeline sorts facts before anybody judges them.
        forward.facts.sort();
        backward.facts.sort();
        prop_assert_eq!(found(forward), found(backward));
    }
}
