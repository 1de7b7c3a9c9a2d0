//! Notices: whom they go to, what they say in two languages, which states follow which, and that no shell ever reaches a
//! stranger.

use expect_test::expect_file;
use proptest::prelude::*;
use response::notice::facts::{Subject, subjects};
use response::notice::queue::{Given, Queue, queue, retraction};
use response::notice::route::{Contacts, Level, Suppressions};
use response::notice::state::{State, step};
use response::notice::text::{Sender, Templates};
use response::notice::{mail, receive, release, remind};
use response::registry::{AssetKind, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use store::response::{
    AssetRow, ContactRow, NoticeRow, NoticeSubjectRow, ObservationRow, OrganisationRow,
    SuppressionRow,
};

const DAY: i64 = 86_400_000_000;
const NOW: i64 = 1_615_204_800_000_000;
const CAMPAIGN: &str = "campaign";
/// What stands in the address of a shell, and nowhere else.
const SECRET: &str = "supp0rt";

fn organisation(id: &str) -> OrganisationRow {
    OrganisationRow {
        id: id.to_owned(),
        name: format!("Clinic {id}"),
        country: Some("DE".to_owned()),
        sector: Some("health".to_owned()),
        supplier: Some("Hoster".to_owned()),
        ..OrganisationRow::default()
    }
}

fn assets(id: &str, number: u8) -> Vec<AssetRow> {
    let asset = |kind: AssetKind, value: String| AssetRow {
        kind: kind.name().to_owned(),
        value,
        organisation: id.to_owned(),
        ..AssetRow::default()
    };
    vec![
        asset(AssetKind::Domain, format!("{id}.example")),
        asset(AssetKind::Address, format!("192.0.2.{number}")),
    ]
}

fn observation(id: &str, number: u8, claim: &str) -> ObservationRow {
    let is_shell = claim == "web_shell";
    ObservationRow {
        id: format!("o-{id}-{claim}"),
        campaign: CAMPAIGN.to_owned(),
        asset_kind: if is_shell { "url" } else { "address" }.to_owned(),
        asset: if is_shell {
            format!("https://mail.{id}.example/aspnet_client/{SECRET}.aspx?key=orange")
        } else {
            format!("192.0.2.{number}")
        },
        claim: claim.to_owned(),
        seen: Some(NOW - DAY),
        detail: format!("{{\"note\":\"{SECRET}\"}}"),
        ..ObservationRow::default()
    }
}

fn contact(scope: &str, subject: &str, role: &str, address: &str) -> ContactRow {
    ContactRow {
        id: format!("{scope}-{subject}-{role}-{address}"),
        scope: scope.to_owned(),
        subject: subject.to_owned(),
        role: role.to_owned(),
        channel: "email".to_owned(),
        address: address.to_owned(),
        origin: "imported".to_owned(),
        ..ContactRow::default()
    }
}

/// Everything that notices are made of.
struct World {
    registry: Registry,
    subjects: BTreeMap<String, Subject>,
    contacts: Contacts,
    suppressions: Suppressions,
    notices: Vec<NoticeRow>,
    told: Vec<NoticeSubjectRow>,
    templates: Templates,
    now: i64,
}

impl World {
    fn new(claims: &[(&str, &str)], contacts: Vec<ContactRow>) -> Self {
        let ids: BTreeSet<&str> = claims.iter().map(|(id, _)| *id).collect();
        let mut organisations = Vec::new();
        let mut all_assets = Vec::new();
        let mut observations = Vec::new();
        for (number, id) in (1..).zip(&ids) {
            organisations.push(organisation(id));
            all_assets.extend(assets(id, number));
            for (_, claim) in claims.iter().filter(|(of, _)| of == id) {
                observations.push(observation(id, number, claim));
            }
        }
        let registry = Registry::of(organisations, &[], &all_assets, &[]);
        Self {
            subjects: subjects(&registry, &observations, &[], CAMPAIGN),
            registry,
            contacts: Contacts::of(contacts),
            suppressions: Suppressions::default(),
            notices: Vec::new(),
            told: Vec::new(),
            templates: Templates::new(&BTreeMap::new()).expect("our own templates are good"),
            now: NOW,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&Given<'_>) -> T) -> T {
        let sender = Sender {
            name: "CERT Example".to_owned(),
            verify: "https://cert.example/check".to_owned(),
            phone: "+49 30 000000".to_owned(),
        };
        work(&Given {
            registry: &self.registry,
            contacts: &self.contacts,
            suppressions: &self.suppressions,
            suppressed_codes: &BTreeSet::new(),
            subjects: &self.subjects,
            notices: &self.notices,
            told: &self.told,
            templates: &self.templates,
            sender: &sender,
            secret: "secret",
            campaign: CAMPAIGN,
            now: self.now,
            person: "Ada",
        })
    }

    fn queue(&self) -> Queue {
        self.with(|given| queue(given).expect("our own templates are good"))
    }

    fn keep(&mut self, queue: Queue) {
        for written in queue.written {
            self.notices.push(written.notice);
            self.told.extend(written.subjects);
        }
    }

    fn remind(&self) -> Queue {
        self.with(|given| {
            remind::remind(given, &remind::rules()).expect("our own templates are good")
        })
    }

    /// Takes every notice along these states.
    fn along(&mut self, states: &[State]) {
        for notice in &mut self.notices {
            for state in states {
                step(notice, 0, *state, self.now, Some("Bo"), "a test").expect("it may follow");
            }
        }
    }
}

/// Who is told what, a line each.
fn shown(queue: &Queue) -> String {
    let mut text = String::new();
    for written in &queue.written {
        let row = &written.notice;
        let about: Vec<&str> = written
            .subjects
            .iter()
            .map(|row| row.organisation.as_str())
            .collect();
        writeln!(
            text,
            "{} {} {} {} [{}]: {}",
            row.kind,
            row.address,
            row.route,
            row.level,
            about.join(" "),
            row.reason
        )
        .expect("a string takes all");
    }
    for (id, why) in &queue.passed {
        writeln!(text, "{id}: {why}").expect("a string takes all");
    }
    text
}

#[test]
fn each_organisation_goes_the_best_way_and_each_recipient_gets_one_notice() {
    let mut manual = contact("organisation", "a", "owner", "admin@a.example");
    manual.origin = "manual".to_owned();
    manual.verified = true;
    let mut cert = contact("country", "DE", "national_cert", "cert@bund.example");
    cert.verified = true;
    let contacts = vec![
        manual,
        contact("domain", "a.example", "abuse", "abuse@a.example"),
        cert,
    ];
    let claims = [
        ("a", "vulnerable"),
        ("b", "vulnerable"),
        ("c", "web_shell"),
        ("d", "patched"),
    ];
    let mut world = World::new(&claims, contacts);
    let first = world.queue();
    assert_eq!(
        shown(&first),
        "notice admin@a.example manual full [a]: a contact of its own that a person entered; abuse@a.example looks after none of its \
         servers\n\
         notice cert@bund.example national_cert servers [b c]: the national CERT; there is not a contact of its own that a \
         person entered, nor a contact of its own that was verified\n"
    );
    world.keep(first);
    // The same again says nothing new; a way that led nowhere is not taken twice.
    let again = world.queue();
    assert!(again.written.is_empty());
    assert_eq!(again.passed.len(), 3, "{:?}", again.passed);
    world.along(&[State::Released, State::InDoubt, State::Bounced]);
    let next = world.queue();
    let lines: Vec<String> = shown(&next)
        .lines()
        .map(|line| line.chars().take(60).collect())
        .collect();
    assert_eq!(
        lines,
        [
            "notice cert@bund.example national_cert servers [a]: the nati",
            "b: no way to it: cert@bund.example led nowhere before",
            "c: no way to it: cert@bund.example led nowhere before",
        ]
    );
}

#[test]
fn abuse_contacts_and_providers_read_only_what_they_look_after() {
    let network = contact("network", "192.0.2.0/31", "abuse", "abuse@net.example");
    let provider = contact("provider", "hoster", "provider", "noc@hoster.example");
    let world = World::new(
        &[("a", "exploited"), ("b", "exploited"), ("c", "exploited")],
        vec![network, provider],
    );
    let queue = world.queue();
    let bodies: BTreeMap<&str, &str> = queue
        .written
        .iter()
        .map(|written| {
            (
                written.notice.address.as_str(),
                written.notice.body.as_str(),
            )
        })
        .collect();
    assert!(bodies["abuse@net.example"].contains("192.0.2.1"));
    assert!(!bodies["abuse@net.example"].contains("192.0.2.2"));
    assert!(bodies["noc@hoster.example"].contains("192.0.2.3"));
    for body in bodies.values() {
        assert!(
            !body.contains("Clinic") && !body.contains("broken into)"),
            "{body}"
        );
    }
}

#[test]
fn the_words_of_notices_in_two_languages() {
    let mut owner = contact("organisation", "a", "owner", "admin@a.example");
    owner.verified = true;
    owner.language = Some("de-AT".to_owned());
    let mut manager = contact("organisation", "a", "owner", "boss@a.example");
    manager.verified = true;
    manager.audience = Some("manager".to_owned());
    let unverified = contact("organisation", "b", "owner", "info@b.example");
    let mut cert = contact("sector", "DE/health", "sector_cert", "health@cert.example");
    cert.verified = true;
    cert.language = Some("de".to_owned());
    let mut world = World::new(
        &[("a", "web_shell"), ("a", "vulnerable"), ("b", "exploited")],
        vec![owner, manager, unverified],
    );
    let mut text = String::new();
    let mut show = |queue: &Queue| {
        for written in &queue.written {
            let row = &written.notice;
            write!(
                text,
                "To: {}\nSubject: {}\n\n{}\n========\n",
                row.address, row.subject, row.body
            )
            .unwrap();
        }
    };
    let first = world.queue();
    show(&first);
    let german = first.written.iter().find(|row| row.notice.language == "de");
    let parent = german.expect("one is in German").notice.clone();
    show(&Queue {
        written: vec![
            world.with(|given| retraction(given, &parent, "the list was of another day").unwrap()),
        ],
        passed: Vec::new(),
    });
    world.keep(first);
    world.along(&[State::Released, State::InDoubt, State::Sent]);
    world.now += 3 * DAY;
    show(&world.remind());
    world.contacts = Contacts::of(vec![cert]);
    world.notices.clear();
    world.told.clear();
    show(&world.queue());
    expect_file!["expected/notices.txt"].assert_eq(&text);
    // The only link is the page on which a notice can be checked.
    for (at, _) in text.match_indices("://") {
        let before = &text[..at + 3];
        assert!(
            before.ends_with("[://") || text[at..].starts_with("://cert.example/check"),
            "{before}"
        );
    }
}

#[test]
fn reminders_follow_what_the_recipient_did() {
    let mut owner = contact("organisation", "a", "owner", "admin@a.example");
    owner.verified = true;
    let abuse = contact("domain", "a.example", "abuse", "abuse@a.example");
    let mut world = World::new(&[("a", "web_shell")], vec![owner, abuse]);
    let first = world.queue();
    world.keep(first);
    world.along(&[State::Released, State::InDoubt, State::Sent]);
    let check = |world: &World, days: i64| {
        let mut world_then = World::new(&[], Vec::new());
        world_then.registry = world.registry.clone();
        world_then.subjects = world.subjects.clone();
        world_then.notices = world.notices.clone();
        world_then.told = world.told.clone();
        world_then.contacts = Contacts::of(vec![contact(
            "domain",
            "a.example",
            "abuse",
            "abuse@a.example",
        )]);
        world_then.now = world.now + days * DAY;
        shown(&world_then.remind())
    };
    assert!(check(&world, 1).ends_with("silent-entered: 1 days to go\n"));
    assert!(check(&world, 2).starts_with("reminder admin@a.example own full [a]: silent-entered"));
    // Whoever answered is given more time, and whoever refuted is left to a person.
    let sent = world.notices.clone();
    world.along(&[State::Acknowledged]);
    assert!(check(&world, 2).contains("acknowledged-entered: 1 days to go"));
    world.along(&[State::Acted]);
    assert_eq!(check(&world, 30), "");
    for subject in world.subjects.values_mut() {
        subject.seen = Some(NOW + 2 * DAY);
    }
    assert!(check(&world, 3).contains("acted-but-seen-again"));
    world.along(&[State::Refuted]);
    assert_eq!(check(&world, 30), "");
    // Silence after a reminder leads to the next way.
    world.notices = sent;
    world.now += 2 * DAY;
    let reminder = world.remind();
    let before = world.notices.len();
    world.keep(reminder);
    for state in [State::Released, State::InDoubt, State::Sent] {
        step(&mut world.notices[before], 0, state, world.now, None, "").unwrap();
    }
    assert!(
        check(&world, 3)
            .starts_with("notice abuse@a.example abuse minimum [a]: silent-entered-again")
    );
}

#[test]
fn more_than_a_few_are_released_by_somebody_else() {
    let row = |id: usize, released_by: Option<&str>| NoticeRow {
        id: id.to_string(),
        campaign: CAMPAIGN.to_owned(),
        queued_by: "Ada Byron".to_owned(),
        released_by: released_by.map(str::to_owned),
        ..NoticeRow::default()
    };
    let mut all: Vec<NoticeRow> = (0..4).map(|id| row(id, None)).collect();
    let few: Vec<&NoticeRow> = all.iter().take(2).collect();
    let many: Vec<&NoticeRow> = all.iter().collect();
    assert_eq!(release::refusal(&all, &few, "Ada Byron", 2), None);
    assert!(release::refusal(&all, &many, " ada  BYRON", 2).is_some());
    assert_eq!(release::refusal(&all, &many, "Bo", 2), None);
    // A few at a time are many all the same.
    all.push(row(9, Some("Ada Byron")));
    let few: Vec<&NoticeRow> = all.iter().take(2).collect();
    assert!(release::refusal(&all, &few, "Ada Byron", 2).is_some());
    assert_eq!(release::refusal(&all, &few, "Bo", 2), None);
}

#[test]
fn damaged_mails_never_fail_as_a_whole() {
    let words = receive::words();
    assert!(receive::read(&[0xff; 100], &words).is_err());
    assert!(receive::read(b"\r\n\r\n", &words).is_err());
}

/// A contact of any kind.
fn any_contact() -> impl Strategy<Value = ContactRow> {
    let scopes = prop::sample::select(vec![
        ("organisation", "a"),
        ("organisation", "b"),
        ("domain", "a.example"),
        ("domain", "example"),
        ("network", "192.0.2.0/24"),
        ("network", "192.0.2.1/32"),
        ("provider", "hoster"),
        ("sector", "de/health"),
        ("country", "DE"),
    ]);
    let roles = prop::sample::select(vec![
        "owner",
        "abuse",
        "provider",
        "sector_cert",
        "national_cert",
    ]);
    (scopes, roles, any::<[bool; 4]>(), 0_u8..3).prop_map(
        |((scope, subject), role, [verified, manual, letter, german], n)| {
            let mut row = contact(scope, subject, role, &format!("{role}{n}@{n}.example"));
            row.verified = verified;
            if manual {
                "manual".clone_into(&mut row.origin);
            }
            if letter {
                "letter".clone_into(&mut row.channel);
            }
            row.language = Some(if german { "de" } else { "en" }.to_owned());
            row
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_shell_reaches_anybody_but_a_verified_owner(
        contacts in prop::collection::vec(any_contact(), 0..12),
        claims in prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), prop::sample::select(vec!["vulnerable", "exploited", "web_shell"])), 1..6),
        days in 0_i64..12,
    ) {
        let verified: BTreeSet<(String, String)> = contacts
            .iter()
            .filter(|row| row.verified && row.role == "owner")
            .map(|row| (row.channel.clone(), row.address.clone()))
            .collect();
        let mut world = World::new(&claims, contacts);
        let first = world.queue();
        world.keep(first);
        world.along(&[State::Released, State::InDoubt, State::Sent]);
        world.now += days * DAY;
        let reminders = world.remind();
        world.keep(reminders);
        let from = "CERT <cert@cert.example>".parse().unwrap();
        for notice in &world.notices {
            let mut bytes = format!("{}\n{}\n{}", notice.subject, notice.body, notice.attachment.as_deref().unwrap_or_default());
            if notice.channel == "email" {
                let sent = mail::mail(notice, &from, jiff::Timestamp::from_microsecond(NOW).unwrap()).unwrap();
                bytes.push_str(&String::from_utf8_lossy(&sent.bytes));
            }
            let tells = bytes.contains(SECRET);
            let may = verified.contains(&(notice.channel.clone(), notice.address.clone()));
            prop_assert!(!tells || may && notice.level == "full", "{} {}", notice.address, bytes);
            // Who is no verified owner or CERT reads no name of an organisation either.
            if ["minimum", "bare"].contains(&notice.level.as_str()) {
                prop_assert!(!bytes.contains("Clinic"), "{bytes}");
            }
            prop_assert!(notice.subject.contains("TLP:") && bytes.contains(&notice.id));
            prop_assert!(Level::parse(&notice.level).is_some());
        }
    }

    #[test]
    fn no_order_of_steps_sends_a_notice_twice(steps in prop::collection::vec(0_usize..State::ALL.len(), 0..40)) {
        let mut notice = NoticeRow { state: "queued".to_owned(), ..NoticeRow::default() };
        let (mut accepted, mut ended) = (0, false);
        for index in steps {
            let to = State::ALL[index];
            let before = notice.state.clone();
            if step(&mut notice, 0, to, NOW, None, "").is_ok() {
                // What ended stays so, and what a server took is never claimed again.
                prop_assert!(!ended, "{before} became {}", to.name());
                prop_assert!(to != State::InDoubt || accepted == 0);
                prop_assert!(to != State::InDoubt || before == "released");
                accepted += usize::from(to == State::Sent);
                ended = matches!(to, State::Suppressed | State::Retracted);
            } else {
                prop_assert_eq!(&notice.state, &before);
            }
        }
        prop_assert!(accepted <= 1);
    }
}

#[test]
fn suppressed_addresses_are_not_written_to() {
    let row = |kind: &str, value: &str| SuppressionRow {
        kind: kind.to_owned(),
        value: value.to_owned(),
        why: "asked".to_owned(),
        ..SuppressionRow::default()
    };
    let abuse = contact("domain", "a.example", "abuse", "abuse@mail.a.example");
    for (kind, value) in [
        ("address", "abuse@mail.a.example"),
        ("domain", "a.example"),
        ("organisation", "a"),
    ] {
        let mut world = World::new(&[("a", "web_shell")], vec![abuse.clone()]);
        assert_eq!(world.queue().written.len(), 1);
        world.suppressions = Suppressions::of(vec![row(kind, value)]);
        assert!(world.queue().written.is_empty(), "{kind}");
    }
}
