//! How many columns of a terminal text takes, and breaking it into lines.
//!
//! Widths follow Unicode Standard Annex 11 (East Asian wide characters take two columns). Text must have been made
//! visible before: hidden characters have no width that terminals agree on.

use unicode_width::UnicodeWidthChar;

/// After these a path or a query may go over to the next line.
const BREAK_AFTER: &[char] = &['\\', '/', '&', '?', ',', ';', '=', '!', '_', '-'];

/// Columns that the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text in exactly so many columns: filled with spaces, or cut with an ellipsis.
pub(crate) fn fit(text: &str, columns: usize, ellipsis: &str) -> String {
    let taken = width(text);
    if taken <= columns {
        return format!("{text}{}", " ".repeat(columns - taken));
    }
    let room = columns.saturating_sub(width(ellipsis));
    let cut = split_at_width(text, room);
    let fitted = format!("{}{ellipsis}", &text[..cut]);
    let padding = columns.saturating_sub(width(&fitted));
    format!("{fitted}{}", " ".repeat(padding))
}

/// Splits a word that is longer than the line; each part takes at most `columns`, but holds at least one character.
pub(crate) fn break_word(word: &str, columns: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = word;
    while width(rest) > columns {
        let mut cut = split_at_width(rest, columns);
        if cut == 0 {
            cut = rest.chars().next().map_or(rest.len(), char::len_utf8);
        }
        if let Some(at) = rest[..cut].rfind(BREAK_AFTER)
            && at * 2 > cut
        {
            // Every character of `BREAK_AFTER` is one byte long.
            cut = at + 1;
        }
        let (part, after) = rest.split_at(cut);
        parts.push(part);
        rest = after;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(rest);
    }
    parts
}

/// Byte index up to which the text fits into so many columns.
fn split_at_width(text: &str, columns: usize) -> usize {
    let mut taken = 0;
    for (index, character) in text.char_indices() {
        taken += character.width().unwrap_or(0);
        if taken > columns {
            return index;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns_and_are_never_halved() {
        assert_eq!(width("サa"), 3);
        assert_eq!(fit("サーバー", 6, "…"), "サー… ");
        assert_eq!(fit("ab", 4, "…"), "ab  ");
        assert_eq!(break_word("サーバー", 5), ["サー", "バー"]);
        assert_eq!(break_word("サー", 1), ["サ", "ー"]);
    }

    #[test]
    fn paths_break_behind_a_separator() {
        assert_eq!(
            break_word("C:\\inetpub\\wwwroot\\aspnet_client\\x.aspx", 20),
            ["C:\\inetpub\\wwwroot\\", "aspnet_client\\x.aspx"]
        );
        assert_eq!(break_word("", 5), [""]);
    }
}
