//! What a pack and the knowledge tables say, as checked types.

pub use crate::examples::Examples;
use model::{Build, Stage, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One campaign, as its folder describes it.
#[derive(Clone, Debug)]
pub struct Pack {
    pub manifest: Manifest,
    pub vulnerabilities: Vec<Vulnerability>,
    pub indicators: Vec<Indicator>,
    /// Sigma rules, as text; `detect` compiles them.
    pub sigma: Vec<RuleFile>,
    /// YARA rules, as text.
    pub yara: Vec<RuleFile>,
    /// Algorithms that this campaign needs; `detect` holds them.
    pub analyses: Vec<AnalysisRule>,
    pub needs: Vec<Need>,
    pub remediation: Remediation,
    /// A matching and a clear case for each rule, for the linter.
    pub examples: Examples,
    /// Whether it came with Allclear, whose tests compile its rules: they need not be tried at every start.
    pub is_builtin: bool,
}

/// `pack.yaml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// That of the folder.
    pub name: String,
    /// Told in every report, so raise it with every change.
    pub version: String,
    /// The campaign, in a few words.
    pub title: String,
    /// What happened, a paragraph for a responder.
    pub story: String,
    pub window: Window,
    /// Ids of the products this campaign goes for, as in `knowledge/products.yaml`.
    pub products: Vec<String>,
    /// Words for the steps of the story, by id, in the order an intrusion takes them.
    pub steps: Vec<StepText>,
    /// Where to read on.
    pub references: Vec<String>,
    /// Evidence that could convict but that no need asks for, by source name pattern, with what it would show: named
    /// in the report as not looked at where it is absent.
    #[serde(default)]
    pub helpful: Vec<Helpful>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The earliest time from which exploitation must be looked for.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::time"))]
    pub from: Timestamp,
    /// When the fix was published.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::time"))]
    pub fixed: Timestamp,
    /// Who says so.
    pub source: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StepText {
    /// The word that rules name it by.
    pub id: String,
    /// What happened, as a sentence; `{path}`, `{client}`, `{user_agent}`, `{command}`, `{target_host}`, `{user}`,
    /// `{foothold}` are filled from the findings' details. A phrase in square brackets is left out where one of its
    /// details is absent: `asked for {path}[ from {client}]`.
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Helpful {
    /// Source name, or a prefix ending in `*`.
    pub source: String,
    /// What it would show, one sentence, and how to collect it.
    pub shows: String,
}

/// A row of `vulnerabilities.csv`: from `fixed` on, this cumulative update is fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Vulnerability {
    /// The CVE id, in capitals.
    pub cve: String,
    /// Id of the product, as in `knowledge/products.yaml`.
    pub product: String,
    /// First fixed build of its cumulative update, or of all later ones where `and_later_updates` is `yes`.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::build"))]
    pub fixed: Build,
    /// `yes`: every cumulative update from this one on holds the fix.
    pub and_later_updates: YesNo,
    /// Date of the release, `2021-03-02`.
    pub released: String,
    /// Name of the update, such as `Mar21SU KB5000871`.
    pub update: String,
    /// Who says so.
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum YesNo {
    Yes,
    No,
}

/// A row of `indicators.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Indicator {
    /// `ip`, `domain`, `url_path`, `user_agent`, `sha256`, `sha1`, `md5`, `file_path`, `file_name`.
    pub r#type: String,
    /// Not defanged; hashes and domains in lower case.
    pub value: String,
    /// What it shows, one sentence.
    pub meaning: String,
    /// 1 to 10.
    pub confidence: u8,
    /// Date or empty.
    pub first_seen: String,
    /// Who published it.
    pub source: String,
}

/// One rule file of a pack.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// Path inside the pack: `rules/oab-payload.yml`.
    pub path: String,
    pub text: String,
}

/// An entry of `analyses.yaml`: an algorithm of Allclear, what this campaign gives it to work with, and what its results
/// show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AnalysisRule {
    /// Unique among all rules, as findings carry it.
    pub id: String,
    pub title: String,
    /// Which algorithm, by its name in [`crate::ANALYSES`].
    pub analysis: String,
    pub author: String,
    pub reference: String,
    /// Who says that the parameters are so.
    pub source: String,
    /// In which records to look.
    pub records: Vec<AnalysedRecords>,
    /// What the algorithm asks for; it says itself what is wrong with them.
    #[cfg_attr(test, schemars(with = "serde_json::Value"))]
    pub parameters: serde_yaml_ng::Value,
    /// What each outcome shows. An outcome that is not named here is not told.
    pub outcomes: BTreeMap<String, AnalysisOutcome>,
}

/// Records of one kind of source, as an analysis looks at them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AnalysedRecords {
    /// Source name, or a prefix that ends in `*`.
    pub source: String,
    /// For each input of the algorithm the fields that hold it; the first that is there counts.
    pub inputs: BTreeMap<String, Vec<String>>,
    pub about: AnalysedAbout,
}

/// Of whom such records speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AnalysedAbout {
    /// Of the host that wrote them.
    OwnHost,
    /// Of the hosts that asked the one that wrote them, as a log of a DNS server does.
    AskingHost,
}

/// What an outcome of an analysis shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AnalysisOutcome {
    #[cfg_attr(test, schemars(with = "String"))]
    pub stage: Stage,
    pub step: String,
    /// `low`, `medium`, `high` or `critical`.
    pub level: String,
    /// One sentence for the responder.
    pub meaning: String,
    /// ATT&CK technique ids.
    #[serde(default)]
    pub techniques: Vec<String>,
    /// Details that every finding of this outcome carries, beside those that the algorithm works out.
    #[serde(default)]
    pub details: BTreeMap<String, String>,
}

/// An entry of `needs.yaml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// A word that other needs may name it by.
    pub id: String,
    /// What it is about, as a heading.
    pub title: String,
    /// The vulnerability or question it answers for.
    #[serde(default)]
    pub answers: Vec<String>,
    pub span: NeedSpan,
    /// Ways to satisfy the need; each names sources that must all be seen. Time seen by any one way is seen.
    pub any_of: Vec<Way>,
    /// How to collect what is missing, one sentence.
    pub collect: String,
    /// When it rotates away, one sentence with the source of the figure.
    pub rotates: String,
    /// Days after which the default settings drop the records; absent where they are kept.
    #[serde(default)]
    pub retention_days: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NeedSpan {
    /// Over the time the host was vulnerable inside the campaign's window.
    Entry,
    /// From first possible exploitation to the latest collection.
    FootholdLog,
    /// At the latest collection.
    Latest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Way {
    pub sources: Vec<NeededSource>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NeededSource {
    /// Exact source name.
    pub source: String,
    /// For logs of web sites, `iis.site:*`: every site that serves this folder or one below it, as the web server's
    /// configuration tells; `{install}` is the product's install folder. Products that draw the numbers of their sites.
    #[serde(default)]
    pub every_site_serving: Option<String>,
    /// Where the front-end web log covers the span and shows no request below this URL path, the source had nothing
    /// to write and is not needed.
    #[serde(default)]
    pub if_requested: Option<String>,
    /// Columns without which this log cannot show what the need asks for.
    #[serde(default)]
    pub columns: Vec<String>,
    /// For files: folders of which the collection must hold something. `{install}` is the product's install folder;
    /// a path without a drive matches on any drive.
    #[serde(default)]
    pub folders: Vec<String>,
    /// For files: whether every virtual directory of the web server's configuration must be in the collection.
    #[serde(default)]
    pub every_virtual_directory: bool,
    /// For files: id of the need whose evidence shows which pages answered. Where that need is not met, a page may have
    /// answered that the collection does not hold, and nobody would know.
    #[serde(default)]
    pub answers_told_by: Option<String>,
}

/// `remediation.yaml`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remediation {
    /// Containment, in order, for a host that is or may be compromised.
    pub contain: Vec<Step>,
    /// How to patch; chosen by product and build.
    pub patch: Vec<PatchPath>,
    /// Ordered steps of the eviction.
    pub evict: Vec<Step>,
    /// What must be shown before anybody says `evicted`.
    pub gates: Vec<GateRule>,
    /// How often the host is looked at again afterwards.
    #[serde(default)]
    pub watch: Option<Watch>,
    /// Published mitigations that evidence can show to act. A host is `mitigated` while they all do.
    #[serde(default)]
    pub mitigations: Vec<Mitigation>,
}

/// A mitigation by inbound URL Rewrite rules.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mitigation {
    pub id: String,
    pub title: String,
    /// Each of these must be in force; the texts are compared without case.
    pub rules: Vec<MitigationRule>,
    /// Vulnerabilities it keeps out; the others stay open.
    pub covers: Vec<String>,
    pub source: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MitigationRule {
    /// Text that a condition must hold, such as `X-BEResource`.
    pub condition_contains: String,
    /// What the rule must do: `AbortRequest`.
    pub action: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub id: String,
    /// What to do.
    pub text: String,
    /// `administrator`, `responder`, `domain administrator`, …
    pub who: String,
    /// Time it takes, as text.
    pub how_long: String,
    pub verified_by: String,
    pub breaks: String,
    pub source: String,
    /// Id of the gate that shows whether it was done; absent where none does.
    #[serde(default)]
    pub gate: Option<String>,
    /// Countermeasures of CISA's COUN7ER that it corresponds to, such as `CM0106`.
    #[serde(default)]
    pub coun7er: Vec<String>,
}

/// How often a host is looked at again once it is held to be clean.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Days between two collections.
    pub every_days: u16,
    pub times: u16,
    pub source: String,
}

/// Patch advice for a range of builds. In its texts, `{fixed}` stands for the build from which on the cumulative update
/// at hand is fixed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchPath {
    pub product: String,
    /// First and last cumulative update this advice is for, by three-part build, inclusive.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::build"))]
    pub from: Build,
    #[cfg_attr(test, schemars(schema_with = "crate::schema::build"))]
    pub until: Build,
    pub text: String,
    pub prerequisites: String,
    pub verified_by: String,
    pub source: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GateRule {
    pub id: String,
    pub title: String,
    /// How the gate is decided.
    pub decided_by: GateDecision,
    /// What a person has to show where no machine can tell.
    pub shown_by: String,
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GateDecision {
    /// The latest proven build is fixed, and file evidence (hash or version of the binary) agrees.
    Patched,
    /// Every known foothold is verified absent in a later collection.
    FootholdsAbsent,
    /// The needs at the latest collection are covered.
    PersistenceReviewed,
    /// Only a person can tell.
    Attested,
}

/// An example of `examples/`: evidence for one rule and whether it must match.
#[derive(Clone, Debug)]
pub struct Example {
    /// Path inside the pack.
    pub path: String,
    /// Id of the rule (Sigma `id`, YARA rule name).
    pub rule: String,
    pub must_match: bool,
    pub content: ExampleContent,
}

#[derive(Clone, Debug)]
pub enum ExampleContent {
    /// Field values of one record of this source.
    Record {
        source: String,
        fields: BTreeMap<String, String>,
    },
    /// Bytes of a file, and its original path.
    File { path: String, bytes: Vec<u8> },
}

/// How far a pack knows a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildStatus {
    /// Every vulnerability of the pack is fixed.
    Fixed,
    /// These vulnerabilities are not fixed.
    Vulnerable(Vec<String>),
    /// The public tables disagree about this build; the sentence says how.
    Disputed(String),
    /// No table knows this build, or the version has too few parts; the sentence says which.
    Unknown(String),
}

/// A build in `knowledge/exchange/builds.csv` and its like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBuild {
    pub product: String,
    pub build: Build,
    /// `Exchange Server 2016 CU19 Mar21SU`.
    pub name: String,
    /// Date of release or empty.
    pub released: String,
    /// Which tables list it, joined by `;`.
    pub source: String,
}

/// Default stage of what matched, and how it is told; in Sigma rules under the key `allclear`, in YARA as metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleMeaning {
    pub stage: Stage,
    pub step: String,
    /// One sentence for the responder.
    pub meaning: String,
    /// Foothold that a match shows: its kind, and which field names its path.
    #[serde(default)]
    pub foothold: Option<RuleFoothold>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFoothold {
    pub kind: model::FootholdKind,
    /// Field that holds the path; a regular expression with one group may follow after `=~`.
    pub path_from: String,
    /// Whether the record says that it was removed or stands there: `unknown` for logs.
    pub state: model::FootholdState,
}
