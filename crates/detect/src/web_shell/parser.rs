//! Reads C#, JScript, Java and PHP into steps.
//!
//! One tolerant grammar serves the four: what is no statement is skipped a token at a time, brackets are matched
//! beforehand so that an error inside one does not reach beyond it, and nesting is bounded.

use std::rc::Rc;

use super::lexer::{Dialect, Kind, Token};
use super::program::{Function, FunctionId, Id, Parameter, Place, Program, Step, match_brackets};

/// Deeper than people nest brackets, and shallow enough for any thread's stack.
pub(super) const DEPTH_MAX: usize = 64;

/// Tokens that a type's name may span: bounds the look ahead.
const TYPE_TOKENS_MAX: usize = 64;

/// Tokens of a function that is written as one expression: bounds another look ahead.
const STATEMENT_TOKENS_MAX: usize = 4096;

const MODIFIERS: &[&str] = &[
    "public",
    "private",
    "protected",
    "internal",
    "static",
    "final",
    "abstract",
    "sealed",
    "virtual",
    "override",
    "readonly",
    "async",
    "extern",
    "partial",
    "volatile",
    "transient",
    "synchronized",
    "native",
    "unsafe",
    "expando",
    "hide",
    "const",
    "global",
    "scoped",
    "strictfp",
];

/// Words whose bracketed head holds ordinary statements or expressions.
const HEADED: &[&str] = &[
    "if",
    "while",
    "switch",
    "using",
    "catch",
    "lock",
    "fixed",
    "elseif",
    "with",
    "checked",
    "unchecked",
    "declare",
    "synchronized",
    "match",
];

const PLAIN: &[&str] = &[
    "else", "do", "try", "finally", "break", "continue", "default",
];

/// The accessors of a property or event; elsewhere these are ordinary names.
const ACCESSORS: &[&str] = &["get", "set", "add", "remove", "init"];

/// Functions that PHP calls without brackets.
const PHP_BARE: &[&str] = &[
    "include",
    "include_once",
    "require",
    "require_once",
    "echo",
    "print",
];

/// Type names that say nothing about what a value can do.
fn is_plain_type(name: &str) -> bool {
    matches!(
        name,
        "var"
            | "let"
            | "dynamic"
            | "object"
            | "string"
            | "int"
            | "byte"
            | "byte[]"
            | "char"
            | "long"
            | "bool"
            | "boolean"
            | "mixed"
            | "array"
    )
}

pub(super) struct Parser<'a> {
    tokens: &'a [Token],
    partner: Vec<Option<usize>>,
    program: &'a mut Program,
    dialect: Dialect,
    at: usize,
    depth: usize,
    /// The functions that are open, each with the number of the token that ends it.
    open: Vec<(FunctionId, usize)>,
    /// The next function was marked as callable by clients.
    remote: bool,
    /// A function whose head was read and whose body opens with the next brace.
    pending: Option<(FunctionId, usize)>,
}

/// Adds the steps of these tokens to the program, as code of `function`.
pub(super) fn parse(tokens: &[Token], dialect: Dialect, program: &mut Program) {
    let partner = match_brackets(tokens);
    let mut parser = Parser {
        tokens,
        partner,
        program,
        dialect,
        at: 0,
        depth: 0,
        open: Vec::new(),
        remote: false,
        pending: None,
    };
    parser.statements(tokens.len());
}

impl Parser<'_> {
    fn kind(&self, at: usize) -> Option<&Kind> {
        self.tokens.get(at).map(|token| &token.kind)
    }

    fn is_mark(&self, at: usize, mark: &str) -> bool {
        matches!(self.kind(at), Some(Kind::Mark(found)) if *found == mark)
    }

    fn word_at(&self, at: usize) -> Option<Rc<str>> {
        match self.kind(at) {
            Some(Kind::Word(word)) => Some(word.clone()),
            _ => None,
        }
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = self.is_mark(self.at, mark);
        if found {
            self.at += 1;
        }
        found
    }

    fn close_of(&self, at: usize) -> Option<usize> {
        self.partner.get(at).copied().flatten()
    }

    fn place(&self, at: usize) -> Place {
        let token = self.tokens.get(at).or(self.tokens.last());
        Place {
            at: token.map_or(0, |token| token.at),
            function: self.open.last().map_or(0, |(function, _)| *function),
            dialect: self.dialect,
        }
    }

    fn add(&mut self, step: Step, at: usize) -> Id {
        let place = self.place(at);
        self.program.add(step, place)
    }

    fn statements(&mut self, end: usize) {
        while self.at < end {
            let before = self.at;
            self.close_functions();
            self.statement(end);
            if self.at <= before {
                self.at = before + 1;
            }
        }
        self.close_functions();
    }

    fn close_functions(&mut self) {
        while self.open.last().is_some_and(|(_, end)| self.at >= *end) {
            self.open.pop();
        }
    }

    fn statement(&mut self, end: usize) {
        match self.kind(self.at) {
            Some(Kind::Mark("{")) => {
                if let Some((function, body)) = self.pending
                    && body == self.at
                {
                    let close = self.close_of(self.at).unwrap_or(self.tokens.len());
                    self.open.push((function, close));
                    self.pending = None;
                }
                self.at += 1;
            }
            Some(Kind::Mark("[")) if self.dialect == Dialect::CSharp => self.attributes(),
            Some(Kind::Mark(";" | "}" | ")" | "]" | "," | ":")) | None => self.at += 1,
            Some(Kind::Mark("@")) if self.dialect == Dialect::Java => self.annotation(),
            Some(Kind::Word(word)) => {
                let word = word.clone();
                self.word_statement(&word, end);
            }
            Some(_) => self.expression_statement(end),
        }
    }

    fn word_statement(&mut self, word: &str, end: usize) {
        let body_follows = ["{", ";", "=>"]
            .iter()
            .any(|mark| self.is_mark(self.at + 1, mark));
        if word == "global" && self.dialect == Dialect::Php {
            self.php_globals();
            return;
        }
        if MODIFIERS.contains(&word)
            || PLAIN.contains(&word)
            || (ACCESSORS.contains(&word) && body_follows)
        {
            self.at += 1;
            return;
        }
        match word {
            "foreach" | "for" => self.for_statement(),
            "return" | "yield" | "throw" | "case" => {
                self.at += 1;
                if word == "yield" && self.word_at(self.at).is_some_and(|next| &*next == "return") {
                    self.at += 1;
                }
                if !self.is_mark(self.at, ";") && !self.is_mark(self.at, "}") && self.at < end {
                    let start = self.at;
                    let value = self.expression(end);
                    if word != "case" && word != "throw" {
                        self.add(Step::Return(value), start);
                    }
                }
            }
            // Words are in lower case, so that the type `Class` looks like the keyword; what follows the name tells.
            "class" | "interface" | "struct" | "enum" | "namespace" | "package" | "import"
            | "record" | "trait"
                if self.word_at(self.at + 1).is_some()
                    && !["(", "=", ";", ","]
                        .iter()
                        .any(|mark| self.is_mark(self.at + 2, mark)) =>
            {
                while self.at < end && !self.is_mark(self.at, "{") && !self.is_mark(self.at, ";") {
                    self.at += 1;
                }
            }
            "function" | "fn"
                if self.word_at(self.at + 1).is_some() || self.is_mark(self.at + 1, "&") =>
            {
                self.named_function();
            }
            "var" | "let" => {
                self.at += 1;
                self.script_declarations(end);
            }
            _ if HEADED.contains(&word) && self.is_mark(self.at + 1, "(") => self.at += 2,
            "using" | "use" => self.at += 1,
            _ => {
                if !self.declaration(end) {
                    self.expression_statement(end);
                }
            }
        }
    }

    fn expression_statement(&mut self, end: usize) {
        self.expression(end);
    }

    /// `global $a, $b;`
    fn php_globals(&mut self) {
        let function = self.open.last().map_or(0, |(function, _)| *function);
        self.at += 1;
        while let Some(Kind::Variable(name)) = self.kind(self.at) {
            self.program
                .globals
                .insert((function, Rc::from(format!("${name}"))));
            self.at += 1;
            if !self.take(",") {
                break;
            }
        }
    }

    /// `[WebMethod]` and the like: what they stand before can be called by clients.
    fn attributes(&mut self) {
        let close = self.close_of(self.at).unwrap_or(self.at);
        let span = &self.tokens[self.at..=close.min(self.tokens.len().saturating_sub(1))];
        let names_remote = span
            .iter()
            .any(|token| matches!(&token.kind, Kind::Word(word) if is_remote_attribute(word)));
        self.remote |= names_remote;
        self.at = close + 1;
    }

    fn annotation(&mut self) {
        self.at += 1;
        if let Some(word) = self.word_at(self.at) {
            self.remote |= matches!(
                &*word,
                "webmethod"
                    | "get"
                    | "post"
                    | "path"
                    | "requestmapping"
                    | "getmapping"
                    | "postmapping"
            );
            self.at += 1;
        }
        if self.is_mark(self.at, "(") {
            self.at = self.close_of(self.at).unwrap_or(self.at) + 1;
        }
    }

    /// The head of a loop: `for (type name in list`, `foreach ($list as $key => $name`, or three statements.
    fn for_statement(&mut self) {
        let start = self.at;
        self.at += 1;
        if !self.is_mark(self.at, "(") {
            return;
        }
        let Some(close) = self.close_of(self.at) else {
            self.at += 1;
            return;
        };
        self.at += 1;
        if self.dialect == Dialect::Php {
            let list = self.expression(close);
            if self.word_at(self.at).is_some_and(|word| &*word == "as") {
                let names = (self.at..close).filter_map(|at| match self.kind(at) {
                    Some(Kind::Variable(name)) => Some(Rc::from(format!("${name}"))),
                    _ => None,
                });
                let names: Vec<Rc<str>> = names.take(8).collect();
                self.add(Step::Each(names, list), start);
                self.at = close + 1;
            }
            return;
        }
        // The name stands right before `in`, `of` or the colon; what stands before it is its type.
        let head_end = close.min(self.at + TYPE_TOKENS_MAX);
        let separator = (self.at..head_end).find(|at| match self.kind(*at) {
            Some(Kind::Word(word)) => &**word == "in" || &**word == "of",
            Some(Kind::Mark(mark)) => *mark == ":" || *mark == ";",
            _ => false,
        });
        if let Some(separator) = separator
            && !self.is_mark(separator, ";")
            && let Some(name) = separator
                .checked_sub(1)
                .and_then(|before| self.word_at(before))
        {
            self.at = separator + 1;
            let list = self.expression(close);
            self.declare_local(&name);
            self.add(Step::Each(vec![name], list), start);
            self.at = close + 1;
        }
    }

    fn declare_local(&mut self, name: &Rc<str>) {
        let function = self.open.last().map_or(0, |(function, _)| *function);
        if function != 0 {
            self.program.locals.insert((function, name.clone()));
        }
    }

    /// `function name(parameters)`, from the word `function`.
    fn named_function(&mut self) {
        self.at += 1;
        self.take("&");
        let Some(mut name) = self.word_at(self.at) else {
            return;
        };
        self.at += 1;
        // JScript .NET: `function get name()`.
        if matches!(&*name, "get" | "set")
            && let Some(property) = self.word_at(self.at)
        {
            name = property;
            self.at += 1;
        }
        self.function_head(name);
    }

    /// The parameters, and the place where the body will open.
    fn function_head(&mut self, name: Rc<str>) {
        let remote = std::mem::take(&mut self.remote);
        let Some(close) = self
            .is_mark(self.at, "(")
            .then(|| self.close_of(self.at))
            .flatten()
        else {
            return;
        };
        let parameters = self.parameters(self.at + 1, close);
        let parent = self.open.last().map_or(0, |(function, _)| *function);
        let function = self.program.add_function(Function {
            name,
            parameters,
            parent,
            remote,
        });
        self.at = close + 1;
        self.body_follows(function);
    }

    /// Looks for the body behind a function's head: past result types, `throws` and calls of other constructors.
    fn body_follows(&mut self, function: FunctionId) {
        let start = self.at;
        for at in start..(start + TYPE_TOKENS_MAX).min(self.tokens.len()) {
            match self.kind(at) {
                Some(Kind::Mark("{")) => {
                    self.pending = Some((function, at));
                    self.at = at;
                    return;
                }
                Some(Kind::Mark("=>")) => {
                    // An expression as the body: what it yields is returned.
                    self.at = at + 1;
                    let end = self.statement_end(self.at);
                    self.open.push((function, end));
                    let value = self.expression(end);
                    self.add(Step::Return(value), at);
                    self.open.pop();
                    return;
                }
                Some(Kind::Mark(";" | "}")) | None => {
                    self.at = at;
                    return;
                }
                _ => {}
            }
        }
    }

    fn statement_end(&self, from: usize) -> usize {
        let mut at = from;
        let limit = self.tokens.len().min(from + STATEMENT_TOKENS_MAX);
        while at < limit {
            match self.kind(at) {
                Some(Kind::Mark(";" | "}" | ")" | "]" | ",")) => return at,
                Some(Kind::Mark("(" | "[" | "{")) => at = self.close_of(at).unwrap_or(at) + 1,
                _ => at += 1,
            }
        }
        limit
    }

    /// `Type a, Type b = 1`, `a : Type, b`, `$a, &$b`: the names, and the types where given.
    fn parameters(&self, from: usize, close: usize) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        let mut start = from;
        let mut at = from;
        while at <= close {
            if at == close || self.is_mark(at, ",") {
                parameters.extend(self.parameter(start, at));
                start = at + 1;
            } else if matches!(self.kind(at), Some(Kind::Mark("(" | "[" | "{"))) {
                at = self.close_of(at).unwrap_or(at);
            }
            at += 1;
        }
        parameters
    }

    fn parameter(&self, start: usize, end: usize) -> Option<Parameter> {
        let stop = (start..end)
            .find(|at| self.is_mark(*at, "=") || self.is_mark(*at, ":"))
            .unwrap_or(end);
        if self.dialect == Dialect::Php {
            return (start..stop).find_map(|at| match self.kind(at) {
                Some(Kind::Variable(name)) => Some(Parameter {
                    name: Rc::from(format!("${name}")),
                    type_name: None,
                }),
                _ => None,
            });
        }
        let name = (start..stop)
            .rev()
            .find_map(|at| Some((at, self.word_at(at)?)));
        let (name_at, name) = name?;
        let after = self.word_at(stop + 1).filter(|_| self.is_mark(stop, ":"));
        let before = (start..name_at).rev().find_map(|at| self.word_at(at));
        Some(Parameter {
            name,
            type_name: after.or(before).filter(|name| !is_plain_type(name)),
        })
    }

    /// `var a : Type = 1, b = 2`
    fn script_declarations(&mut self, end: usize) {
        loop {
            let start = self.at;
            let Some(name) = self.word_at(self.at) else {
                return;
            };
            self.at += 1;
            let mut type_name = None;
            if self.dialect == Dialect::JScript && self.take(":") {
                let (past, name) = self.type_name(self.at);
                self.at = past.max(self.at);
                type_name = name;
            }
            let value = self.take("=").then(|| self.argument(end));
            if value.is_none()
                && self.word_at(self.at).is_some()
                && self.dialect != Dialect::JScript
            {
                return;
            }
            self.declare(name, type_name, value, start);
            if !self.take(",") {
                return;
            }
        }
    }

    fn declare(&mut self, name: Rc<str>, type_name: Option<Rc<str>>, value: Option<Id>, at: usize) {
        self.declare_local(&name);
        let type_name = type_name.filter(|name| !is_plain_type(name));
        self.add(
            Step::Declare {
                name,
                type_name,
                value,
            },
            at,
        );
    }

    /// A variable, method or property with its type in front. Says whether there was one.
    fn declaration(&mut self, end: usize) -> bool {
        if matches!(self.dialect, Dialect::JScript | Dialect::Php) {
            return false;
        }
        let start = self.at;
        // A constructor has no type: `Name(…) {`.
        if let Some(name) = self.word_at(start)
            && self.is_mark(start + 1, "(")
            && let Some(close) = self.close_of(start + 1)
            && (self.is_mark(close + 1, "{") && !HEADED.contains(&&*name))
        {
            self.at = start + 1;
            self.function_head(name);
            return true;
        }
        let (past, type_name) = self.type_name(start);
        if past == start {
            return false;
        }
        let Some(name) = self.word_at(past) else {
            return false;
        };
        // An operator written as a word makes an expression, not a declaration.
        if matches!(
            &*name,
            "is" | "as" | "instanceof" | "in" | "and" | "or" | "where" | "select"
        ) {
            return false;
        }
        let after_generics = self.skip_generics(past + 1);
        match self.kind(after_generics) {
            Some(Kind::Mark("(")) => {
                let Some(close) = self.close_of(after_generics) else {
                    return false;
                };
                let opens_body = match self.kind(close + 1) {
                    Some(Kind::Mark("{" | "=>" | ":" | ";")) => true,
                    Some(Kind::Word(word)) => matches!(&**word, "throws" | "where"),
                    _ => false,
                };
                if !opens_body
                    || type_name
                        .as_deref()
                        .is_some_and(|name| matches!(name, "new" | "return" | "await"))
                {
                    return false;
                }
                self.at = after_generics;
                self.function_head(name);
                true
            }
            Some(Kind::Mark("=" | ";" | "," | ")" | ":")) | None => {
                self.at = past;
                self.typed_declarations(type_name.as_ref(), end);
                true
            }
            Some(Kind::Mark("{" | "=>")) if self.dialect == Dialect::CSharp => {
                self.at = past + 1;
                let parent = self.open.last().map_or(0, |(function, _)| *function);
                let function = self.program.add_function(Function {
                    name,
                    parameters: Vec::new(),
                    parent,
                    remote: false,
                });
                self.body_follows(function);
                true
            }
            _ => false,
        }
    }

    /// `a = 1, b[] = 2, c` behind their type.
    fn typed_declarations(&mut self, type_name: Option<&Rc<str>>, end: usize) {
        loop {
            let start = self.at;
            let Some(name) = self.word_at(self.at) else {
                return;
            };
            self.at += 1;
            while self.is_mark(self.at, "[") && self.is_mark(self.at + 1, "]") {
                self.at += 2;
            }
            let value = self.take("=").then(|| self.argument(end));
            self.declare(name, type_name.cloned(), value, start);
            if !self.take(",") {
                return;
            }
        }
    }

    /// The end of a type that starts at `from` (`from` itself if there is none) and its name.
    fn type_name(&self, from: usize) -> (usize, Option<Rc<str>>) {
        let mut at = from;
        let mut name = String::new();
        while let Some(word) = self.word_at(at) {
            name.push_str(&word);
            at = self.skip_generics(at + 1);
            if self.is_mark(at, ".") && at - from < TYPE_TOKENS_MAX {
                name.push('.');
                at += 1;
            } else {
                break;
            }
        }
        if name.is_empty() || name.ends_with('.') {
            return (from, None);
        }
        self.is_mark(at, "?").then(|| at += 1);
        while self.is_mark(at, "[") && (self.is_mark(at + 1, "]") || self.is_mark(at + 1, ",")) {
            at = self.close_of(at).unwrap_or(at) + 1;
        }
        (at, Some(Rc::from(name)))
    }

    /// Behind `<A, B<C>>` if that stands at `from` and can be nothing else, else `from`.
    fn skip_generics(&self, from: usize) -> usize {
        if !self.is_mark(from, "<") || matches!(self.dialect, Dialect::Php | Dialect::JScript) {
            return from;
        }
        let mut depth = 0_usize;
        for at in from..(from + TYPE_TOKENS_MAX).min(self.tokens.len()) {
            match self.kind(at) {
                Some(Kind::Mark("<")) => depth += 1,
                Some(Kind::Mark(">")) => {
                    depth -= 1;
                    if depth == 0 {
                        return at + 1;
                    }
                }
                Some(Kind::Word(_) | Kind::Mark("." | "," | "?" | "[" | "]")) => {}
                _ => return from,
            }
        }
        from
    }

    /// An expression, commas included; the value is that of its last part.
    fn expression(&mut self, end: usize) -> Id {
        let mut last = self.argument(end);
        while self.at < end && self.is_mark(self.at, ",") {
            self.at += 1;
            last = self.argument(end);
        }
        last
    }

    /// An expression without commas.
    fn argument(&mut self, end: usize) -> Id {
        self.binary(1, end)
    }

    fn nothing(&mut self, at: usize) -> Id {
        self.add(Step::Nothing, at)
    }

    /// Operators of at least this level. The nesting is bounded here, where all of it passes.
    fn binary(&mut self, level: u8, end: usize) -> Id {
        if self.at >= end {
            return self.nothing(self.at);
        }
        if self.depth >= DEPTH_MAX {
            self.program.too_deep = true;
            let start = self.at;
            self.at = match self.kind(start) {
                Some(Kind::Mark("(" | "[" | "{")) => self.close_of(start).unwrap_or(start) + 1,
                _ => start + 1,
            };
            return self.nothing(start);
        }
        self.depth += 1;
        let value = self.binary_within_bounds(level, end);
        self.depth -= 1;
        value
    }

    fn binary_within_bounds(&mut self, level: u8, end: usize) -> Id {
        let start = self.at;
        let mut left = self.unary(end);
        while self.at < end {
            let Some((operator, operator_level)) = self.operator() else {
                break;
            };
            if operator_level < level {
                break;
            }
            left = self.operation(operator, operator_level, left, start, end);
        }
        left
    }

    /// The operator here and how tightly it binds.
    fn operator(&self) -> Option<(&'static str, u8)> {
        match self.kind(self.at)? {
            Kind::Mark(mark) => {
                let level = match *mark {
                    "=" | "+=" | ".=" | "-=" | "*=" | "/=" | "%=" | "|=" | "&=" | "^=" | "??="
                    | "||=" | "&&=" | "**=" => 1,
                    "=>" if self.dialect != Dialect::Php => 1,
                    "?" => 2,
                    "??" => 3,
                    "||" | "&&" => 4,
                    "|" | "^" | "&" => 5,
                    "==" | "!=" | "===" | "!==" | "<" | ">" | "<=" | ">=" | "<=>" => 6,
                    "+" | "-" | "cat" => 7,
                    "." if self.dialect == Dialect::Php => 7,
                    "*" | "/" | "%" => 8,
                    _ => return None,
                };
                Some((mark, level))
            }
            Kind::Word(word) => match &**word {
                "and" | "or" | "xor" if self.dialect == Dialect::Php => Some(("||", 4)),
                "is" | "instanceof" | "in" => Some(("is", 6)),
                "as" if self.dialect == Dialect::CSharp => Some(("as", 6)),
                _ => None,
            },
            _ => None,
        }
    }

    fn operation(
        &mut self,
        operator: &'static str,
        level: u8,
        left: Id,
        start: usize,
        end: usize,
    ) -> Id {
        let at = self.at;
        self.at += 1;
        match operator {
            "=" | "??=" | "||=" | "&&=" => {
                self.take("&");
                let from = self.binary(1, end);
                self.add(
                    Step::Assign {
                        to: left,
                        from,
                        adds: false,
                    },
                    start,
                )
            }
            "=>" => self.short_lambda(left, start, end),
            "?" => {
                if self.take(":") {
                    let other = self.binary(2, end);
                    return self.add(Step::Either(vec![left, other]), at);
                }
                let yes = self.binary(2, end);
                if !self.take(":") {
                    return yes;
                }
                let no = self.binary(2, end);
                self.add(Step::Either(vec![yes, no]), at)
            }
            "as" => {
                let (past, name) = self.type_name(self.at);
                self.at = past.max(self.at);
                self.typed(name, left, at)
            }
            "is" | "==" | "!=" | "===" | "!==" | "<" | ">" | "<=" | ">=" | "<=>" => {
                self.binary(level + 1, end);
                self.add(Step::Truth, at)
            }
            "||" | "&&" => {
                let right = self.binary(level + 1, end);
                // In JScript these yield one of their operands, elsewhere a truth value.
                match self.dialect {
                    Dialect::JScript => self.add(Step::Either(vec![left, right]), at),
                    _ => self.add(Step::Truth, at),
                }
            }
            "??" => {
                let right = self.binary(level, end);
                self.add(Step::Either(vec![left, right]), at)
            }
            "+" | "." | "cat" => self.concatenation(left, at, end),
            "+=" | ".=" => {
                let from = self.binary(1, end);
                self.add(
                    Step::Assign {
                        to: left,
                        from,
                        adds: true,
                    },
                    start,
                )
            }
            _ if level == 1 => {
                let from = self.binary(1, end);
                let value = self.add(Step::Either(vec![left, from]), at);
                self.add(
                    Step::Assign {
                        to: left,
                        from: value,
                        adds: false,
                    },
                    start,
                )
            }
            _ => {
                let right = self.binary(level + 1, end);
                self.add(Step::Arithmetic(operator, left, right), at)
            }
        }
    }

    fn concatenation(&mut self, left: Id, at: usize, end: usize) -> Id {
        let mut parts = vec![left, self.binary(8, end)];
        while self.at < end {
            match self.operator() {
                Some(("+" | "." | "cat", _)) => {
                    self.at += 1;
                    parts.push(self.binary(8, end));
                }
                _ => break,
            }
        }
        self.add(Step::Concat(parts), at)
    }

    /// `name => body`, when `name` was already read as an expression.
    fn short_lambda(&mut self, left: Id, start: usize, end: usize) -> Id {
        let name = match &self.program.steps[left] {
            Step::Name(name) => name.clone(),
            _ => Rc::from(""),
        };
        let parameters = vec![Parameter {
            name,
            type_name: None,
        }];
        self.lambda_body(parameters, start, end)
    }

    fn lambda_body(&mut self, parameters: Vec<Parameter>, start: usize, end: usize) -> Id {
        let parent = self.open.last().map_or(0, |(function, _)| *function);
        let function = self.program.add_function(Function {
            name: Rc::from(""),
            parameters,
            parent,
            remote: false,
        });
        self.function_body(function, end);
        self.add(Step::Function(function), start)
    }

    /// `{ … }` or one expression.
    fn function_body(&mut self, function: FunctionId, end: usize) {
        if self.is_mark(self.at, "{") {
            let close = self.close_of(self.at).unwrap_or(end).min(end);
            self.open.push((function, close));
            self.at += 1;
            let pending = self.pending.take();
            self.depth += 1;
            self.statements(close);
            self.depth -= 1;
            self.pending = pending;
            self.open.retain(|(open, _)| *open != function);
            self.at = close + 1;
        } else {
            let before = self.open.len();
            self.open.push((function, end));
            let start = self.at;
            let value = self.binary(1, end);
            self.add(Step::Return(value), start);
            self.open.truncate(before);
        }
    }

    fn typed(&mut self, name: Option<Rc<str>>, value: Id, at: usize) -> Id {
        match name.filter(|name| !is_plain_type(name)) {
            Some(name) => self.add(Step::Typed(name, value), at),
            None => value,
        }
    }

    fn unary(&mut self, end: usize) -> Id {
        // Prefixes are few in real code; a run of them is read in a loop so that it costs no stack.
        let start = self.at;
        let mut outermost: Option<&'static str> = None;
        while self.at < end {
            let prefix = match self.kind(self.at) {
                Some(Kind::Mark(mark @ ("!" | "~" | "-"))) => Some(*mark),
                Some(Kind::Mark(
                    "+" | "++" | "--" | "@" | "&" | "*" | "::" | "..." | "?." | "^",
                )) => None,
                Some(Kind::Word(word)) if self.is_prefix_word(word) => None,
                _ => break,
            };
            outermost = outermost.or(prefix);
            self.at += 1;
        }
        if self.at >= end {
            return self.nothing(start);
        }
        let value = self.postfix(end);
        match outermost {
            Some("!") => self.add(Step::Truth, start),
            Some("~") => self.add(Step::Complement(value), start),
            Some(_) => self.add(Step::Arithmetic("-", value, value), start),
            None => value,
        }
    }

    fn is_prefix_word(&self, word: &str) -> bool {
        match word {
            "await" | "typeof" | "delete" | "void" | "throw" | "clone" | "ref" | "out"
            | "params" | "checked" => !self.is_mark(self.at + 1, "."),
            _ => false,
        }
    }

    fn postfix(&mut self, end: usize) -> Id {
        let mut value = self.primary(end);
        while self.at < end {
            let at = self.at;
            match self.kind(at) {
                Some(Kind::Mark("->" | "?->" | "::" | "?.")) => {
                    self.at += 1;
                    value = self.member(value, end);
                }
                Some(Kind::Mark(".")) if self.dialect != Dialect::Php => {
                    self.at += 1;
                    value = self.member(value, end);
                }
                Some(Kind::Mark("(")) => {
                    let arguments = self.arguments();
                    value = self.add(Step::Call(value, arguments), at.saturating_sub(1));
                }
                Some(Kind::Mark("[")) => {
                    let arguments = self.arguments();
                    value = self.add(Step::Index(value, arguments), at);
                }
                Some(Kind::Mark("<")) if self.skip_generics(at) > at => {
                    let past = self.skip_generics(at);
                    match self.kind(past) {
                        Some(Kind::Mark("(" | ".")) => self.at = past,
                        _ => break,
                    }
                }
                Some(Kind::Mark("++" | "--")) => self.at += 1,
                Some(Kind::Mark("!")) if self.dialect == Dialect::CSharp => self.at += 1,
                _ => break,
            }
        }
        value
    }

    /// What stands behind a dot or arrow.
    fn member(&mut self, of: Id, end: usize) -> Id {
        let at = self.at;
        match self.kind(at) {
            Some(Kind::Word(name)) => {
                let name = name.clone();
                self.at += 1;
                self.add(Step::Member(of, name), at)
            }
            Some(Kind::Variable(name)) => {
                let name: Rc<str> = Rc::from(format!("${name}"));
                self.at += 1;
                // `Class::$field` is a field; `$object->$name` a field whose name is computed.
                let name = self.add(Step::Name(name), at);
                self.add(Step::Index(of, vec![name]), at)
            }
            Some(Kind::Mark("{")) => {
                let arguments = self.arguments();
                self.add(Step::Index(of, arguments), at)
            }
            Some(Kind::Mark("(" | "[")) => of,
            _ => {
                if self.at < end {
                    self.at += 1;
                }
                of
            }
        }
    }

    /// The expressions in a bracket, from the opening to behind the closing one.
    fn arguments(&mut self) -> Vec<Id> {
        let Some(close) = self.close_of(self.at) else {
            self.at += 1;
            return Vec::new();
        };
        self.at += 1;
        let mut arguments = Vec::new();
        while self.at < close {
            let before = self.at;
            // C#: `name: value`.
            if self.dialect == Dialect::CSharp
                && self.word_at(self.at).is_some()
                && self.is_mark(self.at + 1, ":")
            {
                self.at += 2;
            }
            // C#: `out var name`, `out Type name`.
            if self
                .word_at(self.at)
                .is_some_and(|word| matches!(&*word, "out" | "ref"))
            {
                self.at += 1;
                let (past, _) = self.type_name(self.at);
                if past > self.at && self.word_at(past).is_some() {
                    self.at = past;
                }
            }
            arguments.push(self.argument(close));
            // PHP arrays and JScript objects: `key => value`, `key : value`; both count as elements.
            if !self.take(",")
                && !self.take("=>")
                && !self.take(":")
                && self.at < close
                && self.at <= before
            {
                self.at += 1;
            }
        }
        self.at = close + 1;
        arguments
    }

    fn primary(&mut self, end: usize) -> Id {
        let at = self.at;
        let Some(kind) = self.kind(at) else {
            return self.nothing(at);
        };
        match kind {
            Kind::Text(text) => {
                let text = text.clone();
                self.at += 1;
                self.add(Step::Text(text), at)
            }
            Kind::Number(number) => {
                let number = *number;
                self.at += 1;
                self.add(Step::Number(number), at)
            }
            Kind::Variable(name) => {
                let name: Rc<str> = Rc::from(format!("${name}"));
                self.at += 1;
                self.add(Step::Name(name), at)
            }
            Kind::Word(word) => {
                let word = word.clone();
                self.word_primary(&word, end)
            }
            Kind::Mark("(") => self.bracketed(end),
            Kind::Mark("[" | "{") => {
                let elements = self.arguments();
                self.add(Step::List(elements), at)
            }
            Kind::Mark("$") => {
                self.at += 1;
                if self.is_mark(self.at, "{") {
                    let names = self.arguments();
                    let name = names.last().copied().unwrap_or_else(|| self.nothing(at));
                    return self.add(Step::Indirect(name), at);
                }
                let name = self.primary_within_bounds(end);
                self.add(Step::Indirect(name), at)
            }
            // What ends the statement is left for the statement.
            Kind::Mark(";" | "}" | ")" | "]" | ",") => self.nothing(at),
            Kind::Mark(_) | Kind::LineEnd => {
                self.at += 1;
                self.nothing(at)
            }
        }
    }

    /// `$$$$name` nests; the bound is that of brackets.
    fn primary_within_bounds(&mut self, end: usize) -> Id {
        if self.depth >= DEPTH_MAX || self.at >= end {
            self.program.too_deep |= self.depth >= DEPTH_MAX;
            self.at += 1;
            return self.nothing(self.at);
        }
        self.depth += 1;
        let value = self.primary(end);
        self.depth -= 1;
        value
    }

    fn word_primary(&mut self, word: &Rc<str>, end: usize) -> Id {
        let at = self.at;
        match &**word {
            "new" => return self.new_object(end),
            "function" | "delegate" | "fn" if self.function_value_follows() => {
                return self.anonymous_function(end);
            }
            _ => {}
        }
        if self.dialect == Dialect::Php && PHP_BARE.contains(&&**word) {
            self.at += 1;
            let name = self.add(Step::Name(word.clone()), at);
            let mut arguments = vec![self.binary(2, end)];
            while &**word == "echo" && self.take(",") {
                arguments.push(self.binary(2, end));
            }
            return self.add(Step::Call(name, arguments), at);
        }
        self.at += 1;
        self.add(Step::Name(word.clone()), at)
    }

    fn function_value_follows(&self) -> bool {
        let next = if self.is_mark(self.at + 1, "&") {
            self.at + 2
        } else {
            self.at + 1
        };
        self.is_mark(next, "(")
            || self.is_mark(next, "{")
            || (self.word_at(next).is_some() && self.is_mark(next + 1, "("))
    }

    /// `function (…) use (…) {…}`, `fn(…) => …`, `delegate (…) {…}`, `function name(…) {…}` as a value.
    fn anonymous_function(&mut self, end: usize) -> Id {
        let start = self.at;
        self.at += 1;
        self.take("&");
        if self.word_at(self.at).is_some() {
            self.at += 1;
        }
        let mut parameters = Vec::new();
        if self.is_mark(self.at, "(")
            && let Some(close) = self.close_of(self.at)
        {
            parameters = self.parameters(self.at + 1, close);
            self.at = close + 1;
        }
        // What a PHP closure takes over is looked up outside of it, as `parent` says.
        for _ in 0..TYPE_TOKENS_MAX {
            match self.kind(self.at) {
                Some(Kind::Mark("=>")) => {
                    self.at += 1;
                    break;
                }
                Some(Kind::Mark("(")) => self.at = self.close_of(self.at).unwrap_or(self.at) + 1,
                Some(Kind::Word(_) | Kind::Mark(":" | "?")) => self.at += 1,
                _ => break,
            }
        }
        self.lambda_body(parameters, start, end)
    }

    /// A bracketed expression, a cast, or the parameters of a lambda.
    fn bracketed(&mut self, end: usize) -> Id {
        let open = self.at;
        let Some(close) = self.close_of(open) else {
            self.at += 1;
            return self.nothing(open);
        };
        if self.is_mark(close + 1, "=>") && self.dialect != Dialect::Php {
            let parameters = self.parameters(open + 1, close);
            self.at = close + 2;
            return self.lambda_body(parameters, open, end);
        }
        if let Some(name) = self.cast(open, close) {
            self.at = close + 1;
            let value = self.operand_within_bounds(end);
            return self.typed(Some(name), value, open);
        }
        self.at = open + 1;
        let value = self.expression(close);
        self.at = close + 1;
        value
    }

    /// What a cast applies to: the next operand, whatever prefixes it has.
    fn operand_within_bounds(&mut self, end: usize) -> Id {
        if self.depth >= DEPTH_MAX {
            self.program.too_deep = true;
            self.at += 1;
            return self.nothing(self.at);
        }
        self.depth += 1;
        let value = self.unary(end);
        self.depth -= 1;
        value
    }

    /// The type, if this bracket is a cast.
    fn cast(&self, open: usize, close: usize) -> Option<Rc<str>> {
        if self.dialect == Dialect::JScript {
            return None;
        }
        let (past, name) = self.type_name(open + 1);
        let name = name?;
        if past != close {
            return None;
        }
        if self.dialect == Dialect::Php {
            let scalar = matches!(
                &*name,
                "string"
                    | "int"
                    | "integer"
                    | "float"
                    | "double"
                    | "bool"
                    | "boolean"
                    | "array"
                    | "object"
                    | "binary"
            );
            return scalar.then_some(name);
        }
        let applies = match self.kind(close + 1) {
            Some(Kind::Word(word)) => !matches!(&**word, "is" | "as" | "instanceof" | "in"),
            Some(Kind::Text(_) | Kind::Number(_) | Kind::Variable(_)) => true,
            Some(Kind::Mark(mark)) => matches!(*mark, "(" | "!" | "~"),
            _ => false,
        };
        applies.then_some(name)
    }

    fn new_object(&mut self, end: usize) -> Id {
        let start = self.at;
        self.at += 1;
        if matches!(self.kind(self.at), Some(Kind::Mark("[" | "{"))) {
            // `new[] { … }` and `new { … }`.
            if self.is_mark(self.at, "[") {
                self.at = self.close_of(self.at).unwrap_or(self.at) + 1;
            }
            let elements = if self.is_mark(self.at, "{") {
                self.arguments()
            } else {
                Vec::new()
            };
            return self.add(Step::List(elements), start);
        }
        let callee = self.new_callee(end);
        let mut arguments = Vec::new();
        let mut is_array = false;
        self.at = self.skip_generics(self.at);
        if self.is_mark(self.at, "(") {
            arguments = self.arguments();
        }
        while self.is_mark(self.at, "[") && matches!(self.dialect, Dialect::CSharp | Dialect::Java)
        {
            is_array = true;
            self.at = self.close_of(self.at).unwrap_or(self.at) + 1;
        }
        if is_array {
            let elements = if self.is_mark(self.at, "{") {
                self.arguments()
            } else {
                arguments
            };
            return self.add(Step::List(elements), start);
        }
        let object = self.add(Step::New(callee, arguments), start);
        if self.is_mark(self.at, "{") {
            self.initialiser(object);
        }
        object
    }

    /// What stands behind `new`: a dotted name, or an expression that yields the class.
    fn new_callee(&mut self, end: usize) -> Id {
        let at = self.at;
        if self.word_at(at).is_none()
            || self.is_mark(at + 1, "[") && self.dialect == Dialect::JScript
        {
            let value = self.primary_within_bounds(end);
            if !self.is_mark(self.at, "[") {
                return value;
            }
            let index = self.arguments();
            return self.add(Step::Index(value, index), at);
        }
        let (past, name) = self.type_name(at);
        // An array's brackets belong to `new`, not to the name.
        let mut name_end = past.max(at + 1);
        while name_end > at + 1 && self.is_mark(name_end - 1, "]") {
            name_end = self.close_of(name_end - 1).unwrap_or(name_end - 1);
        }
        self.at = name_end;
        self.add(Step::Name(name.unwrap_or_else(|| Rc::from(""))), at)
    }

    /// `{ Name = value, … }` behind a `new`, or the body of an anonymous Java class.
    fn initialiser(&mut self, object: Id) {
        let Some(close) = self.close_of(self.at) else {
            return;
        };
        let opens_class = self.dialect == Dialect::Java;
        self.at += 1;
        if opens_class {
            self.depth += 1;
            if self.depth < DEPTH_MAX {
                let pending = self.pending.take();
                self.statements(close);
                self.pending = pending;
            } else {
                self.program.too_deep = true;
            }
            self.depth -= 1;
            self.at = close + 1;
            return;
        }
        while self.at < close {
            let before = self.at;
            if let Some(name) = self.word_at(self.at)
                && self.is_mark(self.at + 1, "=")
            {
                let to = self.add(Step::Member(object, name), before);
                self.at += 2;
                let from = self.argument(close);
                self.add(
                    Step::Assign {
                        to,
                        from,
                        adds: false,
                    },
                    before,
                );
            } else {
                self.argument(close);
            }
            if !self.take(",") && self.at <= before {
                self.at += 1;
            }
        }
        self.at = close + 1;
    }
}

fn is_remote_attribute(word: &str) -> bool {
    matches!(
        word,
        "webmethod"
            | "webmethodattribute"
            | "operationcontract"
            | "scriptmethod"
            | "webget"
            | "webinvoke"
            | "ajaxmethod"
            | "httpget"
            | "httppost"
    )
}
