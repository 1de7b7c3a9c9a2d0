//! Words of which one must stand in every record that a rule matches; what the prefilter looks for.
//!
//! The derivation is conservative: where a part of a rule promises no word, it says so, and the rule is run on every
//! record. Values are cut at every character that a log may write in another way (spaces, quotes, backslashes, angle
//! brackets, …), so that a word stands in the raw text as it stands in the value.

use crate::logsources::RawForm;
use regex_syntax::hir::{Class, Hir, HirKind};
use rsigma_parser::value::StringPart;
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SelectorPattern,
    SigmaString, SigmaValue, detection_name_matches,
};
use std::collections::BTreeSet;

/// Shorter words are in every record.
const WORD_BYTES_MIN: usize = 3;

/// A rule that would need more words is run on every record instead.
const WORDS_MAX: usize = 2_000;

/// Brackets of a detection that are followed; rules nest two or three deep.
const DEPTH_MAX: usize = 32;

/// What a rule, or a part of it, promises about the records it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// One of these words, lower case, stands in the record.
    OneOf(BTreeSet<String>),
    /// Nothing is promised.
    Nothing,
}

/// How words are cut and chosen.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) form: RawForm,
    pub(crate) common: &'a BTreeSet<String>,
    /// Whether the values of a rule's field stand in the raw text; without a name, those of all fields.
    pub(crate) in_raw: &'a dyn Fn(Option<&str>) -> bool,
}

impl Need {
    fn word(word: String) -> Self {
        Self::OneOf(BTreeSet::from([word]))
    }

    /// Either part may be what matches.
    pub(crate) fn any(parts: impl Iterator<Item = Self>) -> Self {
        let mut all = BTreeSet::new();
        let mut empty = true;
        for part in parts {
            empty = false;
            match part {
                Self::OneOf(words) => all.extend(words),
                Self::Nothing => return Self::Nothing,
            }
        }
        if empty || all.len() > WORDS_MAX {
            return Self::Nothing;
        }
        Self::OneOf(all)
    }

    /// All parts match, so the rarest of their promises will do.
    fn all(parts: impl Iterator<Item = Self>, words: &Words<'_>) -> Self {
        parts
            .max_by_key(|part| part.rarity(words))
            .unwrap_or(Self::Nothing)
    }

    /// Length of the shortest word that is promised; 0 where none is.
    pub(crate) fn shortest(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::OneOf(all) => all.iter().map(String::len).min().unwrap_or(0),
        }
    }

    /// How rarely the promised words stand in a record that the rule leaves alone; the commonest one counts.
    pub(crate) fn rarity(&self, words: &Words<'_>) -> usize {
        match self {
            Self::Nothing => 0,
            Self::OneOf(all) => all.iter().map(|word| words.rarity(word)).min().unwrap_or(0),
        }
    }
}

impl Words<'_> {
    fn rarity(&self, word: &str) -> usize {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if self.common.contains(bare) {
            1
        } else {
            word.len()
        }
    }

    /// The rarest word that stands wherever all of these pieces of text stand.
    pub(crate) fn of_text<'t>(&self, pieces: impl Iterator<Item = &'t str>) -> Need {
        let words = pieces.flat_map(|piece| piece.split(|c| !self.is_written_as_is(c)));
        words
            .filter(|word| word.len() >= WORD_BYTES_MIN)
            .max_by_key(|word| self.rarity(&word.to_ascii_lowercase()))
            .map_or(Need::Nothing, |word| Need::word(word.to_ascii_lowercase()))
    }

    /// Whether every log writes this character as it is. JSON may write `/` as `\/`, XML and some JSON writers have
    /// escapes for most signs, and dashes are exchanged by a modifier of Sigma. Lines of text hold all signs but few:
    /// quotes may be doubled, blanks may be plus signs, and a question mark may be put between path and query.
    fn is_written_as_is(&self, c: char) -> bool {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '.' | ':' | '~' | '@')
            || (self.form == RawForm::Line
                && c.is_ascii_punctuation()
                && !matches!(c, '"' | '\'' | '+' | '?' | '-'))
    }
}

/// What a condition promises.
pub(super) fn condition_needs(
    condition: &ConditionExpr,
    detections: &Detections,
    words: &Words<'_>,
) -> Need {
    in_condition(condition, detections, words, 0)
}

fn in_condition(
    condition: &ConditionExpr,
    detections: &Detections,
    words: &Words<'_>,
    depth: usize,
) -> Need {
    if depth > DEPTH_MAX {
        return Need::Nothing;
    }
    let deeper = |part: &ConditionExpr| in_condition(part, detections, words, depth + 1);
    match condition {
        ConditionExpr::And(parts) => Need::all(parts.iter().map(deeper), words),
        ConditionExpr::Or(parts) => Need::any(parts.iter().map(deeper)),
        ConditionExpr::Not(_) => Need::Nothing,
        ConditionExpr::Identifier(name) => match detections.named.get(name) {
            Some(detection) => in_detection(detection, words, depth + 1),
            None => Need::Nothing,
        },
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => {
            let parts = selected(pattern, detections)
                .into_iter()
                .map(|detection| in_detection(detection, words, depth + 1));
            match quantifier {
                Quantifier::All => Need::all(parts, words),
                Quantifier::Count(0) => Need::Nothing,
                Quantifier::Any | Quantifier::Count(_) => Need::any(parts),
            }
        }
    }
}

/// The fields that a condition looks at; `None` where it may look at any.
pub(super) fn fields_of_condition(
    condition: &ConditionExpr,
    detections: &Detections,
) -> Option<BTreeSet<String>> {
    let mut fields = BTreeSet::new();
    let mut rest = vec![condition];
    while let Some(condition) = rest.pop() {
        match condition {
            ConditionExpr::And(parts) | ConditionExpr::Or(parts) => rest.extend(parts),
            ConditionExpr::Not(part) => rest.push(part),
            ConditionExpr::Identifier(name) => {
                fields.extend(fields_of_detection(detections.named.get(name)?)?);
            }
            ConditionExpr::Selector { pattern, .. } => {
                for detection in selected(pattern, detections) {
                    fields.extend(fields_of_detection(detection)?);
                }
            }
        }
    }
    Some(fields)
}

/// The same of a detection.
pub(super) fn fields_of_detection(detection: &Detection) -> Option<BTreeSet<String>> {
    let mut fields = BTreeSet::new();
    let mut rest = vec![detection];
    while let Some(detection) = rest.pop() {
        match detection {
            Detection::AllOf(items) => {
                for item in items {
                    if item.field.has_modifier(Modifier::FieldRef) {
                        return None;
                    }
                    fields.insert(item.field.name.clone()?);
                }
            }
            Detection::AnyOf(parts) | Detection::And(parts) => rest.extend(parts),
            Detection::Keywords(_)
            | Detection::ArrayMatch { .. }
            | Detection::Conditional { .. } => return None,
        }
    }
    Some(fields)
}

/// The detections that a selector names, in the order of their names.
pub(super) fn selected<'a>(
    pattern: &SelectorPattern,
    detections: &'a Detections,
) -> Vec<&'a Detection> {
    let mut named: Vec<_> = detections
        .named
        .iter()
        .filter(|(name, _)| match pattern {
            SelectorPattern::Them => !name.starts_with('_'),
            SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
        })
        .collect();
    named.sort_by_key(|(name, _)| name.as_str());
    named.into_iter().map(|(_, detection)| detection).collect()
}

fn in_detection(detection: &Detection, words: &Words<'_>, depth: usize) -> Need {
    if depth > DEPTH_MAX {
        return Need::Nothing;
    }
    let deeper = |part: &Detection| in_detection(part, words, depth + 1);
    match detection {
        Detection::AllOf(items) => Need::all(items.iter().map(|item| in_item(item, words)), words),
        Detection::AnyOf(parts) => Need::any(parts.iter().map(deeper)),
        Detection::And(parts) => Need::all(parts.iter().map(deeper), words),
        Detection::Keywords(_) if !(words.in_raw)(None) => Need::Nothing,
        Detection::Keywords(values) => Need::any(values.iter().map(|value| in_value(value, words))),
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => Need::Nothing,
    }
}

fn in_item(item: &DetectionItem, words: &Words<'_>) -> Need {
    if !(words.in_raw)(item.field.name.as_deref()) {
        return Need::Nothing;
    }
    let promises = |modifier: &Modifier| {
        matches!(
            modifier,
            Modifier::Contains
                | Modifier::StartsWith
                | Modifier::EndsWith
                | Modifier::All
                | Modifier::Cased
                | Modifier::WindAsh
        )
    };
    if item.field.has_modifier(Modifier::Re) {
        return in_patterns(item, words);
    }
    if !item.field.modifiers.iter().all(promises) {
        return Need::Nothing;
    }
    let values = item.values.iter().map(|value| in_value(value, words));
    if item.field.has_modifier(Modifier::All) {
        Need::all(values, words)
    } else {
        Need::any(values)
    }
}

/// Words of regular expressions, of which one is met.
fn in_patterns(item: &DetectionItem, words: &Words<'_>) -> Need {
    let is_flag = |modifier: &Modifier| {
        matches!(
            modifier,
            Modifier::Re | Modifier::IgnoreCase | Modifier::Multiline | Modifier::DotAll
        )
    };
    if !item.field.modifiers.iter().all(is_flag) {
        return Need::Nothing;
    }
    let flags = if item.field.has_modifier(Modifier::IgnoreCase) {
        "(?i)"
    } else {
        ""
    };
    Need::any(item.values.iter().map(|value| {
        let SigmaValue::String(pattern) = value else {
            return Need::Nothing;
        };
        match regex_syntax::parse(&format!("{flags}{}", pattern.original)) {
            Ok(pattern) => in_pattern(&pattern, words, 0),
            Err(_refused_elsewhere) => Need::Nothing,
        }
    }))
}

fn in_pattern(pattern: &Hir, words: &Words<'_>, depth: usize) -> Need {
    if depth > DEPTH_MAX {
        return Need::Nothing;
    }
    let deeper = |part: &Hir| in_pattern(part, words, depth + 1);
    let of_run = |run: &str| words.of_text(std::iter::once(run));
    match pattern.kind() {
        HirKind::Concat(parts) => {
            let mut run = String::new();
            let mut needs = Vec::new();
            for part in parts {
                if let Some(text) = plain_text(part) {
                    run.push_str(&text);
                } else {
                    needs.push(of_run(&run));
                    needs.push(deeper(part));
                    run.clear();
                }
            }
            needs.push(of_run(&run));
            Need::all(needs.into_iter(), words)
        }
        HirKind::Alternation(parts) => Need::any(parts.iter().map(deeper)),
        HirKind::Capture(capture) => deeper(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => deeper(&repetition.sub),
        _ => plain_text(pattern).map_or(Need::Nothing, |text| of_run(&text)),
    }
}

/// The text that a part of a pattern stands for, if it is one text, or a letter of ASCII in either case.
fn plain_text(pattern: &Hir) -> Option<String> {
    match pattern.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        HirKind::Class(Class::Unicode(class)) => {
            let mut letters = class.iter().map(|range| {
                let is_one = range.start() == range.end() && range.start().is_ascii_alphabetic();
                is_one.then(|| range.start().to_ascii_lowercase())
            });
            let first = letters.next()??;
            let is_same = letters.all(|letter| letter == Some(first));
            is_same.then(|| first.to_string())
        }
        _ => None,
    }
}

fn in_value(value: &SigmaValue, words: &Words<'_>) -> Need {
    match value {
        SigmaValue::String(text) => words.of_text(plain_pieces(text)),
        SigmaValue::Integer(_) | SigmaValue::Float(_) | SigmaValue::Bool(_) | SigmaValue::Null => {
            Need::Nothing
        }
    }
}

/// The pieces between wildcards.
fn plain_pieces(text: &SigmaString) -> impl Iterator<Item = &str> {
    text.parts.iter().filter_map(|part| match part {
        StringPart::Plain(text) => Some(text.as_str()),
        StringPart::Special(_) => None,
    })
}
