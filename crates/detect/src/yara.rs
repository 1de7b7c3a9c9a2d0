//! YARA rules of packs and of the user, run by YARA-X.
//!
//! Rules are checked when the engine is made, so that a faulty one is told, unless they came with Allclear. The program that
//! scans is built then where a user has rules, else when the first file is to be looked at, as most workers see none.

use crate::engine::{ProblemKind, RuleProblem};
use crate::indicators::YaraPart;
use model::{FootholdKind, Stage};
use pack::Pack;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;
use yara_x::{Compiler, MetaValue, Rules, Scanner};

/// Longest scan of one file; a rule that takes longer is told in a gap.
const SCAN_SECONDS_MAX: u64 = 60;

/// Rules of one file that match; more say nothing new.
const MATCHES_PER_FILE_MAX: usize = 256;

/// All YARA rules of a run.
#[derive(Debug)]
pub(crate) struct YaraRules {
    sources: Vec<Source>,
    count: usize,
    /// Built when the first file is scanned.
    rules: OnceLock<Option<Rules>>,
}

/// The rules of one file.
#[derive(Debug)]
struct Source {
    text: String,
    campaign: Option<String>,
    /// Pattern of the paths the rules are for, in lower case.
    files: Option<String>,
    is_users: bool,
    /// Whether it came with Allclear: a test compiles it.
    is_builtin: bool,
}

/// A rule that matches a file.
#[derive(Clone, Debug)]
pub(crate) struct YaraMatch {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) campaign: Option<String>,
    pub(crate) level: String,
    pub(crate) author: String,
    pub(crate) reference: String,
    pub(crate) meaning: String,
    pub(crate) step: String,
    pub(crate) stage: Option<Stage>,
    pub(crate) foothold: Option<FootholdKind>,
    pub(crate) techniques: Vec<String>,
    /// Where its first pattern was found.
    pub(crate) offset: Option<usize>,
}

/// Why a file was not scanned to its end.
#[derive(Debug)]
pub(crate) struct ScanStopped(pub(crate) String);

impl YaraRules {
    /// Takes the rules of packs, of the user, and of lists of indicators; faulty ones are told in `problems`.
    pub(crate) fn new(
        packs: &[Pack],
        users: &[(String, String)],
        parts: &[YaraPart],
        problems: &mut Vec<RuleProblem>,
    ) -> Self {
        let of_packs = packs.iter().flat_map(|pack| {
            pack.yara.iter().map(|file| {
                let source = Source {
                    text: file.text.clone(),
                    campaign: Some(pack.manifest.name.clone()),
                    files: None,
                    is_users: false,
                    is_builtin: pack.is_builtin,
                };
                (file.path.clone(), source)
            })
        });
        let of_user = |text: &String, files: Option<String>| Source {
            text: text.clone(),
            campaign: None,
            files,
            is_users: true,
            is_builtin: false,
        };
        let of_users = users
            .iter()
            .map(|(path, text)| (path.clone(), of_user(text, None)));
        let of_parts = parts.iter().map(|part| {
            let files = part.files.as_ref().map(|files| files.to_lowercase());
            (part.path.clone(), of_user(&part.text, files))
        });
        let mut all: Vec<(String, Source)> = of_packs.chain(of_users).chain(of_parts).collect();
        let compiler = loop {
            if all.iter().all(|(_, source)| source.is_builtin) {
                break None;
            }
            match compiled(all.iter().map(|(_, source)| source)) {
                Ok(compiler) => break Some(compiler),
                // What a faulty file left behind in the compiler is not to run.
                Err((faulty, why)) => problems.push(RuleProblem {
                    path: all.remove(faulty).0,
                    rule: String::new(),
                    why,
                    kind: ProblemKind::NotUnderstood,
                }),
            }
        };
        let count = all.iter().map(|(path, source)| heads(path, source)).sum();
        let sources: Vec<Source> = all.into_iter().map(|(_, source)| source).collect();
        let rules = OnceLock::new();
        if let Some(compiler) = compiler
            && sources.iter().any(|source| source.is_users)
        {
            // A user's rules are for any file, so the first is not far.
            rules.get_or_init(|| Some(compiler.build()));
        }
        Self {
            sources,
            count,
            rules,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether some rule of the user asks for a file with this path.
    pub(crate) fn user_wants(&self, path: &str) -> bool {
        let path = path.to_lowercase();
        self.sources
            .iter()
            .any(|source| source.is_users && source.is_for(&path))
    }

    /// The rules that match these bytes, in the order of their files and names.
    /// `scanner` is kept for the next file.
    pub(crate) fn scan<'r>(
        &'r self,
        path: &str,
        bytes: &[u8],
        scanner: &mut Option<Scanner<'r>>,
    ) -> Result<Vec<YaraMatch>, ScanStopped> {
        if self.sources.is_empty() {
            return Ok(Vec::new());
        }
        let Some(rules) = self.rules.get_or_init(|| build(&self.sources)) else {
            return Err(ScanStopped("the YARA rules could not be built".to_owned()));
        };
        let scanner = scanner.get_or_insert_with(|| {
            let mut scanner = Scanner::new(rules);
            scanner.set_timeout(Duration::from_secs(SCAN_SECONDS_MAX));
            scanner
        });
        let results = scanner
            .scan(bytes)
            .map_err(|error| ScanStopped(format!("the YARA scan stopped: {error}")))?;
        let path = path.to_lowercase();
        let mut found: Vec<(usize, YaraMatch)> = results
            .matching_rules()
            .filter_map(|rule| {
                let number: usize = rule.namespace().parse().ok()?;
                let source = self.sources.get(number)?;
                source
                    .is_for(&path)
                    .then(|| (number, read_match(&rule, source)))
            })
            .take(MATCHES_PER_FILE_MAX)
            .collect();
        found.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }
}

impl Source {
    fn is_for(&self, path: &str) -> bool {
        self.files
            .as_ref()
            .is_none_or(|pattern| fits(pattern, path))
    }
}

/// How many rules there are.
fn heads(path: &str, source: &Source) -> usize {
    let file = pack::RuleFile {
        path: path.to_owned(),
        text: source.text.clone(),
    };
    pack::yara_heads(&file).len()
}

fn build(sources: &[Source]) -> Option<Rules> {
    Some(compiled(sources.iter()).ok()?.build())
}

/// All rules, each file in a namespace by its number; the number of the first faulty file, and why. The program that scans
/// is not built, which is the longer part.
fn compiled<'s>(
    sources: impl Iterator<Item = &'s Source>,
) -> Result<Compiler<'static>, (usize, String)> {
    let mut compiler = compiler();
    for (number, source) in sources.enumerate() {
        compiler.new_namespace(&number.to_string());
        compiler
            .add_source(source.text.as_str())
            .map_err(|error| (number, format!("cannot be compiled: {error}")))?;
    }
    Ok(compiler)
}

fn compiler() -> Compiler<'static> {
    let mut compiler = Compiler::new();
    // Rules in use are written for the older engine, which is less strict about escapes.
    compiler.relaxed_re_syntax(true);
    // A user's rule must not read files of the machine that examines the evidence.
    compiler.enable_includes(false);
    compiler
}

fn read_match(rule: &yara_x::Rule<'_, '_>, source: &Source) -> YaraMatch {
    let mut meta: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in rule.metadata() {
        let value = match value {
            MetaValue::String(text) => text.to_owned(),
            MetaValue::Integer(number) => number.to_string(),
            MetaValue::Float(number) => number.to_string(),
            MetaValue::Bool(value) => value.to_string(),
            MetaValue::Bytes(bytes) => bytes.to_string(),
        };
        meta.entry(key.to_owned()).or_insert(value);
    }
    let text = |key: &str| meta.get(key).cloned().unwrap_or_default();
    let word = |key: &str| serde_json::Value::String(text(key));
    let name = rule.identifier().to_owned();
    let description = text("description");
    let meaning = text("allclear_meaning");
    let techniques = text("techniques");
    YaraMatch {
        title: if description.is_empty() {
            name.clone()
        } else {
            description.clone()
        },
        name,
        campaign: source.campaign.clone(),
        level: match text("level") {
            level if level.is_empty() => "high".to_owned(),
            level => level,
        },
        author: text("author"),
        reference: text("reference"),
        meaning: if meaning.is_empty() {
            description
        } else {
            meaning
        },
        step: text("allclear_step"),
        stage: serde_json::from_value(word("allclear_stage")).ok(),
        foothold: serde_json::from_value(word("allclear_foothold")).ok(),
        techniques: techniques
            .split([',', ' '])
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        offset: rule
            .patterns()
            .flat_map(|pattern| {
                pattern
                    .matches()
                    .map(|found| found.range().start)
                    .collect::<Vec<_>>()
            })
            .min(),
    }
}

/// Whether a path fits a pattern in which `*` stands for any text; both in lower case.
fn fits(pattern: &str, path: &str) -> bool {
    let mut pieces = pattern.split('*').filter(|piece| !piece.is_empty());
    let mut rest = path;
    if !pattern.starts_with('*') {
        match pieces.next() {
            None => return pattern.contains('*') || path.is_empty(),
            Some(first) => match rest.strip_prefix(first) {
                Some(behind) => rest = behind,
                None => return false,
            },
        }
    }
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    // The last piece was found as early as possible; a pattern without a star at its end must reach the end.
    pattern.ends_with('*')
        || rest.is_empty()
        || pattern
            .rsplit('*')
            .next()
            .is_some_and(|last| path.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> (YaraRules, Vec<RuleProblem>) {
        let mut problems = Vec::new();
        let users = [("mine.yar".to_owned(), text.to_owned())];
        (YaraRules::new(&[], &users, &[], &mut problems), problems)
    }

    #[test]
    fn the_rules_of_built_in_packs_compile_though_no_start_tries_them() {
        let mut problems = Vec::new();
        let rules = YaraRules::new(&pack::builtin_packs(), &[], &[], &mut problems);
        assert!(rules.rules.get().is_none() && rules.count() > 10);
        let built = compiled(rules.sources.iter()).map(drop);
        assert_eq!(built, Ok(()));
    }

    #[test]
    fn a_users_rule_matches_and_keeps_its_author() {
        let (rules, problems) = rules(
            "rule found { meta: author = \"Somebody\" strings: $a = \"needle\" condition: $a }",
        );
        assert!(problems.is_empty());
        let mut scanner = None;
        let found = rules
            .scan("C:\\x", b"hay needle hay", &mut scanner)
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].author.as_str(), found[0].offset),
            ("Somebody", Some(4))
        );
        assert_eq!(found[0].stage, None);
        assert!(
            rules
                .scan("C:\\x", b"hay", &mut scanner)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn damaged_rules_and_includes_are_told() {
        for text in [
            "rule broken {",
            "include \"/etc/passwd\"\nrule a { condition: true }",
        ] {
            let (rules, problems) = rules(text);
            assert_eq!((rules.count(), problems.len()), (0, 1), "{text}");
        }
    }

    #[test]
    fn path_patterns() {
        assert!(fits(
            "c:\\logs\\w3svc*\\*.log",
            "c:\\logs\\w3svc1\\u_ex.log"
        ));
        assert!(!fits(
            "c:\\logs\\w3svc*\\*.log",
            "c:\\logs\\w3svc1\\u_ex.log.gz"
        ));
        assert!(!fits("c:\\logs\\*.log", "d:\\logs\\a.log"));
        assert!(fits("*", "anything"));
    }
}
