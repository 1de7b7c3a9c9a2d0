//! Cuts server code of any of the five language families into tokens.
//!
//! Tolerant: no input is an error. Comments go; escapes in strings and identifiers are resolved (`\u0065val`), format
//! characters inside identifiers are dropped as the compilers do, and interpolated strings are turned into the
//! concatenation they stand for. References: ECMA-334 (C#) section 6, ECMA-262 edition 3 section 7, the Java language
//! specification chapter 3, the PHP language reference ("Strings"), and [MS-VBAL] section 3.

use std::rc::Rc;

/// Tokens of one file that are read at most: far beyond any page written by hand, and a bound on memory.
pub(super) const TOKENS_MAX: usize = 300_000;

/// How deep interpolated strings may nest in each other.
const INTERPOLATION_DEPTH_MAX: usize = 4;

/// Longer than any name that Visual Basic allows; bounds a look ahead.
const BRACKETED_NAME_BYTES_MAX: usize = 260;

/// The language families that differ in their tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    CSharp,
    JScript,
    Java,
    Php,
    Basic,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// An identifier or keyword, in lower case.
    Word(Rc<str>),
    /// A PHP variable without its `$`, case kept.
    Variable(Rc<str>),
    Text(Rc<str>),
    Number(i64),
    /// An operator or bracket. `"cat"` is the concatenation inside an interpolated string.
    Mark(&'static str),
    /// The end of a line, where that ends a statement.
    LineEnd,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Byte offset in the text that was given, or the place it was decoded at.
    pub(super) at: u32,
}

/// The tokens of `code`; `place` maps an offset in `code` to the offset that tokens carry.
pub(super) struct Lexer<'a> {
    code: &'a [u8],
    dialect: Dialect,
    at: usize,
    place: Place,
    tokens: Vec<Token>,
    depth: usize,
    /// Tokens that may still be made.
    pub(super) room: usize,
}

/// Where tokens are said to stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// At their own offset, plus this.
    From(u32),
    /// All at one place: the code was decoded from something that stands there.
    At(u32),
}

/// Operators of the C-like languages, the longest first.
const MARKS: &[&str] = &[
    "===", "!==", "<=>", "**=", "...", "??=", "?->", "||=", "&&=", "=>", "->", "::", "==", "!=",
    "<=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", ".=", "|=", "&=", "^=", "%=",
    "(", ")", "[", "]", "{", "}", ",", ";", ":", "?", ".", "=", "<", ">", "+", "-", "*", "/", "%",
    "!", "~", "&", "|", "^", "@", "$", "#", "\\", "`",
];

const BASIC_MARKS: &[&str] = &[
    "<>", "<=", ">=", ":=", "&=", "+=", "-=", "*=", "/=", "(", ")", "{", "}", ",", ":", ".", "=",
    "<", ">", "+", "-", "*", "/", "\\", "^", "&", "!", "?", "@", "#", ";", "[", "]",
];

impl<'a> Lexer<'a> {
    pub(super) fn new(code: &'a [u8], dialect: Dialect, place: Place, room: usize) -> Self {
        Self {
            code,
            dialect,
            at: 0,
            place,
            tokens: Vec::new(),
            depth: 0,
            room,
        }
    }

    /// Reads everything, or as many tokens as there is room for; `room` is 0 afterwards if that was not all.
    pub(super) fn run(mut self) -> (Vec<Token>, usize) {
        self.read_all();
        (self.tokens, self.room)
    }

    /// Like `run`, for a PHP file: what stands before the first `<?` is text.
    pub(super) fn run_php_page(mut self) -> (Vec<Token>, usize) {
        self.seek_php(0);
        self.read_all();
        (self.tokens, self.room)
    }

    fn read_all(&mut self) {
        while self.at < self.code.len() && self.room > 0 {
            let before = self.at;
            match self.dialect {
                Dialect::Basic => self.basic_token(),
                Dialect::CSharp | Dialect::JScript | Dialect::Java | Dialect::Php => self.c_token(),
            }
            if self.at == before {
                self.at += 1;
            }
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        if self.room == 0 {
            return;
        }
        self.room -= 1;
        let at = match self.place {
            Place::From(base) => base.saturating_add(u32::try_from(start).unwrap_or(u32::MAX)),
            Place::At(at) => at,
        };
        self.tokens.push(Token { kind, at });
    }

    fn push_text(&mut self, text: &str, start: usize) {
        self.push(Kind::Text(Rc::from(text)), start);
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.code.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a [u8] {
        self.code.get(self.at..).unwrap_or(&[])
    }

    fn starts(&self, text: &str) -> bool {
        self.rest().starts_with(text.as_bytes())
    }

    fn starts_without_case(&self, text: &str) -> bool {
        self.rest()
            .get(..text.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
    }

    /// Moves behind the next `text`, or to the end.
    fn skip_behind(&mut self, text: &str) {
        match memchr::memmem::find(self.rest(), text.as_bytes()) {
            Some(found) => self.at += found + text.len(),
            None => self.at = self.code.len(),
        }
    }

    fn skip_line(&mut self) {
        match memchr::memchr2(b'\n', b'\r', self.rest()) {
            Some(found) => self.at += found,
            None => self.at = self.code.len(),
        }
    }

    fn c_token(&mut self) {
        let start = self.at;
        let byte = self.byte(0);
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.at += 1,
            b'/' if self.byte(1) == b'/' => self.line_comment(),
            b'/' if self.byte(1) == b'*' => self.block_comment(),
            b'#' if self.dialect == Dialect::Php => match self.byte(1) {
                b'[' => self.skip_behind("]"),
                _ => self.line_comment(),
            },
            b'#' if self.dialect == Dialect::CSharp => self.skip_line(),
            b'?' if self.dialect == Dialect::Php && self.byte(1) == b'>' => self.html_in_php(),
            b'<' if self.dialect == Dialect::Php && self.starts("<<<") => self.heredoc(),
            b'$' if self.dialect == Dialect::Php
                && is_word_byte(self.byte(1))
                && !self.byte(1).is_ascii_digit() =>
            {
                self.at += 1;
                let name = self.word();
                self.push(Kind::Variable(Rc::from(name.as_str())), start);
            }
            b'$' if self.dialect == Dialect::CSharp && matches!(self.byte(1), b'"' | b'@') => {
                self.interpolated_c_sharp();
            }
            b'@' if self.dialect == Dialect::CSharp && self.byte(1) == b'"' => {
                self.at += 1;
                let text = self.doubled_quotes(b'"');
                self.push_text(&text, start);
            }
            b'@' if self.dialect == Dialect::CSharp
                && self.byte(1) == b'$'
                && self.byte(2) == b'"' =>
            {
                self.interpolated_c_sharp();
            }
            b'@' if self.dialect == Dialect::CSharp => self.at += 1,
            b'"' if self.starts("\"\"\"")
                && matches!(self.dialect, Dialect::CSharp | Dialect::Java) =>
            {
                self.at += 3;
                let end = memchr::memmem::find(self.rest(), b"\"\"\"").unwrap_or(self.rest().len());
                let text = String::from_utf8_lossy(&self.rest()[..end]).into_owned();
                self.at = (self.at + end + 3).min(self.code.len());
                self.push_text(&text, start);
            }
            b'"' | b'`' if self.dialect == Dialect::Php => self.interpolated_php(byte),
            b'"' | b'\'' => {
                let text = self.escaped_text(byte);
                self.push_text(&text, start);
            }
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1).is_ascii_digit() && !self.after_operand() => self.number(),
            b'/' if self.dialect == Dialect::JScript && !self.after_operand() => {
                self.regular_expression();
            }
            _ if is_word_byte(byte) || self.unicode_escape().is_some() => {
                let mut word = self.word();
                if self.dialect == Dialect::Php
                    && let Some((_, last)) = word.rsplit_once('\\')
                {
                    word = last.to_owned();
                }
                word.make_ascii_lowercase();
                if !word.is_empty() {
                    self.push(Kind::Word(Rc::from(word.as_str())), start);
                }
            }
            b'\\' if self.dialect == Dialect::Php => self.at += 1,
            _ => self.mark(MARKS),
        }
    }

    fn mark(&mut self, marks: &[&'static str]) {
        if let Some(mark) = marks.iter().find(|mark| self.starts(mark)) {
            let start = self.at;
            self.at += mark.len();
            self.push(Kind::Mark(mark), start);
        } else {
            self.at += 1;
        }
    }

    /// Whether the last token could end an operand: then `/` divides and does not open a regular expression.
    fn after_operand(&self) -> bool {
        match self.tokens.last().map(|token| &token.kind) {
            Some(Kind::Word(word)) => !matches!(
                &**word,
                "return" | "typeof" | "case" | "in" | "delete" | "void"
            ),
            Some(Kind::Variable(_) | Kind::Text(_) | Kind::Number(_)) => true,
            Some(Kind::Mark(mark)) => matches!(*mark, ")" | "]" | "}"),
            Some(Kind::LineEnd) | None => false,
        }
    }

    fn line_comment(&mut self) {
        let start = self.at;
        self.skip_line();
        if self.dialect == Dialect::Php {
            // The end of the PHP block ends a one-line comment too.
            if let Some(end) = memchr::memmem::find(&self.code[start..self.at], b"?>") {
                self.at = start + end;
            }
        }
    }

    fn block_comment(&mut self) {
        if self.dialect == Dialect::JScript && self.starts("/*@") {
            // Conditional compilation: the engine runs what stands in such a comment.
            self.at += 3;
            if self.starts_without_case("cc_on") {
                self.at += 5;
            }
            return;
        }
        self.at += 2;
        self.skip_behind("*/");
    }

    /// From `?>` to behind the next `<?php`, `<?=` or `<?`.
    fn html_in_php(&mut self) {
        let start = self.at;
        self.push(Kind::Mark(";"), start);
        self.at += 2;
        self.seek_php(start);
    }

    /// Moves behind the next mark that opens PHP code.
    fn seek_php(&mut self, start: usize) {
        while let Some(open) = memchr::memmem::find(self.rest(), b"<?") {
            self.at += open + 2;
            if self.starts("=") {
                self.at += 1;
                self.push(Kind::Word(Rc::from("echo")), start);
                return;
            }
            if self.starts_without_case("php") {
                self.at += 3;
                return;
            }
            if !self.starts_without_case("xml") {
                return;
            }
        }
        self.at = self.code.len();
    }

    /// An identifier with its escapes resolved and format characters dropped; PHP names keep their namespace.
    fn word(&mut self) -> String {
        let mut word: Vec<u8> = Vec::new();
        while self.at < self.code.len() {
            let byte = self.byte(0);
            if let Some((character, length)) = self.unicode_escape() {
                let mut buffer = [0; 4];
                if !is_format_character(character) {
                    word.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                }
                self.at += length;
            } else if is_word_byte(byte)
                || (byte == b'\\' && self.dialect == Dialect::Php && is_word_byte(self.byte(1)))
            {
                let length = format_character_length(self.rest());
                if length == 0 {
                    word.push(byte);
                    self.at += 1;
                } else {
                    self.at += length;
                }
            } else {
                break;
            }
        }
        String::from_utf8_lossy(&word).into_owned()
    }

    /// `\u0065` and, in C#, `\U00000065` outside of strings.
    fn unicode_escape(&self) -> Option<(char, usize)> {
        if self.byte(0) != b'\\' || matches!(self.dialect, Dialect::Php | Dialect::Basic) {
            return None;
        }
        escape_of(self.rest())
    }

    fn number(&mut self) {
        let start = self.at;
        let hexadecimal = self.byte(0) == b'0' && matches!(self.byte(1), b'x' | b'X');
        if hexadecimal {
            self.at += 2;
        }
        let radix = if hexadecimal { 16 } else { 10 };
        let mut value: i64 = 0;
        let mut fraction = false;
        while self.at < self.code.len() {
            let byte = self.byte(0);
            match char::from(byte).to_digit(radix) {
                Some(digit) if !fraction => {
                    value = value
                        .saturating_mul(i64::from(radix))
                        .saturating_add(i64::from(digit));
                }
                Some(_) => {}
                None if byte == b'.'
                    && !hexadecimal
                    && !fraction
                    && self.byte(1).is_ascii_digit() =>
                {
                    fraction = true;
                }
                None if byte == b'_' || byte.is_ascii_alphabetic() => {}
                None => break,
            }
            self.at += 1;
        }
        self.push(Kind::Number(value), start);
    }

    fn regular_expression(&mut self) {
        let start = self.at;
        self.at += 1;
        let body = self.at;
        let mut in_class = false;
        while self.at < self.code.len() {
            match self.byte(0) {
                b'\\' => self.at += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => break,
                b'\n' | b'\r' => break,
                _ => {}
            }
            self.at += 1;
        }
        let end = self.at.min(self.code.len());
        let text = String::from_utf8_lossy(&self.code[body..end]).into_owned();
        self.at = end + 1;
        while self.byte(0).is_ascii_alphabetic() {
            self.at += 1;
        }
        self.at = self.at.min(self.code.len());
        self.push_text(&text, start);
    }

    /// A quoted string with backslash escapes; stops at the end of a line where the language does.
    fn escaped_text(&mut self, quote: u8) -> String {
        self.at += 1;
        let mut text = Vec::new();
        let plain = self.dialect == Dialect::Php && quote == b'\'';
        while self.at < self.code.len() {
            let byte = self.byte(0);
            if byte == quote {
                self.at += 1;
                break;
            }
            if byte == b'\n' && self.dialect != Dialect::Php {
                break;
            }
            if byte == b'\\' && plain {
                if matches!(self.byte(1), b'\\' | b'\'') {
                    self.at += 1;
                }
                text.push(self.byte(0));
                self.at += 1;
            } else if byte == b'\\' {
                self.escape(&mut text);
            } else {
                text.push(byte);
                self.at += 1;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// One backslash escape inside a string.
    fn escape(&mut self, text: &mut Vec<u8>) {
        let mut buffer = [0; 4];
        if let Some((character, length)) = escape_of(self.rest()) {
            text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            self.at += length;
            return;
        }
        let next = self.byte(1);
        self.at = (self.at + 2).min(self.code.len());
        match next {
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'0'..=b'7' => {
                let mut value = u32::from(next - b'0');
                for _ in 0..2 {
                    let digit = self.byte(0);
                    if !(b'0'..=b'7').contains(&digit) {
                        break;
                    }
                    value = value * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                let character = char::from_u32(value).unwrap_or('\0');
                text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
            b'\r' | b'\n' => {}
            other => text.push(other),
        }
    }

    /// A string in which a doubled quote stands for one, from its opening quote.
    fn doubled_quotes(&mut self, quote: u8) -> String {
        self.at += 1;
        let mut text = Vec::new();
        while let Some(end) = memchr::memchr(quote, self.rest()) {
            text.extend_from_slice(&self.rest()[..end]);
            self.at += end + 1;
            if self.byte(0) != quote {
                return String::from_utf8_lossy(&text).into_owned();
            }
            text.push(quote);
            self.at += 1;
        }
        text.extend_from_slice(self.rest());
        self.at = self.code.len();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// `$"a{b}c"` becomes `("a" cat (b) cat "c")`.
    fn interpolated_c_sharp(&mut self) {
        let start = self.at;
        let verbatim = self.byte(0) == b'@' || self.byte(1) == b'@';
        self.at += if verbatim { 2 } else { 1 };
        self.at += 1;
        self.push(Kind::Mark("("), start);
        let mut text = Vec::new();
        while self.at < self.code.len() && self.room > 0 {
            match (self.byte(0), self.byte(1)) {
                (b'"', b'"') if verbatim => {
                    text.push(b'"');
                    self.at += 2;
                }
                (b'"', _) => {
                    self.at += 1;
                    break;
                }
                (b'\n', _) if !verbatim => break,
                (b'{', b'{') | (b'}', b'}') => {
                    text.push(self.byte(0));
                    self.at += 2;
                }
                (b'{', _) => {
                    self.push_part(&mut text, start);
                    let end = closing_brace(self.rest());
                    self.nested(1, end.saturating_sub(1));
                    self.push(Kind::Mark("cat"), start);
                    self.at += end;
                }
                (b'\\', _) if !verbatim => self.escape(&mut text),
                (byte, _) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        let rest = String::from_utf8_lossy(&text).into_owned();
        self.push_text(&rest, start);
        self.push(Kind::Mark(")"), start);
    }

    /// `"a $b {$c[0]} d"` and backticks, which run their text as a command.
    fn interpolated_php(&mut self, quote: u8) {
        let start = self.at;
        self.at += 1;
        if quote == b'`' {
            self.push(Kind::Word(Rc::from("shell_exec")), start);
        }
        let end = self.end_of_php_string(quote);
        self.php_parts(end, start);
        self.at = (end + 1).min(self.code.len());
    }

    fn end_of_php_string(&self, quote: u8) -> usize {
        let mut at = self.at;
        while at < self.code.len() {
            match self.code[at] {
                b'\\' => at += 1,
                byte if byte == quote => return at,
                _ => {}
            }
            at += 1;
        }
        self.code.len()
    }

    /// The parts of an interpolated PHP string that ends before `end`.
    fn php_parts(&mut self, end: usize, start: usize) {
        self.push(Kind::Mark("("), start);
        let mut text = Vec::new();
        while self.at < end && self.room > 0 {
            let next = self.byte(1);
            match self.byte(0) {
                b'\\' if matches!(next, b'$' | b'"' | b'`' | b'{') => {
                    text.push(next);
                    self.at += 2;
                }
                b'\\' => self.escape(&mut text),
                b'$' if is_word_byte(next) && !next.is_ascii_digit() => {
                    self.push_part(&mut text, start);
                    self.simple_php_variable(end, start);
                    self.push(Kind::Mark("cat"), start);
                }
                b'{' if next == b'$' => {
                    self.push_part(&mut text, start);
                    let length = closing_brace(&self.code[self.at..end]);
                    self.nested(1, length.saturating_sub(1));
                    self.push(Kind::Mark("cat"), start);
                    self.at += length;
                }
                b'$' if next == b'{' => {
                    self.push_part(&mut text, start);
                    let length = closing_brace(&self.code[self.at + 1..end]);
                    self.push(Kind::Mark("$"), start);
                    self.push(Kind::Mark("{"), start);
                    self.nested(2, length);
                    self.push(Kind::Mark("}"), start);
                    self.push(Kind::Mark("cat"), start);
                    self.at += length + 1;
                }
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        let rest = String::from_utf8_lossy(&text).into_owned();
        self.push_text(&rest, start);
        self.push(Kind::Mark(")"), start);
    }

    /// `$name`, `$name[key]` or `$name->field` inside a string.
    fn simple_php_variable(&mut self, end: usize, start: usize) {
        self.at += 1;
        let word_end = self.code[self.at..end]
            .iter()
            .position(|byte| !is_word_byte(*byte))
            .unwrap_or(end - self.at);
        let name = String::from_utf8_lossy(&self.code[self.at..self.at + word_end]).into_owned();
        self.push(Kind::Variable(Rc::from(name.as_str())), start);
        self.at += word_end;
        if self.at < end && self.byte(0) == b'[' {
            let length = memchr::memchr(b']', &self.code[self.at..end]).unwrap_or(0);
            if length > 0 {
                let key =
                    String::from_utf8_lossy(&self.code[self.at + 1..self.at + length]).into_owned();
                self.push(Kind::Mark("["), start);
                self.push_text(key.trim_matches(['\'', '"']), start);
                self.push(Kind::Mark("]"), start);
                self.at += length + 1;
            }
        }
    }

    fn heredoc(&mut self) {
        let start = self.at;
        self.at += 3;
        while matches!(self.byte(0), b' ' | b'\t') {
            self.at += 1;
        }
        let quote = self.byte(0);
        if matches!(quote, b'\'' | b'"') {
            self.at += 1;
        }
        let label_start = self.at;
        while is_word_byte(self.byte(0)) && self.at < self.code.len() {
            self.at += 1;
        }
        let label = &self.code[label_start..self.at];
        if label.is_empty() {
            self.push(Kind::Mark("<"), start);
            return;
        }
        self.skip_line();
        let end = end_of_heredoc(self.code, self.at, label);
        if quote == b'\'' {
            let text = String::from_utf8_lossy(&self.code[self.at..end]).into_owned();
            self.push_text(text.trim_start(), start);
        } else {
            self.php_parts(end, start);
        }
        self.at = end;
        // Behind the label, which stands alone on its line.
        while matches!(self.byte(0), b'\n' | b'\r' | b' ' | b'\t') {
            self.at += 1;
        }
        self.at = (self.at + label.len()).min(self.code.len());
    }

    /// The text read so far, as the first or next part of a concatenation.
    fn push_part(&mut self, text: &mut Vec<u8>, start: usize) {
        let part = String::from_utf8_lossy(text).into_owned();
        text.clear();
        self.push_text(&part, start);
        self.push(Kind::Mark("cat"), start);
    }

    /// The tokens of an expression inside a string, in brackets: `skip` bytes on from here, up to `end` bytes from here.
    fn nested(&mut self, skip: usize, end: usize) {
        let from = (self.at + skip).min(self.code.len());
        let until = (self.at + end).clamp(from, self.code.len());
        if self.depth >= INTERPOLATION_DEPTH_MAX {
            return;
        }
        let place = match self.place {
            Place::From(base) => {
                Place::From(base.saturating_add(u32::try_from(from).unwrap_or(u32::MAX)))
            }
            Place::At(at) => Place::At(at),
        };
        let mut inner = Lexer::new(
            &self.code[from..until],
            self.dialect,
            place,
            self.room.saturating_sub(2),
        );
        inner.depth = self.depth + 1;
        inner.read_all();
        let tokens = inner.tokens;
        self.push(Kind::Mark("("), from);
        self.room = self.room.saturating_sub(tokens.len());
        self.tokens.extend(tokens);
        self.push(Kind::Mark(")"), from);
    }

    fn basic_token(&mut self) {
        let start = self.at;
        let byte = self.byte(0);
        match byte {
            b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
            b'\r' | b'\n' => {
                self.at += 1;
                self.push(Kind::LineEnd, start);
            }
            b'_' if !is_word_byte(self.byte(1)) => self.line_continuation(),
            b'\'' => self.skip_line(),
            b'"' => {
                let text = self.basic_text();
                self.push_text(&text, start);
                if matches!(self.byte(0), b'c' | b'C') && !is_word_byte(self.byte(1)) {
                    self.at += 1;
                }
            }
            // Typographic quotes, which Visual Basic accepts; UTF-8 of U+201C, U+201D, and of the single ones.
            0xe2 if self.starts("\u{201c}") || self.starts("\u{201d}") => {
                self.at += 3;
                let end =
                    memchr::memchr3(0xe2, b'\n', b'"', self.rest()).unwrap_or(self.rest().len());
                let text = String::from_utf8_lossy(&self.rest()[..end]).into_owned();
                self.at = (self.at + end + 3).min(self.code.len());
                self.push_text(&text, start);
            }
            0xe2 if self.starts("\u{2018}") || self.starts("\u{2019}") => self.skip_line(),
            b'0'..=b'9' => self.number(),
            b'&' if matches!(self.byte(1), b'h' | b'H' | b'o' | b'O')
                && self.byte(2).is_ascii_hexdigit() =>
            {
                self.basic_radix_number();
            }
            // `&101` is octal too, where no operand stands before it.
            b'&' if self.byte(1).is_ascii_digit() && !self.after_operand() => {
                self.at += 1;
                self.octal_digits(start);
            }
            b'[' => {
                let head = &self.rest()[..self.rest().len().min(BRACKETED_NAME_BYTES_MAX)];
                let end = memchr::memchr2(b']', b'\n', head).unwrap_or(0);
                let inside = self.rest().get(1..end).unwrap_or(&[]);
                if end > 1 && inside.iter().all(|byte| is_word_byte(*byte)) {
                    let word = String::from_utf8_lossy(inside).to_lowercase();
                    self.push(Kind::Word(Rc::from(word.as_str())), start);
                    self.at += end + 1;
                } else {
                    self.mark(BASIC_MARKS);
                }
            }
            b'$' if self.byte(1) == b'"' => {
                // Visual Basic's interpolated strings have the same braces as those of C#.
                self.interpolated_basic();
            }
            _ if is_word_byte(byte) => {
                let mut word = self.word();
                word = word.to_lowercase();
                if word == "rem" {
                    self.skip_line();
                    return;
                }
                if matches!(self.byte(0), b'$' | b'%') {
                    self.at += 1;
                }
                if !word.is_empty() {
                    self.push(Kind::Word(Rc::from(word.as_str())), start);
                }
            }
            _ => self.mark(BASIC_MARKS),
        }
    }

    fn interpolated_basic(&mut self) {
        let start = self.at;
        self.at += 2;
        self.push(Kind::Mark("("), start);
        let mut text = Vec::new();
        while self.at < self.code.len() && self.room > 0 {
            match (self.byte(0), self.byte(1)) {
                (b'"', b'"') => {
                    text.push(b'"');
                    self.at += 2;
                }
                (b'"', _) => {
                    self.at += 1;
                    break;
                }
                (b'{', next) if next != b'{' => {
                    self.push_part(&mut text, start);
                    let end = closing_brace(self.rest());
                    self.nested(1, end.saturating_sub(1));
                    self.push(Kind::Mark("cat"), start);
                    self.at += end;
                }
                (byte, _) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        let rest = String::from_utf8_lossy(&text).into_owned();
        self.push_text(&rest, start);
        self.push(Kind::Mark(")"), start);
    }

    fn basic_text(&mut self) -> String {
        self.at += 1;
        let mut text = Vec::new();
        while self.at < self.code.len() {
            match (self.byte(0), self.byte(1)) {
                (b'"', b'"') => {
                    text.push(b'"');
                    self.at += 2;
                }
                (b'"', _) => {
                    self.at += 1;
                    break;
                }
                (b'\r' | b'\n', _) => break,
                (byte, _) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn basic_radix_number(&mut self) {
        let start = self.at;
        let radix = if matches!(self.byte(1), b'h' | b'H') {
            16
        } else {
            8
        };
        self.at += 2;
        let mut value: i64 = 0;
        while let Some(digit) = char::from(self.byte(0)).to_digit(radix) {
            value = value
                .saturating_mul(i64::from(radix))
                .saturating_add(i64::from(digit));
            self.at += 1;
        }
        if self.byte(0) == b'&' {
            self.at += 1;
        }
        self.push(Kind::Number(value), start);
    }

    fn octal_digits(&mut self, start: usize) {
        let mut value: i64 = 0;
        while let Some(digit) = char::from(self.byte(0)).to_digit(8) {
            value = value.saturating_mul(8).saturating_add(i64::from(digit));
            self.at += 1;
        }
        self.push(Kind::Number(value), start);
    }

    /// `_` at the end of a line: the statement goes on in the next one.
    fn line_continuation(&mut self) {
        let blank = self.rest()[1..]
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t'));
        let next = blank.map_or(self.code.len(), |blank| self.at + 1 + blank);
        match self.code.get(next) {
            Some(b'\r') if self.code.get(next + 1) == Some(&b'\n') => self.at = next + 2,
            Some(b'\r' | b'\n') => self.at = next + 1,
            _ => self.at += 1,
        }
    }
}

/// `\u0041`, `\uu0041`, `\U00000041`, `\x41` and `\u{41}` at the start of `bytes`, with their length.
fn escape_of(bytes: &[u8]) -> Option<(char, usize)> {
    let (digits_at, digits_max) = match bytes {
        [b'\\', b'u', b'{', ..] => {
            let end = bytes.iter().take(12).position(|byte| *byte == b'}')?;
            let text = std::str::from_utf8(bytes.get(3..end)?).ok()?;
            let character = char::from_u32(u32::from_str_radix(text, 16).ok()?)?;
            return Some((character, end + 1));
        }
        [b'\\', b'u', b'u', ..] => (3, 4),
        [b'\\', b'u', ..] => (2, 4),
        [b'\\', b'U', ..] => (2, 8),
        [b'\\', b'x', ..] => (2, 2),
        _ => return None,
    };
    let digits = bytes.get(digits_at..)?;
    let count = digits
        .iter()
        .take(digits_max)
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    if count == 0 || (digits_max != 2 && count < digits_max) {
        return None;
    }
    let text = std::str::from_utf8(&digits[..count]).ok()?;
    let character = char::from_u32(u32::from_str_radix(text, 16).ok()?)?;
    Some((character, digits_at + count))
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Characters of the Unicode category Cf, which compilers drop from identifiers.
fn is_format_character(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// The length of the format character that `bytes` start with, in UTF-8, or 0.
fn format_character_length(bytes: &[u8]) -> usize {
    match bytes {
        [0xc2, 0xad, ..] => 2,
        [0xe2, 0x80, 0x8b..=0x8f | 0xaa..=0xae, ..]
        | [0xe2, 0x81, 0xa0..=0xa4, ..]
        | [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    }
}

/// The length of a braced part that starts `bytes`, both braces included; strings inside are skipped.
fn closing_brace(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b'\n' => return at,
            quote @ (b'"' | b'\'') => {
                let rest = bytes.get(at + 1..).unwrap_or(&[]);
                match memchr::memchr2(*quote, b'\n', rest) {
                    Some(length) if rest[length] == *quote => at += length + 1,
                    // A quote that the line does not close again is no string.
                    _ => {}
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Where the line begins that holds the closing label of a heredoc, else the end.
fn end_of_heredoc(code: &[u8], from: usize, label: &[u8]) -> usize {
    let mut at = from;
    while let Some(found) = memchr::memchr(b'\n', code.get(at..).unwrap_or(&[])) {
        let line = at + found;
        let text = &code[line + 1..];
        let indent = text
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let is_label = text[indent..].starts_with(label)
            && !text
                .get(indent + label.len())
                .is_some_and(|byte| is_word_byte(*byte));
        if is_label {
            return line;
        }
        at = line + 1;
    }
    code.len()
}
