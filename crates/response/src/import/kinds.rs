//! A row of each kind of list.

use super::parse::{self, Cells};
use super::{Options, Outcome, Planned, Rows, asset_key, derived, settle};
use crate::registry::{AssetKind, folded};
use std::collections::BTreeSet;
use store::response::{AliasRow, AssetRow, ContactRow, OrganisationRow, ResponderRow};

type Done = Result<(String, Outcome), &'static str>;

const CONTRADICTS: &str = "the row contradicts an earlier one of the same list";

/// Columns of a list of organisations that hold several assets in a cell.
const ASSET_COLUMNS: [(&str, AssetKind); 5] = [
    ("hosts", AssetKind::Host),
    ("addresses", AssetKind::Address),
    ("networks", AssetKind::Network),
    ("domains", AssetKind::Domain),
    ("certificates", AssetKind::Certificate),
];

/// More hours than a week of a large team has.
const HOURS_MAX: f64 = 100_000.0;

fn fill(field: &mut Option<String>, said: Option<String>) {
    if said.is_some() {
        *field = said;
    }
}

/// Whether a change takes back what an earlier row of the same list said.
fn contradicts(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Changed { fields } if fields.iter().any(|field| field.before.is_some()))
}

pub(super) fn organisation(
    rows: &mut Rows,
    cells: Cells<'_>,
    options: Options<'_>,
    seen: &mut BTreeSet<String>,
    planned: &mut Planned,
) -> Done {
    let name = cells.name("name")?.ok_or("the name is missing")?;
    let country = cells.country()?;
    let id = cells.id()?.unwrap_or_else(|| {
        let country = country.as_deref().unwrap_or_default();
        derived("o", &["organisation", &folded(&name), country])
    });
    let before = rows.organisations.get(&id);
    let mut row = before.cloned().unwrap_or_else(|| OrganisationRow {
        id: id.clone(),
        added: options.now,
        ..OrganisationRow::default()
    });
    row.name.clone_from(&name);
    fill(&mut row.country, country);
    fill(&mut row.sector, cells.word("sector")?);
    fill(&mut row.region, cells.name("region")?);
    fill(&mut row.supplier, cells.name("supplier")?);
    let sizes = ["micro", "small", "medium", "large"];
    let size = cells.one_of(
        "size",
        &sizes,
        "the size is none of micro, small, medium, large",
    )?;
    fill(&mut row.size, size.map(str::to_owned));
    // Everything of the row is checked before anything of it is done.
    let mut assets = Vec::new();
    for (column, kind) in ASSET_COLUMNS {
        for value in cells.list(column) {
            assets.push((kind, parse::asset(kind, value)?));
        }
    }
    let (row, mut outcome) = settle(before, row, options);
    if !seen.insert(id.clone()) && contradicts(&outcome) {
        return Err(CONTRADICTS);
    }
    if matches!(outcome, Outcome::Added | Outcome::Changed { .. }) {
        rows.name(&row.name, &id);
        planned.organisations.push(row.clone());
        rows.organisations.insert(id.clone(), row);
    }
    let mut more = false;
    for alias in cells.list("aliases") {
        more |= is_new(&put_alias(rows, alias, &id, options, planned));
    }
    for (kind, value) in assets {
        more |= is_new(&put_asset(rows, kind, value, &id, options, planned));
    }
    if more && outcome == Outcome::Unchanged {
        outcome = Outcome::Changed { fields: vec![] };
    }
    Ok((format!("{id} {name}"), outcome))
}

fn is_new(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Added | Outcome::Changed { .. })
}

fn put_alias(
    rows: &mut Rows,
    name: &str,
    organisation: &str,
    options: Options<'_>,
    planned: &mut Planned,
) -> Outcome {
    let key = (name.to_owned(), organisation.to_owned());
    let before = rows.aliases.get(&key);
    let row = before.cloned().unwrap_or_else(|| AliasRow {
        name: name.to_owned(),
        organisation: organisation.to_owned(),
        ..AliasRow::default()
    });
    let (row, outcome) = settle(before, row, options);
    if is_new(&outcome) {
        rows.name(name, organisation);
        planned.aliases.push(row.clone());
        rows.aliases.insert(key, row);
    }
    outcome
}

fn put_asset(
    rows: &mut Rows,
    kind: AssetKind,
    value: String,
    organisation: &str,
    options: Options<'_>,
    planned: &mut Planned,
) -> Outcome {
    let row = AssetRow {
        kind: kind.name().to_owned(),
        value,
        organisation: organisation.to_owned(),
        added: options.now,
        ..AssetRow::default()
    };
    let key = asset_key(&row);
    let before = rows.assets.get(&key);
    let row = before.cloned().unwrap_or(row);
    let (row, outcome) = settle(before, row, options);
    if is_new(&outcome) {
        planned.assets.push(row.clone());
        rows.assets.insert(key, row);
    }
    outcome
}

pub(super) fn alias(
    rows: &mut Rows,
    cells: Cells<'_>,
    options: Options<'_>,
    planned: &mut Planned,
) -> Done {
    let alias = cells.name("alias")?.ok_or("the alias is missing")?;
    let named = cells.name("organisation")?;
    let id = rows.organisation(&named.ok_or("the organisation is missing")?)?;
    let outcome = put_alias(rows, &alias, &id, options, planned);
    Ok((format!("{alias} = {id}"), outcome))
}

pub(super) fn asset(
    rows: &mut Rows,
    cells: Cells<'_>,
    options: Options<'_>,
    planned: &mut Planned,
) -> Done {
    const KIND: &str = "the kind is none of host, address, network, domain, certificate";
    let kind = cells.word("kind")?.ok_or(KIND)?;
    let kind = AssetKind::parse(&kind).ok_or(KIND)?;
    let value = parse::asset(kind, cells.get("value").ok_or("the value is missing")?)?;
    let named = cells.name("organisation")?;
    let id = rows.organisation(&named.ok_or("the organisation is missing")?)?;
    let what = format!("{} {value} of {id}", kind.name());
    let outcome = put_asset(rows, kind, value, &id, options, planned);
    Ok((what, outcome))
}

/// Scopes of a contact.
const SCOPES: [&str; 6] = [
    "organisation",
    "domain",
    "network",
    "provider",
    "sector",
    "country",
];

pub(super) fn contact(
    rows: &mut Rows,
    cells: Cells<'_>,
    options: Options<'_>,
    seen: &mut BTreeSet<String>,
    planned: &mut Planned,
) -> Done {
    let unknown = "the scope is none of organisation, domain, network, provider, sector, country";
    let scope = cells.one_of("scope", &SCOPES, unknown)?;
    let scope = scope.unwrap_or("organisation");
    let subject = match (cells.get("subject"), cells.get("organisation")) {
        (Some(subject), _) => subject,
        (None, Some(organisation)) if scope == "organisation" => organisation,
        _ => return Err("it is not said for whom the contact speaks"),
    };
    let subject = subject_of(rows, scope, subject)?;
    let roles = ["owner", "abuse", "provider", "sector_cert", "national_cert"];
    let unknown = "the role is none of owner, abuse, provider, sector_cert, national_cert";
    let role = cells.one_of("role", &roles, unknown)?;
    let role = role.unwrap_or(match scope {
        "organisation" => "owner",
        "provider" => "provider",
        "sector" => "sector_cert",
        "country" => "national_cert",
        _ => "abuse",
    });
    let address = cells.get("address").ok_or("the address is missing")?;
    let unknown = "the channel is none of email, letter";
    let channel = cells.one_of("channel", &["email", "letter"], unknown)?;
    let channel = channel.unwrap_or(if address.contains('@') {
        "email"
    } else {
        "letter"
    });
    let address = match channel {
        "email" => parse::email(address)?,
        _ => address.to_owned(),
    };
    let id = derived("c", &["contact", scope, &subject, role, channel, &address]);
    let before = rows.contacts.get(&id);
    let what = format!("{role} of {scope} {subject}: {address}");
    let mut row = before.cloned().unwrap_or_else(|| ContactRow {
        id: id.clone(),
        scope: scope.to_owned(),
        subject,
        role: role.to_owned(),
        channel: channel.to_owned(),
        address,
        added: options.now,
        ..ContactRow::default()
    });
    fill(&mut row.name, cells.name("name")?);
    let language = cells.get("language").map(parse::language).transpose()?;
    fill(&mut row.language, language);
    let unknown = "the audience is none of administrator, manager";
    let audience = cells.one_of("audience", &["administrator", "manager"], unknown)?;
    fill(&mut row.audience, audience.map(str::to_owned));
    if let Some(key) = cells.get("pgp_key") {
        if !key.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
            return Err("the OpenPGP key is no public key in ASCII armour");
        }
        row.pgp_key = Some(key.to_owned());
    }
    if let Some(verified) = cells.get("verified") {
        let verified = parse::truth(verified)?;
        // Details of an intrusion go to verified owners: a list alone must not make anybody one.
        if verified && !options.manual {
            return Err("only a manual import can call a contact verified");
        }
        if options.manual {
            row.verified = verified;
        }
    }
    let (row, outcome) = settle(before, row, options);
    if !seen.insert(id.clone()) && contradicts(&outcome) {
        return Err(CONTRADICTS);
    }
    if is_new(&outcome) {
        planned.contacts.push(row.clone());
        rows.contacts.insert(id, row);
    }
    Ok((what, outcome))
}

fn subject_of(rows: &Rows, scope: &str, subject: &str) -> Result<String, &'static str> {
    match scope {
        "organisation" => rows.organisation(subject),
        "domain" => parse::asset(AssetKind::Domain, subject),
        "network" => parse::asset(AssetKind::Network, subject),
        "country" => parse::country(subject),
        "sector" => {
            const WHY: &str = "a sector is written as country/sector";
            let (country, sector) = subject.split_once('/').ok_or(WHY)?;
            let country = parse::country(country.trim())?;
            Ok(format!("{country}/{}", sector.trim().to_lowercase()))
        }
        _ => Ok(subject.to_owned()),
    }
}

pub(super) fn responder(
    rows: &mut Rows,
    cells: Cells<'_>,
    options: Options<'_>,
    seen: &mut BTreeSet<String>,
    planned: &mut Planned,
) -> Done {
    let name = cells.name("name")?.ok_or("the name is missing")?;
    let id = cells
        .id()?
        .unwrap_or_else(|| derived("r", &["responder", &folded(&name)]));
    let before = rows.responders.get(&id);
    let mut row = before.cloned().unwrap_or_else(|| ResponderRow {
        id: id.clone(),
        skills: "[]".to_owned(),
        languages: "[]".to_owned(),
        added: options.now,
        ..ResponderRow::default()
    });
    row.name.clone_from(&name);
    if let Some(hours) = cells.get("hours") {
        let hours: f64 = hours.parse().map_err(|_error| "the hours are no number")?;
        if !(0.0..=HOURS_MAX).contains(&hours) {
            return Err("the hours are no number of hours a week");
        }
        row.hours = hours;
    } else if before.is_none() {
        return Err("the hours are missing");
    }
    let words = |list: Vec<String>| serde_json::Value::from(list).to_string();
    if cells.get("skills").is_some() {
        let skills: BTreeSet<String> = cells.list("skills").map(str::to_lowercase).collect();
        row.skills = words(skills.into_iter().collect());
    }
    if cells.get("languages").is_some() {
        let languages = cells.list("languages").map(parse::language);
        row.languages = words(languages.collect::<Result<_, _>>()?);
    }
    fill(&mut row.region, cells.name("region")?);
    let (row, outcome) = settle(before, row, options);
    if !seen.insert(id.clone()) && contradicts(&outcome) {
        return Err(CONTRADICTS);
    }
    if is_new(&outcome) {
        planned.responders.push(row.clone());
        rows.responders.insert(id.clone(), row);
    }
    Ok((format!("{id} {name}"), outcome))
}
