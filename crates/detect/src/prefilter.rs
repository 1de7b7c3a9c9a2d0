//! Finds the few indicators that may stand in a record by one pass over its text.
//!
//! Each indicator hands over words of which one must stand in whatever shows it. One automaton looks for all words at
//! once, without regard to ASCII case. Indicators that promise no word are candidates of every record.

use crate::grams::automaton;
use crate::table::RecordForm;
use crate::words::Need;
use aho_corasick::AhoCorasick;
use model::{Record, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Texts that can hide a word from a search for ASCII letters: the two letters whose lower case is ASCII although
/// they are not, and the escapes of XML. Where one stands, every target is a candidate.
const HIDING: [&str; 3] = ["\u{212A}", "\u{0130}", "&#"];

/// The automaton of one source.
#[derive(Debug)]
pub(crate) struct Prefilter {
    /// `None` where it could not be built; then every target is always a candidate.
    automaton: Option<AhoCorasick>,
    /// For each word, its targets. The words of `HIDING` come first and have none.
    targets: Vec<Vec<u32>>,
    always: Vec<u32>,
    target_count: u32,
}

/// Candidates of the record in hand; kept between records so that nothing is allocated for each.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// The round in which a target was last marked.
    marked: Vec<u32>,
    round: u32,
    /// Targets of this round, ascending.
    pub(crate) found: Vec<u32>,
}

impl Prefilter {
    /// Takes the need of each target, numbered from 0.
    pub(crate) fn new(needs: Vec<Need>) -> Self {
        let target_count = u32::try_from(needs.len()).unwrap_or(u32::MAX);
        let mut by_word: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut always = Vec::new();
        for (target, need) in (0..target_count).zip(needs) {
            match need {
                Need::Nothing => always.push(target),
                Need::OneOf(words) => {
                    for word in words {
                        by_word.entry(word).or_default().push(target);
                    }
                }
            }
        }
        let mut words: Vec<String> = HIDING.iter().map(|&hiding| hiding.to_owned()).collect();
        let mut targets: Vec<Vec<u32>> = vec![Vec::new(); HIDING.len()];
        for (word, of_word) in by_word {
            words.push(word);
            targets.push(of_word);
        }
        Self {
            automaton: automaton(&words),
            targets,
            always,
            target_count,
        }
    }

    /// Fills `candidates` with every target that may stand in a record.
    pub(crate) fn candidates(
        &self,
        record: &dyn Record,
        form: RecordForm,
        candidates: &mut Candidates,
    ) {
        candidates.begin(self.target_count);
        if self.target_count == 0 {
            return;
        }
        for target in &self.always {
            candidates.mark(*target);
        }
        if form.lines {
            self.text(&record.raw(), form, candidates);
        } else {
            record.each_field(&mut |_, value| self.value(&value, form, candidates));
        }
        candidates.found.sort_unstable();
    }

    fn value(&self, value: &Value<'_>, form: RecordForm, candidates: &mut Candidates) {
        match value {
            Value::Text(text) => self.text(text, form, candidates),
            Value::List(values) => {
                for value in values {
                    self.value(value, form, candidates);
                }
            }
            // Indicators are texts; none is a number or a truth value.
            _ => {}
        }
    }

    fn text(&self, text: &str, form: RecordForm, candidates: &mut Candidates) {
        self.scan(text, candidates);
        if form.url_decoded
            && let Cow::Owned(decoded) = percent_decoded(text)
        {
            self.scan(&decoded, candidates);
        }
    }

    fn scan(&self, text: &str, candidates: &mut Candidates) {
        let Some(automaton) = &self.automaton else {
            (0..self.target_count).for_each(|target| candidates.mark(target));
            return;
        };
        for found in automaton.find_overlapping_iter(text) {
            let word = found.pattern().as_usize();
            if word < HIDING.len() {
                (0..self.target_count).for_each(|target| candidates.mark(target));
                return;
            }
            for target in &self.targets[word] {
                candidates.mark(*target);
            }
        }
    }
}

impl Candidates {
    fn begin(&mut self, target_count: u32) {
        self.found.clear();
        self.round = self.round.wrapping_add(1);
        let count = target_count as usize;
        if self.marked.len() != count || self.round == 0 {
            self.marked.clear();
            self.marked.resize(count, 0);
            self.round = 1;
        }
    }

    fn mark(&mut self, target: u32) {
        let marked = &mut self.marked[target as usize];
        if *marked != self.round {
            *marked = self.round;
            self.found.push(target);
        }
    }
}

/// The text with percent signs decoded once; bytes that are no UTF-8 become the replacement character. Borrowed where
/// nothing changes.
///
/// The encoding: <https://www.rfc-editor.org/rfc/rfc3986#section-2.1>
pub(crate) fn percent_decoded(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let Some(first) = memchr::memchr(b'%', bytes) else {
        return Cow::Borrowed(text);
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    decoded.extend_from_slice(&bytes[..first]);
    let mut rest = &bytes[first..];
    let mut changed = false;
    while let [byte, after @ ..] = rest {
        if let (b'%', [high, low, behind @ ..]) = (byte, after)
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
        {
            decoded.push(high << 4 | low);
            rest = behind;
            changed = true;
        } else {
            decoded.push(*byte);
            rest = after;
        }
    }
    if !changed {
        return Cow::Borrowed(text);
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// The same of bytes, into `decoded`, whatever they are; `false` where nothing changes.
pub(crate) fn percent_decoded_bytes(bytes: &[u8], decoded: &mut Vec<u8>) -> bool {
    decoded.clear();
    let mut rest = bytes;
    let mut changed = false;
    while let Some(sign) = memchr::memchr(b'%', rest) {
        let (before, escape) = rest.split_at(sign);
        decoded.extend_from_slice(before);
        if let [_, high, low, behind @ ..] = escape
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
        {
            decoded.push(high << 4 | low);
            rest = behind;
            changed = true;
        } else {
            decoded.push(b'%');
            rest = escape.get(1..).unwrap_or_default();
        }
    }
    if changed {
        decoded.extend_from_slice(rest);
    }
    changed
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::ExampleRecord;

    fn found(needs: &[&[&str]], text: &str) -> Vec<u32> {
        let needs = needs.iter().map(|words| {
            if words.is_empty() {
                return Need::Nothing;
            }
            Need::OneOf(words.iter().map(|&word| word.to_owned()).collect())
        });
        let fields = BTreeMap::from([("a".to_owned(), text.to_owned())]);
        let form = RecordForm {
            lines: true,
            url_decoded: true,
            apostrophes: true,
            carries_over: false,
        };
        let mut candidates = Candidates::default();
        let prefilter = Prefilter::new(needs.collect());
        let record = ExampleRecord::new("iis.site:1", &fields, false);
        prefilter.candidates(&record, form, &mut candidates);
        candidates.found
    }

    #[test]
    fn words_are_found_in_any_case_encoded_or_inside_each_other() {
        let needs: &[&[&str]] = &[&["shell"], &["hell", "none"], &[], &["absent"]];
        assert_eq!(found(needs, "/a/SHELL.aspx"), [0, 1, 2]);
        assert_eq!(found(needs, "/a/s%68ell.aspx"), [0, 1, 2]);
        assert_eq!(found(needs, "/a/x.aspx"), [2]);
    }

    #[test]
    fn a_text_that_can_hide_words_calls_every_rule() {
        let needs: &[&[&str]] = &[&["whoami"], &["absent"]];
        assert_eq!(found(needs, "&#119;hoami"), [0, 1]);
        assert_eq!(found(needs, "mar\u{212A}"), [0, 1]);
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%4"), "%zz%4");
        assert_eq!(percent_decoded("a%2Fb%25"), "a/b%");
        assert_eq!(percent_decoded("%ff"), "\u{fffd}");
    }
}
