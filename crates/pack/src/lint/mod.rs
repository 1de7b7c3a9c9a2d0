//! Checks a pack's form: what its author forgot, mistyped or contradicted. Rules are run on their examples elsewhere.

use crate::builds::BuildTable;
use crate::draft::FILL_IN;
use crate::files::PackFiles;
use crate::indicators::{INDICATOR_TYPES, value_is_well_formed};
use crate::load::is_used;
use crate::meaning::{RuleHead, sigma_heads, yara_heads};
use crate::problem::{Code, PackError, Problem};
use crate::products::{Product, products};
use crate::shipped_files::ShippedFiles;
use crate::tables::{spot_at, without_mark};
use crate::types::{
    BuildStatus, Helpful, Indicator, Need, NeedSpan, Pack, RuleFile, Step, Vulnerability,
};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const MANIFEST: &str = "pack.yaml";
const VULNERABILITIES: &str = "vulnerabilities.csv";
const INDICATORS: &str = "indicators.csv";
const NEEDS: &str = "needs.yaml";
const REMEDIATION: &str = "remediation.yaml";

/// Every placeholder that a step's text may use.
const PLACEHOLDERS: &[&str] = &[
    "path",
    "client",
    "user_agent",
    "command",
    "target_host",
    "user",
    "foothold",
    "victim",
    "internal_domain",
    "control_server",
];

/// Families of source names that readers give; `files:web_roots` is made from the paths of items.
pub(crate) const SOURCE_FAMILIES: &[&str] = &[
    "dns.bind",
    "dns.dnsmasq",
    "dns.passive",
    "dns.windows_debug",
    "dns.zeek",
    "exchange.autodiscover",
    "exchange.cmdlet_infra",
    "exchange.ecp_activity",
    "exchange.ecp_server",
    "exchange.ews",
    "exchange.httpproxy",
    "exchange.mapihttp",
    "exchange.oab_generator",
    "exchange.rpchttp",
    "exchange.setup_log",
    "exchange.transport_agents",
    "files",
    "http.err",
    "iis.failed_request",
    "iis.site",
    "m365.audit",
    "prior.eomt",
    "prior.msert",
    "prior.test_proxylogon",
    "windows.defender.detection",
    "windows.defender.log",
    "windows.eventlog",
    "windows.firewall",
    "windows.powershell.history",
    "windows.powershell.transcript",
    "windows.prefetch",
    "windows.registry",
    "windows.wer",
    "windows.wmi",
];

/// Loads the pack in a folder and checks it. An error only where the folder cannot be read at all.
pub fn lint_folder(folder: &Path) -> Result<Vec<Problem>, PackError> {
    Ok(lint_files(&PackFiles::from_folder(folder)?))
}

/// Loads a pack and checks it; each problem with its line, where it can be found.
pub fn lint_files(files: &PackFiles) -> Vec<Problem> {
    let mut problems = match Pack::from_files(files) {
        Ok(pack) => {
            let mut problems = lint(&pack);
            if !files.name.is_empty() && pack.manifest.name != files.name {
                let name = &pack.manifest.name;
                let what = format!(
                    "the pack is named `{name}`, but its folder `{}`",
                    files.name
                );
                let help = "give both the same name";
                problems.push(Problem::new(Code::Duplicate, MANIFEST, what, help).about(name));
            }
            problems
        }
        Err(error) => error.problems,
    };
    for path in files.files.keys().filter(|path| !is_used(path)) {
        problems.push(Problem::new(
            Code::StrayFile,
            path,
            "nothing uses this file",
            "rules stand in `rules/` as .yml or .yar, examples in `examples/` as .yaml; take others out",
        ));
    }
    problems.extend(left_to_fill_in(files));
    for problem in &mut problems {
        let text = files.files.get(&problem.file);
        if let Some(text) = text.and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            problem.locate(without_mark(text));
        }
    }
    problems
}

/// Every place that a draft left to a person, whether or not the file can be read.
fn left_to_fill_in(files: &PackFiles) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, bytes) in files.files.iter().filter(|(path, _)| is_used(path)) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            continue;
        };
        for (number, line) in without_mark(text).lines().enumerate() {
            for (at, _) in line.match_indices(FILL_IN) {
                let wanted = line[at + FILL_IN.len()..].split(['"', '\'']).next();
                let wanted = wanted.unwrap_or_default().trim();
                let what = format!("a person must fill this in: {wanted}");
                let help =
                    "write it in place of the words from `FILL IN` on, or take the comment out";
                let column = line[..at].chars().count() + 1;
                let length = FILL_IN.chars().count() + 1 + wanted.chars().count();
                let spot = spot_at(without_mark(text), number + 1, column, length);
                problems.push(Problem::new(Code::Draft, path, what, help).at(spot));
            }
        }
    }
    problems
}

/// Checks a pack that was loaded. Problems carry their file and subject, but no line.
pub fn lint(pack: &Pack) -> Vec<Problem> {
    let mut check = Check {
        pack,
        products: products(),
        builds: BuildTable::builtin(),
        problems: Vec::new(),
    };
    check.manifest();
    check.vulnerabilities();
    check.indicators();
    check.needs();
    check.remediation();
    check.analyses();
    check.rules();
    check.problems
}

/// Checks one indicator by itself; `number` is its row, counted from 0.
pub(crate) fn check_indicator(file: &str, number: usize, row: &Indicator) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut tell = |code, what: String, help: &str, subject: &str| {
        let problem = Problem::new(code, file, what, help);
        problems.push(problem.about(subject).in_row(number));
    };
    let form = INDICATOR_TYPES.iter().find(|(name, _)| *name == row.r#type);
    let (kind, value) = (&row.r#type, &row.value);
    match (form, value_is_well_formed(kind, value)) {
        (Some(_), Some(true)) => {}
        (Some((_, form)), _) => {
            let what = format!("`{value}` is not a value of the type `{kind}`");
            tell(Code::IndicatorValue, what, &format!("write {form}"), value);
        }
        (None, _) => {
            let known: Vec<&str> = INDICATOR_TYPES.iter().map(|(name, _)| *name).collect();
            let help = format!("write one of {}", known.join(", "));
            tell(
                Code::IndicatorType,
                format!("`{kind}` is no type of indicator"),
                &help,
                value,
            );
        }
    }
    if !(1..=10).contains(&row.confidence) {
        let what = format!("the confidence {} is not between 1 and 10", row.confidence);
        tell(
            Code::Confidence,
            what,
            "1 is a hint that proves nothing by itself, 10 a file that can be nothing else",
            value,
        );
    }
    if !row.first_seen.is_empty() && row.first_seen.parse::<Date>().is_err() {
        let what = format!("`{}` is not a date", row.first_seen);
        tell(
            Code::Date,
            what,
            "write it as 2021-03-02, or leave the field empty",
            value,
        );
    }
    if row.source.trim().is_empty() {
        tell(
            Code::SourceMissing,
            "the indicator has no source".to_owned(),
            "say who published it, so that a reviewer can look it up",
            value,
        );
    }
    if row.meaning.trim().is_empty() {
        tell(
            Code::EmptyText,
            "the indicator has no meaning".to_owned(),
            "say what it shows, one sentence",
            value,
        );
    }
    problems
}

pub(crate) struct Check<'a> {
    pub(crate) pack: &'a Pack,
    products: Vec<Product>,
    builds: BuildTable,
    problems: Vec<Problem>,
}

impl Check<'_> {
    pub(crate) fn tell(
        &mut self,
        code: Code,
        file: &str,
        what: impl Into<String>,
        help: impl Into<String>,
        subject: &str,
    ) {
        self.problems
            .push(Problem::new(code, file, what, help).about(subject));
    }

    /// Says that the problems told since `before` stand in this row of a table, counted from 0.
    fn in_row(&mut self, before: usize, row: usize) {
        for problem in self.problems.iter_mut().skip(before) {
            problem.subject_from_line = row + 2;
        }
    }

    pub(crate) fn need_text(&mut self, file: &str, field: &str, text: &str, subject: &str) {
        if text.trim().is_empty() {
            let what = format!("`{field}` of `{subject}` is empty");
            self.tell(
                Code::EmptyText,
                file,
                what,
                "a reader needs these words",
                subject,
            );
        }
    }

    pub(crate) fn need_source(&mut self, file: &str, source: &str, subject: &str) {
        if source.trim().is_empty() {
            let what = format!("`{subject}` names no source");
            let help = "say who published it, so that a reviewer can look it up";
            self.tell(Code::SourceMissing, file, what, help, subject);
        }
    }

    /// Tells every id that was seen before.
    pub(crate) fn need_unique<'i>(
        &mut self,
        file: &str,
        what: &str,
        ids: impl Iterator<Item = &'i str>,
    ) {
        let mut seen = BTreeSet::new();
        for id in ids {
            if !seen.insert(id.to_lowercase()) {
                let what = format!("the {what} `{id}` occurs twice");
                self.tell(
                    Code::Duplicate,
                    file,
                    what,
                    "join the two, or rename one",
                    id,
                );
            }
        }
    }

    /// Tells every CVE id that `vulnerabilities.csv` lacks.
    fn need_known(&mut self, file: &str, ids: &[String]) {
        for cve in ids.iter().filter(|id| id.starts_with("CVE-")) {
            let mut rows = self.pack.vulnerabilities.iter();
            if !rows.any(|row| row.cve == *cve) {
                let what = format!("vulnerabilities.csv does not list {cve}");
                let help = "add its fixed builds, or mend the id";
                self.tell(Code::UnknownVulnerability, file, what, help, cve);
            }
        }
    }

    fn need_product(&mut self, file: &str, product: &str) {
        if !self.products.iter().any(|known| known.id == product) {
            let what = format!("the product `{product}` stands in no table");
            let help = "add it to knowledge/products.yaml, or mend its id";
            self.tell(Code::UnknownProduct, file, what, help, product);
        }
    }

    fn manifest(&mut self) {
        let manifest = &self.pack.manifest;
        for (field, text) in [
            ("name", &manifest.name),
            ("version", &manifest.version),
            ("title", &manifest.title),
            ("story", &manifest.story),
        ] {
            if text.trim().is_empty() {
                let what = format!("`{field}` is empty");
                self.tell(
                    Code::EmptyText,
                    MANIFEST,
                    what,
                    "a reader needs these words",
                    field,
                );
            }
        }
        self.need_source(MANIFEST, &manifest.window.source, "window");
        if manifest.window.from >= manifest.window.fixed {
            let what = "the window begins after the fix";
            let help =
                "`from` is when exploitation may have begun, `fixed` when the fix was published";
            self.tell(Code::Date, MANIFEST, what, help, "window");
        }
        for product in &manifest.products {
            self.need_product(MANIFEST, product);
        }
        let steps = manifest.steps.iter();
        self.need_unique(MANIFEST, "step", steps.map(|step| step.id.as_str()));
        for step in &manifest.steps {
            self.need_text(MANIFEST, "text", &step.text, &step.id);
            for name in placeholders(&step.text) {
                if !PLACEHOLDERS.contains(&name) {
                    let what = format!("nothing fills `{{{name}}}`");
                    let help = format!("use one of {}", PLACEHOLDERS.join(", "));
                    self.tell(
                        Code::Placeholder,
                        MANIFEST,
                        what,
                        help,
                        &format!("{{{name}}}"),
                    );
                }
            }
        }
        for Helpful { source, shows } in &manifest.helpful {
            self.need_text(MANIFEST, "shows", shows, source);
        }
    }

    fn vulnerabilities(&mut self) {
        let rows = &self.pack.vulnerabilities;
        let key = |row: &Vulnerability| format!("{},{},{}", row.cve, row.product, row.fixed);
        let keys: Vec<String> = rows.iter().map(key).collect();
        self.need_unique(VULNERABILITIES, "row", keys.iter().map(String::as_str));
        for (number, row) in rows.iter().enumerate() {
            let before = self.problems.len();
            let subject = key(row);
            self.need_source(VULNERABILITIES, &row.source, &subject);
            self.need_product(VULNERABILITIES, &row.product);
            if row.released.parse::<Date>().is_err() {
                let what = format!("`{}` is not a date", row.released);
                self.tell(
                    Code::Date,
                    VULNERABILITIES,
                    what,
                    "write it as 2021-03-02",
                    &subject,
                );
            }
            if row.fixed.revision.is_none() {
                let what = format!("the build {} has three parts", row.fixed);
                let help = "write all four, as only they tell the security update";
                self.tell(Code::UnknownBuild, VULNERABILITIES, what, help, &subject);
            } else if self.builds.find(&row.product, &row.fixed).is_none() {
                let what = format!("no table lists the build {}", row.fixed);
                let help =
                    "add it to the table of builds in knowledge/ with its source, or mend it";
                self.tell(Code::UnknownBuild, VULNERABILITIES, what, help, &subject);
            }
            self.in_row(before, number);
        }
    }

    fn indicators(&mut self) {
        let rows = &self.pack.indicators;
        let keys: Vec<String> = rows
            .iter()
            .map(|row| format!("{},{}", row.r#type, row.value))
            .collect();
        self.need_unique(INDICATORS, "indicator", keys.iter().map(String::as_str));
        let shipped = ShippedFiles::builtin();
        let names = shipped_names(&shipped);
        for (number, row) in rows.iter().enumerate() {
            let before = self.problems.len();
            self.problems
                .extend(check_indicator(INDICATORS, number, row));
            if self.is_shipped(row, &shipped, &names) {
                let what = format!("the vendor ships a file of this name: `{}`", row.value);
                let help = "a file at this place is told apart by its hash alone; take the row out";
                self.tell(Code::ShippedFile, INDICATORS, what, help, &row.value);
            }
            self.in_row(before, number);
        }
    }

    /// Whether a path or name is that of a file which a product of this pack comes with.
    fn is_shipped(
        &self,
        row: &Indicator,
        shipped: &ShippedFiles,
        names: &BTreeSet<String>,
    ) -> bool {
        let products = self
            .products
            .iter()
            .filter(|product| self.pack.manifest.products.contains(&product.id));
        let mut roots = products.flat_map(|product| {
            let urls = product.web_roots.iter().map(|root| (root.clone(), true));
            let folders = product.install_folders.iter();
            urls.chain(folders.map(|folder| (folder.clone(), false)))
        });
        match row.r#type.as_str() {
            "file_name" => names.contains(&row.value.to_lowercase()),
            "url_path" => {
                let below = row.value.replace('/', "\\");
                roots.any(|(root, is_web_root)| {
                    is_web_root && !shipped.versions(&format!("{root}{below}")).is_empty()
                })
            }
            "file_path" => roots.any(|(root, is_web_root)| {
                let path = row.value.to_lowercase();
                let path = path.split_once(':').map_or(path.as_str(), |(_, path)| path);
                let below = path.strip_prefix(&root.to_lowercase());
                !is_web_root && below.is_some_and(|below| !shipped.versions(below).is_empty())
            }),
            _ => false,
        }
    }

    fn needs(&mut self) {
        let needs = &self.pack.needs;
        self.need_unique(NEEDS, "need", needs.iter().map(|need| need.id.as_str()));
        if needs.is_empty() {
            let what = "the pack needs nothing, so it could never say `clear` with reason";
            let help = "name the evidence that must have been seen";
            self.tell(Code::EmptyText, NEEDS, what, help, "");
        }
        for need in needs {
            self.need(need);
        }
    }

    fn need(&mut self, need: &Need) {
        for (field, text) in [
            ("title", &need.title),
            ("collect", &need.collect),
            ("rotates", &need.rotates),
        ] {
            self.need_text(NEEDS, field, text, &need.id);
        }
        if need.any_of.is_empty() || need.any_of.iter().any(|way| way.sources.is_empty()) {
            let what = format!("the need `{}` has a way without sources", need.id);
            let help = "each entry of `any_of` names the sources that satisfy it together";
            self.tell(Code::EmptyText, NEEDS, what, help, &need.id);
        }
        self.need_known(NEEDS, &need.answers);
        let sources = need.any_of.iter().flat_map(|way| &way.sources);
        for needed in sources {
            self.source_name(&needed.source);
            let has_folders = !needed.folders.is_empty() || needed.every_virtual_directory;
            if has_folders
                && (need.span != NeedSpan::Latest || !needed.source.starts_with("files:"))
            {
                let what = format!(
                    "`{}` is judged by folders, but not at the latest collection",
                    needed.source
                );
                let help = "folders go with a source `files:…` in a need of the span `latest`";
                self.tell(Code::UnknownSource, NEEDS, what, help, &needed.source);
            }
            if let Some(told_by) = &needed.answers_told_by
                && !self.runs_over_time(told_by)
            {
                let what = format!("`{told_by}` is no need that runs over time");
                let help = "`answers_told_by` names the need whose logs show which pages answered";
                self.tell(Code::UnknownSource, NEEDS, what, help, told_by);
            }
        }
    }

    fn runs_over_time(&self, id: &str) -> bool {
        let mut needs = self.pack.needs.iter();
        needs.any(|need| need.id == id && need.span != NeedSpan::Latest)
    }

    fn source_name(&mut self, source: &str) {
        let family = source.split_once(':').map_or(source, |(family, _)| family);
        if !SOURCE_FAMILIES.contains(&family) || source != source.to_lowercase() {
            let what = format!("no reader gives a source `{source}`");
            let help = format!(
                "a source is one of {}, in lower case",
                SOURCE_FAMILIES.join(", ")
            );
            self.tell(Code::UnknownSource, NEEDS, what, help, source);
        }
    }

    fn remediation(&mut self) {
        let remediation = &self.pack.remediation;
        let steps = || remediation.contain.iter().chain(&remediation.evict);
        let contain = remediation.contain.iter().map(|step| step.id.as_str());
        self.need_unique(REMEDIATION, "step", contain);
        let evict = remediation.evict.iter().map(|step| step.id.as_str());
        self.need_unique(REMEDIATION, "step", evict);
        for step in steps() {
            self.step(step);
            let gates = &remediation.gates;
            if let Some(gate) = &step.gate
                && !gates.iter().any(|known| known.id == *gate)
            {
                let what = format!("the step {} is shown by a gate that there is not", step.id);
                let help = "name the id of one of the gates below";
                self.tell(Code::UnknownSource, REMEDIATION, what, help, gate);
            }
        }
        if let Some(watch) = &remediation.watch {
            self.need_source(REMEDIATION, &watch.source, "watch");
        }
        let gates = remediation.gates.iter().map(|gate| gate.id.as_str());
        self.need_unique(REMEDIATION, "gate", gates);
        for gate in &remediation.gates {
            self.need_text(REMEDIATION, "title", &gate.title, &gate.id);
            self.need_text(REMEDIATION, "shown_by", &gate.shown_by, &gate.id);
            self.need_source(REMEDIATION, &gate.source, &gate.id);
        }
        for (list, is_empty) in [
            ("contain", remediation.contain.is_empty()),
            ("evict", remediation.evict.is_empty()),
            ("gates", remediation.gates.is_empty()),
        ] {
            if is_empty {
                let what = format!("`{list}` is empty");
                let help = "without it nobody can be told what to do, nor be called evicted";
                self.tell(Code::EmptyText, REMEDIATION, what, help, list);
            }
        }
        for mitigation in &remediation.mitigations {
            self.need_text(REMEDIATION, "title", &mitigation.title, &mitigation.id);
            self.need_source(REMEDIATION, &mitigation.source, &mitigation.id);
            self.need_known(REMEDIATION, &mitigation.covers);
        }
        self.patch_paths();
    }

    fn step(&mut self, step: &Step) {
        for (field, text) in [
            ("text", &step.text),
            ("who", &step.who),
            ("how_long", &step.how_long),
            ("verified_by", &step.verified_by),
            ("breaks", &step.breaks),
        ] {
            self.need_text(REMEDIATION, field, text, &step.id);
        }
        self.need_source(REMEDIATION, &step.source, &step.id);
    }

    /// Every known build that is not fixed must have a way out.
    fn patch_paths(&mut self) {
        for path in &self.pack.remediation.patch {
            let subject = path.from.to_string();
            self.need_product(REMEDIATION, &path.product);
            self.need_text(REMEDIATION, "text", &path.text, &subject);
            self.need_text(REMEDIATION, "verified_by", &path.verified_by, &subject);
            self.need_source(REMEDIATION, &path.source, &subject);
            if path.from.cumulative_update() > path.until.cumulative_update() {
                let what = format!("the range from {} until {} is empty", path.from, path.until);
                self.tell(Code::PatchPath, REMEDIATION, what, "swap the two", &subject);
            }
        }
        let mut missing: BTreeMap<(u32, u32, u32), String> = BTreeMap::new();
        for product in &self.pack.manifest.products {
            for known in self.builds.builds_of(product) {
                let status = self.pack.status_of(product, &known.build, &self.builds);
                let advice = || self.pack.patch_path(product, &known.build, &self.builds);
                let is_stuck = matches!(
                    status,
                    BuildStatus::Vulnerable(_) | BuildStatus::Disputed(_)
                );
                if is_stuck && advice().is_empty() {
                    let name = format!("{} ({})", known.name, known.build);
                    missing
                        .entry(known.build.cumulative_update())
                        .or_insert(name);
                }
            }
        }
        let names: Vec<String> = missing.into_values().collect();
        if let (Some(first), Some(last)) = (names.first(), names.last()) {
            let what = match names.len() {
                1 => format!("no patch path leads away from {first}"),
                count => format!(
                    "no patch path leads away from {count} vulnerable updates, from {first} to {last}"
                ),
            };
            let help = "add ranges to `patch` that hold them";
            self.tell(Code::PatchPath, REMEDIATION, what, help, "patch:");
        }
    }

    fn rules(&mut self) {
        let mut heads: Vec<(&RuleFile, RuleHead)> = Vec::new();
        for file in &self.pack.sigma {
            match sigma_heads(file) {
                Ok(found) => heads.extend(found.into_iter().map(|head| (file, head))),
                Err(why) => {
                    let help = "mend the YAML; docs/writing-a-pack.md shows a rule";
                    self.tell(Code::Meaning, &file.path, why, help, "");
                }
            }
        }
        for file in &self.pack.yara {
            heads.extend(yara_heads(file).into_iter().map(|head| (file, head)));
        }
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        ids.extend(self.pack.analyses.iter().map(|rule| rule.id.as_str()));
        for (file, head) in &heads {
            let (id, path) = (head.id.as_str(), file.path.as_str());
            if id.is_empty() {
                let what = format!("the rule `{}` has no id", head.title);
                let help = "give it a UUID as `id`";
                self.tell(Code::EmptyText, path, what, help, &head.title);
            } else if ids.insert(id) {
                self.rule(file, head);
            } else {
                let what = format!("the rule `{id}` occurs twice");
                self.tell(Code::Duplicate, path, what, "give one a new id", id);
            }
        }
        for example in self.pack.examples.iter() {
            if !ids.contains(example.rule.as_str()) {
                let what = format!("the pack has no rule `{}`", example.rule);
                let help = "an example names the `id` of a Sigma rule or of an analysis, or the name of a YARA rule";
                self.tell(Code::UnknownRule, &example.path, what, help, &example.rule);
            }
        }
    }

    pub(crate) fn tells_step(&self, id: &str) -> bool {
        let mut steps = self.pack.manifest.steps.iter();
        steps.any(|step| step.id == id)
    }

    fn rule(&mut self, file: &RuleFile, head: &RuleHead) {
        let id = head.id.as_str();
        match &head.meaning {
            Err(why) => {
                let what = format!("the rule `{}` has no readable meaning: {why}", head.title);
                let help = "say its stage, step and meaning; docs/writing-a-pack.md shows how";
                self.tell(Code::Meaning, &file.path, what, help, id);
            }
            Ok(meaning) => {
                self.need_text(&file.path, "meaning", &meaning.meaning, id);
                if !self.tells_step(&meaning.step) {
                    let what = format!("pack.yaml does not tell the step `{}`", meaning.step);
                    let help = "add the step to `steps`, or use one of those";
                    self.tell(Code::UnknownStep, &file.path, what, help, &meaning.step);
                }
                if meaning
                    .foothold
                    .as_ref()
                    .is_some_and(|foothold| foothold.path_from.is_empty())
                {
                    let what = format!("the foothold of `{id}` names no field for its path");
                    let help = "name the field in `path_from`";
                    self.tell(Code::Meaning, &file.path, what, help, id);
                }
            }
        }
        self.need_examples(&file.path, id, &head.title);
    }

    pub(crate) fn need_examples(&mut self, file: &str, id: &str, title: &str) {
        for (must_match, kind) in [(true, "matching"), (false, "clear")] {
            let mut examples = self.pack.examples.iter();
            if !examples.any(|example| example.rule == id && example.must_match == must_match) {
                let what = format!("the rule `{title}` has no {kind} example");
                let help =
                    format!("add one to examples/ with `rule: {id}` and `matches: {must_match}`");
                self.tell(Code::ExampleMissing, file, what, help, id);
            }
        }
    }
}

/// The names between braces in a step's text.
fn placeholders(text: &str) -> Vec<&str> {
    let pieces = text.split('{').skip(1);
    pieces
        .map(|piece| piece.split('}').next().unwrap_or_default())
        .collect()
}

/// Names of all files in the tables of shipped files, without folders, in lower case.
fn shipped_names(shipped: &ShippedFiles) -> BTreeSet<String> {
    let table = shipped.to_text("");
    let paths = table.lines().filter_map(|line| line.strip_prefix("file "));
    paths
        .filter_map(|path| path.rsplit('\\').next())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests;
