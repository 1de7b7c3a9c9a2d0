//! Published names, made-up names, damaged names, and the passive DNS of the campaign that the scheme is of.

use super::*;
use expect_test::expect;
use std::fmt::Write as _;

/// The parameters of the pack that needs this analysis.
fn scheme() -> Scheme {
    let text = include_str!("../../../../../packs/sunburst/analyses.yaml");
    let rules: Vec<pack::AnalysisRule> = serde_yaml_ng::from_str(text).unwrap();
    Scheme::new(&rules[0].parameters).unwrap()
}

impl Scheme {
    /// The label that a backdoor would make of these bytes.
    fn pack(&self, bytes: &[u8]) -> String {
        let (mut bits, mut held) = (0_u32, 0_u32);
        let mut letters = String::new();
        let alphabet = self.written.alphabet.as_bytes();
        for byte in bytes {
            bits |= u32::from(*byte) << held;
            held += 8;
            while held >= 5 {
                letters.push(char::from(alphabet[(bits & 31) as usize]));
                bits >>= 5;
                held -= 5;
            }
        }
        if held > 0 {
            letters.push(char::from(alphabet[(bits & 31) as usize]));
        }
        letters
    }

    fn name(&self, label: &str, victim: [u8; 8]) -> String {
        let regions = &self.written.regions;
        let region = &regions[usize::from(victim[0]) % regions.len()];
        format!("{label}.{}.{region}", self.written.service)
    }

    fn piece_name(&self, key: u8, victim: [u8; 8], number: Option<u8>, text: &str) -> String {
        let key = key | PIECE_BIT;
        let bytes: Vec<u8> = std::iter::once(key)
            .chain(victim.map(|byte| byte ^ key))
            .collect();
        let head = self.pack(&bytes);
        let numbers = self.written.numbers.as_bytes();
        let number = number.map_or(numbers.len() - 1, usize::from);
        let letter = numbers[(usize::from(head.as_bytes()[0]) + number) % numbers.len()];
        self.name(&format!("{head}{}{text}", char::from(letter)), victim)
    }

    fn report_name(&self, key: u8, victim: [u8; 8], value: u32, products: &[u8]) -> String {
        let kind = if products.is_empty() { 1 } else { 2 };
        let [_, high, middle, low] = value.to_be_bytes();
        let tail = [high & 0x0F | kind << 4, middle, low];
        let mut plain: Vec<u8> = victim.to_vec();
        for (at, byte) in plain.iter_mut().enumerate() {
            *byte ^= tail[2 - at % 2];
        }
        plain.extend(tail);
        plain.extend(products);
        let key = key & !PIECE_BIT;
        let bytes: Vec<u8> = std::iter::once(key)
            .chain(plain.iter().map(|byte| byte ^ key))
            .collect();
        self.name(&self.pack(&bytes), victim)
    }
}

fn told(scheme: &Scheme, label: &str) -> String {
    let found =
        scheme.written.regions.iter().find_map(|region| {
            scheme.decode(&format!("{label}.{}.{region}", scheme.written.service))
        });
    match found {
        None => "-".to_owned(),
        Some(message) => {
            let id = id_text(message.victim);
            match message.content {
                Content::Piece { number, text } => {
                    let plain = scheme.domain(&text).unwrap_or_default();
                    format!("{id} piece {number:?} {plain}")
                }
                Content::Report {
                    time,
                    accepted,
                    products,
                } => {
                    let products = products.map(|bits| scheme.products(&bits));
                    format!("{id} {time} accepted {accepted} {products:?}")
                }
            }
        }
    }
}

/// Names that the literature decodes: NETRESEC's pages on fragments, products and the second stage.
#[test]
fn published_names_read_as_published() {
    let scheme = scheme();
    let mut text = String::new();
    for label in [
        "r1qshoj05ji05ac6eoip02jovt6i2v0c",
        "q94idf4sjbem0rait7gv",
        "lt5ai41qh5d53qoti3mkmc0",
        "gp27ssesmvnpkgff7rc0eok",
        "e8fh1ravufms0qpt00gudir2951udivf",
        "6a57jk2ba1d9keg15cbg",
        "5btjo4rcbp3tiq8bo6t",
    ] {
        writeln!(text, "{label} {}", told(&scheme, label)).unwrap();
    }
    expect![[r#"
        r1qshoj05ji05ac6eoip02jovt6i2v0c F9A9387F7D252842 piece Some(0) city.kingston.
        q94idf4sjbem0rait7gv F9A9387F7D252842 2020-06-17T00:00:00Z accepted false None
        lt5ai41qh5d53qoti3mkmc0 F9A9387F7D252842 2020-06-16T00:00:00Z accepted false Some("Windows Defender running, Windows Defender stopped")
        gp27ssesmvnpkgff7rc0eok 76330B4D49BF7EC4 2020-05-30T12:30:00Z accepted false Some("ESET running, ESET stopped")
        e8fh1ravufms0qpt00gudir2951udivf 76330B4D49BF7EC4 piece Some(0) LABELMAR
        6a57jk2ba1d9keg15cbg FC07EB59E028D3EE 2020-06-13T09:00:00Z accepted true None
        5btjo4rcbp3tiq8bo6t -
    "#]].assert_eq(&text);
}

#[test]
fn what_is_encoded_is_decoded() {
    let scheme = scheme();
    let victim = [0x9A, 1, 2, 3, 4, 5, 6, 0xFF];
    for key in [1, 0x55, 0x7E] {
        let name = scheme.report_name(key, victim, 367_000 << 1 | 1, &[0x30, 0x01]);
        let message = scheme.decode(&name).unwrap();
        assert_eq!(message.victim, victim);
        let Content::Report {
            time,
            accepted,
            products,
        } = message.content
        else {
            panic!("{name}");
        };
        assert_eq!(time.to_string(), "2030-12-07T20:00:00Z");
        assert!(accepted);
        assert_eq!(
            scheme.products(&products.unwrap()),
            "Windows Defender running, ESET running, ESET stopped"
        );
        for number in [Some(0), Some(3)] {
            let name = scheme.piece_name(key, victim, number, "ervisu10odohu0it");
            let message = scheme.decode(&name).unwrap();
            assert_eq!(
                (message.victim, message.content),
                (
                    victim,
                    Content::Piece {
                        number,
                        text: "ervisu10odohu0it".to_owned()
                    }
                )
            );
        }
    }
    // In another region it is nobody's.
    let name = scheme.report_name(3, victim, 367_000 << 1, &[]);
    let other = name.replace(&scheme.written.regions[2], &scheme.written.regions[1]);
    assert!(scheme.decode(&name).is_some() && scheme.decode(&other).is_none());
}

#[test]
fn damaged_names_tell_nothing_and_break_nothing() {
    let scheme = scheme();
    let name = scheme.report_name(3, [1; 8], 367_000 << 1, &[0, 0]);
    for end in 0..name.len() {
        assert!(scheme.decode(&name[..end]).is_none(), "{end}");
    }
    for name in [
        "",
        ".",
        "..",
        "ä.appsync-api.eu-west-1",
        "ääääääääääääääääääää.appsync-api.eu-west-1",
    ] {
        assert!(scheme.decode(name).is_none(), "{name}");
    }
    assert_eq!(scheme.domain("0"), Some(String::new()));
    assert_eq!(scheme.domain("00"), Some(String::new()));
    assert_eq!(scheme.domain("r00"), None);
}

#[test]
fn answers_accept_by_address_or_by_naming_a_server() {
    let scheme = scheme();
    let told = |answer: &str| scheme.acceptance("x.appsync-api.eu-west-1.avsvmcloud.com", answer);
    assert_eq!(told("18.130.4.5"), Some(String::new()));
    assert_eq!(told("::ffff:184.73.1.2;"), Some(String::new()));
    assert_eq!(
        told("type:  5 server.example;::ffff:192.0.2.1;").as_deref(),
        Some("server.example")
    );
    assert_eq!(told("<CNAME>"), Some(String::new()));
    assert_eq!(told("20.140.0.1"), None);
    assert_eq!(
        told("8.18.145.3, x.appsync-api.eu-west-1.avsvmcloud.com."),
        None
    );
    assert_eq!(told("NXDOMAIN"), None);
}

/// The passive DNS that was published under CC0; the figures stand in the domain notes of this project.
#[test]
fn passive_dns_of_the_campaign_gives_its_victims() {
    let Some(names) = shared("evidence/sunburst/passive-dns-hostnames.txt") else {
        return;
    };
    let scheme = scheme();
    let (mut pieces, mut plain, mut with_products, mut undecoded) = (0, 0, 0, Vec::new());
    let mut victims: BTreeMap<[u8; 8], Victim> = BTreeMap::new();
    let mut accepted = BTreeSet::new();
    for name in names.lines() {
        let rest = scheme.below_parent(name).unwrap();
        let Some(message) = scheme.decode(rest) else {
            undecoded.push(name);
            continue;
        };
        match &message.content {
            Content::Piece { .. } => pieces += 1,
            Content::Report { products: None, .. } => plain += 1,
            Content::Report {
                products: Some(_), ..
            } => with_products += 1,
        }
        if let Content::Report { accepted: true, .. } = message.content {
            accepted.insert(message.victim);
        }
        victims
            .entry(message.victim)
            .or_default()
            .add(message.content);
    }
    assert_eq!(names.lines().count(), 1_722);
    assert_eq!((pieces, plain, with_products), (1_076, 357, 288));
    assert_eq!(
        undecoded,
        ["5btjo4rcbp3tiq8bo6t.appsync-api.us-east-1.avsvmcloud.com"]
    );
    assert_eq!(victims.len(), 410);
    assert_eq!(accepted.len(), 6);
    let with_domain = victims
        .values()
        .filter(|victim| victim.domain(&scheme).is_some())
        .count();
    assert_eq!(with_domain, 318);
    let spans: Vec<(Timestamp, Timestamp)> =
        victims.values().filter_map(|victim| victim.span).collect();
    let first = spans.iter().map(|span| span.0).min().unwrap();
    let last = spans.iter().map(|span| span.1).max().unwrap();
    assert_eq!(
        format!("{first} {last}"),
        "2020-04-04T06:30:00Z 2020-10-06T23:30:00Z"
    );
    // The names that Mandiant saw answered with a CNAME, and when.
    let mut answered = BTreeSet::new();
    let rows = shared("evidence/indicators/mandiant-sunburst-nbis.csv").unwrap();
    for row in rows.lines().filter(|row| row.contains(",CNAME,")) {
        let fields: Vec<&str> = row.split(',').collect();
        let name = fields[2].replace("[.]", ".");
        let message = scheme.decode(scheme.below_parent(&name).unwrap()).unwrap();
        let Content::Report {
            time,
            accepted: true,
            ..
        } = message.content
        else {
            panic!("{name}");
        };
        let seen: Timestamp = format!("{}Z", fields[5].replace(' ', "T")).parse().unwrap();
        let apart = seen.as_second().abs_diff(time.as_second());
        assert!(apart <= 1_800, "{name}: {time}, seen {seen}");
        answered.insert(message.victim);
    }
    assert_eq!(answered.len(), 5);
    assert!(answered.is_subset(&accepted));
}

/// A file of the folder beside the project; says where it is absent.
#[expect(clippy::disallowed_methods, reason = "test data, not evidence")]
fn shared(path: &str) -> Option<String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let text = std::fs::read_to_string(format!("{root}/../../../shared/{path}")).ok();
    if text.is_none() {
        eprintln!("skipped: {path} is not in ../shared");
    }
    text
}
