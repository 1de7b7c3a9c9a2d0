//! What a case keeps of notices: settings, templates, and everything that new ones are made of.

use super::Setup;
use crate::case::{failure, open};
use crate::exit::Failure;
use crate::{Outcome, output, settings};
use pack::PackFiles;
use response::notice::facts::{Subject, subjects};
use response::notice::queue::Given;
use response::notice::release::ALONE_DEFAULT;
use response::notice::route::{Contacts, Suppressions};
use response::notice::text::{Sender, Templates};
use response::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use store::response::{NoticeRow, NoticeSettingRow, NoticeSubjectRow, SuppressionRow};
use store::{Case, VerdictRow};

const PER_DOMAIN_DEFAULT: u64 = 30;
const PER_HOUR_DEFAULT: u64 = 2000;

/// What was said by `notice setup`.
#[derive(Debug)]
pub(super) struct Settings {
    rows: BTreeMap<String, String>,
}

impl Settings {
    pub(super) fn of(case: &Case) -> Result<Self, Failure> {
        let rows: Vec<NoticeSettingRow> = case.rows().map_err(failure)?;
        Ok(Self {
            rows: rows.into_iter().map(|row| (row.key, row.value)).collect(),
        })
    }

    fn text(&self, key: &str) -> String {
        self.rows.get(key).cloned().unwrap_or_default()
    }

    fn number(&self, key: &str, default: u64) -> u64 {
        let value = self.rows.get(key).and_then(|value| value.parse().ok());
        value.unwrap_or(default)
    }

    pub(super) fn sender(&self) -> Result<Sender, Failure> {
        let sender = Sender {
            name: self.text("sender"),
            verify: self.text("verify"),
            phone: self.text("phone"),
        };
        if sender.name.is_empty() || sender.verify.is_empty() && sender.phone.is_empty() {
            return Err(Failure::usage(
                "nobody said who sends notices, or how a recipient can check that",
                "`allclear notice setup CASE --by NAME --sender NAME --verify URL`; --phone instead of --verify will do",
            ));
        }
        Ok(sender)
    }

    pub(super) fn alone(&self) -> u64 {
        self.number("alone", ALONE_DEFAULT)
    }

    pub(super) fn per_domain(&self) -> u64 {
        self.number("per_domain", PER_DOMAIN_DEFAULT)
    }

    pub(super) fn per_hour(&self) -> u64 {
        self.number("per_hour", PER_HOUR_DEFAULT)
    }

    /// What ticket codes are made of; made when it is first asked for.
    pub(super) fn secret(&self, case: &Case, now: i64, person: &str) -> Result<String, Failure> {
        if let Some(secret) = self.rows.get("secret") {
            return Ok(secret.clone());
        }
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(Failure::fault)?;
        let secret = crate::lists::hex(&bytes);
        let row = setting("secret", &secret, person, now);
        case.change(now, async |change| {
            // Whoever came first wins: all codes are made of one secret.
            if change.add(std::slice::from_ref(&row)).await? > 0 {
                let detail = serde_json::json!({ "by": person });
                change.note("notice secret made", &detail).await?;
            }
            let kept = change.row::<NoticeSettingRow>(&["secret"]).await?;
            Ok(kept.map_or(secret, |row| row.value))
        })
        .map_err(failure)
    }
}

fn setting(key: &str, value: &str, person: &str, now: i64) -> NoticeSettingRow {
    NoticeSettingRow {
        key: key.to_owned(),
        value: value.to_owned(),
        person: person.to_owned(),
        made: now,
    }
}

pub(super) fn setup(setup: &Setup) -> Outcome {
    let case = open(&setup.at)?;
    let now = setup.now.micros();
    if let Some(page) = &setup.verify
        && !page.starts_with("https://")
    {
        return Err(Failure::usage(
            format!("{page} is no page that a recipient can trust"),
            "name one that begins with https://",
        ));
    }
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    let given = [
        ("sender", setup.sender.clone()),
        ("verify", setup.verify.clone()),
        ("phone", setup.phone.clone()),
        ("alone", number(setup.alone)),
        ("per_domain", number(setup.per_domain)),
        ("per_hour", number(setup.per_hour)),
    ];
    let person = setup.by.as_deref().unwrap_or_default();
    let rows: Vec<NoticeSettingRow> = given
        .into_iter()
        .filter_map(|(key, value)| Some(setting(key, &report::visible(value?.trim()), person, now)))
        .collect();
    if !rows.is_empty() {
        case.change(now, async |change| {
            change.put(&rows).await?;
            let said: BTreeMap<&str, &str> = rows
                .iter()
                .map(|row| (row.key.as_str(), row.value.as_str()))
                .collect();
            let detail = serde_json::json!({ "by": person, "settings": said });
            change.note("notice setup", &detail).await
        })
        .map_err(failure)?;
    }
    let settings = Settings::of(&case)?;
    output::to_standard_output(&mut |out| {
        for (name, value) in [
            ("sender", settings.text("sender")),
            ("verify", settings.text("verify")),
            ("phone", settings.text("phone")),
            ("alone", settings.alone().to_string()),
            ("per domain and hour", settings.per_domain().to_string()),
            ("per hour", settings.per_hour().to_string()),
        ] {
            let value = match value.as_str() {
                "" => "-",
                value => value,
            };
            writeln!(out, "{name:<20} {}", report::visible(value))?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The texts of the campaign's pack, where a built-in one has its name, with those of a folder in their place.
pub(super) fn templates(campaign: &str, folder: Option<&Path>) -> Result<Templates, Failure> {
    let mut texts = BTreeMap::new();
    let packs = PackFiles::builtin();
    if let Some(pack) = packs.iter().find(|pack| pack.name == campaign) {
        for (path, bytes) in &pack.files {
            let name = path
                .strip_prefix("notices/")
                .and_then(|name| name.strip_suffix(".txt"));
            if let Some(name) = name {
                texts.insert(name.to_owned(), String::from_utf8_lossy(bytes).into_owned());
            }
        }
    }
    if let Some(folder) = folder {
        let unreadable = |error: std::io::Error| {
            Failure::usage(
                format!("cannot read {}: {error}", folder.display()),
                "name a folder with files such as administrator.en.txt",
            )
        };
        let mut found = 0;
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if let Some(name) = name.strip_suffix(".txt") {
                let text = settings::read(&path)?;
                texts.insert(name.to_owned(), String::from_utf8_lossy(&text).into_owned());
                found += 1;
            }
        }
        if found == 0 {
            return Err(unreadable(std::io::Error::other("no .txt file lies in it")));
        }
    }
    Templates::new(&texts).map_err(template_failure)
}

pub(super) fn template_failure(error: response::notice::text::TextError) -> Failure {
    Failure::usage(error, "docs/notices.md says what a template may hold")
}

/// Everything that notices are made of, as the case has it.
#[derive(Debug)]
pub(super) struct Kept {
    registry: Registry,
    contacts: Contacts,
    suppressions: Suppressions,
    suppressed_codes: BTreeSet<String>,
    subjects: BTreeMap<String, Subject>,
    pub(super) notices: Vec<NoticeRow>,
    told: Vec<NoticeSubjectRow>,
    templates: Templates,
    sender: Sender,
    secret: String,
    campaign: String,
}

impl Kept {
    pub(super) fn load(
        case: &Case,
        campaign: &str,
        folder: Option<&Path>,
        now: i64,
        person: &str,
    ) -> Result<Self, Failure> {
        let settings = Settings::of(case)?;
        let sender = settings.sender()?;
        let templates = templates(campaign, folder)?;
        let secret = settings.secret(case, now, person)?;
        let registry = Registry::load(case).map_err(failure)?;
        let observations = case.rows_where("campaign", campaign).map_err(failure)?;
        let mut verdicts: Vec<VerdictRow> = Vec::new();
        case.each_verdict(&mut |row| {
            if row.current && row.campaign == campaign {
                verdicts.push(row);
            }
        })
        .map_err(failure)?;
        let suppressions: Vec<SuppressionRow> = case.rows().map_err(failure)?;
        let held = suppressions
            .iter()
            .filter(|row| row.kind == "notice" && row.lifted.is_none());
        Ok(Self {
            suppressed_codes: held.map(|row| row.value.clone()).collect(),
            subjects: subjects(&registry, &observations, &verdicts, campaign),
            contacts: Contacts::of(case.rows().map_err(failure)?),
            suppressions: Suppressions::of(suppressions),
            notices: case.rows().map_err(failure)?,
            told: case.rows().map_err(failure)?,
            registry,
            templates,
            sender,
            secret,
            campaign: campaign.to_owned(),
        })
    }

    pub(super) fn given<'a>(&'a self, now: i64, person: &'a str) -> Given<'a> {
        Given {
            registry: &self.registry,
            contacts: &self.contacts,
            suppressions: &self.suppressions,
            suppressed_codes: &self.suppressed_codes,
            subjects: &self.subjects,
            notices: &self.notices,
            told: &self.told,
            templates: &self.templates,
            sender: &self.sender,
            secret: &self.secret,
            campaign: &self.campaign,
            now,
            person,
        }
    }

    /// An organisation's name, for the terminal.
    pub(super) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        let organisation = self.registry.organisation(id);
        organisation.map_or(id, |organisation| organisation.row.name.as_str())
    }
}
