//! Cuts pages into pieces of server code and has them followed.
//!
//! What is server code, and in which language, is said by the page's directives, its tags, and its ending: ASP.NET and
//! classic ASP (`<% %>`, `<script runat="server">`), PHP, JSP and JSPX, Razor, and plain code files. Script that the
//! page sends to the browser is not server code and is left alone.

use std::borrow::Cow;
use std::rc::Rc;

use super::flow::{self, Markup};
use super::lexer::{Dialect, Kind as TokenKind, Lexer, Place, TOKENS_MAX, Token};
use super::program::Program;
use super::{Kind, Language, Notes, SIGNS_MAX, basic, parser};

/// Longer than any tag of a page; a tag that does not end within is no tag.
const TAG_BYTES_MAX: usize = 16 * 1024;

/// Names of form fields and objects that are kept.
const MARKUP_MAX: usize = 4096;

/// Code pages in which ASCII letters are not themselves: UTF-7 and EBCDIC.
const ODD_CODE_PAGES: &[&str] = &["65000", "37", "037", "500", "1026", "1047", "1140", "20924"];

/// What a server makes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AspNet,
    ClassicAsp,
    Php,
    Jsp,
    Razor(Dialect),
    /// Code from the first to the last byte.
    Code(Dialect),
}

/// Looks for server code in a page and follows the client's data through it.
pub(super) fn analyse(path: &str, bytes: &[u8], notes: &mut Notes<'_>) {
    let text = Text::decode(bytes);
    let Some((form, executable)) = form(path, &text.bytes) else {
        return;
    };
    analyse_text(&text, form, executable, notes);
}

/// Whether bytes that are no page of their own, such as `web.config`, hold server code; follows it if so.
pub(super) fn analyse_embedded(bytes: &[u8], notes: &mut Notes<'_>) -> bool {
    let text = Text::decode(bytes);
    if !has_server_code(&text.bytes) {
        return false;
    }
    analyse_text(&text, Form::ClassicAsp, true, notes);
    true
}

/// Adds the steps of these tokens.
pub(super) fn parse(tokens: &[Token], dialect: Dialect, program: &mut Program) {
    match dialect {
        Dialect::Basic => basic::parse(tokens, program),
        _ => parser::parse(tokens, dialect, program),
    }
}

fn analyse_text(text: &Text<'_>, form: Form, executable: bool, notes: &mut Notes<'_>) {
    let page = Page::read(&text.bytes, form);
    if let Some((at, words)) = page.hidden {
        notes.add(
            Kind::HiddenCode,
            false,
            words,
            text.original(at),
            Language::None,
        );
    }
    for problem in page.not_seen {
        notes.skip(problem);
    }
    let mut program = Program::new();
    for (dialect, tokens) in &page.code {
        parse(tokens, *dialect, &mut program);
    }
    let outcome = flow::follow(&mut program, &page.markup, page.room);
    for problem in outcome.not_seen {
        notes.skip(problem);
    }
    let mut found: Vec<_> = outcome.found.into_iter().collect();
    found.sort_by_key(|((at, kind), found)| (!found.decisive, *at, *kind));
    for ((at, kind), found) in found.into_iter().take(SIGNS_MAX) {
        let decisive = found.decisive && executable;
        let mut explanation = found.explanation;
        if !executable {
            explanation.push_str(" The name of this file is not one that a server runs.");
        }
        notes.add(
            kind,
            decisive,
            &explanation,
            text.original(at as usize),
            language(found.dialect),
        );
    }
}

fn language(dialect: Dialect) -> Language {
    match dialect {
        Dialect::CSharp => Language::CSharp,
        Dialect::JScript => Language::JScript,
        Dialect::Java => Language::Java,
        Dialect::Php => Language::Php,
        Dialect::Basic => Language::VisualBasic,
    }
}

/// What the server makes of this file, and whether it runs it under this name.
fn form(path: &str, bytes: &[u8]) -> Option<(Form, bool)> {
    let ending = model::extension(path);
    let generated = path.to_lowercase().contains("temporary asp.net files");
    let known = match ending.as_str() {
        "aspx" | "ascx" | "asax" | "ashx" | "asmx" | "svc" | "master" | "soap" | "rem" => {
            Form::AspNet
        }
        "asp" | "asa" | "cer" | "cdx" | "htr" | "idc" | "stm" | "shtm" | "shtml" => {
            Form::ClassicAsp
        }
        "php" | "php3" | "php4" | "php5" | "php7" | "php8" | "phtml" | "pht" | "phar" | "inc" => {
            Form::Php
        }
        "jsp" | "jspx" | "jspf" | "jsw" | "jsv" | "jtml" | "jhtml" | "tag" | "tagx" => Form::Jsp,
        "cshtml" => Form::Razor(Dialect::CSharp),
        "vbhtml" => Form::Razor(Dialect::Basic),
        "cs" => Form::Code(Dialect::CSharp),
        "vb" => Form::Code(Dialect::Basic),
        "java" => Form::Code(Dialect::Java),
        "js" if generated => Form::Code(Dialect::JScript),
        _ => return sniffed(bytes).map(|form| (form, false)),
    };
    Some((known, true))
}

/// Server code in a file whose name does not promise any.
fn sniffed(bytes: &[u8]) -> Option<Form> {
    if memchr::memmem::find(bytes, b"<?php").is_some() {
        return Some(Form::Php);
    }
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    let asp = has("<%@")
        || find_without_case(bytes, b"runat", 0).is_some()
        || (has("<%") && has("equest"));
    if !asp {
        return None;
    }
    let java = has("<%@page import") || has("<%@ page import") || has("java.");
    Some(if java { Form::Jsp } else { Form::AspNet })
}

fn has_server_code(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"<%").is_some()
        || memchr::memmem::find(bytes, b"<?php").is_some()
        || {
            let mut from = 0;
            let mut found = false;
            while let Some(at) = find_without_case(bytes, b"<script", from) {
                let tag = tag_at(bytes, at);
                if tag.is_some_and(|tag| attribute(tag, "runat").is_some()) {
                    found = true;
                    break;
                }
                from = at + 7;
            }
            found
        }
}

/// The text of a file as bytes of UTF-8 or of an unknown single-byte encoding.
struct Text<'a> {
    bytes: Cow<'a, [u8]>,
    /// Each byte of text was made from this many bytes of the file, roughly: UTF-16 has two.
    wide: Option<Wide>,
}

#[derive(Clone, Copy)]
struct Wide {
    start: usize,
}

impl<'a> Text<'a> {
    fn decode(bytes: &'a [u8]) -> Self {
        let (little, start) = match bytes {
            [0xff, 0xfe, ..] => (true, 2),
            [0xfe, 0xff, ..] => (false, 2),
            [b'<', 0, ..] => (true, 0),
            [0, b'<', ..] => (false, 0),
            _ => {
                return Self {
                    bytes: Cow::Borrowed(bytes),
                    wide: None,
                };
            }
        };
        let rest = bytes.get(start..).unwrap_or(&[]);
        let unit = if little {
            u16::from_le_bytes
        } else {
            u16::from_be_bytes
        };
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        // Letters outside of ASCII do not matter to the analysis, so that each unit stays one byte and offsets are kept.
        let narrow: Vec<u8> = units
            .map(|unit| u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(0xff))
            .collect();
        Self {
            bytes: Cow::Owned(narrow),
            wide: Some(Wide { start }),
        }
    }

    /// The offset in the file of an offset in the text.
    fn original(&self, at: usize) -> usize {
        match self.wide {
            Some(wide) => wide.start + 2 * at,
            None => at,
        }
    }
}

/// The server code of one page, in the order in which it stands there.
struct Page<'a> {
    bytes: &'a [u8],
    form: Form,
    /// The language of code that does not name its own.
    main: Dialect,
    code: Vec<(Dialect, Vec<Token>)>,
    markup: Markup,
    /// Where code is hidden from this analysis too, and how.
    hidden: Option<(usize, &'static str)>,
    not_seen: Vec<String>,
    room: usize,
}

impl<'a> Page<'a> {
    fn read(bytes: &'a [u8], form: Form) -> Self {
        let mut page = Self {
            bytes,
            form,
            main: Dialect::CSharp,
            code: Vec::new(),
            markup: Markup::default(),
            hidden: None,
            not_seen: Vec::new(),
            room: TOKENS_MAX,
        };
        match form {
            Form::Php => page.php(),
            Form::Code(dialect) => page.piece(dialect, 0, bytes.len()),
            Form::Razor(dialect) => page.razor(dialect),
            Form::Jsp => {
                page.main = Dialect::Java;
                page.markup.inputs = ["param", "paramvalues", "header", "headervalues", "cookie"]
                    .map(String::from)
                    .to_vec();
                page.tags();
            }
            Form::AspNet | Form::ClassicAsp => {
                page.main = page.page_language();
                page.tags();
            }
        }
        if page.room == 0 {
            page.not_seen.push(format!(
                "the page holds more code than the {TOKENS_MAX} words that are followed"
            ));
        }
        page
    }

    fn php(&mut self) {
        let (tokens, room) =
            Lexer::new(self.bytes, Dialect::Php, Place::From(0), self.room).run_php_page();
        self.room = room;
        self.code.push((Dialect::Php, tokens));
    }

    /// The language that the page's directive names, else the server's default or a guess.
    fn page_language(&mut self) -> Dialect {
        if let Some(at) = memchr::memmem::find(self.bytes, b"#@~^") {
            self.hidden = Some((
                at,
                "This page's code was passed through Microsoft's script encoder, which hides it from tools.",
            ));
            self.not_seen
                .push("encoded script is not decoded".to_owned());
        }
        let mut from = 0;
        while let Some(found) = memchr::memmem::find(&self.bytes[from..], b"<%@") {
            let start = from + found;
            let end = memchr::memmem::find(&self.bytes[start..], b"%>")
                .map_or(self.bytes.len(), |length| start + length);
            let directive = &self.bytes[start..end.min(start + TAG_BYTES_MAX)];
            if attribute(directive, "codepage")
                .is_some_and(|page| ODD_CODE_PAGES.contains(&page.trim()))
            {
                self.hidden = Some((
                    start,
                    "This page is written in an encoding that hides its code from tools.",
                ));
            }
            if let Some(name) = attribute(directive, "language") {
                match dialect_named(&name) {
                    Some(dialect) => return dialect,
                    None if self.not_seen.is_empty() => {
                        let problem =
                            format!("code in the language `{}` is not read", shorten(&name));
                        self.not_seen.push(problem);
                    }
                    None => {}
                }
            }
            from = end;
        }
        match self.form {
            Form::ClassicAsp => Dialect::Basic,
            _ => guess(self.bytes),
        }
    }

    /// Walks over the page's tags and code marks.
    fn tags(&mut self) {
        let mut at = 0;
        while at < self.bytes.len() && self.room > 0 {
            let rest = &self.bytes[at..];
            let next = match self.form {
                Form::Jsp => memchr::memchr3(b'<', b'$', b'#', rest),
                _ => memchr::memchr(b'<', rest),
            };
            let Some(found) = next else { return };
            at = self.mark(at + found);
        }
    }

    /// Reads what starts at `at`, and says where to go on.
    fn mark(&mut self, at: usize) -> usize {
        let rest = &self.bytes[at..];
        if matches!(rest, [b'$' | b'#', b'{', ..]) {
            return self.expression_language(at);
        }
        if !rest.starts_with(b"<") {
            return at + 1;
        }
        if rest.starts_with(b"<%--") {
            return self.behind(at + 4, b"--%>");
        }
        if rest.starts_with(b"<%@") {
            return self.directive(at);
        }
        if rest.starts_with(b"<%$") {
            return self.behind(at, b"%>");
        }
        if rest.starts_with(b"<%") {
            return self.block(at);
        }
        if starts_without_case(rest, b"<script") {
            return self.script(at);
        }
        if self.form == Form::Jsp && rest.get(1).is_some_and(u8::is_ascii_alphabetic) {
            return self.jsp_element(at);
        }
        if rest.get(1).is_some_and(u8::is_ascii_alphabetic) {
            self.server_control(at);
        }
        at + 1
    }

    fn behind(&self, from: usize, mark: &[u8]) -> usize {
        let rest = self.bytes.get(from..).unwrap_or(&[]);
        memchr::memmem::find(rest, mark).map_or(self.bytes.len(), |found| from + found + mark.len())
    }

    /// `<%@ … %>`. In a handler or service all that follows is code.
    fn directive(&mut self, at: usize) -> usize {
        let end = self.behind(at, b"%>");
        let text = &self.bytes[at..end.min(at + TAG_BYTES_MAX)];
        let word: Vec<u8> = text[3..]
            .iter()
            .copied()
            .skip_while(u8::is_ascii_whitespace)
            .take_while(u8::is_ascii_alphabetic)
            .take(20)
            .collect();
        let code_follows = match word.to_ascii_lowercase().as_slice() {
            b"webhandler" | b"webservice" | b"servicehost" | b"service" => true,
            // A handler's directive may lack its first word.
            b"language" | b"class" => attribute(text, "class").is_some(),
            _ => false,
        };
        if code_follows && self.form == Form::AspNet {
            self.piece(self.main, end, self.bytes.len());
            return self.bytes.len();
        }
        end
    }

    /// `<% … %>`, `<%= … %>`, `<%! … %>`, `<%# … %>`
    fn block(&mut self, at: usize) -> usize {
        let mut start = at + 2;
        let value = matches!(self.bytes.get(start), Some(b'=' | b':' | b'#'));
        if value || self.bytes.get(start) == Some(&b'!') {
            start += 1;
        }
        let end = memchr::memmem::find(&self.bytes[start..], b"%>")
            .map_or(self.bytes.len(), |length| start + length);
        if value {
            self.value(self.main, start, end);
        } else {
            self.piece(self.main, start, end);
        }
        (end + 2).min(self.bytes.len())
    }

    /// `<script runat="server" language="…">`; without `runat` it is the browser's, and only passed over.
    fn script(&mut self, at: usize) -> usize {
        let Some(tag) = tag_at(self.bytes, at) else {
            return at + 7;
        };
        let start = at + tag.len();
        let language = attribute(tag, "language").or_else(|| attribute(tag, "type"));
        let named = language.as_deref().and_then(dialect_named);
        let server = attribute(tag, "runat")
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("server"));
        if !server && named != Some(Dialect::Php) {
            return at + 7;
        }
        let end = find_without_case(self.bytes, b"</script", start).unwrap_or(self.bytes.len());
        self.piece(named.unwrap_or(self.main), start, end);
        end
    }

    /// A tag with `runat="server"`: a form's field, or an object that server code uses by its name.
    fn server_control(&mut self, at: usize) {
        let Some(tag) = tag_at(self.bytes, at) else {
            return;
        };
        let server = find_without_case(tag, b"runat", 0).is_some();
        if !server || self.markup.fields.len() + self.markup.objects.len() >= MARKUP_MAX {
            return;
        }
        let Some(name) = attribute(tag, "id").map(|name| name.to_lowercase()) else {
            return;
        };
        let object = attribute(tag, "progid").or_else(|| attribute(tag, "classid"));
        let lower = String::from_utf8_lossy(&tag[..tag.len().min(40)]).to_lowercase();
        if let Some(object) = object {
            self.markup
                .objects
                .push((name, super::catalog::object_name(&object)));
        } else if ![
            "<asp:label",
            "<asp:literal",
            "<asp:button",
            "<asp:panel",
            "<form",
            "<head",
            "<body",
            "<asp:placeholder",
        ]
        .iter()
        .any(|other| lower.starts_with(other))
        {
            self.markup.fields.push(name);
        }
    }

    /// `<jsp:scriptlet>…</jsp:scriptlet>` under whatever prefix.
    fn jsp_element(&mut self, at: usize) -> usize {
        let Some(tag) = tag_at(self.bytes, at) else {
            return at + 1;
        };
        let name_end = tag
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))
            .unwrap_or(tag.len());
        let name = &tag[1..name_end.max(1)];
        let code = [&b":scriptlet"[..], b":expression", b":declaration"]
            .iter()
            .any(|element| name.to_ascii_lowercase().ends_with(element));
        if !code || tag.ends_with(b"/>") {
            return at + 1;
        }
        let start = at + tag.len();
        let mut close = b"</".to_vec();
        close.extend_from_slice(name);
        let end = memchr::memmem::find(&self.bytes[start..], &close)
            .map_or(self.bytes.len(), |length| start + length);
        let decoded = without_markup(&self.bytes[start..end]);
        let place = u32::try_from(start).unwrap_or(u32::MAX);
        match decoded {
            Cow::Borrowed(_) => self.piece(Dialect::Java, start, end),
            Cow::Owned(code) => self.decoded_piece(&code, Dialect::Java, place),
        }
        end
    }

    /// `${…}` in a JSP: an expression that can call methods.
    fn expression_language(&mut self, at: usize) -> usize {
        let rest = &self.bytes[at..(at + TAG_BYTES_MAX).min(self.bytes.len())];
        let Some(end) = memchr::memchr(b'}', rest) else {
            return at + 2;
        };
        let inside = &rest[2..end];
        // Most of these only print a value, and cost nothing to pass over.
        if memchr::memchr(b'(', inside).is_some() {
            self.value(Dialect::Java, at + 2, at + end);
        }
        at + end + 1
    }

    /// Code that yields a value, which the page prints.
    fn value(&mut self, dialect: Dialect, start: usize, end: usize) {
        let marks: &[TokenKind] = match dialect {
            Dialect::Basic => &[
                TokenKind::Word(Rc::from("response")),
                TokenKind::Mark("."),
                TokenKind::Word(Rc::from("write")),
                TokenKind::Mark("("),
            ],
            _ => &[TokenKind::Mark("(")],
        };
        let at = u32::try_from(start).unwrap_or(u32::MAX);
        let tokens = self.stream(dialect);
        tokens.extend(marks.iter().map(|kind| Token {
            kind: kind.clone(),
            at,
        }));
        self.code_of(dialect, start, end);
        let tokens = self.stream(dialect);
        tokens.push(Token {
            kind: TokenKind::Mark(")"),
            at,
        });
        tokens.push(separator(dialect, at));
    }

    fn piece(&mut self, dialect: Dialect, start: usize, end: usize) {
        self.code_of(dialect, start, end);
        let at = u32::try_from(end).unwrap_or(u32::MAX);
        self.stream(dialect).push(separator(dialect, at));
    }

    fn code_of(&mut self, dialect: Dialect, start: usize, end: usize) {
        let code = self.bytes.get(start..end).unwrap_or(&[]);
        let place = u32::try_from(start).unwrap_or(u32::MAX);
        if dialect == Dialect::Java && memchr::memmem::find(code, br"\u").is_some() {
            // Java resolves such escapes before it looks for tokens, so that they can stand for any character.
            let plain = without_java_escapes(code);
            self.decoded_piece(&plain, dialect, place);
            return;
        }
        let (tokens, room) = Lexer::new(code, dialect, Place::From(place), self.room).run();
        self.room = room;
        self.stream(dialect).extend(tokens);
    }

    fn decoded_piece(&mut self, code: &[u8], dialect: Dialect, at: u32) {
        let (tokens, room) = Lexer::new(code, dialect, Place::At(at), self.room).run();
        self.room = room;
        let stream = self.stream(dialect);
        stream.extend(tokens);
        stream.push(separator(dialect, at));
    }

    /// The tokens of one language: all pieces of a page share their functions and variables.
    fn stream(&mut self, dialect: Dialect) -> &mut Vec<Token> {
        let known = self.code.iter().position(|(known, _)| *known == dialect);
        if known.is_none() {
            self.code.push((dialect, Vec::new()));
        }
        let index = known.unwrap_or(self.code.len() - 1);
        &mut self.code[index].1
    }

    /// Razor: `@{ … }`, `@functions { … }`, `@( … )` and `@name.member(…)`.
    fn razor(&mut self, dialect: Dialect) {
        let mut at = 0;
        while at < self.bytes.len() && self.room > 0 {
            let Some(found) = memchr::memchr(b'@', &self.bytes[at..]) else {
                return;
            };
            let mark = at + found;
            let after = self.bytes.get(mark + 1).copied().unwrap_or(0);
            let in_word = mark > 0 && self.bytes[mark - 1].is_ascii_alphanumeric();
            at = match after {
                b'@' => mark + 2,
                b'*' => self.behind(mark, b"*@"),
                _ if in_word => mark + 1,
                b'{' | b'(' => self.razor_block(dialect, mark + 1),
                _ if after.is_ascii_alphabetic() => self.razor_block(dialect, mark + 1),
                _ => mark + 1,
            };
        }
    }

    /// Code up to the end of its first balanced bracket (or of the line, if none opens there).
    fn razor_block(&mut self, dialect: Dialect, start: usize) -> usize {
        let line_end = || {
            memchr::memchr(b'\n', &self.bytes[start..])
                .map_or(self.bytes.len(), |length| start + length)
        };
        let end = match dialect {
            Dialect::Basic => {
                let rest = &self.bytes[start..];
                let block = [&b"code"[..], b"functions"]
                    .into_iter()
                    .find(|word| starts_without_case(rest, word));
                match block {
                    Some(word) => {
                        let close = [b"end ", word].concat();
                        find_without_case(self.bytes, &close, start).unwrap_or(self.bytes.len())
                    }
                    None => line_end(),
                }
            }
            _ => balanced_end(self.bytes, start),
        };
        let code = &self.bytes[start..end];
        // `@functions {`, `@code {` and `@section {` name no function.
        let skipped = ["functions", "code", "section", "helper"]
            .iter()
            .find(|word| starts_without_case(code, word.as_bytes()));
        let start = start + skipped.map_or(0, |word| word.len());
        self.piece(dialect, start, end);
        end.max(start + 1).min(self.bytes.len())
    }
}

fn separator(dialect: Dialect, at: u32) -> Token {
    let kind = match dialect {
        Dialect::Basic => TokenKind::LineEnd,
        _ => TokenKind::Mark(";"),
    };
    Token { kind, at }
}

pub(super) fn dialect_named(name: &str) -> Option<Dialect> {
    // Quotes of another encoding may stand around the name.
    let plain: String = name
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || "#./".contains(*character))
        .collect();
    match plain.to_ascii_lowercase().as_str() {
        "c#" | "cs" | "csharp" => Some(Dialect::CSharp),
        "vb" | "vbs" | "vbscript" | "visualbasic" | "basic" | "vb.net" => Some(Dialect::Basic),
        "js" | "jscript" | "javascript" | "ecmascript" | "jscript.net" | "jscript.encode"
        | "text/javascript" => Some(Dialect::JScript),
        "php" | "text/php" => Some(Dialect::Php),
        "java" => Some(Dialect::Java),
        _ => None,
    }
}

/// C# or Visual Basic, by words that only the latter has.
fn guess(bytes: &[u8]) -> Dialect {
    let sample = &bytes[..bytes.len().min(256 * 1024)];
    let words: &[&[u8]] = &[
        b"end sub",
        b"end function",
        b"end if",
        b"dim ",
        b"byval ",
        b"imports ",
    ];
    let has_word = |word: &&[u8]| find_without_case(sample, word, 0).is_some();
    if words.iter().any(has_word) {
        Dialect::Basic
    } else {
        Dialect::CSharp
    }
}

/// The tag that starts at `at`, with both its brackets. A tag ends before the next one begins.
fn tag_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = &bytes[at..(at + TAG_BYTES_MAX).min(bytes.len())];
    let mut quote = 0_u8;
    for (index, byte) in rest.iter().enumerate().skip(1) {
        match byte {
            b'"' | b'\'' if quote == 0 => quote = *byte,
            _ if quote == *byte => quote = 0,
            b'>' if quote == 0 => return Some(&rest[..=index]),
            b'<' if quote == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The value of an attribute, with or without quotes.
pub(super) fn attribute(tag: &[u8], name: &str) -> Option<String> {
    let mut from = 0;
    while let Some(found) = find_without_case(tag, name.as_bytes(), from) {
        let end = found + name.len();
        let starts_word = found == 0
            || tag[found - 1].is_ascii_whitespace()
            || matches!(tag[found - 1], b'"' | b'\'' | b'@');
        let mut at = end;
        while tag.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        if starts_word && tag.get(at) == Some(&b'=') {
            at += 1;
            while tag.get(at).is_some_and(u8::is_ascii_whitespace) {
                at += 1;
            }
            let rest = tag.get(at..).unwrap_or(&[]);
            let value = if let [quote @ (b'"' | b'\''), quoted @ ..] = rest {
                &quoted[..memchr::memchr(*quote, quoted).unwrap_or(quoted.len())]
            } else {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'%');
                &rest[..rest.iter().position(ends).unwrap_or(rest.len())]
            };
            return Some(String::from_utf8_lossy(value).into_owned());
        }
        from = end;
    }
    None
}

fn starts_without_case(bytes: &[u8], text: &[u8]) -> bool {
    bytes
        .get(..text.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(text))
}

/// Where `text`, given in lower case, stands next.
pub(super) fn find_without_case(bytes: &[u8], text: &[u8], from: usize) -> Option<usize> {
    let first = *text.first()?;
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let found = memchr::memchr2(first, first.to_ascii_uppercase(), rest)?;
        if starts_without_case(&rest[found..], text) {
            return Some(at + found);
        }
        at += found + 1;
    }
}

/// The code of an XML element: without CDATA marks, and with entities resolved.
fn without_markup(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'&', bytes).is_none() && memchr::memmem::find(bytes, b"<![CDATA[").is_none()
    {
        return Cow::Borrowed(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        if rest.starts_with(b"<![CDATA[") {
            let inside = &rest[9..];
            let length = memchr::memmem::find(inside, b"]]>").unwrap_or(inside.len());
            plain.extend_from_slice(&inside[..length]);
            at += 9 + length + 3;
        } else if *byte == b'&'
            && let Some((character, length)) = entity(rest)
        {
            let mut buffer = [0; 4];
            plain.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            at += length;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    Cow::Owned(plain)
}

fn entity(bytes: &[u8]) -> Option<(char, usize)> {
    let end = bytes.iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&bytes[1..end]).ok()?;
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((character, end + 1))
}

/// `\u0041` and `\uuu0041` anywhere.
fn without_java_escapes(code: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(code.len());
    let mut at = 0;
    while let Some(byte) = code.get(at) {
        let us = code[at + 1..]
            .iter()
            .take(16)
            .take_while(|byte| **byte == b'u')
            .count();
        let digits = code
            .get(at + 1 + us..at + 5 + us)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let character = digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        match character {
            Some(character) if *byte == b'\\' && us > 0 => {
                let mut buffer = [0; 4];
                plain.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                at += 5 + us;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    plain
}

/// Behind the first balanced bracket from `start`; the end of the line if none opens on it.
fn balanced_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    let mut quote = 0_u8;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote != 0 => at += 1,
            b'"' if quote == 0 && depth > 0 => quote = b'"',
            b'"' | b'\n' if quote != 0 => quote = 0,
            _ if quote != 0 => {}
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                // A bracket may be followed by a body or by a member: `@if (…) {`, `@Html.Raw(…).x`.
                if depth == 0 && !follows(bytes, at + 1) {
                    return at + 1;
                }
            }
            b'\n' | b'<' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn follows(bytes: &[u8], at: usize) -> bool {
    let next = bytes
        .get(at..)
        .unwrap_or(&[])
        .iter()
        .take(64)
        .find(|byte| !byte.is_ascii_whitespace());
    matches!(next, Some(b'{' | b'.' | b'(' | b'['))
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}
