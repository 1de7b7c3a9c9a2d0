//! Follows what the client sends through a program, from where it is read to where it acts.
//!
//! The analysis walks the steps from front to back a few times, until nothing new is tainted. It does not know which
//! branches are taken: every assignment counts. Constant text is worked out on the way, so that names which are put
//! together or decoded are known when they are used, and constant text that is executed is read as code itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::Kind;
use super::catalog::{self, Control, Otherwise, ReceiverHolds, Sink, Which};
use super::fold::{self, Constant, Folded};
use super::lexer::{self, Dialect, Lexer};
use super::program::{FunctionId, Id, Program, Step};

/// Walks over the program; taint passes through one more function's parameters with each.
const PASSES_MAX: usize = 6;

/// Bytes of constant text that one walk may make, so that work stays linear in the size of the file.
const TEXT_BUDGET_BYTES: usize = 48 << 20;

/// How often code is found inside decoded code.
const DECODED_ROUNDS_MAX: usize = 3;

/// Pieces of decoded code that are read in one file.
const DECODED_MAX: usize = 16;

/// Longer dotted names belong to no library.
const SHAPE_BYTES_MAX: usize = 160;

/// How far a name is looked up through functions inside functions.
const PARENTS_MAX: usize = 8;

/// Places that are noted in one file.
const FOUND_MAX: usize = 4096;

/// Elements of a list whose values are kept.
const ITEMS_MAX: usize = 4096;

/// Marks taint that is there only because a parameter has it: what such a function returns depends on each call.
const BY_PARAMETER: u32 = 1 << 31;

/// Something found at one place.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) decisive: bool,
    pub(super) explanation: String,
    pub(super) dialect: Dialect,
}

/// What is known from outside the code: server controls and objects that the page's markup declares.
#[derive(Clone, Debug, Default)]
pub(super) struct Markup {
    /// Names of fields whose content the client fills in, as the page's markup declares them.
    pub(super) fields: Vec<String>,
    /// Names under which expressions inside the markup find what the client sent.
    pub(super) inputs: Vec<String>,
    /// Names of objects and what they are.
    pub(super) objects: Vec<(String, String)>,
}

/// The outcome for one program, by place and kind.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) found: BTreeMap<(u32, Kind), Found>,
    pub(super) not_seen: Vec<String>,
}

/// Follows the program's data; decoded code is added to the program and followed too.
pub(super) fn follow(program: &mut Program, markup: &Markup, mut room: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let mut read: Vec<Decoded> = Vec::new();
    for round in 0..=DECODED_ROUNDS_MAX {
        let mut flow = Flow::new(program, markup);
        flow.run();
        outcome.found = flow.essence();
        if flow.text_budget == 0 {
            outcome
                .not_seen
                .push("text that the script builds is longer than is followed".into());
        }
        let decoded: Vec<Decoded> = flow
            .decoded
            .into_iter()
            .filter(|decoded| !read.contains(decoded))
            .collect();
        if decoded.is_empty() {
            break;
        }
        if round == DECODED_ROUNDS_MAX || read.len() >= DECODED_MAX {
            outcome
                .not_seen
                .push("code inside decoded code is nested deeper than is followed".into());
            break;
        }
        for decoded in decoded.into_iter().take(DECODED_MAX) {
            let code = plain_code(&decoded);
            let lexer = Lexer::new(
                code.as_bytes(),
                decoded.dialect,
                lexer::Place::At(decoded.at),
                room,
            );
            let (tokens, left) = lexer.run();
            room = left;
            super::source::parse(&tokens, decoded.dialect, program);
            read.push(decoded);
        }
    }
    if program.too_deep {
        outcome
            .not_seen
            .push("brackets are nested deeper than is followed".into());
    }
    outcome
}

/// Code without the marks that open it: decoded PHP may begin with `?><?php`.
fn plain_code(decoded: &Decoded) -> String {
    let text = decoded.text.trim();
    match decoded.dialect {
        Dialect::Php => text
            .strip_prefix("<?php")
            .or(text.strip_prefix("<?"))
            .unwrap_or(text)
            .to_owned(),
        _ => text.to_owned(),
    }
}

/// Constant text that the script executes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decoded {
    text: Rc<str>,
    dialect: Dialect,
    at: u32,
}

#[derive(Clone, Debug, Default)]
struct Value {
    /// The number of the origin, perhaps with `BY_PARAMETER`.
    taint: Option<u32>,
    text: Option<Rc<str>>,
    number: Option<i64>,
    /// What the value is: a dotted name of the library, or a type.
    shape: Option<Rc<str>>,
    items: Option<Rc<Vec<Value>>>,
    /// How text that is only partly known ends.
    ending: Option<Rc<str>>,
    function: Option<FunctionId>,
    /// It came out of a decoder.
    decoded: bool,
}

impl Value {
    fn of_shape(shape: &str) -> Self {
        Self {
            shape: Some(Rc::from(shape)),
            ..Self::default()
        }
    }

    fn shape(&self) -> &str {
        self.shape.as_deref().unwrap_or_default()
    }

    fn ends(&self) -> Option<&str> {
        self.text.as_deref().or(self.ending.as_deref())
    }

    /// Only what the client could have put there.
    fn tainted_like(&self) -> Self {
        Self {
            taint: self.taint,
            ..Self::default()
        }
    }

    fn constant(&self) -> Constant<'_> {
        if let Some(text) = &self.text {
            return Constant::Text(Cow::Borrowed(text));
        }
        if let Some(number) = self.number {
            return Constant::Number(number);
        }
        let Some(items) = &self.items else {
            return Constant::Unknown;
        };
        let texts = items.iter().map(|item| match (&item.text, item.number) {
            (Some(text), _) => Some(text.to_string()),
            (None, Some(number)) => Some(number.to_string()),
            _ => None,
        });
        texts
            .collect::<Option<Vec<String>>>()
            .map_or(Constant::Unknown, Constant::List)
    }

    fn from_folded(folded: Folded) -> Self {
        match folded {
            Folded::Text(text) => Self {
                text: Some(Rc::from(text)),
                ..Self::default()
            },
            Folded::Number(number) => Self {
                number: Some(number),
                ..Self::default()
            },
            Folded::List(list) => {
                let items = list.into_iter().map(|text| Self {
                    text: Some(Rc::from(text)),
                    ..Self::default()
                });
                Self {
                    items: Some(Rc::new(items.collect())),
                    ..Self::default()
                }
            }
        }
    }
}

type Key = (FunctionId, Rc<str>);

#[derive(Clone, Debug, Default)]
struct Variable {
    value: Value,
    /// The walk in which it was last given a value.
    pass: usize,
}

/// One call, taken apart.
struct Call<'v> {
    at: u32,
    dialect: Dialect,
    name: Rc<str>,
    receiver: Option<Value>,
    arguments: Vec<&'v Value>,
}

struct Flow<'p> {
    program: &'p Program,
    values: Vec<Value>,
    variables: HashMap<Key, Variable>,
    named: HashMap<Rc<str>, Vec<FunctionId>>,
    returns: Vec<Value>,
    /// What of the client's was read, by number.
    origins: Vec<Rc<str>>,
    origin_numbers: HashMap<Rc<str>, u32>,
    /// The client chose names of variables as well: any variable may hold its data.
    every_variable: Option<u32>,
    found: BTreeMap<(u32, Kind), Found>,
    decoded: Vec<Decoded>,
    /// A place where text that was decoded here names the request.
    decoded_request: Option<u32>,
    /// What the client sends is passed on, beside what is done with a socket.
    relays: bool,
    changed: bool,
    pass: usize,
    text_budget: usize,
}

impl<'p> Flow<'p> {
    fn new(program: &'p Program, markup: &Markup) -> Self {
        let mut named: HashMap<Rc<str>, Vec<FunctionId>> = HashMap::new();
        for (id, function) in program.functions.iter().enumerate().skip(1) {
            if !function.name.is_empty() {
                named.entry(function.name.clone()).or_default().push(id);
            }
        }
        let mut flow = Self {
            program,
            values: Vec::new(),
            variables: HashMap::new(),
            named,
            returns: vec![Value::default(); program.functions.len()],
            origins: Vec::new(),
            origin_numbers: HashMap::new(),
            every_variable: None,
            found: BTreeMap::new(),
            decoded: Vec::new(),
            decoded_request: None,
            relays: false,
            changed: false,
            pass: 0,
            text_budget: TEXT_BUDGET_BYTES,
        };
        for name in &markup.fields {
            flow.set_global(name, Value::of_shape("#field"));
        }
        for name in &markup.inputs {
            flow.set_global(name, Value::of_shape("#input"));
        }
        for (name, what) in &markup.objects {
            flow.set_global(name, Value::of_shape(what));
        }
        flow.set_parameters();
        flow
    }

    fn set_global(&mut self, name: &str, value: Value) {
        self.variables
            .insert((0, Rc::from(name)), Variable { value, pass: 0 });
    }

    fn set_parameters(&mut self) {
        for (id, function) in self.program.functions.iter().enumerate() {
            for parameter in &function.parameters {
                let mut value = Value {
                    shape: parameter.type_name.clone(),
                    ..Value::default()
                };
                if function.remote {
                    value.taint = Some(self.origin("an argument of a web method"));
                }
                self.variables
                    .insert((id, parameter.name.clone()), Variable { value, pass: 0 });
            }
        }
    }

    fn run(&mut self) {
        for pass in 1..=PASSES_MAX {
            self.pass = pass;
            self.changed = false;
            self.text_budget = TEXT_BUDGET_BYTES;
            self.values.clear();
            self.values.reserve(self.program.steps.len());
            for id in 0..self.program.steps.len() {
                let value = self.step(id);
                self.values.push(value);
            }
            if !self.changed && pass > 1 {
                return;
            }
        }
    }

    fn origin(&mut self, name: &str) -> u32 {
        if let Some(number) = self.origin_numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.origins.len()).unwrap_or(u32::MAX);
        let name: Rc<str> = Rc::from(name);
        self.origins.push(name.clone());
        self.origin_numbers.insert(name, number);
        number
    }

    fn step(&mut self, id: Id) -> Value {
        let program = self.program;
        let place = &program.places[id];
        match &program.steps[id] {
            Step::Text(text) => Value {
                text: Some(text.clone()),
                ..Value::default()
            },
            Step::Number(number) => Value {
                number: Some(*number),
                ..Value::default()
            },
            Step::Name(name) => self.name(name, place.function, place.dialect),
            Step::Member(of, name) => self.member(*of, name),
            Step::Call(of, arguments) => self.call(id, *of, arguments),
            Step::Index(of, arguments) => self.index(*of, arguments, place.function),
            Step::New(of, arguments) => self.construct(id, *of, arguments),
            Step::Concat(parts) => self.concat(parts, place.dialect),
            Step::List(items) => self.list(items),
            Step::Either(options) => self.either(options),
            Step::Arithmetic(operator, left, right) => {
                self.arithmetic(operator, *left, *right, place.dialect)
            }
            Step::Complement(of) => self.complement(*of),
            Step::Typed(type_name, of) => {
                let mut value = self.values[*of].clone();
                if catalog::is_telling_type(type_name) || value.shape.is_none() {
                    value.shape = Some(type_name.clone());
                }
                value
            }
            Step::Indirect(of) => self.indirect(*of, place.function, place.dialect),
            Step::Assign { to, from, adds } => self.assign(id, *to, *from, *adds),
            Step::Declare {
                name,
                type_name,
                value,
            } => {
                let mut given = value
                    .map(|value| self.values[value].clone())
                    .unwrap_or_default();
                if let Some(type_name) = type_name
                    && (catalog::is_telling_type(type_name) || given.shape.is_none())
                {
                    given.shape = Some(type_name.clone());
                }
                let key = self.key(name, place.function, place.dialect);
                self.set(key, given);
                Value::default()
            }
            Step::Return(of) => {
                let value = self.values[*of].clone();
                self.set_return(place.function, value);
                Value::default()
            }
            Step::Each(names, of) => {
                let mut value = self.values[*of].tainted_like();
                value.shape.clone_from(&self.values[*of].shape);
                for name in names {
                    let key = self.key(name, place.function, place.dialect);
                    self.set(key, value.clone());
                }
                Value::default()
            }
            Step::Function(function) => Value {
                function: Some(*function),
                ..Value::default()
            },
            Step::Truth | Step::Nothing => Value::default(),
        }
    }

    /// Which variable a name means inside a function.
    fn key(&self, name: &Rc<str>, function: FunctionId, dialect: Dialect) -> Key {
        let mut scope = function;
        if dialect == Dialect::Php {
            if !name.starts_with('$')
                || name.starts_with("$_") && name.chars().nth(2).is_some_and(char::is_uppercase)
            {
                return (0, name.clone());
            }
            // A named function sees only its own variables, a closure also those of the function around it.
            for _ in 0..PARENTS_MAX {
                if scope == 0 || self.program.globals.contains(&(scope, name.clone())) {
                    return (0, name.clone());
                }
                let known = self.program.locals.contains(&(scope, name.clone()));
                if known || !self.program.functions[scope].name.is_empty() {
                    return (scope, name.clone());
                }
                scope = self.program.functions[scope].parent;
            }
            return (0, name.clone());
        }
        for _ in 0..PARENTS_MAX {
            if scope == 0 {
                break;
            }
            if self.program.locals.contains(&(scope, name.clone())) {
                return (scope, name.clone());
            }
            scope = self.program.functions[scope].parent;
        }
        (0, name.clone())
    }

    /// Gives a variable a value. Taint stays once it is there; constants follow the order of the code.
    fn set(&mut self, key: Key, value: Value) {
        let pass = self.pass;
        let given = outside(value.taint, key.0);
        let mut changed = false;
        let variable = self.variables.entry(key).or_default();
        let taint = joined(variable.value.taint, given);
        changed |= taint != variable.value.taint;
        let shape = value.shape.clone().or_else(|| variable.value.shape.clone());
        changed |= shape != variable.value.shape && pass == 1;
        changed |= pass <= 2 && value.text != variable.value.text;
        variable.value = Value {
            taint,
            shape,
            ..value
        };
        variable.pass = pass;
        self.changed |= changed;
    }

    /// Adds only taint, as for one element of a list.
    fn taint_variable(&mut self, key: Key, taint: Option<u32>) {
        let given = outside(taint, key.0);
        if given.is_none() {
            return;
        }
        let variable = self.variables.entry(key).or_default();
        let taint = joined(variable.value.taint, given);
        self.changed |= taint != variable.value.taint;
        variable.value.taint = taint;
    }

    fn set_return(&mut self, function: FunctionId, value: Value) {
        let Some(known) = self.returns.get_mut(function) else {
            return;
        };
        let taint = joined(known.taint, value.taint);
        let changed = taint != known.taint || (self.pass <= 2 && known.text != value.text);
        *known = Value { taint, ..value };
        self.changed |= changed;
    }

    fn name(&mut self, name: &Rc<str>, function: FunctionId, dialect: Dialect) -> Value {
        if dialect == Dialect::Php && name.starts_with('$') {
            if catalog::is_php_input(name) {
                let taint = Some(self.origin(name));
                return Value {
                    taint,
                    shape: Some(name.clone()),
                    ..Value::default()
                };
            }
            if &**name == "$_SERVER" || &**name == "$GLOBALS" || &**name == "$this" {
                return Value::of_shape(name);
            }
        }
        let key = self.key(name, function, dialect);
        if let Some(variable) = self.variables.get(&key) {
            let mut value = variable.value.clone();
            if value.shape.is_none() {
                value.shape = Some(name.clone());
            }
            if value.taint.is_none() && dialect == Dialect::Php {
                value.taint = self.every_variable.filter(|_| value.text.is_none());
            }
            return value;
        }
        if let Some(functions) = self.named.get(name)
            && let Some(function) = functions
                .iter()
                .find(|id| self.program.functions[**id].parameters.is_empty())
        {
            // A property, or a function that is called without brackets.
            let mut value = self.returns[*function].clone();
            if value.shape.is_none() {
                value.shape = Some(name.clone());
            }
            return value;
        }
        let taint = self.every_variable.filter(|_| name.starts_with('$'));
        Value {
            taint,
            shape: Some(name.clone()),
            ..Value::default()
        }
    }

    fn member(&mut self, of: Id, name: &Rc<str>) -> Value {
        let base = self.values[of].clone();
        let shape = dotted(base.shape(), name);
        if catalog::is_request(base.shape()) {
            let taint = match catalog::request_member(name) {
                Control::Client => Some(self.origin(&format!("Request.{name}"))),
                Control::ByKey | Control::Server => None,
            };
            return Value {
                taint,
                shape,
                ..Value::default()
            };
        }
        if base.shape() == "#input" {
            let taint = Some(self.origin(name));
            return Value {
                taint,
                ..Value::default()
            };
        }
        if base.shape() == "#field" {
            let content = matches!(
                &**name,
                "text"
                    | "value"
                    | "filename"
                    | "filebytes"
                    | "filecontent"
                    | "postedfile"
                    | "selectedvalue"
                    | "selecteditem"
                    | "innertext"
                    | "innerhtml"
                    | "saveas"
                    | "inputstream"
            );
            let taint = content.then(|| self.origin("a field of the page's form"));
            return Value {
                taint,
                shape,
                ..Value::default()
            };
        }
        if matches!(
            base.shape(),
            "this" | "me" | "self" | "$this" | "mybase" | "page"
        ) && let Some(variable) = self.variables.get(&(0, name.clone()))
        {
            return variable.value.clone();
        }
        let field = self
            .variables
            .get(&field_key(name))
            .map(|variable| variable.value.clone());
        let taint = base.taint.filter(|_| !catalog::is_measure(name));
        match field {
            Some(field) if taint.is_none() => {
                let shape = field.shape.clone().or(shape);
                Value { shape, ..field }
            }
            _ => Value {
                taint,
                shape,
                decoded: base.decoded,
                ..Value::default()
            },
        }
    }

    fn index(&mut self, of: Id, arguments: &[Id], function: FunctionId) -> Value {
        let base = self.values[of].clone();
        let key_text = arguments
            .last()
            .and_then(|argument| self.values[*argument].text.clone());
        if let Some(value) = self.lookup_of_request(&base, key_text.as_deref()) {
            return value;
        }
        if base.shape() == "$GLOBALS"
            && let Some(name) = &key_text
        {
            return self.name(&Rc::from(format!("${name}")), 0, Dialect::Php);
        }
        if let (Some(name), Step::Name(list)) = (&key_text, &self.program.steps[of])
            && let Some(variable) = self.variables.get(&element_key(function, list, name))
        {
            let mut value = variable.value.clone();
            value.taint = value.taint.or(base.taint);
            return value;
        }
        if let (Some(items), Some(number)) = (
            &base.items,
            arguments.last().and_then(|id| self.values[*id].number),
        ) && let Some(item) = usize::try_from(number)
            .ok()
            .and_then(|number| items.get(number))
        {
            return item.clone();
        }
        if let (Some(text), Some(number)) = (
            &base.text,
            arguments.last().and_then(|id| self.values[*id].number),
        ) && let Some(character) = usize::try_from(number)
            .ok()
            .and_then(|number| text.chars().nth(number))
        {
            return Value {
                text: Some(Rc::from(character.to_string())),
                ..Value::default()
            };
        }
        // A member whose name is computed: `this["ev" + "al"]`.
        let shape = key_text.as_deref().map_or(base.shape.clone(), |name| {
            dotted(base.shape(), &name.to_lowercase())
        });
        Value {
            taint: base.taint,
            shape,
            decoded: base.decoded,
            ..Value::default()
        }
    }

    /// `Request["key"]`, `Request.ServerVariables["key"]`, `$_SERVER["key"]`, if it is one of these.
    fn lookup_of_request(&mut self, base: &Value, key: Option<&str>) -> Option<Value> {
        let shape = base.shape();
        if catalog::is_request(shape) {
            let taint = Some(self.origin("Request"));
            return Some(Value {
                taint,
                ..Value::default()
            });
        }
        if shape == "#input" {
            let taint = Some(self.origin("Request"));
            return Some(Value {
                taint,
                ..Value::default()
            });
        }
        let by_key = shape == "$_SERVER"
            || (catalog::last_part(shape) == "servervariables" && !shape.contains('('));
        if by_key {
            let controlled = key.is_none_or(catalog::is_client_variable);
            let name = if shape == "$_SERVER" {
                "$_SERVER"
            } else {
                "Request.servervariables"
            };
            let taint = controlled.then(|| self.origin(name));
            return Some(Value {
                taint,
                ..Value::default()
            });
        }
        None
    }

    fn list(&mut self, items: &[Id]) -> Value {
        let taint = items.iter().find_map(|item| self.values[*item].taint);
        let kept: Vec<Value> = items
            .iter()
            .take(ITEMS_MAX)
            .map(|item| self.values[*item].clone())
            .collect();
        // Lists in lists would be copied again and again.
        let flat = kept.iter().all(|item| item.items.is_none()) && self.spend(kept.len() * 16);
        Value {
            taint,
            items: flat.then(|| Rc::new(kept)),
            ..Value::default()
        }
    }

    fn either(&mut self, options: &[Id]) -> Value {
        let mut value = Value::default();
        for option in options {
            let other = &self.values[*option];
            value.taint = value.taint.or(other.taint);
            value.shape = value.shape.or_else(|| other.shape.clone());
            value.ending = value.ending.or_else(|| other.ends().map(Rc::from));
            value.function = value.function.or(other.function);
            value.decoded |= other.decoded;
        }
        value
    }

    fn concat(&mut self, parts: &[Id], dialect: Dialect) -> Value {
        let taint = parts.iter().find_map(|part| self.values[*part].taint);
        let decoded = parts.iter().any(|part| self.values[*part].decoded);
        let numbers: Option<Vec<i64>> =
            parts.iter().map(|part| self.values[*part].number).collect();
        if let Some(numbers) = numbers
            && dialect != Dialect::Basic
            && dialect != Dialect::Php
        {
            return Value {
                number: Some(
                    numbers
                        .iter()
                        .fold(0, |sum: i64, number| sum.wrapping_add(*number)),
                ),
                ..Value::default()
            };
        }
        let text = self.joined(parts);
        let ending = parts
            .last()
            .and_then(|part| self.values[*part].ends())
            .map(|end| Rc::from(tail(end)));
        Value {
            taint,
            text,
            ending,
            decoded,
            ..Value::default()
        }
    }

    fn joined(&mut self, parts: &[Id]) -> Option<Rc<str>> {
        let mut text = String::new();
        for part in parts {
            let value = &self.values[*part];
            match (&value.text, value.number) {
                (Some(part), _) => text.push_str(part),
                (None, Some(number)) => text.push_str(&number.to_string()),
                _ => return None,
            }
            if text.len() > fold::TEXT_BYTES_MAX {
                return None;
            }
        }
        self.spend(text.len()).then(|| Rc::from(text))
    }

    /// Takes from the budget of text; says whether there was enough.
    fn spend(&mut self, bytes: usize) -> bool {
        let enough = self.text_budget > bytes;
        self.text_budget = self.text_budget.saturating_sub(bytes);
        enough
    }

    fn arithmetic(&mut self, operator: &str, left: Id, right: Id, dialect: Dialect) -> Value {
        let (a, b) = (&self.values[left], &self.values[right]);
        if let (Some(a), Some(b)) = (a.number, b.number) {
            let number = match operator {
                "-" if left == right => Some(a.wrapping_neg()),
                "-" => Some(a.wrapping_sub(b)),
                "*" => Some(a.wrapping_mul(b)),
                "/" | "\\" => a.checked_div(b),
                "%" => a.checked_rem(b),
                "^" if dialect == Dialect::Basic => {
                    u32::try_from(b).ok().and_then(|b| a.checked_pow(b))
                }
                "^" => Some(a ^ b),
                "&" => Some(a & b),
                "|" => Some(a | b),
                _ => None,
            };
            return Value {
                number,
                ..Value::default()
            };
        }
        let taint = a.taint.or(b.taint);
        let text = match (operator, &a.text, &b.text) {
            ("^", Some(a), Some(b)) if dialect == Dialect::Php => fold::exclusive_or(a, b),
            _ => None,
        };
        Value {
            taint,
            text: text.map(Rc::from),
            ..Value::default()
        }
    }

    fn complement(&mut self, of: Id) -> Value {
        let value = &self.values[of];
        let text = value
            .text
            .as_deref()
            .and_then(fold::complement)
            .map(Rc::from);
        Value {
            taint: value.taint,
            text,
            ..Value::default()
        }
    }

    fn indirect(&mut self, of: Id, function: FunctionId, dialect: Dialect) -> Value {
        let value = self.values[of].clone();
        match &value.text {
            Some(name) => self.name(&Rc::from(format!("${name}")), function, dialect),
            None => Value {
                taint: value.taint,
                ..Value::default()
            },
        }
    }

    fn assign(&mut self, id: Id, to: Id, from: Id, adds: bool) -> Value {
        let program = self.program;
        let place = &program.places[id];
        let mut value = self.values[from].clone();
        match &program.steps[to] {
            Step::Name(name) => {
                if place.dialect == Dialect::Basic
                    && place.function != 0
                    && program.functions[place.function].name == *name
                {
                    // Inside its function the name is a variable of its own, outside it is the function.
                    let key = (place.function, name.clone());
                    if adds {
                        value = self.added(&key, &value);
                    }
                    self.set_return(place.function, value.clone());
                    self.set(key, value.clone());
                    return value;
                }
                let key = self.key(name, place.function, place.dialect);
                if adds {
                    value = self.added(&key, &value);
                }
                self.set(key, value.clone());
            }
            Step::Member(of, name) => {
                let object = self.values[*of].clone();
                if let Some(sink) = catalog::assignment(object.shape(), name) {
                    let what = format!("{}.{name}", catalog::last_part(object.shape()));
                    self.act(sink, place.at, place.dialect, &what, None, &[&value]);
                }
                let bare = matches!(object.shape(), "this" | "me" | "self" | "$this" | "mybase");
                let key = field_key(name);
                if bare {
                    self.set((0, name.clone()), value.clone());
                }
                if adds {
                    value = self.added(&key, &value);
                }
                self.set(key, value.clone());
            }
            Step::Index(of, arguments) => {
                let index = arguments
                    .last()
                    .and_then(|argument| self.values[*argument].text.clone());
                if let (Some(index), Step::Name(list)) = (index, &program.steps[*of]) {
                    self.set(element_key(place.function, list, &index), value.clone());
                }
                self.taint_root(*of, place.function, place.dialect, value.taint);
            }
            Step::Call(of, _) => self.taint_root(*of, place.function, place.dialect, value.taint),
            Step::List(targets) => {
                for (index, target) in targets.iter().enumerate() {
                    if let Step::Name(name) = &program.steps[*target] {
                        let item = value
                            .items
                            .as_ref()
                            .and_then(|items| items.get(index))
                            .cloned();
                        let key = self.key(name, place.function, place.dialect);
                        self.set(key, item.unwrap_or_else(|| value.tainted_like()));
                    }
                }
            }
            Step::Indirect(of) => {
                if let Some(name) = self.values[*of].text.clone() {
                    let key =
                        self.key(&Rc::from(format!("${name}")), place.function, place.dialect);
                    self.set(key, value.clone());
                } else if let Some(taint) = self.values[*of].taint
                    && value.taint.is_some()
                {
                    self.every_variable.get_or_insert(taint);
                }
            }
            _ => {}
        }
        value
    }

    /// The value after `+=`: a variable that this walk has not set yet starts empty.
    fn added(&mut self, key: &Key, value: &Value) -> Value {
        let known = self.variables.get(key).cloned().unwrap_or_default();
        let before = if known.pass == self.pass {
            known.value.text.clone()
        } else {
            Some(Rc::from(""))
        };
        let number = |value: &Value| value.number.map(|number| number.to_string());
        let added = value
            .text
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| number(value));
        let text = match (before, added) {
            (Some(before), Some(added)) if before.len() + added.len() <= fold::TEXT_BYTES_MAX => {
                self.spend(before.len() + added.len())
                    .then(|| Rc::from(format!("{before}{added}")))
            }
            _ => None,
        };
        Value {
            taint: value.taint.or(known.value.taint),
            text,
            ending: value.ends().map(|end| Rc::from(tail(end))),
            decoded: value.decoded || known.value.decoded,
            ..Value::default()
        }
    }

    /// Taints the variable that an element or member belongs to.
    fn taint_root(&mut self, of: Id, function: FunctionId, dialect: Dialect, taint: Option<u32>) {
        if taint.is_none() {
            return;
        }
        let mut id = of;
        for _ in 0..PARENTS_MAX {
            match &self.program.steps[id] {
                Step::Name(name) => {
                    let key = self.key(name, function, dialect);
                    self.taint_variable(key, taint);
                    return;
                }
                Step::Member(of, name) => {
                    if matches!(self.values[*of].shape(), "this" | "me" | "self" | "$this") {
                        self.taint_variable((0, name.clone()), taint);
                        return;
                    }
                    self.taint_variable(field_key(name), taint);
                    id = *of;
                }
                Step::Index(of, _) | Step::Call(of, _) | Step::Typed(_, of) => id = *of,
                _ => return,
            }
        }
    }

    fn call(&mut self, id: Id, of: Id, argument_ids: &[Id]) -> Value {
        let program = self.program;
        let place = &program.places[id];
        let callee = self.values[of].clone();
        let values: Vec<Value> = argument_ids
            .iter()
            .map(|argument| self.values[*argument].clone())
            .collect();
        let arguments: Vec<&Value> = values.iter().collect();
        let key = arguments.last().and_then(|value| value.text.as_deref());

        // In Basic an element is written like a call.
        if place.dialect == Dialect::Basic || catalog::is_request(callee.shape()) {
            if !arguments.is_empty()
                && let Some(value) = self.lookup_of_request(&callee, key)
            {
                return value;
            }
            if let (Step::Name(_), Some(items), Some(number)) = (
                &program.steps[of],
                &callee.items,
                arguments.first().and_then(|value| value.number),
            ) && let Some(item) = usize::try_from(number)
                .ok()
                .and_then(|number| items.get(number))
            {
                return item.clone();
            }
        }
        let (name, receiver) = self.taken_apart(of, &callee, place.dialect);
        let call = Call {
            at: place.at,
            dialect: place.dialect,
            name,
            receiver,
            arguments,
        };
        if self.dynamic(of, &callee, place.dialect) {
            let what = "the name of the function that is called".to_owned();
            self.note_taint(Kind::RequestNamesFunction, true, &call, &what, callee.taint);
        }
        self.hidden_name(of, &callee, &call);
        self.sinks(&call);
        self.effects(id, of, argument_ids, &call);
        self.bind(&call, &callee);
        self.result(of, &callee, &call)
    }

    /// The name of what is called, and the object it is called on.
    fn taken_apart(&self, of: Id, callee: &Value, dialect: Dialect) -> (Rc<str>, Option<Value>) {
        let lower = |text: &str| {
            Rc::from(
                text.rsplit("::")
                    .next()
                    .unwrap_or(text)
                    .trim_start_matches('\\')
                    .to_lowercase(),
            )
        };
        match &self.program.steps[of] {
            Step::Member(object, name) => (name.clone(), Some(self.values[*object].clone())),
            Step::Index(object, arguments) => {
                let name = arguments
                    .last()
                    .and_then(|argument| self.values[*argument].text.clone());
                match (name, &callee.text) {
                    // An element that holds the name of a function.
                    (_, Some(text)) if dialect == Dialect::Php => (lower(text), None),
                    (Some(name), _) => (lower(&name), Some(self.values[*object].clone())),
                    _ => (Rc::from(""), Some(self.values[*object].clone())),
                }
            }
            Step::Name(name) => match &callee.text {
                Some(text) if dialect == Dialect::Php && name.starts_with('$') => {
                    (lower(text), None)
                }
                // `var run = eval;`: the variable stands for the function.
                None if callee.shape.is_some()
                    && !callee.shape().is_empty()
                    && callee.shape.as_deref() != Some(&**name) =>
                {
                    match callee.shape().rsplit_once('.') {
                        Some((object, last)) => (Rc::from(last), Some(Value::of_shape(object))),
                        None => (Rc::from(callee.shape()), None),
                    }
                }
                _ => (name.clone(), None),
            },
            _ => match &callee.text {
                Some(text) if dialect == Dialect::Php => (lower(text), None),
                _ => match callee.shape().rsplit_once('.') {
                    Some((object, last)) => (Rc::from(last), Some(Value::of_shape(object))),
                    None => (Rc::from(callee.shape()), None),
                },
            },
        }
    }

    /// PHP: data of the client is handed to a function whose name the page does not show.
    fn hidden_name(&mut self, of: Id, callee: &Value, call: &Call<'_>) {
        let by_value = match &self.program.steps[of] {
            Step::Name(name) => name.starts_with('$'),
            Step::Index(..) | Step::Indirect(_) | Step::Concat(_) => true,
            _ => false,
        };
        let unknown = callee.text.is_none() && callee.function.is_none() && callee.taint.is_none();
        let direct = call.arguments.iter().any(|value| {
            value.shape().starts_with("$_")
                || value.taint.is_some_and(|taint| taint & BY_PARAMETER == 0)
        });
        if call.dialect == Dialect::Php && by_value && unknown && direct && call.receiver.is_none()
        {
            let explanation = "What the client sends is handed to a function whose name this page works out only when it runs.".to_owned();
            self.insert(
                call.at,
                Kind::HiddenCode,
                Found {
                    decisive: false,
                    explanation,
                    dialect: call.dialect,
                },
            );
        }
    }

    /// Whether the client's data is used as the name of what is called.
    fn dynamic(&self, of: Id, callee: &Value, dialect: Dialect) -> bool {
        match (&self.program.steps[of], dialect) {
            (Step::Name(name), Dialect::Php) => {
                name.starts_with('$') && callee.taint.is_some() && callee.function.is_none()
            }
            (Step::Index(object, arguments), Dialect::Php) => {
                callee.taint.is_some()
                    || (self.values[*object].taint.is_none()
                        && arguments.iter().any(|id| self.values[*id].taint.is_some()))
            }
            (
                Step::Indirect(_) | Step::Concat(_) | Step::Call(..) | Step::Either(_),
                Dialect::Php,
            ) => callee.taint.is_some(),
            (Step::Index(object, arguments), Dialect::JScript) => {
                self.values[*object].taint.is_none()
                    && !catalog::is_request(self.values[*object].shape())
                    && arguments.iter().any(|id| self.values[*id].taint.is_some())
            }
            _ => false,
        }
    }

    fn sinks(&mut self, call: &Call<'_>) {
        // A function of the script's own hides the library's.
        let own = call.receiver.is_none() && self.named.contains_key(&call.name);
        let receiver = call.receiver.as_ref().map(Value::shape);
        let what = match receiver {
            Some(shape) if !shape.is_empty() => {
                format!("{}.{}", catalog::last_part(shape), call.name)
            }
            _ => call.name.to_string(),
        };
        let includes_input = matches!(
            &*call.name,
            "include" | "include_once" | "require" | "require_once"
        ) && call
            .arguments
            .first()
            .and_then(|value| value.text.as_deref())
            .is_some_and(|text| {
                let text = text.to_ascii_lowercase();
                text.starts_with("php://input") || text.starts_with("data:")
            });
        if call.dialect == Dialect::Php && includes_input {
            let taint = Some(self.origin("php://input"));
            self.note_taint(Kind::RequestIsIncluded, true, call, &what, taint);
        }
        if !own && let Some(sink) = catalog::call(call.dialect, &call.name, receiver) {
            self.act(
                sink,
                call.at,
                call.dialect,
                &what,
                call.receiver.as_ref(),
                &call.arguments,
            );
        }
        if !own {
            self.file_sinks(call, receiver, &what);
        }
        self.relays |= catalog::is_relay(&call.name, receiver)
            && call.arguments.iter().any(|value| value.taint.is_some());
        if call.dialect == Dialect::Php
            && matches!(
                &*call.name,
                "preg_replace" | "preg_filter" | "mb_ereg_replace" | "mb_eregi_replace"
            )
        {
            self.evaluating_replacement(call);
        }
        if matches!(&*call.name, "loadxml" | "load" | "create" | "parse") {
            for value in &call.arguments {
                if let Some(text) = &value.text {
                    self.script_in_stylesheet(text, call.at);
                }
            }
        }
        // XSL that may carry script.
        let trusted = call
            .arguments
            .iter()
            .any(|value| value.shape().contains("trustedxslt"));
        if &*call.name == "load" && trusted {
            let taint = call.arguments.iter().find_map(|value| value.taint);
            self.note_taint(Kind::RequestIsEvaluated, true, call, &what, taint);
        }
        // Machine code that is copied into executable memory.
        if &*call.name == "copy"
            && receiver.is_some_and(|shape| catalog::last_part(shape) == "marshal")
            && self.named_anywhere("virtualalloc")
        {
            let taint = call.arguments.first().and_then(|value| value.taint);
            self.note_taint(Kind::RequestLoadsCode, true, call, &what, taint);
        }
    }

    /// A stylesheet in the page's own text can carry script: `<msxsl:script language="JScript">…</msxsl:script>`.
    fn script_in_stylesheet(&mut self, text: &str, at: u32) {
        let Some(open) = text.find(":script") else {
            return;
        };
        let rest = &text[open..];
        let Some(end) = rest.find('>') else {
            return;
        };
        let language =
            super::source::attribute(&rest.as_bytes()[..end], "language").unwrap_or_default();
        let Some(dialect) = super::source::dialect_named(&language) else {
            return;
        };
        let body = &rest[end + 1..];
        let body = &body[..body.find(":script").unwrap_or(body.len())];
        // Elements that name assemblies stand before the code, which mostly stands in a CDATA section.
        let code = match body.split_once("<![CDATA[") {
            Some((_, code)) => code.split("]]>").next().unwrap_or(code),
            None => body,
        };
        self.remember_code(&Rc::from(code), dialect, at);
    }

    fn named_anywhere(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// `preg_replace("/.*/e", …)` evaluates its replacement.
    fn evaluating_replacement(&mut self, call: &Call<'_>) {
        let option = if call.name.starts_with("mb_") {
            call.arguments.get(3)
        } else {
            call.arguments.first()
        };
        let pattern_taint = call.arguments.first().and_then(|value| value.taint);
        let evaluates = option
            .and_then(|value| value.text.as_deref())
            .is_some_and(|text| {
                let modifiers = match text.rfind(|character: char| !character.is_ascii_alphabetic())
                {
                    Some(end) if !call.name.starts_with("mb_") => &text[end..],
                    _ => text,
                };
                modifiers.contains('e')
            });
        if evaluates || pattern_taint.is_some() {
            let taint = call.arguments.iter().skip(1).find_map(|value| value.taint);
            self.note_taint(Kind::RequestIsEvaluated, true, call, &call.name, taint);
            if evaluates
                && let Some(text) = call.arguments.get(1).and_then(|value| value.text.clone())
            {
                self.remember_code(&text, call.dialect, call.at);
            }
        }
    }

    fn file_sinks(&mut self, call: &Call<'_>, receiver: Option<&str>, what: &str) {
        let Some(write) = catalog::file_write(call.dialect, &call.name, receiver) else {
            return;
        };
        let argument = |position: Option<usize>| {
            position.and_then(|position| call.arguments.get(position).copied())
        };
        let held = call.receiver.as_ref();
        let name =
            argument(write.name).or(held.filter(|_| write.receiver == Some(ReceiverHolds::Name)));
        let mut content = argument(write.content)
            .or(held.filter(|_| write.receiver == Some(ReceiverHolds::Content)));
        // `Request.SaveAs` writes the request itself.
        let whole_request;
        if receiver.is_some_and(catalog::is_request) {
            whole_request = Value {
                taint: Some(self.origin("Request")),
                ..Value::default()
            };
            content = Some(&whole_request);
        }
        if name.is_some_and(|name| name.shape().contains("sock")) {
            return;
        }
        let name_taint = name.and_then(|name| name.taint);
        let content_taint = content.and_then(|content| content.taint);
        let ending = name.and_then(Value::ends);
        // Data for the client itself, or for memory, is no file.
        if ending.is_some_and(|ending| {
            matches!(
                ending,
                "php://output" | "php://stdout" | "php://memory" | "php://temp"
            )
        }) {
            return;
        }
        let harmless_name = ending.is_some_and(|ending| {
            !catalog::is_script_name(ending)
                && (name_taint.is_none() || model::extension(ending).len() > 1)
        });
        // Of an open file the name is often not known.
        let unknown =
            ending.is_none() && name_taint.is_none() && matches!(&*call.name, "fwrite" | "fputs");
        let harmless_name = harmless_name || unknown;
        if name_taint.is_some() || content_taint.is_some() {
            self.note_taint(
                Kind::RequestWritesFile,
                !harmless_name,
                call,
                what,
                content_taint.or(name_taint),
            );
        }
    }

    /// Judges one sink against the values that reach it.
    fn act(
        &mut self,
        sink: Sink,
        at: u32,
        dialect: Dialect,
        what: &str,
        receiver: Option<&Value>,
        arguments: &[&Value],
    ) {
        if let Which::Callback(position) = sink.which {
            self.callback(position, at, dialect, what, arguments);
            return;
        }
        let acting: Vec<&Value> = match sink.which {
            Which::Any | Which::Callback(_) => arguments.to_vec(),
            Which::First => arguments.first().copied().into_iter().collect(),
            Which::Receiver => receiver.into_iter().collect(),
        };
        if let Some(taint) = acting.iter().find_map(|value| value.taint) {
            self.note(sink.kind, sink.decisive, at, dialect, what, Some(taint));
            return;
        }
        match sink.otherwise {
            Otherwise::Quiet => {}
            Otherwise::Starts => {
                let explanation = format!(
                    "This page starts processes, through {what}: an ordinary page does not."
                );
                self.insert(
                    at,
                    Kind::StartsProcess,
                    Found {
                        decisive: false,
                        explanation,
                        dialect,
                    },
                );
            }
            Otherwise::Code | Otherwise::ConstantCode => {
                self.code(sink.otherwise, at, dialect, what, &acting);
            }
        }
    }

    /// Text of the script's own is executed: read it too, and say so if it was hidden.
    fn code(
        &mut self,
        otherwise: Otherwise,
        at: u32,
        dialect: Dialect,
        what: &str,
        acting: &[&Value],
    ) {
        for value in acting {
            if let Some(text) = &value.text {
                self.remember_code(text, dialect, at);
            }
        }
        let unknown = acting.iter().all(|value| value.text.is_none()) && !acting.is_empty();
        let decoded = acting.iter().any(|value| value.decoded);
        if decoded || (unknown && otherwise == Otherwise::Code) {
            let explanation = format!(
                "This page executes code that it decodes or puts together first, through {what}."
            );
            self.insert(
                at,
                Kind::HiddenCode,
                Found {
                    decisive: false,
                    explanation,
                    dialect,
                },
            );
        }
    }

    fn remember_code(&mut self, text: &Rc<str>, dialect: Dialect, at: u32) {
        let decoded = Decoded {
            text: text.clone(),
            dialect,
            at,
        };
        if self.decoded.len() < DECODED_MAX && text.len() > 3 && !self.decoded.contains(&decoded) {
            self.decoded.push(decoded);
        }
    }

    /// A function that calls the function it is given.
    fn callback(
        &mut self,
        position: usize,
        at: u32,
        dialect: Dialect,
        what: &str,
        arguments: &[&Value],
    ) {
        let Some(called) = arguments.get(position) else {
            return;
        };
        let others = arguments
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != position);
        let taint = others.clone().find_map(|(_, value)| value.taint);
        if called.taint.is_some() && called.text.is_none() {
            self.note(
                Kind::RequestNamesFunction,
                true,
                at,
                dialect,
                what,
                called.taint,
            );
        }
        self.invoke(called, arguments);
        let bare = called
            .shape
            .as_deref()
            .filter(|shape| !shape.contains(['$', '.', '(']));
        let Some(name) = called.text.as_deref().or(bare).map(str::to_lowercase) else {
            return;
        };
        if let Some(kind) = catalog::is_dangerous_function(&name) {
            if taint.is_some() {
                self.note(
                    kind,
                    true,
                    at,
                    dialect,
                    &format!("{what} with {name}"),
                    taint,
                );
            } else {
                for (_, value) in others {
                    if let Some(text) = &value.text {
                        self.remember_code(text, dialect, at);
                    }
                }
            }
        }
    }

    /// An object that PHP lets be called: its `__invoke` gets the arguments.
    fn invoke(&mut self, called: &Value, arguments: &[&Value]) {
        if called.shape().is_empty() {
            return;
        }
        let program = self.program;
        let functions = self.named.get("__invoke").cloned().unwrap_or_default();
        for function in functions.into_iter().take(PARENTS_MAX) {
            for parameter in &program.functions[function].parameters {
                for value in arguments {
                    self.bind_parameter(function, &parameter.name, value);
                }
            }
        }
    }

    fn note_taint(
        &mut self,
        kind: Kind,
        decisive: bool,
        call: &Call<'_>,
        what: &str,
        taint: Option<u32>,
    ) {
        if taint.is_some() {
            self.note(kind, decisive, call.at, call.dialect, what, taint);
        }
    }

    fn note(
        &mut self,
        kind: Kind,
        decisive: bool,
        at: u32,
        dialect: Dialect,
        what: &str,
        taint: Option<u32>,
    ) {
        let origin = taint.and_then(|taint| self.origins.get((taint & !BY_PARAMETER) as usize));
        let read = origin.map_or("the request", |name| &**name);
        let explanation = explain(kind, what, read);
        self.insert(
            at,
            kind,
            Found {
                decisive,
                explanation,
                dialect,
            },
        );
    }

    /// What was found, without what a stronger sign at the same place or of the same page says already.
    fn essence(&mut self) -> BTreeMap<(u32, Kind), Found> {
        let mut found = std::mem::take(&mut self.found);
        let decisive = |wanted: &dyn Fn(Kind) -> bool| -> BTreeSet<u32> {
            let places = found
                .iter()
                .filter(|((_, kind), found)| found.decisive && wanted(*kind));
            places.map(|((at, _), _)| *at).collect()
        };
        let places = decisive(&|_| true);
        let starts = !decisive(&|kind| kind == Kind::RequestStartsProcess).is_empty();
        let hidden = found
            .iter()
            .find(|((_, kind), _)| *kind == Kind::HiddenCode)
            .map(|((at, _), found)| (*at, found.dialect));
        if let (Some(_), Some((at, dialect)), true) =
            (self.decoded_request, hidden, places.is_empty())
        {
            let explanation = "This page executes text that it works out when it runs, and decodes text that reads the request: it runs what the client sends.".to_owned();
            found.insert(
                (at, Kind::RequestIsEvaluated),
                Found {
                    decisive: true,
                    explanation,
                    dialect,
                },
            );
        }
        let mut said = false;
        found.retain(|(at, kind), _| match kind {
            Kind::HiddenCode => !places.contains(at),
            Kind::StartsProcess => !starts && !std::mem::replace(&mut said, true),
            _ => true,
        });
        let reverse_shell = found
            .keys()
            .any(|(_, kind)| matches!(kind, Kind::StartsProcess | Kind::RequestStartsProcess));
        if !self.relays && !reverse_shell {
            // A page that only tries whether a port answers is no tunnel.
            for ((_, kind), found) in &mut found {
                found.decisive &= *kind != Kind::RequestOpensTunnel;
            }
        }
        found
    }

    fn insert(&mut self, at: u32, kind: Kind, found: Found) {
        if self.found.len() >= FOUND_MAX {
            return;
        }
        match self.found.get(&(at, kind)) {
            Some(known) if known.decisive || !found.decisive => {}
            _ => {
                self.found.insert((at, kind), found);
            }
        }
    }

    /// What a call does to other variables.
    fn effects(&mut self, id: Id, of: Id, argument_ids: &[Id], call: &Call<'_>) {
        let place = &self.program.places[id];
        let receiver_shape = call.receiver.as_ref().map(Value::shape);
        let argument_taint = call.arguments.iter().find_map(|value| value.taint);
        let receiver_taint = call.receiver.as_ref().and_then(|value| value.taint);
        if let Step::Member(object, _) = &self.program.steps[of] {
            let console = receiver_shape.is_some_and(|shape| {
                matches!(
                    catalog::last_part(shape),
                    "response" | "out" | "console" | "trace" | "logger" | "log" | "server"
                )
            });
            if argument_taint.is_some() && catalog::is_mutator(&call.name) && !console {
                self.taint_root(*object, place.function, place.dialect, argument_taint);
            }
            if receiver_taint.is_some()
                && catalog::is_reader(&call.name)
                && let Some(first) = argument_ids.first()
            {
                self.taint_root(*first, place.function, place.dialect, receiver_taint);
            }
        }
        if let Some((from, to)) = catalog::copies_between_arguments(&call.name, receiver_shape)
            && let (Some(from), Some(to)) = (call.arguments.get(from), argument_ids.get(to))
        {
            self.taint_root(*to, place.function, place.dialect, from.taint);
        }
        if call.dialect == Dialect::Php {
            let imports = matches!(&*call.name, "extract" | "import_request_variables")
                || (matches!(&*call.name, "parse_str" | "mb_parse_str")
                    && call.arguments.len() == 1);
            let taint = match &*call.name {
                "import_request_variables" => Some(self.origin("$_REQUEST")),
                _ => argument_taint,
            };
            if imports
                && let Some(taint) = taint
                && self.every_variable.is_none()
            {
                self.every_variable = Some(taint);
                self.changed = true;
            }
        }
    }

    /// Hands the arguments to functions of the script's own, and to functions that are given as arguments.
    fn bind(&mut self, call: &Call<'_>, callee: &Value) {
        let program = self.program;
        let mut functions: Vec<FunctionId> =
            self.named.get(&call.name).cloned().unwrap_or_default();
        functions.truncate(PARENTS_MAX);
        functions.extend(callee.function);
        for function in functions {
            for (parameter, value) in program.functions[function]
                .parameters
                .iter()
                .zip(&call.arguments)
            {
                self.bind_parameter(function, &parameter.name, value);
            }
        }
        let taint = call
            .arguments
            .iter()
            .find_map(|value| value.taint)
            .or(call.receiver.as_ref().and_then(|value| value.taint));
        for value in &call.arguments {
            let Some(function) = value.function else {
                continue;
            };
            if taint.is_some() {
                for parameter in &program.functions[function].parameters {
                    let taint = taint.map(|taint| taint | BY_PARAMETER);
                    self.taint_variable((function, parameter.name.clone()), taint);
                }
            }
        }
    }

    fn bind_parameter(&mut self, function: FunctionId, name: &Rc<str>, value: &Value) {
        let pass = self.pass;
        let variable = self.variables.entry((function, name.clone())).or_default();
        let known = &variable.value;
        let taint = known
            .taint
            .or(value.taint.map(|taint| taint | BY_PARAMETER));
        let shape = known.shape.clone().or_else(|| value.shape.clone());
        // Text is known inside only if every call gives the same.
        let same = variable.pass != pass || known.text == value.text;
        let text = if same { value.text.clone() } else { None };
        let changed = taint != known.taint || (pass <= 2 && text != known.text);
        let function_value = known.function.or(value.function);
        variable.value = Value {
            taint,
            shape,
            text,
            function: function_value,
            items: value.items.clone(),
            ..Value::default()
        };
        variable.pass = pass;
        self.changed |= changed;
    }

    /// What a call yields.
    fn result(&mut self, of: Id, callee: &Value, call: &Call<'_>) -> Value {
        let receiver_shape = call.receiver.as_ref().map(Value::shape);
        let argument_taint = call.arguments.iter().find_map(|value| value.taint);
        if call.dialect == Dialect::Php && Self::is_input(call) {
            let taint = Some(self.origin(&call.name));
            return Value {
                taint,
                ..Value::default()
            };
        }
        if let Some(object) = Self::created_object(call) {
            return object;
        }
        let mut shape = called_shape(callee.shape(), &call.arguments);
        if catalog::is_cleaner(&call.name, receiver_shape) {
            return Value {
                shape,
                ..Value::default()
            };
        }
        let own: Vec<FunctionId> = match callee.function {
            Some(function) => vec![function],
            None => self.named.get(&call.name).cloned().unwrap_or_default(),
        };
        if !own.is_empty()
            && call
                .receiver
                .as_ref()
                .is_none_or(|receiver| receiver.taint.is_none())
        {
            let mut value = Value::default();
            for function in own.iter().take(PARENTS_MAX) {
                let returned = self.returns[*function].clone();
                // What only a parameter brings in depends on what this call gives it.
                let by_parameter = returned
                    .taint
                    .is_some_and(|taint| taint & BY_PARAMETER != 0);
                let taint = if by_parameter {
                    argument_taint
                } else {
                    returned.taint
                };
                value = Value {
                    taint: joined(value.taint, taint),
                    ..returned
                };
            }
            // A constructor in another class may carry the same name; without a body that returns, data passes through.
            if value.shape.is_none() {
                value.shape = shape;
            }
            return value;
        }
        let receiver_taint = call.receiver.as_ref().and_then(|value| value.taint);
        let callee_taint = match &self.program.steps[of] {
            Step::Member(..) | Step::Index(..) => callee.taint,
            _ => None,
        };
        let taint = argument_taint.or(receiver_taint).or(callee_taint);
        if let Some(folded) = self.folded(call) {
            let mut value = Value::from_folded(folded);
            value.taint = taint;
            value.decoded =
                catalog::is_decoder(&call.name) || call.arguments.iter().any(|value| value.decoded);
            if let Some(text) = value.text.clone() {
                let spent = self.spend(text.len());
                if value.decoded && names_request(&text) {
                    self.decoded_request.get_or_insert(call.at);
                }
                value.text = value.text.filter(|_| spent);
                if matches!(&*call.name, "forname" | "gettype" | "gettypefromprogid") {
                    shape = Some(Rc::from(text.to_lowercase()));
                }
            }
            value.shape = shape;
            return value;
        }
        let ending = match &*call.name {
            "mappath" | "combine" | "getrealpath" => call
                .arguments
                .last()
                .and_then(|value| value.ends())
                .map(|end| Rc::from(tail(end))),
            "fopen" | "opentextfile" | "createtextfile" => call
                .arguments
                .first()
                .and_then(|value| value.ends())
                .map(|end| Rc::from(tail(end))),
            _ => None,
        };
        let decoded = catalog::is_decoder(&call.name)
            || call.arguments.iter().any(|value| value.decoded)
            || call.receiver.as_ref().is_some_and(|value| value.decoded);
        Value {
            taint,
            shape,
            ending,
            decoded,
            ..Value::default()
        }
    }

    fn folded(&mut self, call: &Call<'_>) -> Option<Folded> {
        if self.text_budget == 0 {
            return None;
        }
        let cost: usize = call
            .arguments
            .iter()
            .map(|value| value.text.as_ref().map_or(0, |text| text.len()))
            .sum();
        let receiver = call
            .receiver
            .as_ref()
            .map_or(Constant::Unknown, Value::constant);
        let held = call
            .receiver
            .as_ref()
            .and_then(|value| value.text.as_ref())
            .map_or(0, |text| text.len());
        let arguments: Vec<Constant<'_>> = call
            .arguments
            .iter()
            .map(|value| value.constant())
            .collect();
        if arguments
            .iter()
            .all(|argument| *argument == Constant::Unknown)
            && receiver == Constant::Unknown
        {
            return None;
        }
        let folded = fold::call(&call.name, &receiver, &arguments);
        self.spend(cost + held);
        folded
    }

    fn is_input(call: &Call<'_>) -> bool {
        if call.receiver.is_some() {
            return false;
        }
        let first = call
            .arguments
            .first()
            .and_then(|value| value.text.as_deref())
            .unwrap_or_default();
        match &*call.name {
            "file_get_contents" | "fopen" | "file" | "readfile" | "stream_get_contents" => {
                matches!(
                    first.to_ascii_lowercase().as_str(),
                    "php://input" | "php://stdin"
                )
            }
            "getenv" => catalog::is_client_variable(first),
            name => catalog::is_input_function(call.dialect, name),
        }
    }

    /// `CreateObject("WScript.Shell")` and its like: the object is what the text names.
    fn created_object(call: &Call<'_>) -> Option<Value> {
        let first = *call.arguments.first()?;
        let creates = match &*call.name {
            "createobject" | "getobject" | "activexobject" | "forname" | "gettype"
            | "gettypefromprogid" | "gettypefromclsid" | "loadclass" => true,
            "createinstance" => call
                .receiver
                .as_ref()
                .is_some_and(|value| catalog::last_part(value.shape()) == "activator"),
            _ => false,
        };
        if !creates {
            return None;
        }
        let shape = match &first.text {
            Some(text) => Rc::from(catalog::object_name(text)),
            None => first.shape.clone().unwrap_or_else(|| Rc::from("object")),
        };
        Some(Value {
            taint: first.taint,
            shape: Some(shape),
            ..Value::default()
        })
    }

    fn construct(&mut self, id: Id, of: Id, argument_ids: &[Id]) -> Value {
        let place = &self.program.places[id];
        let callee = self.values[of].clone();
        let values: Vec<Value> = argument_ids
            .iter()
            .map(|argument| self.values[*argument].clone())
            .collect();
        let arguments: Vec<&Value> = values.iter().collect();
        // A class is not the variable that happens to have its name.
        let callee = match &self.program.steps[of] {
            Step::Name(name) if !name.starts_with('$') => Value::of_shape(name),
            _ => callee,
        };
        let class = callee
            .text
            .clone()
            .or(callee.shape.clone())
            .unwrap_or_default();
        let class: Rc<str> = Rc::from(class.to_lowercase());
        let what = format!("new {}", catalog::last_part(&class));
        let call = Call {
            at: place.at,
            dialect: place.dialect,
            name: Rc::from(catalog::last_part(&class)),
            receiver: None,
            arguments,
        };
        if callee.taint.is_some() {
            self.note_taint(Kind::RequestNamesFunction, true, &call, &what, callee.taint);
        }
        if let Some(sink) = catalog::construction(place.dialect, &class) {
            self.act(sink, place.at, place.dialect, &what, None, &call.arguments);
        }
        self.written_by_new(&class, &call, &what);
        self.bind(&call, &Value::default());
        if place.dialect == Dialect::Php {
            let constructor = Call {
                name: Rc::from("__construct"),
                arguments: call.arguments.clone(),
                receiver: None,
                ..call
            };
            self.bind(&constructor, &Value::default());
        }
        if matches!(catalog::last_part(&class), "activexobject" | "com")
            && let Some(text) = values.first().and_then(|value| value.text.as_deref())
        {
            return Value::of_shape(&catalog::object_name(text));
        }
        let first = values.first();
        let is_text = catalog::last_part(&class) == "string";
        let constant = is_text.then(|| first.and_then(Value::text_of)).flatten();
        Value {
            taint: values.iter().find_map(|value| value.taint),
            text: constant,
            shape: Some(class),
            ending: first.and_then(Value::ends).map(|end| Rc::from(tail(end))),
            decoded: values.iter().any(|value| value.decoded),
            ..Value::default()
        }
    }

    /// Objects that write a file: the name is given when they are made.
    fn written_by_new(&mut self, class: &str, call: &Call<'_>, what: &str) {
        let opens_for_writing = catalog::last_part(class) == "filestream"
            && call.arguments.iter().any(|value| {
                let shape = value.shape();
                shape.contains("filemode.create")
                    || shape.contains("filemode.append")
                    || shape.contains("fileaccess.write")
            });
        if !catalog::is_file_writer(class) && !opens_for_writing {
            return;
        }
        let taint = call.arguments.first().and_then(|value| value.taint);
        self.note_taint(Kind::RequestWritesFile, true, call, what, taint);
    }
}

impl Value {
    fn text_of(value: &Self) -> Option<Rc<str>> {
        match value.constant() {
            Constant::Text(text) => Some(Rc::from(&*text)),
            Constant::List(_) => {
                match fold::call("getstring", &Constant::Unknown, &[value.constant()]) {
                    Some(Folded::Text(text)) => Some(Rc::from(text)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Whether decoded text is code that reads what the client sends.
fn names_request(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["request", "$_post", "$_get", "$_cookie", "php://input"]
        .iter()
        .any(|name| lower.contains(name))
        && lower.contains(['(', '[', '{', '.'])
}

/// Taint as it stands outside of functions, where it does not depend on a call any more.
fn outside(taint: Option<u32>, scope: FunctionId) -> Option<u32> {
    match scope {
        0 => taint.map(|taint| taint & !BY_PARAMETER),
        _ => taint,
    }
}

/// Taint of either; that of a parameter gives way.
fn joined(known: Option<u32>, given: Option<u32>) -> Option<u32> {
    match (known, given) {
        (Some(known), Some(given)) if known & BY_PARAMETER != 0 => Some(given),
        _ => known.or(given),
    }
}

/// Fields are told apart by their names, not by the objects that hold them.
fn field_key(name: &str) -> Key {
    (0, Rc::from(format!(".{name}")))
}

fn element_key(function: FunctionId, list: &str, index: &str) -> Key {
    (function, Rc::from(format!("{list}[{index}]")))
}

fn dotted(base: &str, name: &str) -> Option<Rc<str>> {
    if base.is_empty() {
        return Some(Rc::from(name));
    }
    (base.len() + name.len() < SHAPE_BYTES_MAX).then(|| Rc::from(format!("{base}.{name}")))
}

/// `class.getmethod` becomes `class.getmethod(exec)`, so that later calls know what was looked up.
fn called_shape(callee: &str, arguments: &[&Value]) -> Option<Rc<str>> {
    if callee.is_empty() {
        return None;
    }
    let text = arguments
        .first()
        .and_then(|value| value.text.as_deref())
        .unwrap_or_default();
    let short = text.len() <= 40 && callee.len() + text.len() < SHAPE_BYTES_MAX;
    short.then(|| Rc::from(format!("{callee}({})", text.to_lowercase())))
}

/// The last characters of a text: enough for the ending of a file name.
fn tail(text: &str) -> String {
    const CHARACTERS: usize = 24;
    let count = text.chars().count();
    text.chars()
        .skip(count.saturating_sub(CHARACTERS))
        .collect()
}

fn explain(kind: Kind, what: &str, read: &str) -> String {
    let does = match kind {
        Kind::RequestIsEvaluated => "which runs it as script",
        Kind::RequestStartsProcess => "which runs it as a command",
        Kind::RequestLoadsCode => "which loads or compiles it as code",
        Kind::RequestNamesFunction => "so that the client chooses what code is called",
        Kind::RequestIsIncluded => "which runs the file that it names",
        Kind::RequestWritesFile => "which writes it to disk",
        Kind::RequestOpensTunnel => "which connects to the host that it names",
        Kind::RequestReadsFile => "which reads the file that it names",
        Kind::RequestIsDeserialized => "which makes objects of it",
        _ => "which acts on it",
    };
    format!("What the client sends ({read}) reaches {what}, {does}.")
}
