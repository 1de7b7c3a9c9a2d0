//! Makes text from evidence harmless to look at.
//!
//! Which characters are hidden follows the Unicode Character Database (categories Cc, Cf, Co, Zl, Zp, and
//! `Default_Ignorable_Code_Point`) and Unicode Technical Report 36 on what deceives a reader.

use std::borrow::Cow;
use std::fmt::Write;
use unicode_width::UnicodeWidthChar;

/// Marks that stand on one letter before the next becomes an escape: more than any script needs, and fewer than it
/// takes to draw over the lines above and below.
const MARKS_MAX: usize = 3;

/// Whether a character steers, reorders or cannot be seen.
pub(crate) fn is_hidden(character: char) -> bool {
    let code = u32::from(character);
    character.is_control()
        || code & 0xfffe == 0xfffe
        || matches!(code,
            // Soft hyphen, grapheme joiner, Arabic letter mark, Hangul fillers, Khmer and Mongolian invisibles.
            0x00ad | 0x034f | 0x061c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
            // Zero-width characters, direction marks and overrides, separators of lines, invisible operators.
            | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
            // Further fillers, variation selectors, byte order mark, annotations, noncharacters.
            | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xfdd0..=0xfdef
            // Private use: what it looks like depends on the reader's fonts.
            | 0xe000..=0xf8ff | 0x000f_0000..=0x0010_ffff
            // Shorthand and musical format controls, tags, further selectors.
            | 0x0001_bca0..=0x0001_bca3 | 0x0001_d173..=0x0001_d17a | 0x000e_0000..=0x000e_0fff)
}

/// The text in one line, with every hidden character as `<U+001B>`.
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, false)
}

/// The same for text in several lines: line breaks (`\n` and `\r\n`) and tabs stay.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") {
        return Cow::Owned(escape(&text.replace("\r\n", "\n"), true).into_owned());
    }
    escape(text, true)
}

/// The beginning of a text, at most this many characters; says how many were left out.
pub(crate) fn shorten(text: &str, characters_max: usize) -> Cow<'_, str> {
    let Some((cut, _)) = text.char_indices().nth(characters_max) else {
        return Cow::Borrowed(text);
    };
    let (kept, left_out) = text.split_at(cut);
    Cow::Owned(format!(
        "{kept}… (and {} more characters)",
        left_out.chars().count()
    ))
}

/// The text as a cell of a table that a spreadsheet may open: one that would be taken for a formula begins with an
/// apostrophe instead (OWASP, "CSV Injection"; the full-width forms are read as formulas by East Asian versions).
pub fn spreadsheet_cell(text: &str) -> Cow<'_, str> {
    // A spreadsheet skips what it takes for blank before it looks for a sign.
    let first = text.chars().find(|character| *character != ' ');
    match first {
        Some(
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}'
            | '\u{ff20}',
        ) => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

fn escape(text: &str, keep_lines: bool) -> Cow<'_, str> {
    let plain =
        |c: char| ('\u{20}'..'\u{7f}').contains(&c) || keep_lines && matches!(c, '\n' | '\t');
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut marks = 0;
    for character in text.chars() {
        marks = match character.width() {
            Some(0) => marks + 1,
            _ => 0,
        };
        if plain(character) || !is_hidden(character) && marks <= MARKS_MAX {
            escaped.push(character);
        } else {
            write!(escaped, "<U+{:04X}>", u32::from(character)).expect("a string takes all");
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_hides_becomes_visible() {
        for (text, expected) in [
            ("C:\\inetpub\\a.aspx", "C:\\inetpub\\a.aspx"),
            ("\u{1b}[2Jgone", "<U+001B>[2Jgone"),
            (
                "\u{9b}31m\u{7f}\u{0}\r\n\t",
                "<U+009B>31m<U+007F><U+0000><U+000D><U+000A><U+0009>",
            ),
            ("\u{202e}xpsa\u{2069}", "<U+202E>xpsa<U+2069>"),
            (
                "a\u{200b}\u{feff}\u{2028}\u{e0041}",
                "a<U+200B><U+FEFF><U+2028><U+E0041>",
            ),
            ("サーバー é", "サーバー é"),
            (
                "e\u{301}\u{301}\u{301}\u{301}!",
                "e\u{301}\u{301}\u{301}<U+0301>!",
            ),
        ] {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn formulas_become_text() {
        for (text, expected) in [
            ("/owa/auth/x.aspx", "/owa/auth/x.aspx"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            (" @SUM(1)", "' @SUM(1)"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("", ""),
        ] {
            assert_eq!(spreadsheet_cell(text), expected);
        }
    }

    #[test]
    fn lines_and_tabs_stay_where_they_may() {
        assert_eq!(
            visible_lines("a\r\n\tb\rc\u{1b}"),
            "a\n\tb<U+000D>c<U+001B>"
        );
    }

    #[test]
    fn long_text_says_how_much_is_missing() {
        assert_eq!(shorten("äbc", 3), "äbc");
        assert_eq!(shorten("äbcde", 3), "äbc… (and 2 more characters)");
    }
}
