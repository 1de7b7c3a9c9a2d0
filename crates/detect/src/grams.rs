//! Finds many words in a large text at the pace of memory, without regard to ASCII case.
//!
//! Of each word a window of seven letters is chosen that is rare in ordinary logs, and the four groups of four letters in
//! it are noted in a bitmap. A text is then looked at in steps of four bytes: wherever the word stands, one of the looks
//! falls into its window on one of these groups. Of a shorter word a group of three letters is noted, and a text is
//! looked at from every byte. Only where a group is met the word is compared.
//!
//! The method is that of q-gram filters at a fixed stride: Faro and Lecroq, "The Exact Online String Matching Problem",
//! ACM Computing Surveys 45(2), 2013, section 5.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a group.
const GRAM: usize = 4;

/// Words of this length hold a whole group at every offset modulo the step.
const WINDOW: usize = 2 * GRAM - 1;

/// Bytes of a group of a shorter word, and the bits of a group that they are.
const SHORT_GRAM: usize = 3;
const SHORT_BITS: u32 = 0x00ff_ffff;

/// Bits of the bitmap, as a power of two: larger for many groups, so that few other texts meet a bit by chance.
const BITS_FEW: u32 = 17;
const BITS_MANY: u32 = 20;
const FEW_GRAMS: usize = 4_000;

/// Up to this many bytes of words the faster and larger kind of automaton is built.
const FAST_AUTOMATON_BYTES_MAX: usize = 16 * 1024;

/// Words to look for, numbered in the order given.
#[derive(Debug)]
pub(crate) struct Grams {
    words: Vec<Box<[u8]>>,
    /// Words with a window.
    long: Groups,
    /// Words with a group of three letters.
    short: Groups,
    /// Words of one or two letters, and their numbers.
    tiny: Option<(AhoCorasick, Vec<u32>)>,
}

/// Groups of letters, and the words they are taken from.
#[derive(Debug)]
struct Groups {
    /// `32 - bits`: how far a hash is shifted to become a place in the bitmap.
    shift: u32,
    bitmap: Vec<u64>,
    /// Open addressing by the hash of a group: the group, and where its entries begin and end.
    table: Vec<Option<(u32, u32, u32)>>,
    /// Word, and offset of the group in it.
    entries: Vec<(u32, u32)>,
}

impl Grams {
    /// Takes words in lower case. `common` is text as it stands in most logs. `None` where no automaton can be built.
    pub(crate) fn new(words: &[String], common: &str) -> Option<Self> {
        let common_grams = grams_of(common.as_bytes(), GRAM);
        let common_short = grams_of(common.as_bytes(), SHORT_GRAM);
        let mut crowded: BTreeMap<u32, u32> = BTreeMap::new();
        let mut by_gram: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        let mut by_short: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        let mut tiny = (Vec::new(), Vec::new());
        for (number, word) in (0_u32..).zip(words) {
            let bytes = word.as_bytes();
            if bytes.len() < SHORT_GRAM {
                tiny.0.push(word);
                tiny.1.push(number);
                continue;
            }
            if bytes.len() < WINDOW {
                let (offset, gram) = (0_u32..)
                    .zip(bytes.windows(SHORT_GRAM).map(folded))
                    .min_by_key(|(_, gram)| common_short.contains(gram))
                    .expect("a word that is as long as a group");
                by_short.entry(gram).or_default().push((number, offset));
                continue;
            }
            let cost = |window: &[u8]| -> u32 {
                let grams = window.windows(GRAM).map(folded);
                grams
                    .map(|gram| {
                        let crowd = crowded.get(&gram).copied().unwrap_or(0);
                        crowd
                            + if common_grams.contains(&gram) {
                                1_000
                            } else {
                                0
                            }
                    })
                    .sum()
            };
            let start = (0..=bytes.len() - WINDOW)
                .min_by_key(|start| cost(&bytes[*start..start + WINDOW]))
                .unwrap_or(0);
            for offset in start..start + GRAM {
                let gram = folded(&bytes[offset..offset + GRAM]);
                *crowded.entry(gram).or_default() += 1;
                let offset = u32::try_from(offset).unwrap_or(u32::MAX);
                by_gram.entry(gram).or_default().push((number, offset));
            }
        }
        let tiny = match tiny.0.as_slice() {
            [] => None,
            words => Some((automaton(words)?, tiny.1)),
        };
        Some(Self {
            words: words.iter().map(|word| word.as_bytes().into()).collect(),
            long: Groups::new(by_gram),
            short: Groups::new(by_short),
            tiny,
        })
    }

    /// Calls `found` with the number of each word that stands in the text and with its place; a word may be told more
    /// than once at one place.
    pub(crate) fn find(&self, text: &[u8], found: &mut dyn FnMut(u32, usize)) {
        if !self.long.entries.is_empty() {
            let (groups, _rest) = text.as_chunks::<GRAM>();
            for (number, group) in groups.iter().enumerate() {
                let gram = u32::from_le_bytes(*group) | CASE;
                if self.long.may_have(gram) {
                    self.compare(&self.long, gram, text, number * GRAM, found);
                }
            }
        }
        if !self.short.entries.is_empty() {
            self.find_short(text, found);
        }
        if let Some((automaton, numbers)) = &self.tiny {
            for hit in automaton.find_overlapping_iter(text) {
                if let Some(number) = numbers.get(hit.pattern().as_usize()) {
                    found(*number, hit.start());
                }
            }
        }
    }

    fn find_short(&self, text: &[u8], found: &mut dyn FnMut(u32, usize)) {
        /// Groups that begin in the first bytes of eight.
        const STEP: usize = 8 - (SHORT_GRAM - 1);
        let mut at = 0;
        while let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let bytes = u64::from_le_bytes(*eight) | CASES;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a group is the lower bytes"
            )]
            let gram = |offset: usize| (bytes >> (offset * 8)) as u32 & SHORT_BITS;
            // One branch for all of them: hardly any group is one of a word.
            let met = (0..STEP).fold(false, |met, offset| met | self.short.may_have(gram(offset)));
            if met {
                for offset in 0..STEP {
                    if self.short.may_have(gram(offset)) {
                        self.compare(&self.short, gram(offset), text, at + offset, found);
                    }
                }
            }
            at += STEP;
        }
        let rest = text.get(at..).unwrap_or_default();
        for (offset, group) in rest.windows(SHORT_GRAM).enumerate() {
            self.compare(&self.short, folded(group), text, at + offset, found);
        }
    }

    /// Compares the words that hold this group with the text around it.
    fn compare(
        &self,
        groups: &Groups,
        gram: u32,
        text: &[u8],
        at: usize,
        found: &mut dyn FnMut(u32, usize),
    ) {
        for (number, offset) in groups.entries_of(gram) {
            let (Some(word), Some(start)) = (
                self.words.get(*number as usize),
                at.checked_sub(*offset as usize),
            ) else {
                continue;
            };
            if let Some(there) = text.get(start..start + word.len())
                && there.eq_ignore_ascii_case(word)
            {
                found(*number, start);
            }
        }
    }
}

impl Groups {
    fn new(by_gram: BTreeMap<u32, Vec<(u32, u32)>>) -> Self {
        let bits = if by_gram.len() <= FEW_GRAMS {
            BITS_FEW
        } else {
            BITS_MANY
        };
        let mut groups = Self {
            shift: 32 - bits,
            bitmap: vec![0; 1 << (bits - 6)],
            table: vec![None; (by_gram.len() * 2).next_power_of_two()],
            entries: Vec::new(),
        };
        for (gram, entries) in by_gram {
            groups.enter(gram, &entries);
        }
        groups
    }

    /// Whether words may hold this group; `true` by chance for a few that none holds.
    fn may_have(&self, gram: u32) -> bool {
        let place = (hash(gram) >> self.shift) as usize;
        let bits = self.bitmap.get(place / 64).copied().unwrap_or(0);
        bits >> (place % 64) & 1 == 1
    }

    fn entries_of(&self, gram: u32) -> &[(u32, u32)] {
        let found = self.look_up(gram).and_then(|(start, end)| {
            let entries = start as usize..end as usize;
            self.entries.get(entries)
        });
        found.unwrap_or_default()
    }

    fn look_up(&self, gram: u32) -> Option<(u32, u32)> {
        let mask = self.table.len() - 1;
        let mut place = hash(gram) as usize & mask;
        loop {
            let (known, start, end) = (*self.table.get(place)?)?;
            if known == gram {
                return Some((start, end));
            }
            place = (place + 1) & mask;
        }
    }

    fn enter(&mut self, gram: u32, entries: &[(u32, u32)]) {
        let bit = (hash(gram) >> self.shift) as usize;
        if let Some(bits) = self.bitmap.get_mut(bit / 64) {
            *bits |= 1 << (bit % 64);
        }
        let start = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.extend_from_slice(entries);
        let end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let mask = self.table.len() - 1;
        let mut place = hash(gram) as usize & mask;
        // The table is at most half full.
        while self.table.get(place).is_some_and(Option::is_some) {
            place = (place + 1) & mask;
        }
        if let Some(slot) = self.table.get_mut(place) {
            *slot = Some((gram, start, end));
        }
    }
}

/// The bit that tells upper from lower case in ASCII; it makes a few other signs the same too, which costs no more than
/// a comparison.
const CASE: u32 = 0x2020_2020;
const CASES: u64 = 0x2020_2020_2020_2020;

/// A group of at most four letters without its case.
fn folded(group: &[u8]) -> u32 {
    let case = u32::from(b' ');
    let bytes = group.iter().rev();
    bytes.fold(0, |gram, byte| gram << 8 | u32::from(*byte) | case)
}

fn grams_of(text: &[u8], bytes: usize) -> BTreeSet<u32> {
    text.windows(bytes).map(folded).collect()
}

/// Multiplicative hashing: D. E. Knuth, "The Art of Computer Programming", volume 3, section 6.4.
fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1)
}

/// An automaton that finds every word, without regard to ASCII case.
pub(crate) fn automaton<W: AsRef<[u8]>>(words: &[W]) -> Option<AhoCorasick> {
    let bytes: usize = words.iter().map(|word| word.as_ref().len()).sum();
    let kind = if bytes <= FAST_AUTOMATON_BYTES_MAX {
        AhoCorasickKind::DFA
    } else {
        AhoCorasickKind::ContiguousNFA
    };
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .kind(Some(kind))
        .build(words)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_word_is_found_wherever_it_stands(
            words in proptest::collection::vec("[a-d.]{1,12}", 0..40),
            text in "[a-dA-D.]{0,200}",
        ) {
            let grams = Grams::new(&words, "abcd.abc").unwrap();
            let mut found = BTreeSet::new();
            grams.find(text.as_bytes(), &mut |word, at| {
                found.insert((word as usize, at));
            });
            let lower = text.to_ascii_lowercase();
            let mut expected = BTreeSet::new();
            for (number, word) in words.iter().enumerate() {
                for at in 0..lower.len() {
                    if lower[at..].starts_with(word.as_str()) {
                        expected.insert((number, at));
                    }
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
