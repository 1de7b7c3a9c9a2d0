//! Where a client's data acts, and what is said about it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::calls::Call;
use super::value::{BY_PARAMETER, Value};
use super::{DECODED_MAX, Decoded, Flow, Found};
use crate::web_shell::Kind;
use crate::web_shell::catalog::{self, Otherwise, ReceiverHolds, Sink, Which};
use crate::web_shell::lexer::Dialect;
use crate::web_shell::program::{Id, Step};
use crate::web_shell::source;

/// Places that are noted in one file.
const FOUND_MAX: usize = 4096;

impl Flow<'_> {
    pub(super) fn sinks(&mut self, call: &Call<'_>) {
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

    /// PHP: data of the client is handed to a function whose name the page does not show.
    pub(super) fn hidden_name(&mut self, of: Id, callee: &Value, call: &Call<'_>) {
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

    /// A stylesheet in the page's own text can carry script: `<msxsl:script language="JScript">…</msxsl:script>`.
    pub(super) fn script_in_stylesheet(&mut self, text: &str, at: u32) {
        let Some(open) = text.find(":script") else {
            return;
        };
        let rest = &text[open..];
        let Some(end) = rest.find('>') else {
            return;
        };
        let language = source::attribute(&rest.as_bytes()[..end], "language").unwrap_or_default();
        let Some(dialect) = source::dialect_named(&language) else {
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

    pub(super) fn named_anywhere(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// `preg_replace("/.*/e", …)` evaluates its replacement.
    pub(super) fn evaluating_replacement(&mut self, call: &Call<'_>) {
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

    pub(super) fn file_sinks(&mut self, call: &Call<'_>, receiver: Option<&str>, what: &str) {
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

    /// Objects that write a file: the name is given when they are made.
    pub(super) fn written_by_new(&mut self, class: &str, call: &Call<'_>, what: &str) {
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

    /// Judges one sink against the values that reach it.
    pub(super) fn act(
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
    pub(super) fn code(
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

    pub(super) fn remember_code(&mut self, text: &Rc<str>, dialect: Dialect, at: u32) {
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
    pub(super) fn callback(
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

    pub(super) fn note_taint(
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

    pub(super) fn note(
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
    pub(super) fn essence(&mut self) -> BTreeMap<(u32, Kind), Found> {
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

    pub(super) fn insert(&mut self, at: u32, kind: Kind, found: Found) {
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
