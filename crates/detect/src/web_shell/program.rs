//! Server code as a list of small steps, each built from steps that stand before it.
//!
//! Parsers write it and the flow analysis reads it from front to back, without recursion: a step's parts always have
//! smaller numbers than the step itself.

use std::collections::HashSet;
use std::rc::Rc;

use super::lexer::Dialect;

/// The number of a step.
pub(super) type Id = usize;

/// The number of a function; 0 is the code outside of all functions.
pub(super) type FunctionId = usize;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Text(Rc<str>),
    Number(i64),
    /// A variable, function, type or namespace; lower case, but PHP variables keep their `$` and case.
    Name(Rc<str>),
    /// `of.name`
    Member(Id, Rc<str>),
    /// `of(arguments)`; in Basic also an element of an array.
    Call(Id, Vec<Id>),
    /// `of[arguments]`
    Index(Id, Vec<Id>),
    /// `new of(arguments)`
    New(Id, Vec<Id>),
    /// Strings (or numbers) put together by an operator.
    Concat(Vec<Id>),
    /// The elements of an array, a list of arguments, or an object's initial values.
    List(Vec<Id>),
    /// Any one of these values: both sides of a choice, or operands whose operator does not matter.
    Either(Vec<Id>),
    /// A number made by `-`, `*`, `/`, `%`, or a mixture of bits by `^`, `&`, `|`.
    Arithmetic(&'static str, Id, Id),
    /// `~of`
    Complement(Id),
    /// A truth value: it carries nothing of what was compared.
    Truth,
    /// A value that is declared to be of a type.
    Typed(Rc<str>, Id),
    /// A variable whose name is computed: `$$of`, `${of}`.
    Indirect(Id),
    Assign {
        to: Id,
        from: Id,
        /// `+=`, `.=`, `&=`
        adds: bool,
    },
    Declare {
        name: Rc<str>,
        type_name: Option<Rc<str>>,
        value: Option<Id>,
    },
    Return(Id),
    /// A loop over `of` that sets these variables.
    Each(Vec<Rc<str>>, Id),
    /// A function as a value.
    Function(FunctionId),
    Nothing,
}

#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Byte offset in the file.
    pub(super) at: u32,
    pub(super) function: FunctionId,
    pub(super) dialect: Dialect,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    /// Empty for a function without a name.
    pub(super) name: Rc<str>,
    pub(super) parameters: Vec<Parameter>,
    /// Where names are looked up that are not declared here.
    pub(super) parent: FunctionId,
    /// Clients can call it and choose its arguments: a web method.
    pub(super) remote: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: Rc<str>,
    pub(super) type_name: Option<Rc<str>>,
}

/// The steps and functions of one file.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) places: Vec<Place>,
    pub(super) functions: Vec<Function>,
    /// Names that a function declares for itself.
    pub(super) locals: HashSet<(FunctionId, Rc<str>)>,
    /// Names that a PHP function takes from outside by `global`.
    pub(super) globals: HashSet<(FunctionId, Rc<str>)>,
    /// The parser met brackets nested deeper than it follows.
    pub(super) too_deep: bool,
}

impl Program {
    pub(super) fn new() -> Self {
        Self {
            steps: Vec::new(),
            places: Vec::new(),
            functions: vec![Function::default()],
            locals: HashSet::new(),
            globals: HashSet::new(),
            too_deep: false,
        }
    }

    pub(super) fn add(&mut self, step: Step, place: Place) -> Id {
        self.steps.push(step);
        self.places.push(place);
        self.steps.len() - 1
    }

    pub(super) fn add_function(&mut self, function: Function) -> FunctionId {
        let id = self.functions.len();
        for parameter in &function.parameters {
            self.locals.insert((id, parameter.name.clone()));
        }
        self.functions.push(function);
        id
    }
}

/// For each opening bracket the number of the token that closes it, and the other way round; unmatched ones lack it.
pub(super) fn match_brackets(tokens: &[super::lexer::Token]) -> Vec<Option<usize>> {
    use super::lexer::Kind;
    let mut partner = vec![None; tokens.len()];
    let mut open: Vec<(usize, &'static str)> = Vec::new();
    // Where the braces stand in `open`, so that none has to be searched for.
    let mut braces: Vec<usize> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let Kind::Mark(mark) = token.kind else {
            continue;
        };
        // A closing brace ends what was left open inside it; another bracket does not reach out of its braces.
        let found = match mark {
            "{" => {
                braces.push(open.len());
                open.push((index, mark));
                continue;
            }
            "(" | "[" => {
                open.push((index, mark));
                continue;
            }
            "}" => braces.pop(),
            ")" | "]" => {
                let opener = if mark == ")" { "(" } else { "[" };
                open.last()
                    .and_then(|(_, mark)| (*mark == opener).then(|| open.len() - 1))
            }
            _ => continue,
        };
        if let Some(found) = found {
            let (start, _) = open[found];
            open.truncate(found);
            partner[start] = Some(index);
            partner[index] = Some(start);
        }
    }
    partner
}
