//! Calls: what is called, what it does to other variables, and what it yields.

use std::rc::Rc;

use super::value::{BY_PARAMETER, Value, called_shape, joined, tail};
use super::{Flow, PARENTS_MAX};
use crate::web_shell::Kind;
use crate::web_shell::catalog;
use crate::web_shell::fold::{self, Constant, Folded};
use crate::web_shell::lexer::Dialect;
use crate::web_shell::program::{FunctionId, Id, Step};

/// One call, taken apart.
pub(super) struct Call<'v> {
    pub(super) at: u32,
    pub(super) dialect: Dialect,
    pub(super) name: Rc<str>,
    pub(super) receiver: Option<Value>,
    pub(super) arguments: Vec<&'v Value>,
}

impl Flow<'_> {
    pub(super) fn call(&mut self, id: Id, of: Id, argument_ids: &[Id]) -> Value {
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
    pub(super) fn taken_apart(
        &self,
        of: Id,
        callee: &Value,
        dialect: Dialect,
    ) -> (Rc<str>, Option<Value>) {
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

    /// Whether the client's data is used as the name of what is called.
    pub(super) fn dynamic(&self, of: Id, callee: &Value, dialect: Dialect) -> bool {
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

    /// An object that PHP lets be called: its `__invoke` gets the arguments.
    pub(super) fn invoke(&mut self, called: &Value, arguments: &[&Value]) {
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

    /// What a call does to other variables.
    pub(super) fn effects(&mut self, id: Id, of: Id, argument_ids: &[Id], call: &Call<'_>) {
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
    pub(super) fn bind(&mut self, call: &Call<'_>, callee: &Value) {
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

    pub(super) fn bind_parameter(&mut self, function: FunctionId, name: &Rc<str>, value: &Value) {
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
    pub(super) fn result(&mut self, of: Id, callee: &Value, call: &Call<'_>) -> Value {
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

    pub(super) fn folded(&mut self, call: &Call<'_>) -> Option<Folded> {
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

    pub(super) fn is_input(call: &Call<'_>) -> bool {
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
    pub(super) fn created_object(call: &Call<'_>) -> Option<Value> {
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

    pub(super) fn construct(&mut self, id: Id, of: Id, argument_ids: &[Id]) -> Value {
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
}

/// Whether decoded text is code that reads what the client sends.
fn names_request(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["request", "$_post", "$_get", "$_cookie", "php://input"]
        .iter()
        .any(|name| lower.contains(name))
        && lower.contains(['(', '[', '{', '.'])
}
