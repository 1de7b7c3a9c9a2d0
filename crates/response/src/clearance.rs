//! A clearance: a signed statement that one host is clear of one campaign, with all that it rests on.
//!
//! It is issued only where the judgement of the case assures it and every gate of the eviction passed: what evidence cannot show passes by a
//! named person's statement alone, and is shown as that. A claim of anybody else passes nothing.

use jiff::SignedDuration;
use model::Timestamp;
use model::report::{CampaignReport, GateState, HostReport, PackUsed, VerdictName};
use pack::Watch;
use report::{Block, Sheet};
use serde::{Deserialize, Serialize};
use store::Head;
use store::response::{ClearanceRow, ObservationRow};

/// Form of a document.
pub const FORMAT: &str = "allclear/clearance/1";
/// Form of a list of revocations.
pub const REVOCATIONS_FORMAT: &str = "allclear/revocations/1";

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clearance {
    pub format: String,
    pub id: String,
    /// What it says, and what it does not.
    pub scope: String,
    pub host: String,
    pub campaign: String,
    pub verdict: VerdictName,
    pub issued: Timestamp,
    /// Who issues it.
    pub by: String,
    /// The program that judged.
    pub version: String,
    pub packs: Vec<PackUsed>,
    pub collections: Vec<Collection>,
    /// What had to be seen, over which time, and how much of it was.
    pub window: Vec<Need>,
    /// What was not seen.
    pub not_seen: Vec<String>,
    pub gates: Vec<Gate>,
    pub reasons: Vec<String>,
    /// When the host has to be looked at again.
    pub watch: Option<WatchPlan>,
    /// The last entry of the case's audit chain before this was issued.
    pub audit: AuditHead,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    pub id: String,
    pub sha256: String,
    pub taken: Option<Timestamp>,
    pub container: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    pub title: String,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Thousandths of it that were seen, rounded down.
    pub seen: u16,
    pub sources: Vec<String>,
}

/// How a gate was passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub id: String,
    pub title: String,
    /// `evidence`, `person` or `not_applicable`.
    pub passed_by: String,
    pub reason: String,
    /// Who stated it, in which role, when.
    pub by: Option<String>,
    pub role: Option<String>,
    pub time: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchPlan {
    pub every_days: u16,
    pub times: u16,
    pub until: Timestamp,
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    pub seq: i64,
    pub hash: String,
}

/// A signed list of what does not hold any longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocations {
    pub format: String,
    /// When it was written: what was revoked later is not in it.
    pub written: Timestamp,
    pub revoked: Vec<Revoked>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    pub id: String,
    pub time: Timestamp,
    pub why: String,
}

/// What a clearance is asked for with.
pub struct Request<'a> {
    pub host: &'a HostReport,
    pub campaign: &'a str,
    pub packs: &'a [PackUsed],
    /// What was said of the host from outside.
    pub observations: &'a [ObservationRow],
    pub watch: Option<&'a Watch>,
    pub by: &'a str,
    pub now: Timestamp,
    pub version: &'a str,
    pub audit: Head,
}

/// The document, or every reason why there is none.
///
/// # Errors
/// The reasons, never none: the judgement does not assure it, a gate is not passed, or somebody outside reported the host after it was
/// last looked at.
pub fn document(request: &Request<'_>) -> Result<Clearance, Vec<String>> {
    let host = request.host;
    let mut campaigns = host.campaigns.iter();
    let Some(campaign) = campaigns.find(|known| known.campaign == request.campaign) else {
        return Err(vec![format!(
            "{} was not judged for {}",
            host.host, request.campaign
        )]);
    };
    let against = contrary(host, campaign, request.observations);
    if !against.is_empty() {
        return Err(against);
    }
    let watch = request.watch.map(|watch| WatchPlan {
        every_days: watch.every_days,
        times: watch.times,
        until: days_after(
            request.now,
            u32::from(watch.every_days) * u32::from(watch.times),
        ),
        source: watch.source.clone(),
    });
    // A host that nobody is known to have entered is not held to be watched for whoever comes back.
    let watch = watch.filter(|_| !campaign.eviction.gates.is_empty());
    let mut document = Clearance {
        format: FORMAT.to_owned(),
        id: String::new(),
        scope: format!(
            "This is about the host {} and the campaign {} alone, from the evidence that is named here. It says nothing about \
             other hosts, the domain, other intruders, or anything after the last collection.",
            host.host, campaign.campaign
        ),
        host: host.host.clone(),
        campaign: campaign.campaign.clone(),
        verdict: campaign.verdict,
        issued: request.now,
        by: request.by.to_owned(),
        version: request.version.to_owned(),
        packs: request
            .packs
            .iter()
            .filter(|pack| pack.name == campaign.campaign)
            .cloned()
            .collect(),
        collections: host
            .collections
            .iter()
            .map(|seen| Collection {
                id: seen.id.clone(),
                sha256: seen.sha256.clone(),
                taken: seen.taken,
                container: seen.container.clone(),
            })
            .collect(),
        window: campaign
            .coverage
            .needs
            .iter()
            .map(|need| Need {
                title: need.title.clone(),
                from: need.from,
                until: need.until,
                seen: need.seen.thousandths(),
                sources: need.sources.clone(),
            })
            .collect(),
        not_seen: not_seen(campaign),
        gates: campaign.eviction.gates.iter().map(gate).collect(),
        reasons: campaign.reasons.clone(),
        watch,
        audit: AuditHead {
            seq: request.audit.seq,
            hash: request.audit.hash.clone(),
        },
    };
    let bytes = serde_json::to_vec(&document).expect("a document is JSON");
    document.id = crate::import::derived("c", &[&String::from_utf8_lossy(&bytes)]);
    Ok(document)
}

/// Everything that speaks against a clearance of this host for this campaign; nothing where it can be issued, or still holds.
pub fn contrary(
    host: &HostReport,
    campaign: &CampaignReport,
    observations: &[ObservationRow],
) -> Vec<String> {
    let mut against = Vec::new();
    if !campaign.verdict.assures() {
        let first = campaign.reasons.first().map(String::as_str);
        against.push(format!(
            "the verdict is {}: {}",
            campaign.verdict.name(),
            first.unwrap_or("without a reason")
        ));
    }
    for gate in &campaign.eviction.gates {
        let attested = gate.attested.is_some();
        match gate.state {
            GateState::Pass | GateState::NotApplicable => {}
            GateState::Fail => against.push(format!("not passed: {}: {}", gate.title, gate.reason)),
            GateState::CannotTell if attested => {
                against.push(format!("cannot tell: {}: {}", gate.title, gate.reason));
            }
            GateState::CannotTell => against.push(format!(
                "cannot tell: {}: {} (gate {})",
                gate.title, gate.reason, gate.id
            )),
        }
    }
    let looked = host.collections.iter().filter_map(|seen| seen.taken).max();
    for seen in observations {
        let about = seen.campaign.is_empty() || seen.campaign == campaign.campaign;
        let bad = matches!(seen.claim.as_str(), "web_shell" | "exploited");
        let later = match (seen.seen, looked) {
            (Some(seen), Some(looked)) => seen > looked.as_microsecond(),
            // What has no time may be later.
            _ => true,
        };
        if about && bad && later && names(seen, &host.host) {
            against.push(format!(
                "{} reported {} by {} after the last collection",
                seen.source, seen.claim, seen.method
            ));
        }
    }
    against
}

/// Whether a report from outside names this host.
fn names(seen: &ObservationRow, host: &str) -> bool {
    let same = |name: &str| {
        let short = |name: &str| {
            name.split('.')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        !name.is_empty() && short(name) == short(host)
    };
    seen.host.as_deref().is_some_and(same) || (seen.asset_kind == "host" && same(&seen.asset))
}

fn not_seen(campaign: &CampaignReport) -> Vec<String> {
    let mut lines = Vec::new();
    for need in &campaign.coverage.needs {
        if need.seen.thousandths() < 1000 {
            lines.push(format!(
                "{}: {} of 1000 parts were seen",
                need.title,
                need.seen.thousandths()
            ));
        }
        for gap in &need.gaps {
            lines.push(format!("{}: {}", need.title, gap.detail));
        }
    }
    if lines.is_empty() {
        lines.push(
            "of what was needed nothing is missing; what the collections do not hold was not seen"
                .to_owned(),
        );
    }
    lines
}

fn gate(gate: &model::report::Gate) -> Gate {
    let attested = gate.attested.as_ref();
    Gate {
        id: gate.id.clone(),
        title: gate.title.clone(),
        passed_by: match (gate.state, attested) {
            (GateState::NotApplicable, _) => "not_applicable",
            (_, Some(_)) => "person",
            (_, None) => "evidence",
        }
        .to_owned(),
        reason: gate.reason.clone(),
        by: attested.map(|attested| attested.by.clone()),
        role: attested
            .map(|attested| attested.role.clone())
            .filter(|role| !role.is_empty()),
        time: attested.map(|attested| attested.time),
    }
}

fn days_after(time: Timestamp, days: u32) -> Timestamp {
    time.checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .unwrap_or(Timestamp::MAX)
}

/// The document for people. The signature is over the JSON alone, whose hash stands at the foot.
pub fn sheet(clearance: &Clearance, sha256: &str) -> Sheet {
    let time =
        |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let heading = |text: &str| Block::Heading(text.to_owned());
    let mut blocks = vec![
        Block::Facts(vec![
            ("Host".to_owned(), clearance.host.clone()),
            ("Campaign".to_owned(), clearance.campaign.clone()),
            ("Verdict".to_owned(), clearance.verdict.name().to_owned()),
            ("Issued".to_owned(), clearance.issued.to_string()),
            ("By".to_owned(), clearance.by.clone()),
            ("Number".to_owned(), clearance.id.clone()),
        ]),
        Block::Text(clearance.scope.clone()),
        heading("Why"),
    ];
    blocks.extend(clearance.reasons.iter().cloned().map(Block::Text));
    if !clearance.gates.is_empty() {
        blocks.push(heading("Gates"));
        blocks.push(Block::Table {
            heads: ["Gate", "Shown by", "Reason"].map(str::to_owned).to_vec(),
            shares: vec![34, 18, 48],
            rows: clearance
                .gates
                .iter()
                .map(|gate| {
                    let by = match gate.passed_by.as_str() {
                        "person" => format!(
                            "statement of {}{}",
                            gate.by.as_deref().unwrap_or("-"),
                            gate.role
                                .as_deref()
                                .map(|role| format!(", {role}"))
                                .unwrap_or_default()
                        ),
                        "not_applicable" => "does not apply".to_owned(),
                        other => other.to_owned(),
                    };
                    vec![gate.title.clone(), by, gate.reason.clone()]
                })
                .collect(),
        });
    }
    blocks.push(heading("Evidence"));
    blocks.push(Block::Table {
        heads: ["Collection", "Taken", "SHA-256"]
            .map(str::to_owned)
            .to_vec(),
        shares: vec![26, 26, 48],
        rows: clearance
            .collections
            .iter()
            .map(|seen| {
                vec![
                    seen.id.chars().take(16).collect(),
                    time(seen.taken),
                    seen.sha256.clone(),
                ]
            })
            .collect(),
    });
    blocks.push(heading("What had to be seen"));
    blocks.push(Block::Table {
        heads: ["Need", "From", "Until", "Seen"]
            .map(str::to_owned)
            .to_vec(),
        shares: vec![40, 24, 24, 12],
        rows: clearance
            .window
            .iter()
            .map(|need| {
                vec![
                    need.title.clone(),
                    time(need.from),
                    time(need.until),
                    format!("{}.{} %", need.seen / 10, need.seen % 10),
                ]
            })
            .collect(),
    });
    blocks.push(heading("What was not seen"));
    blocks.extend(clearance.not_seen.iter().cloned().map(Block::Text));
    if let Some(watch) = &clearance.watch {
        blocks.push(heading("What has to be done still"));
        blocks.push(Block::Text(format!(
            "A new collection every {} days until {} ({}). Later facts against it revoke this clearance.",
            watch.every_days, watch.until, watch.source
        )));
    }
    blocks.push(heading("How to check this"));
    blocks.push(Block::Text(format!(
        "Only the file {}.json with its signature counts. Its SHA-256 is {sha256}. `allclear clearance verify {}.json --key KEY.pub`, or \
         `minisign -Vm {}.json -p KEY.pub`, with the key that the issuer gave you by another way.",
        clearance.id, clearance.id, clearance.id
    )));
    let packs: Vec<String> = clearance
        .packs
        .iter()
        .map(|pack| format!("{} {}", pack.name, pack.version))
        .collect();
    Sheet {
        title: format!("Clearance of {}", clearance.host),
        blocks,
        foot: format!(
            "{} - allclear {} - packs {} - audit {} {}",
            clearance.id,
            clearance.version,
            packs.join(", "),
            clearance.audit.seq,
            clearance.audit.hash.get(..16).unwrap_or_default()
        ),
    }
}

/// Why a document is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this is no clearance: {0}")]
    Malformed(String),
    #[error("it is signed with another key")]
    OtherKey,
    #[error("the signature is not one of this document: one of the two was changed")]
    Tampered,
    #[error("it was revoked on {0}: {1}")]
    Revoked(Timestamp, String),
}

/// Checks a document with its signature, and with a list of revocations where there is one (with its own signature).
pub fn verify(
    document: &[u8],
    signature: &str,
    key: &str,
    revocations: Option<(&[u8], &str)>,
) -> Result<Clearance, Refused> {
    signed(document, signature, key)?;
    let read: Clearance =
        serde_json::from_slice(document).map_err(|error| Refused::Malformed(error.to_string()))?;
    if read.format != FORMAT {
        return Err(Refused::Malformed(format!("its form is {}", read.format)));
    }
    if let Some((list, list_signature)) = revocations {
        signed(list, list_signature, key)?;
        let list: Revocations =
            serde_json::from_slice(list).map_err(|error| Refused::Malformed(error.to_string()))?;
        if list.format != REVOCATIONS_FORMAT {
            return Err(Refused::Malformed(format!(
                "the list's form is {}",
                list.format
            )));
        }
        if let Some(revoked) = list.revoked.into_iter().find(|known| known.id == read.id) {
            return Err(Refused::Revoked(revoked.time, revoked.why));
        }
    }
    Ok(read)
}

fn signed(bytes: &[u8], signature: &str, key: &str) -> Result<(), Refused> {
    crate::signing::check(bytes, signature, key).map_err(|error| match error {
        pack::SignatureError::OtherKey => Refused::OtherKey,
        pack::SignatureError::Wrong => Refused::Tampered,
        other => Refused::Malformed(other.to_string()),
    })
}

/// One look at a host after its clearance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    pub number: u16,
    pub due: Timestamp,
    /// The collection that was taken for it: the first one after the look before was due.
    pub done: Option<Timestamp>,
    /// Nothing was collected, and it should have been.
    pub overdue: bool,
}

/// The looks that a clearance asks for.
pub fn looks(clearance: &Clearance, collected: &[Timestamp], now: Timestamp) -> Vec<Look> {
    let Some(watch) = &clearance.watch else {
        return Vec::new();
    };
    (1..=watch.times)
        .map(|number| {
            let days = |looks: u16| u32::from(looks) * u32::from(watch.every_days);
            let since = days_after(clearance.issued, days(number - 1));
            let due = days_after(clearance.issued, days(number));
            let done = collected
                .iter()
                .copied()
                .filter(|taken| *taken > since && (*taken <= due || number == watch.times))
                .min();
            Look {
                number,
                due,
                done,
                overdue: done.is_none() && now > due,
            }
        })
        .collect()
}

/// The row that the case keeps of a clearance.
pub fn row(
    clearance: &Clearance,
    document: String,
    sha256: String,
    signature: String,
) -> ClearanceRow {
    ClearanceRow {
        id: clearance.id.clone(),
        host: clearance.host.clone(),
        campaign: clearance.campaign.clone(),
        verdict: clearance.verdict.name().to_owned(),
        issued: clearance.issued.as_microsecond(),
        person: clearance.by.clone(),
        document,
        sha256,
        signature,
        watch_until: clearance
            .watch
            .as_ref()
            .map(|watch| watch.until.as_microsecond()),
        revoked: None,
        revoked_person: None,
        revoked_why: None,
    }
}
