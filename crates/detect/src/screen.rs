//! Screens the rows of a text log: which of them may show anything that rules or indicators look for.
//!
//! A rule is taken apart into conditions that must all hold. Those that look at one column are worked out once for each
//! text that stands in the column, as logs repeat themselves, and remembered as one bit for each rule; the others are
//! words, looked for in a whole block before its rows are split. A row is of interest where a bit is left when all its
//! columns are put together, or where an indicator stands in one. It is then looked at by the rules themselves, those
//! whose bits are left or all of them, so that a screen may let too much pass, and must not let too little.

use crate::event::Event;
use crate::grams::{Grams, automaton};
use crate::indicators::{Indicators, Kind};
use crate::plan;
use crate::prefilter::percent_decoded_bytes;
use crate::table::{RecordForm, Table};
use crate::words::{Need, Words};
use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use model::{Columns, Interest, Record, Screen, Screening};
use sigma::{Part, VariantId};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Texts of one column that are remembered; a power of two.
const REMEMBERED: usize = 4_096;

/// Longer texts are not remembered, and are taken to meet every rule.
const TEXT_BYTES_MAX: usize = 2_048;

/// Words of a condition that are worth looking for in every row, where other conditions of its rule look at columns.
const WORD_BYTES_MIN: usize = 7;

/// The letters that rules take for an ASCII one although they are not (the Kelvin sign, the dotted capital I, and the
/// long s): lines that hold one are always of interest.
const HIDING: [&str; 3] = ["\u{212A}", "\u{0130}", "\u{017F}"];

/// A word that calls for a look whatever the rules say.
const ALARM: u32 = u32::MAX;

/// What there is to look for in the rows of one kind of source.
pub(crate) struct Sought<'a> {
    pub(crate) engine: &'a Arc<sigma::Engine>,
    /// The rules for these records, each taken apart.
    pub(crate) rules: Vec<(VariantId, Vec<Part>)>,
    pub(crate) form: RecordForm,
    pub(crate) table: &'a Arc<Table>,
    pub(crate) indicators: &'a Arc<Indicators>,
}

impl Sought<'_> {
    fn words(&self) -> Words<'_> {
        plan::words(self.form, self.table)
    }

    fn need(&self, part: &Part) -> Need {
        Need::of(&part.promise(self.engine), &self.words())
    }
}

/// A screen for rows with certain columns.
#[derive(Debug)]
struct LineScreen {
    /// The rule that each bit stands for.
    rules: Vec<u32>,
    /// Bits of the rules that wait for no word.
    base: Box<[u64]>,
    url_decoded: bool,
    words: Option<Grams>,
    /// What each word calls: bits of rules, or [`ALARM`].
    calls: Vec<Vec<u32>>,
    /// Whether addresses are looked for behind `://` and `\\`.
    addresses: bool,
    /// Those with texts that are worth remembering come first.
    columns: Vec<Column>,
    shown: Arc<dyn Columns>,
    engine: Arc<sigma::Engine>,
    indicators: Arc<Indicators>,
    pool: Mutex<Vec<Box<dyn Screening>>>,
}

/// What is looked for in the texts of one column.
#[derive(Debug, Default)]
struct Column {
    number: usize,
    varies: bool,
    /// Bits of the rules that ask nothing of this column.
    open: Box<[u64]>,
    tests: Vec<Test>,
    /// Words of which one must stand in a text that meets a test, the tests of each word, and the tests without words.
    automaton: Option<AhoCorasick>,
    targets: Vec<Vec<usize>>,
    always: Vec<usize>,
    /// Indicators, and the field that the column stands for.
    indicators: Vec<(&'static [Kind], String)>,
}

/// All that one rule asks of one column.
#[derive(Debug)]
struct Test {
    bit: usize,
    parts: Vec<Part>,
}

/// Says which rows may matter to what is sought; `None` where it cannot be told.
pub(crate) fn screen(sought: &Sought<'_>, shown: &Arc<dyn Columns>) -> Option<Arc<dyn Screen>> {
    let screen = Builder::new(sought, shown).build()?;
    Some(Arc::new(SharedScreen(Arc::new(screen))))
}

/// Puts a screen together.
struct Builder<'a, 's> {
    sought: &'a Sought<'s>,
    shown: &'a Arc<dyn Columns>,
    base: Box<[u64]>,
    words: BTreeMap<String, BTreeSet<u32>>,
    columns: BTreeMap<usize, Column>,
}

impl<'a, 's> Builder<'a, 's> {
    fn new(sought: &'a Sought<'s>, shown: &'a Arc<dyn Columns>) -> Self {
        let rules = sought.rules.len();
        Self {
            sought,
            shown,
            base: vec![0; rules.div_ceil(64)].into(),
            words: BTreeMap::new(),
            columns: BTreeMap::new(),
        }
    }

    fn build(mut self) -> Option<LineScreen> {
        for (bit, (_, parts)) in self.sought.rules.iter().enumerate() {
            self.add_rule(bit, parts);
        }
        self.add_indicators();
        let blocks = self.base.len();
        let mut columns: Vec<Column> = self.columns.into_values().collect();
        for column in &mut columns {
            column.finish(blocks, self.sought)?;
        }
        columns.sort_by_key(|column| (column.varies, column.number));
        let (words, calls): (Vec<String>, Vec<Vec<u32>>) = self
            .words
            .into_iter()
            .map(|(word, calls)| (word, calls.into_iter().collect()))
            .unzip();
        let words = match words.as_slice() {
            [] => None,
            words => Some(Grams::new(words, &self.sought.table.common_text)?),
        };
        let rules = self.sought.rules.iter();
        Some(LineScreen {
            rules: rules.map(|(variant, _)| variant.0).collect(),
            base: self.base,
            url_decoded: self.sought.form.url_decoded,
            words,
            calls,
            addresses: self.sought.indicators.has_any(&[Kind::Address]),
            columns,
            shown: Arc::clone(self.shown),
            engine: Arc::clone(self.sought.engine),
            indicators: Arc::clone(self.sought.indicators),
            pool: Mutex::default(),
        })
    }

    /// Takes a rule apart into what it asks of columns and of words. A rule of which nothing can be told lets every row
    /// pass; one that asks for what no row has lets none.
    fn add_rule(&mut self, bit: usize, parts: &[Part]) {
        let words = self.sought.words();
        let mut by_column: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
        let mut needs: Vec<Need> = Vec::new();
        for part in parts {
            let Some(fields) = part.fields(self.sought.engine) else {
                needs.push(self.sought.need(part));
                continue;
            };
            let asked: BTreeSet<usize> = fields
                .into_iter()
                .flat_map(|field| self.shown.of_field(field))
                .collect();
            match asked.first() {
                None if !self.holds_without_fields(part) => return,
                None => {}
                Some(column) if asked.len() == 1 => {
                    let need = self.sought.need(part);
                    if self.shown.varies(*column) && need.shortest() >= WORD_BYTES_MIN {
                        needs.push(need);
                    } else {
                        by_column.entry(*column).or_default().push(part.clone());
                    }
                }
                Some(_) => needs.push(self.sought.need(part)),
            }
        }
        let rarest = needs.into_iter().max_by_key(|need| need.rarity(&words));
        let bit_number = u32::try_from(bit).unwrap_or(ALARM);
        match rarest {
            Some(Need::OneOf(words)) => {
                for word in words {
                    self.words.entry(word).or_default().insert(bit_number);
                }
            }
            Some(Need::Nothing) | None => set(&mut self.base, bit),
        }
        for (number, parts) in by_column {
            self.column(number).tests.push(Test { bit, parts });
        }
    }

    /// Whether a condition on fields that no row has can hold all the same, as one that asks for an absent value can.
    fn holds_without_fields(&self, part: &Part) -> bool {
        let record = self.shown.lone(None, &[]);
        holds_as(part, self.sought.engine, &*record, false)
    }

    fn add_indicators(&mut self) {
        const PATHS: &[Kind] = &[Kind::UrlPath, Kind::FileName, Kind::FilePath];
        const FILES: &[Kind] = &[Kind::FileName, Kind::FilePath];
        const HASHES: &[Kind] = &[Kind::Sha256, Kind::Sha1, Kind::Md5];
        let fields = &self.sought.table.indicator_fields;
        self.add_words(&[Kind::Domain]);
        for (kinds, names) in [
            (&[Kind::Address] as &[Kind], &fields.address),
            (&[Kind::UserAgent], &fields.user_agent),
            (PATHS, &fields.url_path),
            (FILES, &fields.file),
            (HASHES, &fields.hash),
        ] {
            if !self.sought.indicators.has_any(kinds) {
                continue;
            }
            for name in names {
                let columns = self.shown.of_field(name);
                match columns.as_slice() {
                    [] => {}
                    [column] if !self.shown.varies(*column) => {
                        let column = self.column(*column);
                        column.indicators.push((kinds, name.clone()));
                    }
                    _ => self.add_words(kinds),
                }
            }
        }
    }

    /// Looks for indicators of these kinds by their words.
    fn add_words(&mut self, kinds: &[Kind]) {
        let words = self.sought.words();
        for need in self.sought.indicators.needs_of(kinds, &words) {
            if let Need::OneOf(words) = need {
                for word in words {
                    self.words.entry(word).or_default().insert(ALARM);
                }
            }
        }
    }

    fn column(&mut self, number: usize) -> &mut Column {
        let varies = self.shown.varies(number);
        self.columns.entry(number).or_insert_with(|| Column {
            number,
            varies,
            ..Column::default()
        })
    }
}

impl Column {
    /// Makes the automaton over the words of all tests.
    fn finish(&mut self, blocks: usize, sought: &Sought<'_>) -> Option<()> {
        let mut open = vec![u64::MAX; blocks];
        let mut by_word: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, test) in self.tests.iter().enumerate() {
            if let Some(block) = open.get_mut(test.bit / 64) {
                *block &= !(1 << (test.bit % 64));
            }
            let needs = test.parts.iter().map(|part| sought.need(part));
            match needs.max_by_key(|need| need.rarity(&sought.words())) {
                Some(Need::OneOf(words)) => {
                    for word in words {
                        by_word.entry(word).or_default().push(number);
                    }
                }
                Some(Need::Nothing) | None => self.always.push(number),
            }
        }
        self.open = open.into();
        if !by_word.is_empty() {
            let (words, targets): (Vec<String>, Vec<Vec<usize>>) = by_word.into_iter().unzip();
            self.automaton = Some(automaton(&words)?);
            self.targets = targets;
        }
        Some(())
    }
}

impl LineScreen {
    /// What a text of a column leaves open: bits of rules, and whether an indicator may stand in it.
    fn verdict(&self, column: &Column, text: &[u8]) -> (Box<[u64]>, bool) {
        let record = self.shown.lone(Some(column.number), text);
        let alarm = column.indicators.iter().any(|(kinds, field)| {
            record
                .get(field)
                .is_some_and(|value| self.indicators.may_show(kinds, &value.to_text()))
        });
        if text.len() > TEXT_BYTES_MAX {
            return (vec![u64::MAX; column.open.len()].into(), alarm);
        }
        let mut open = column.open.clone();
        for number in candidates(column, text, self.url_decoded) {
            if let Some(test) = column.tests.get(number)
                && self.holds(test, &*record)
            {
                set(&mut open, test.bit);
            }
        }
        (open, alarm)
    }

    fn holds(&self, test: &Test, record: &dyn Record) -> bool {
        test.parts.iter().all(|part| {
            holds_as(part, &self.engine, record, false)
                || (self.url_decoded && holds_as(part, &self.engine, record, true))
        })
    }
}

fn holds_as(part: &Part, engine: &sigma::Engine, record: &dyn Record, url_decoded: bool) -> bool {
    let event = Event {
        record,
        engine,
        binding: None,
        url_decoded,
        line: &Cell::default(),
    };
    part.holds(engine, &event)
}

/// The tests that a text may meet.
fn candidates(column: &Column, text: &[u8], url_decoded: bool) -> BTreeSet<usize> {
    if !text.is_ascii() {
        return (0..column.tests.len()).collect();
    }
    let mut found: BTreeSet<usize> = column.always.iter().copied().collect();
    let mut look = |text: &[u8]| {
        for hit in column
            .automaton
            .iter()
            .flat_map(|automaton| automaton.find_overlapping_iter(text))
        {
            found.extend(
                column
                    .targets
                    .get(hit.pattern().as_usize())
                    .into_iter()
                    .flatten(),
            );
        }
        // Letters that hide others from the search are no ASCII.
        text.is_ascii()
    };
    look(text);
    let mut decoded = Vec::new();
    if url_decoded && percent_decoded_bytes(text, &mut decoded) && !look(&decoded) {
        return (0..column.tests.len()).collect();
    }
    found
}

fn set(bits: &mut [u64], bit: usize) {
    if let Some(block) = bits.get_mut(bit / 64) {
        *block |= 1 << (bit % 64);
    }
}

#[derive(Debug)]
struct SharedScreen(Arc<LineScreen>);

impl Screen for SharedScreen {
    fn last_column(&self) -> Option<usize> {
        self.0.columns.iter().map(|column| column.number).max()
    }

    fn begin(&self) -> Box<dyn Screening> {
        let mut pool = self.0.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.pop().unwrap_or_else(|| {
            Box::new(Look {
                screen: Arc::clone(&self.0),
                url: Finder::new("://").into_owned(),
                share: Finder::new("\\\\").into_owned(),
                escape: Finder::new("&#").into_owned(),
                hits: Vec::new(),
                next: 0,
                decoded: Vec::new(),
                open: Vec::new(),
                remembered: self.0.columns.iter().map(|_| Memory::default()).collect(),
            })
        })
    }

    fn end(&self, screening: Box<dyn Screening>) {
        let mut pool = self.0.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.push(screening);
    }
}

/// The work of one thread.
#[derive(Debug)]
struct Look {
    screen: Arc<LineScreen>,
    url: Finder<'static>,
    share: Finder<'static>,
    escape: Finder<'static>,
    /// Where words stand in the block, in order, and which.
    hits: Vec<(usize, u32)>,
    /// The first hit that no row took.
    next: usize,
    decoded: Vec<u8>,
    open: Vec<u64>,
    remembered: Vec<Memory>,
}

/// What was found out about the texts of one column. Two texts of one place drive each other out.
#[derive(Debug, Default)]
struct Memory {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    text: Vec<u8>,
    open: Box<[u64]>,
    alarm: bool,
    used: bool,
}

impl Screening for Look {
    fn block(&mut self, block: &[u8]) {
        self.hits.clear();
        self.next = 0;
        let screen = Arc::clone(&self.screen);
        self.search(block, None);
        let hiding = self.escape.find_iter(block).map(|at| (at, ALARM));
        self.hits.extend(hiding);
        if !block.is_ascii() {
            self.note_hidden(block);
        }
        if screen.url_decoded {
            self.search_decoded(block);
        }
        self.hits.sort_unstable();
    }

    fn row(&mut self, start: usize, line: &[u8], fields: &[(usize, usize)]) -> Interest {
        let screen = &*self.screen;
        self.open.clear();
        self.open.extend_from_slice(&screen.base);
        let mut alarm = false;
        while let Some((at, word)) = self.hits.get(self.next)
            && *at < start + line.len()
        {
            self.next += 1;
            if *at < start {
                continue;
            }
            match screen.calls.get(*word as usize) {
                Some(calls) if *word != ALARM => {
                    for bit in calls {
                        alarm |= *bit == ALARM;
                        set(&mut self.open, *bit as usize);
                    }
                }
                _ => alarm = true,
            }
        }
        if alarm {
            return Interest::Any;
        }
        for (column, memory) in screen.columns.iter().zip(&mut self.remembered) {
            let is_asked = self
                .open
                .iter()
                .zip(&column.open)
                .any(|(open, asked)| open & !asked != 0);
            if !is_asked && column.indicators.is_empty() {
                continue;
            }
            let text = fields
                .get(column.number)
                .and_then(|(start, end)| line.get(*start..*end));
            let Some(text) = text else {
                // A row with fewer fields than its head has columns.
                return Interest::Any;
            };
            let own;
            let (open, alarm) = if column.varies || text.len() > TEXT_BYTES_MAX {
                own = screen.verdict(column, text);
                (&own.0, own.1)
            } else {
                let slot = memory.slot(text, screen, column);
                (&slot.open, slot.alarm)
            };
            if alarm {
                return Interest::Any;
            }
            for (left, open) in self.open.iter_mut().zip(open) {
                *left &= open;
            }
        }
        self.left()
    }
}

impl Look {
    /// The rules whose bits are left.
    fn left(&self) -> Interest {
        if self.open.iter().all(|open| *open == 0) {
            return Interest::No;
        }
        let is_left = |bit: &usize| {
            let block = self.open.get(bit / 64);
            block.is_some_and(|block| block >> (bit % 64) & 1 == 1)
        };
        let rules = self.screen.rules.iter().enumerate();
        let left = rules.filter(|(bit, _)| is_left(bit));
        Interest::Only(left.map(|(_, rule)| *rule).collect())
    }

    /// Looks for words and addresses in a text. Hits are noted at `line`, where the text is another form of that line.
    fn search(&mut self, text: &[u8], line: Option<usize>) {
        let screen = Arc::clone(&self.screen);
        let hits = &mut self.hits;
        if let Some(words) = &screen.words {
            words.find(text, &mut |word, at| hits.push((line.unwrap_or(at), word)));
        }
        if screen.addresses {
            for finder in [&self.url, &self.share] {
                for at in finder.find_iter(text) {
                    let behind = text.get(at + finder.needle().len()..).unwrap_or_default();
                    if screen.indicators.address_leads(behind) {
                        hits.push((line.unwrap_or(at), ALARM));
                    }
                }
            }
        }
    }

    /// Lines that are no UTF-8, or that hold letters which hide others from the search.
    fn note_hidden(&mut self, block: &[u8]) {
        let mut start = 0;
        for line in block.split_inclusive(|byte| *byte == b'\n') {
            if !line.is_ascii() && hides(line) {
                self.hits.push((start, ALARM));
            }
            start += line.len();
        }
    }

    /// Looks into every line that holds an escaped character, with its escapes undone.
    fn search_decoded(&mut self, block: &[u8]) {
        let mut decoded = std::mem::take(&mut self.decoded);
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'%', block.get(at..).unwrap_or_default()) {
            let sign = at + found;
            let before = block.get(..sign).unwrap_or_default();
            let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
            let behind = block.get(sign..).unwrap_or_default();
            let end = memchr::memchr(b'\n', behind).map_or(block.len(), |end| sign + end);
            let line = block.get(start..end).unwrap_or_default();
            if percent_decoded_bytes(line, &mut decoded) {
                if !decoded.is_ascii() && hides(&decoded) {
                    self.hits.push((start, ALARM));
                }
                self.search(&decoded, Some(start));
            }
            at = end;
        }
        self.decoded = decoded;
    }
}

impl Memory {
    /// What is known of a text; it is found out where it is not.
    fn slot(&mut self, text: &[u8], screen: &LineScreen, column: &Column) -> &Slot {
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); REMEMBERED];
        }
        let place = hash(text) & (REMEMBERED - 1);
        let slot = &mut self.slots[place];
        if !slot.used || slot.text != text {
            let (open, alarm) = screen.verdict(column, text);
            slot.text.clear();
            slot.text.extend_from_slice(text);
            (slot.open, slot.alarm, slot.used) = (open, alarm, true);
        }
        slot
    }
}

fn hides(text: &[u8]) -> bool {
    match std::str::from_utf8(text) {
        Ok(text) => HIDING.iter().any(|hiding| text.contains(hiding)),
        Err(_damaged) => true,
    }
}

/// A quick hash of a short text; a bad one costs time only.
fn hash(text: &[u8]) -> usize {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = text.as_chunks::<8>();
    let step = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let mut hash = words.iter().fold(text.len() as u64, |hash, word| {
        step(hash, u64::from_le_bytes(*word))
    });
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = step(hash, u64::from_le_bytes(last));
    // The upper bits depend on all others.
    (hash >> 40) as usize
}
