//! Reads VB.NET and VBScript into steps.
//!
//! Both are read by one grammar: a line is a statement, `_` and brackets apart, and a call needs no brackets.
//! References: [MS-VBAL] sections 3 and 5, and the Visual Basic language specification, chapters 10 and 11.

use std::rc::Rc;

use super::lexer::{Dialect, Kind, Token};
use super::parser::DEPTH_MAX;
use super::program::{Function, FunctionId, Id, Parameter, Place, Program, Step, match_brackets};

const MODIFIERS: &[&str] = &[
    "public",
    "private",
    "protected",
    "friend",
    "shared",
    "shadows",
    "overridable",
    "overrides",
    "overloads",
    "mustoverride",
    "notoverridable",
    "readonly",
    "writeonly",
    "withevents",
    "default",
    "partial",
    "async",
    "const",
    "let",
    "set",
    "call",
    "static",
    "mustinherit",
    "notinheritable",
    "global",
];

/// Words that begin a line whose rest is an expression.
const HEADS: &[&str] = &[
    "if",
    "elseif",
    "while",
    "until",
    "select",
    "case",
    "loop",
    "do",
    "throw",
    "raiseevent",
    "addhandler",
    "synclock",
];

/// Words that may stand anywhere between statements and carry nothing.
const FILLERS: &[&str] = &[
    "then", "else", "wend", "next", "try", "finally", "to", "step", "resume",
];

pub(super) struct Basic<'a> {
    tokens: &'a [Token],
    partner: Vec<Option<usize>>,
    program: &'a mut Program,
    at: usize,
    depth: usize,
    function: FunctionId,
    /// The objects of the `With` blocks that are open.
    with: Vec<Id>,
    remote: bool,
}

/// Adds the steps of these tokens to the program.
pub(super) fn parse(tokens: &[Token], program: &mut Program) {
    let partner = match_brackets(tokens);
    let mut basic = Basic {
        tokens,
        partner,
        program,
        at: 0,
        depth: 0,
        function: 0,
        with: Vec::new(),
        remote: false,
    };
    while basic.at < tokens.len() {
        let before = basic.at;
        basic.statement();
        if basic.at <= before {
            basic.at = before + 1;
        }
    }
}

impl Basic<'_> {
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

    fn is_word(&self, at: usize, text: &str) -> bool {
        matches!(self.kind(at), Some(Kind::Word(word)) if &**word == text)
    }

    fn close_of(&self, at: usize) -> Option<usize> {
        self.partner.get(at).copied().flatten()
    }

    fn at_end(&self) -> bool {
        match self.kind(self.at) {
            None | Some(Kind::LineEnd | Kind::Mark(":")) => true,
            Some(Kind::Word(word)) => matches!(&**word, "then" | "else"),
            _ => false,
        }
    }

    fn add(&mut self, step: Step, at: usize) -> Id {
        let token = self.tokens.get(at).or(self.tokens.last());
        let place = Place {
            at: token.map_or(0, |token| token.at),
            function: self.function,
            dialect: Dialect::Basic,
        };
        self.program.add(step, place)
    }

    fn skip_line(&mut self) {
        while self.at < self.tokens.len() && !matches!(self.kind(self.at), Some(Kind::LineEnd)) {
            self.at += 1;
        }
    }

    fn statement(&mut self) {
        match self.kind(self.at) {
            Some(Kind::Word(word)) => {
                let word = word.clone();
                self.word_statement(&word);
            }
            Some(Kind::Mark("<")) => self.attributes(),
            Some(Kind::Mark(".")) => self.call_or_assignment(),
            _ => self.at += 1,
        }
    }

    fn word_statement(&mut self, word: &str) {
        let start = self.at;
        match word {
            "dim" | "redim" => {
                self.at += 1;
                if self.is_word(self.at, "preserve") {
                    self.at += 1;
                }
                self.declarations();
            }
            "function" | "sub" => self.function_head(),
            "property" => {
                self.at += 1;
                if self
                    .word_at(self.at)
                    .is_some_and(|word| matches!(&*word, "get" | "let" | "set"))
                {
                    self.at += 1;
                }
                self.at -= 1;
                self.function_head();
            }
            "end" => self.block_end(),
            "exit" | "option" | "imports" | "namespace" | "class" | "module" | "structure"
            | "interface" | "enum" | "inherits" | "implements" | "continue" | "goto" => {
                self.simple_line(word);
            }
            "on" => self.skip_statement(),
            "return" => {
                self.at += 1;
                if !self.at_end() {
                    let value = self.expression();
                    self.add(Step::Return(value), start);
                }
            }
            "for" => self.for_head(),
            "with" => {
                self.at += 1;
                let object = self.expression();
                self.with.push(object);
            }
            "using" => {
                self.at += 1;
                self.declarations();
            }
            "catch" => self.skip_line(),
            _ if MODIFIERS.contains(&word) => {
                self.at += 1;
                // `Private name As Type` declares without `Dim`.
                let declares = self.word_at(self.at).is_some()
                    && (self.is_word(self.at + 1, "as") || self.is_mark(self.at + 1, "="))
                    && !matches!(word, "let" | "set" | "call");
                if declares {
                    self.declarations();
                }
            }
            _ if HEADS.contains(&word) => {
                self.at += 1;
                if word == "select" && self.is_word(self.at, "case") {
                    self.at += 1;
                }
                if word == "addhandler" {
                    self.skip_line();
                } else if !self.at_end() {
                    self.expression_list();
                }
            }
            _ if FILLERS.contains(&word) => self.at += 1,
            _ => self.call_or_assignment(),
        }
    }

    /// Lines that carry no data, but for the alias in `Imports Name = Namespace.Type`.
    fn simple_line(&mut self, word: &str) {
        self.at += 1;
        if word == "imports" && self.is_mark(self.at + 1, "=") {
            self.call_or_assignment();
        }
        self.skip_statement();
    }

    fn skip_statement(&mut self) {
        while !matches!(
            self.kind(self.at),
            None | Some(Kind::LineEnd | Kind::Mark(":"))
        ) {
            self.at += 1;
        }
    }

    fn block_end(&mut self) {
        self.at += 1;
        if let Some(word) = self.word_at(self.at) {
            match &*word {
                "function" | "sub" | "property" => self.function = 0,
                "with" => {
                    self.with.pop();
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// `<WebMethod()> _`
    fn attributes(&mut self) {
        let start = self.at;
        self.at += 1;
        while !matches!(self.kind(self.at), None | Some(Kind::LineEnd))
            && !self.is_mark(self.at, ">")
        {
            self.remote |= self.word_at(self.at).is_some_and(|word| {
                matches!(
                    &*word,
                    "webmethod" | "webmethodattribute" | "operationcontract"
                )
            });
            self.at += 1;
        }
        if self.is_mark(self.at, ">") || self.at == start {
            self.at += 1;
        }
    }

    /// `Function name(parameters) As Type`, from the word before the name.
    fn function_head(&mut self) {
        self.at += 1;
        let remote = std::mem::take(&mut self.remote);
        let Some(name) = self.word_at(self.at) else {
            return;
        };
        self.at += 1;
        let mut parameters = Vec::new();
        if self.is_mark(self.at, "(")
            && let Some(close) = self.close_of(self.at)
        {
            parameters = self.parameters(self.at + 1, close);
            self.at = close + 1;
        }
        self.function = self.program.add_function(Function {
            name,
            parameters,
            parent: 0,
            remote,
        });
        if self.is_word(self.at, "as")
            || self.is_word(self.at, "handles")
            || self.is_word(self.at, "implements")
        {
            self.skip_statement();
        }
    }

    fn parameters(&self, from: usize, close: usize) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        let mut name: Option<Rc<str>> = None;
        let mut type_name: Option<Rc<str>> = None;
        let mut after_as = false;
        for at in from..=close {
            match self.kind(at) {
                Some(Kind::Mark(",")) => {
                    parameters.extend(name.take().map(|name| Parameter {
                        name,
                        type_name: type_name.take(),
                    }));
                    after_as = false;
                }
                Some(Kind::Word(word)) => match &**word {
                    "byval" | "byref" | "optional" | "paramarray" => {}
                    "as" => after_as = true,
                    _ if after_as => type_name = Some(word.clone()),
                    _ if name.is_none() => name = Some(word.clone()),
                    _ => {}
                },
                _ => {}
            }
        }
        parameters.extend(name.map(|name| Parameter { name, type_name }));
        parameters
    }

    /// `a, b As Type = 1, c As New Type(2)`
    fn declarations(&mut self) {
        loop {
            let start = self.at;
            let Some(name) = self.word_at(self.at) else {
                return;
            };
            self.at += 1;
            if self.is_mark(self.at, "(") {
                self.at = self.close_of(self.at).unwrap_or(self.at) + 1;
            }
            let mut type_name = None;
            let mut value = None;
            if self.is_word(self.at, "as") {
                self.at += 1;
                if self.is_word(self.at, "new") {
                    value = Some(self.unary());
                } else {
                    type_name = self.type_name();
                }
            }
            if self.is_mark(self.at, "=") {
                self.at += 1;
                value = Some(self.expression());
            }
            if self.function != 0 {
                self.program.locals.insert((self.function, name.clone()));
            }
            let type_name = type_name.filter(|name| {
                !matches!(
                    &**name,
                    "string" | "integer" | "object" | "byte" | "boolean" | "long" | "variant"
                )
            });
            self.add(
                Step::Declare {
                    name,
                    type_name,
                    value,
                },
                start,
            );
            if !self.is_mark(self.at, ",") {
                return;
            }
            self.at += 1;
        }
    }

    fn type_name(&mut self) -> Option<Rc<str>> {
        let mut name = String::new();
        while let Some(word) = self.word_at(self.at) {
            name.push_str(&word);
            self.at += 1;
            if !self.is_mark(self.at, ".") || name.len() > 200 {
                break;
            }
            name.push('.');
            self.at += 1;
        }
        if self.is_mark(self.at, "(") {
            self.at = self.close_of(self.at).unwrap_or(self.at) + 1;
        }
        (!name.is_empty()).then(|| Rc::from(name))
    }

    /// `For Each name [As Type] In list`, or `For name = a To b`.
    fn for_head(&mut self) {
        let start = self.at;
        self.at += 1;
        if !self.is_word(self.at, "each") {
            return;
        }
        self.at += 1;
        let Some(name) = self.word_at(self.at) else {
            return;
        };
        self.at += 1;
        if self.is_word(self.at, "as") {
            self.at += 1;
            self.type_name();
        }
        if self.is_word(self.at, "in") {
            self.at += 1;
            let list = self.expression();
            self.add(Step::Each(vec![name], list), start);
        }
    }

    /// `target = value`, `target &= value`, `Procedure argument, argument`, or a call with brackets.
    fn call_or_assignment(&mut self) {
        let start = self.at;
        let target = self.postfix();
        match self.kind(self.at) {
            Some(Kind::Mark("=")) => {
                self.at += 1;
                let from = self.expression();
                self.add(
                    Step::Assign {
                        to: target,
                        from,
                        adds: false,
                    },
                    start,
                );
            }
            Some(Kind::Mark("&=" | "+=")) => {
                self.at += 1;
                let from = self.expression();
                self.add(
                    Step::Assign {
                        to: target,
                        from,
                        adds: true,
                    },
                    start,
                );
            }
            Some(Kind::Mark("-=" | "*=" | "/=")) => {
                self.at += 1;
                self.expression();
            }
            _ if self.at_end() => {
                // A procedure without arguments.
                if matches!(self.program.steps[target], Step::Name(_) | Step::Member(..)) {
                    self.add(Step::Call(target, Vec::new()), start);
                }
            }
            _ => {
                let arguments = match self.program.steps[target].clone() {
                    // `Execute (a) & b`: the bracket belongs to the argument, not to the call.
                    Step::Call(callee, mut first) if self.operator_level().is_some() => {
                        let operand = first.pop().unwrap_or(target);
                        let value = self.binary_from(operand, start);
                        let mut arguments = vec![value];
                        arguments.extend(self.more_arguments());
                        self.add(Step::Call(callee, arguments), start);
                        return;
                    }
                    _ => self.expression_list(),
                };
                self.add(Step::Call(target, arguments), start);
            }
        }
    }

    fn more_arguments(&mut self) -> Vec<Id> {
        if !self.is_mark(self.at, ",") {
            return Vec::new();
        }
        self.at += 1;
        self.expression_list()
    }

    fn expression_list(&mut self) -> Vec<Id> {
        let mut list = Vec::new();
        loop {
            if self.at_end() {
                return list;
            }
            let before = self.at;
            if self.is_mark(self.at, ",") {
                list.push(self.add(Step::Nothing, before));
            } else {
                list.push(self.expression());
            }
            if !self.is_mark(self.at, ",") {
                return list;
            }
            self.at += 1;
        }
    }

    fn expression(&mut self) -> Id {
        let start = self.at;
        if self.depth >= DEPTH_MAX {
            self.program.too_deep = true;
            self.at = match self.kind(start) {
                Some(Kind::Mark("(" | "{")) => self.close_of(start).unwrap_or(start) + 1,
                _ => start + 1,
            };
            return self.add(Step::Nothing, start);
        }
        self.depth += 1;
        let first = self.unary();
        let value = self.binary_from(first, start);
        self.depth -= 1;
        value
    }

    /// 0 for what mixes truth values or bits, 1 for comparisons, 2 for putting together, 3 for other arithmetic.
    fn operator_level(&self) -> Option<(&'static str, u8)> {
        match self.kind(self.at)? {
            Kind::Mark(mark) => match *mark {
                "=" | "<>" | "<" | ">" | "<=" | ">=" => Some(("is", 1)),
                "&" | "+" | "cat" => Some((mark, 2)),
                "-" | "*" | "/" | "\\" | "^" => Some((mark, 3)),
                _ => None,
            },
            Kind::Word(word) => match &**word {
                "and" | "or" | "xor" => Some(("xor", 0)),
                "andalso" | "orelse" | "is" | "isnot" | "like" | "eqv" | "imp" => Some(("is", 1)),
                "mod" => Some(("%", 3)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The rest of an expression whose first operand was read. Levels are few, so that one loop does: numbers gather
    /// into a concatenation, and a comparison turns that into a truth value.
    fn binary_from(&mut self, first: Id, start: usize) -> Id {
        let mut mixed = Vec::new();
        let mut parts = vec![first];
        let mut truth = false;
        while let Some((operator, level)) = self.operator_level() {
            let at = self.at;
            self.at += 1;
            if self.at_end() {
                break;
            }
            let right = self.unary();
            match level {
                0 => {
                    mixed.push(self.term(&parts, truth, start));
                    truth = false;
                    parts = vec![right];
                }
                1 => {
                    truth = true;
                    parts = vec![right];
                }
                2 => parts.push(right),
                _ => {
                    let left = parts.pop().unwrap_or(first);
                    let value = self.add(Step::Arithmetic(operator, left, right), at);
                    parts.push(value);
                }
            }
        }
        let last = self.term(&parts, truth, start);
        match mixed.as_slice() {
            [] => last,
            [left] => {
                let left = *left;
                self.add(Step::Arithmetic("xor", left, last), start)
            }
            _ => {
                mixed.push(last);
                self.add(Step::Either(mixed), start)
            }
        }
    }

    fn term(&mut self, parts: &[Id], truth: bool, start: usize) -> Id {
        match parts {
            _ if truth => self.add(Step::Truth, start),
            [one] => *one,
            _ => self.add(Step::Concat(parts.to_vec()), start),
        }
    }

    fn unary(&mut self) -> Id {
        let start = self.at;
        let mut negated: Option<&'static str> = None;
        loop {
            match self.kind(self.at) {
                Some(Kind::Word(word)) if &**word == "not" => negated = Some("not"),
                Some(Kind::Mark("-")) => negated = Some("-"),
                Some(Kind::Mark("+")) => {}
                Some(Kind::Word(word)) if matches!(&**word, "addressof" | "await" | "byval") => {}
                _ => break,
            }
            self.at += 1;
        }
        let value = if self.is_word(self.at, "new") {
            self.new_object()
        } else {
            self.postfix()
        };
        match negated {
            Some("not") => self.add(Step::Truth, start),
            Some(_) => self.add(Step::Arithmetic("-", value, value), start),
            None => value,
        }
    }

    fn new_object(&mut self) -> Id {
        let start = self.at;
        self.at += 1;
        let name_at = self.at;
        let mut name = String::new();
        while let Some(word) = self.word_at(self.at) {
            name.push_str(&word);
            self.at += 1;
            if !self.is_mark(self.at, ".") || name.len() > 200 {
                break;
            }
            name.push('.');
            self.at += 1;
        }
        let callee = self.add(Step::Name(Rc::from(name)), name_at);
        let arguments = if self.is_mark(self.at, "(") {
            self.arguments()
        } else {
            Vec::new()
        };
        if self.is_mark(self.at, "{") {
            // `New Byte() { … }`
            let elements = self.arguments();
            return self.add(Step::List(elements), start);
        }
        let object = self.add(Step::New(callee, arguments), start);
        if self.is_word(self.at, "with") && self.is_mark(self.at + 1, "{") {
            self.at += 1;
            self.initialiser(object);
        }
        object
    }

    /// `With { .Name = value, … }`
    fn initialiser(&mut self, object: Id) {
        let Some(close) = self.close_of(self.at) else {
            return;
        };
        self.at += 1;
        while self.at < close {
            let before = self.at;
            if self.is_mark(self.at, ".")
                && let Some(name) = self.word_at(self.at + 1)
                && self.is_mark(self.at + 2, "=")
            {
                let to = self.add(Step::Member(object, name), before);
                self.at += 3;
                let from = self.expression();
                self.add(
                    Step::Assign {
                        to,
                        from,
                        adds: false,
                    },
                    before,
                );
            } else {
                self.at += 1;
            }
        }
        self.at = close + 1;
    }

    fn postfix(&mut self) -> Id {
        let mut value = self.primary();
        loop {
            let at = self.at;
            match self.kind(at) {
                Some(Kind::Mark(".")) => {
                    if let Some(name) = self.word_at(at + 1) {
                        self.at += 2;
                        value = self.add(Step::Member(value, name), at);
                    } else {
                        self.at += 1;
                    }
                }
                Some(Kind::Mark("!")) if self.word_at(at + 1).is_some() => {
                    // `Request!name` is `Request("name")`.
                    let name = self.word_at(at + 1).unwrap_or_default();
                    self.at += 2;
                    let key = self.add(Step::Text(name), at);
                    value = self.add(Step::Call(value, vec![key]), at);
                }
                Some(Kind::Mark("(")) if self.close_of(at).is_some() => {
                    let arguments = self.arguments();
                    value = self.add(Step::Call(value, arguments), at.saturating_sub(1));
                }
                _ => return value,
            }
        }
    }

    fn arguments(&mut self) -> Vec<Id> {
        let Some(close) = self.close_of(self.at) else {
            self.at += 1;
            return Vec::new();
        };
        self.at += 1;
        let mut arguments = Vec::new();
        while self.at < close {
            let before = self.at;
            if self.word_at(self.at).is_some() && self.is_mark(self.at + 1, ":=") {
                self.at += 2;
            }
            if matches!(self.kind(self.at), Some(Kind::LineEnd | Kind::Mark(","))) {
                self.at += 1;
            } else if self.depth >= DEPTH_MAX {
                self.program.too_deep = true;
                break;
            } else {
                arguments.push(self.expression());
            }
            if self.at <= before {
                self.at += 1;
            }
        }
        self.at = close + 1;
        arguments
    }

    fn primary(&mut self) -> Id {
        let at = self.at;
        let step = match self.kind(at) {
            Some(Kind::Text(text)) => Step::Text(text.clone()),
            Some(Kind::Number(number)) => Step::Number(*number),
            Some(Kind::Variable(name)) => Step::Name(name.clone()),
            Some(Kind::Word(word)) => match &**word {
                "ctype" | "directcast" | "trycast" if self.is_mark(at + 1, "(") => {
                    self.at += 1;
                    let arguments = self.arguments();
                    let value = arguments.first().copied();
                    return value.unwrap_or_else(|| self.add(Step::Nothing, at));
                }
                "function" | "sub" if self.is_mark(at + 1, "(") => {
                    // A lambda: its body is read as part of the function around it.
                    self.at = self.close_of(at + 1).unwrap_or(at + 1) + 1;
                    return self.add(Step::Nothing, at);
                }
                _ => Step::Name(word.clone()),
            },
            Some(Kind::Mark("(")) => return self.bracketed(),
            Some(Kind::Mark("{")) => {
                let elements = self.arguments();
                return self.add(Step::List(elements), at);
            }
            Some(Kind::Mark(".")) => {
                // A member of the object of the innermost `With`; the dot is left for `postfix`.
                return match self.with.last() {
                    Some(object) => *object,
                    None => self.add(Step::Nothing, at),
                };
            }
            Some(Kind::LineEnd | Kind::Mark(")" | "}" | "," | ":")) | None => {
                return self.add(Step::Nothing, at);
            }
            Some(Kind::Mark(_)) => Step::Nothing,
        };
        self.at += 1;
        self.add(step, at)
    }

    fn bracketed(&mut self) -> Id {
        let open = self.at;
        let Some(close) = self.close_of(open) else {
            self.at += 1;
            return self.add(Step::Nothing, open);
        };
        self.at += 1;
        let value = self.expression();
        self.at = close + 1;
        value
    }
}
