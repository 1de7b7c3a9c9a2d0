//! Follows what the client sends through a program, from where it is read to where it acts.
//!
//! The analysis walks the steps from front to back a few times, until nothing new is tainted. It does not know which
//! branches are taken: every assignment counts. Constant text is worked out on the way, so that names which are put
//! together or decoded are known when they are used, and constant text that is executed is read as code itself.

mod build;
mod calls;
mod sinks;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::Kind;
use super::catalog::{self, Control};
use super::lexer::{self, Dialect, Lexer};
use super::program::{FunctionId, Id, Program, Step};
use value::{Key, Value, Variable, dotted, element_key, field_key, joined, outside};

/// Walks over the program; taint passes through one more function's parameters with each.
const PASSES_MAX: usize = 6;

/// Bytes of constant text that one walk may make, so that work stays linear in the size of the file.
const TEXT_BUDGET_BYTES: usize = 48 << 20;

/// How often code is found inside decoded code.
const DECODED_ROUNDS_MAX: usize = 3;

/// Pieces of decoded code that are read in one file.
const DECODED_MAX: usize = 16;

/// How far a name is looked up through functions inside functions.
const PARENTS_MAX: usize = 8;

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
}
