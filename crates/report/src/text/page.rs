//! A page of a terminal: the one place through which all text of the terminal report goes.
//!
//! Everything is made visible and shortened here, so that no caller can forget it. Colours are plain SGR codes of
//! ECMA-48.

use super::TextOptions;
use crate::escape::{shorten, visible};
use crate::width::{break_word, fit, width};
use std::io::{self, Write};

/// Characters of one piece of text that are shown; a log line may hold gigabytes.
const PIECE_CHARACTERS_MAX: usize = 700;

/// Prose in lines longer than this is hard to read.
const PROSE_COLUMNS_MAX: usize = 110;

/// Fewer columns than this hold no word.
const COLUMNS_MIN: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Strong,
    Faint,
    Bad,
    Warning,
    Good,
    /// Neither good nor bad, but to be told apart.
    Neutral,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Bad => "1;31",
            Self::Warning => "33",
            Self::Good => "32",
            Self::Neutral => "36",
        }
    }
}

/// One piece of a line.
pub(super) type Piece<'a> = (Style, &'a str);

/// What a paragraph's lines begin with. These are our own words, never evidence.
#[derive(Clone, Copy)]
pub(super) struct Indent<'a> {
    pub(super) first: &'a str,
    pub(super) rest: &'a str,
}

impl<'a> Indent<'a> {
    pub(super) fn all(indent: &'a str) -> Self {
        Self {
            first: indent,
            rest: indent,
        }
    }
}

pub(super) struct Page<'o, 'w> {
    out: &'o mut (dyn Write + 'w),
    pub(super) options: TextOptions,
}

impl<'o, 'w> Page<'o, 'w> {
    pub(super) fn new(out: &'o mut (dyn Write + 'w), options: TextOptions) -> Self {
        Self { out, options }
    }

    pub(super) fn columns(&self) -> usize {
        self.options.width.clamp(COLUMNS_MIN, 1000)
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// A heading between blank space above and nothing below.
    pub(super) fn heading(&mut self, title: &str, aside: &str) -> io::Result<()> {
        self.blank()?;
        let title = title.to_uppercase();
        let indent = Indent {
            first: "",
            rest: "  ",
        };
        if aside.is_empty() {
            return self.flow(indent, &[(Style::Strong, &title)]);
        }
        let dot = self.glyph("·", "-");
        let pieces = [
            (Style::Strong, title.as_str()),
            (Style::Faint, dot),
            (Style::Faint, aside),
        ];
        self.flow(indent, &pieces)
    }

    /// A line as broad as the page.
    pub(super) fn rule(&mut self) -> io::Result<()> {
        let dash = self.glyph("─", "-");
        let line = dash.repeat(self.columns().min(PROSE_COLUMNS_MAX));
        self.row(&[(Style::Faint, &line)])
    }

    /// The first where the terminal shows more than ASCII.
    pub(super) fn glyph(&self, glyph: &'static str, ascii: &'static str) -> &'static str {
        if self.options.ascii { ascii } else { glyph }
    }

    /// A paragraph: the pieces, one space between them, broken into lines.
    pub(super) fn flow(&mut self, indent: Indent<'_>, pieces: &[Piece<'_>]) -> io::Result<()> {
        let columns = self.columns().min(PROSE_COLUMNS_MAX);
        let room = columns
            .saturating_sub(width(indent.first).max(width(indent.rest)))
            .max(8);
        let mut line: Vec<(Style, String)> = Vec::new();
        let mut taken = 0;
        let mut first = true;
        for (style, text) in pieces {
            let text = visible(text);
            let text = shorten(&text, PIECE_CHARACTERS_MAX);
            for word in text.split(' ').filter(|word| !word.is_empty()) {
                for part in break_word(word, room) {
                    let needed = width(part);
                    let space = usize::from(taken > 0);
                    if taken + space + needed > room && taken > 0 {
                        self.line(if first { indent.first } else { indent.rest }, &line)?;
                        line.clear();
                        taken = 0;
                        first = false;
                    }
                    append(&mut line, *style, part, taken > 0);
                    taken += needed + usize::from(taken > 0);
                }
            }
        }
        if line.is_empty() && !first {
            return Ok(());
        }
        self.line(if first { indent.first } else { indent.rest }, &line)
    }

    /// One line that is not broken; the caller made the cells fit.
    pub(super) fn row(&mut self, cells: &[Piece<'_>]) -> io::Result<()> {
        let cells: Vec<(Style, String)> = cells
            .iter()
            .map(|(style, text)| (*style, visible(text).into_owned()))
            .collect();
        self.line("", &cells)
    }

    /// Text for a table's cell, in exactly so many columns.
    pub(super) fn cell(&self, text: &str, columns: usize) -> String {
        let text = shorten(text, PIECE_CHARACTERS_MAX);
        fit(&visible(&text), columns, self.glyph("…", "~"))
    }

    fn line(&mut self, indent: &str, pieces: &[(Style, String)]) -> io::Result<()> {
        let mut line = indent.to_owned();
        for (style, text) in pieces {
            if self.options.colour && *style != Style::Plain {
                line.push_str("\u{1b}[");
                line.push_str(style.code());
                line.push('m');
                line.push_str(text);
                line.push_str("\u{1b}[0m");
            } else {
                line.push_str(text);
            }
        }
        let line = line.trim_end();
        if self.options.ascii {
            return writeln!(self.out, "{}", ascii(line));
        }
        writeln!(self.out, "{line}")
    }
}

/// Adds a word to the line; words of one style make one piece.
fn append(line: &mut Vec<(Style, String)>, style: Style, word: &str, space: bool) {
    match line.last_mut() {
        Some((last, text)) if *last == style => {
            if space {
                text.push(' ');
            }
            text.push_str(word);
        }
        _ => {
            if space && let Some((_, text)) = line.last_mut() {
                text.push(' ');
            }
            line.push((style, word.to_owned()));
        }
    }
}

/// Our own punctuation in ASCII; other letters stay as escapes.
fn ascii(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '…' => plain.push('~'),
            '·' | '•' => plain.push('*'),
            other if other.is_ascii() => plain.push(other),
            other => {
                use std::fmt::Write;
                write!(plain, "<U+{:04X}>", u32::from(other)).expect("a string takes all");
            }
        }
    }
    plain
}
