//! What is known about the calls of the five language families: where a client's data enters, and where data acts.
//!
//! Names are those of the platforms' own class libraries, in lower case.

#![expect(
    clippy::match_same_arms,
    reason = "in a table each family of names has its own line"
)]

use super::Kind;
use super::lexer::Dialect;

/// A call or assignment at which data acts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sink {
    pub(super) kind: Kind,
    pub(super) which: Which,
    /// Whether a client's data here proves a web shell.
    pub(super) decisive: bool,
    /// What to say if the data is not the client's.
    pub(super) otherwise: Otherwise,
}

/// Which values of a call act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Any,
    First,
    Receiver,
    /// The other arguments, if the one at this position names a function that acts.
    Callback(usize),
}

/// What a sink means when nothing of the client reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    Quiet,
    /// Say that the page starts processes.
    Starts,
    /// Read constant text as code, and say so if it was hidden or is not known.
    Code,
    /// Read constant text as code; what is not known is common here.
    ConstantCode,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what the arms of the tables below yield"
)]
const fn sink(kind: Kind, which: Which, otherwise: Otherwise) -> Option<Sink> {
    Some(Sink {
        kind,
        which,
        decisive: true,
        otherwise,
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what the arms of the tables below yield"
)]
const fn hint(kind: Kind, which: Which) -> Option<Sink> {
    Some(Sink {
        kind,
        which,
        decisive: false,
        otherwise: Otherwise::Quiet,
    })
}

/// The last part of a dotted name: `process` of `system.diagnostics.process`.
pub(super) fn last_part(shape: &str) -> &str {
    let shape = shape.split('(').next().unwrap_or(shape);
    shape.rsplit('.').next().unwrap_or(shape)
}

/// Whether a value of this shape is the request.
pub(super) fn is_request(shape: &str) -> bool {
    if matches!(last_part(shape), "getrequest") {
        return true;
    }
    !shape.contains('(')
        && matches!(
            last_part(shape),
            "request"
                | "httprequest"
                | "httprequestbase"
                | "httprequestwrapper"
                | "httpservletrequest"
                | "servletrequest"
                | "multiparthttpservletrequest"
                | "httplistenerrequest"
        )
}

/// How far a client controls a member of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// Wholly.
    Client,
    /// It depends on the key that is looked up.
    ByKey,
    /// Not at all.
    Server,
}

pub(super) fn request_member(name: &str) -> Control {
    match name {
        "servervariables" => Control::ByKey,
        "applicationpath"
        | "physicalapplicationpath"
        | "physicalpath"
        | "contentlength"
        | "totalbytes"
        | "isauthenticated"
        | "issecureconnection"
        | "islocal"
        | "ishttps"
        | "requesttype"
        | "httpmethod"
        | "browser"
        | "userhostaddress"
        | "userhostname"
        | "logonuseridentity"
        | "timedouttoken"
        | "contentencoding"
        | "clientcertificate"
        | "mappath"
        | "filepath"
        | "currentexecutionfilepath"
        | "apprelativecurrentexecutionfilepath"
        | "gettype"
        | "gethashcode"
        | "getsession"
        | "getservletcontext"
        | "getcontextpath"
        | "getservletpath"
        | "getremoteaddr"
        | "getremotehost"
        | "getremoteport"
        | "getlocaladdr"
        | "getlocalname"
        | "getlocalport"
        | "getmethod"
        | "getservername"
        | "getserverport"
        | "getscheme"
        | "getprotocol"
        | "getattribute"
        | "setattribute"
        | "removeattribute"
        | "getattributenames"
        | "setcharacterencoding"
        | "getcharacterencoding"
        | "getcontentlength"
        | "getrealpath"
        | "getclass"
        | "getlocale"
        | "getuserprincipal"
        | "isuserinrole"
        | "issecure"
        | "getauthtype"
        | "getrequestdispatcher"
        | "getremoteuser"
        | "isrequestedsessionidvalid"
        | "requestcontext"
        | "validateinput"
        | "getcontenttype"
        | "session"
        | "application"
        | "server"
        | "response"
        | "ismultipart" => Control::Server,
        _ => Control::Client,
    }
}

/// Whether the client sets this server variable.
pub(super) fn is_client_variable(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.starts_with("HTTP_")
        || matches!(
            name.as_str(),
            "QUERY_STRING"
                | "REQUEST_URI"
                | "PATH_INFO"
                | "ALL_HTTP"
                | "ALL_RAW"
                | "UNENCODED_URL"
                | "PHP_AUTH_USER"
                | "PHP_AUTH_PW"
                | "PHP_AUTH_DIGEST"
                | "CONTENT_TYPE"
                | "REQUEST_METHOD"
                | "ORIG_PATH_INFO"
                | "AUTH_PASSWORD"
                | "AUTH_USER"
                | "ARGV"
        )
}

/// PHP variables that hold what the client sent.
pub(super) fn is_php_input(name: &str) -> bool {
    matches!(
        name,
        "$_GET"
            | "$_POST"
            | "$_REQUEST"
            | "$_COOKIE"
            | "$_FILES"
            | "$HTTP_RAW_POST_DATA"
            | "$HTTP_POST_VARS"
            | "$HTTP_GET_VARS"
            | "$HTTP_COOKIE_VARS"
            | "$HTTP_POST_FILES"
    )
}

/// Functions that return what the client sent, whatever their arguments.
pub(super) fn is_input_function(dialect: Dialect, name: &str) -> bool {
    dialect == Dialect::Php
        && matches!(
            name,
            "getallheaders"
                | "apache_request_headers"
                | "filter_input"
                | "filter_input_array"
                | "get_defined_vars"
        )
}

/// Members of a value that tell nothing of its content.
pub(super) fn is_measure(name: &str) -> bool {
    matches!(
        name,
        "length"
            | "count"
            | "size"
            | "contentlength"
            | "equals"
            | "startswith"
            | "endswith"
            | "contains"
            | "indexof"
            | "lastindexof"
            | "isempty"
            | "compareto"
            | "equalsignorecase"
            | "containskey"
            | "getsize"
            | "available"
            | "hascontent"
            | "hasfile"
            | "exists"
            | "isfile"
            | "isdirectory"
            | "haskeys"
            | "hashcode"
            | "gethashcode"
            | "test"
            | "matches"
            | "rank"
            | "longlength"
            | "canread"
            | "hasmoreelements"
            | "hasnext"
            | "checked"
    )
}

/// Functions whose result carries nothing a client could use.
pub(super) fn is_cleaner(name: &str, receiver: Option<&str>) -> bool {
    if is_measure(name) {
        return true;
    }
    match name {
        "int32" | "toint32" | "toint16" | "toint64" | "touint32" | "todouble" | "toboolean"
        | "todecimal" | "todatetime" | "parseint" | "parsefloat" | "parselong" | "parsedouble"
        | "parseboolean" | "cint" | "clng" | "cdbl" | "cbool" | "cdate" | "csng" | "cbyte"
        | "isnumeric" | "intval" | "floatval" | "boolval" | "is_numeric" | "isset" | "empty"
        | "strlen" | "strcmp" | "strcasecmp" | "in_array" | "array_key_exists" | "is_array"
        | "is_string" | "md5" | "sha1" | "crc32" | "hash" | "md5_file" | "hash_hmac"
        | "password_verify" | "password_hash" | "count" | "sizeof" | "is_null"
        | "isnullorempty" | "isnullorwhitespace" | "tryparse" | "len" | "lenb" | "instr"
        | "ubound" | "lbound" | "isempty" | "isnull" | "file_exists" | "is_file" | "is_dir"
        | "preg_match_all" | "ctype_alnum" | "is_uploaded_file" | "filesize" | "filemtime"
        | "computehash" | "strpos" | "stripos" | "number_format" | "isnan" | "isnothing"
        | "istype" | "isinstanceof" | "ismatch" | "compare" => true,
        "parse" | "parseexact" | "valueof" => receiver.is_some_and(|shape| {
            matches!(
                last_part(shape),
                "int"
                    | "int32"
                    | "int16"
                    | "int64"
                    | "uint32"
                    | "long"
                    | "short"
                    | "byte"
                    | "double"
                    | "float"
                    | "decimal"
                    | "bool"
                    | "boolean"
                    | "guid"
                    | "datetime"
                    | "timespan"
                    | "integer"
                    | "enum"
            )
        }),
        _ => false,
    }
}

/// Methods that put their arguments into the object they are called on.
pub(super) fn is_mutator(name: &str) -> bool {
    matches!(
        name,
        "append"
            | "appendline"
            | "appendformat"
            | "add"
            | "addrange"
            | "write"
            | "writeline"
            | "writetext"
            | "put"
            | "putvalue"
            | "push"
            | "insert"
            | "set"
            | "setattribute"
            | "setproperty"
            | "load"
            | "loadxml"
            | "update"
            | "addall"
            | "addelement"
            | "enqueue"
            | "offer"
            | "unshift"
            | "item"
            | "setvalue"
            | "setfilename"
            | "setarguments"
    )
}

/// Methods that put what they are called on into their first argument.
pub(super) fn is_reader(name: &str) -> bool {
    matches!(
        name,
        "read"
            | "readfully"
            | "readbytes"
            | "copyto"
            | "copytoasync"
            | "readasync"
            | "transferto"
            | "writeto"
    )
}

/// Functions that put one argument into another: from, to.
pub(super) fn copies_between_arguments(
    name: &str,
    receiver: Option<&str>,
) -> Option<(usize, usize)> {
    let receiver = receiver.map_or("", last_part);
    match (name, receiver) {
        ("copy" | "constrainedcopy", "array" | "marshal") => Some((0, 1)),
        ("blockcopy", "buffer") => Some((0, 2)),
        ("arraycopy", _) => Some((0, 2)),
        ("parse_str" | "mb_parse_str", _) => Some((0, 1)),
        ("preg_match", _) => Some((1, 2)),
        ("tryparse" | "tryfrombase64string", _) => Some((0, 1)),
        _ => None,
    }
}

/// Whether a call passes data on to where a socket leads.
pub(super) fn is_relay(name: &str, receiver: Option<&str>) -> bool {
    let to_client = receiver.is_some_and(|shape| {
        let part = last_part(shape);
        matches!(part, "response" | "out" | "writer" | "file" | "files")
            || part.contains("response")
    });
    !to_client
        && matches!(
            name,
            "send"
                | "beginsend"
                | "sendasync"
                | "sendto"
                | "write"
                | "writeasync"
                | "beginwrite"
                | "fwrite"
                | "fputs"
                | "socket_write"
                | "socket_send"
                | "stream_socket_sendto"
                | "copyto"
                | "copytoasync"
        )
}

/// Functions that undo an encoding.
pub(super) fn is_decoder(name: &str) -> bool {
    matches!(
        name,
        "frombase64string"
            | "base64_decode"
            | "atob"
            | "decodebuffer"
            | "gzinflate"
            | "gzuncompress"
            | "gzdecode"
            | "str_rot13"
            | "hex2bin"
            | "strrev"
            | "strreverse"
            | "unescape"
            | "transformfinalblock"
            | "dofinal"
            | "openssl_decrypt"
            | "mcrypt_decrypt"
            | "convert_uudecode"
            | "decodebase64"
            | "parsebase64binary"
            | "fromhexstring"
            | "decrypt"
            | "decode"
            | "getdecoder"
    )
}

fn is_script_engine(shape: &str) -> bool {
    shape.contains("scriptcontrol")
}

pub(super) fn is_command_shell(shape: &str) -> bool {
    shape.contains("wscript.shell")
        || shape.contains("shell.application")
        || shape.contains("wbemscripting")
        || shape.contains("winmgmts")
        || shape.contains("win32_process")
        || shape.contains("iwshshell")
}

/// Class ids of the objects that `is_command_shell` knows by name.
pub(super) fn object_name(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    let id = lower
        .trim_start_matches("new:")
        .trim_start_matches("clsid:")
        .trim_matches(['{', '}']);
    match id {
        "72c24dd5-d70a-438b-8a42-98424b88afb8" | "f935dc22-1cf0-11d0-adb9-00c04fd58a0b" => {
            "wscript.shell".to_owned()
        }
        "13709620-c279-11ce-a49e-444553540000" | "9ba05972-f6a8-11cf-a442-00a0c90a8f39" => {
            "shell.application".to_owned()
        }
        "0d43fe01-f093-11cf-8940-00a0c9054228" => "scripting.filesystemobject".to_owned(),
        "0e59f1d5-1fbe-11d0-8ff2-00a0d10038bc" => "msscriptcontrol.scriptcontrol".to_owned(),
        _ => lower,
    }
}

fn is_process_shape(shape: &str) -> bool {
    matches!(
        last_part(shape),
        "process" | "processstartinfo" | "startinfo"
    )
}

/// Names of functions that act on what they are given when something else calls them.
pub(super) fn is_dangerous_function(name: &str) -> Option<Kind> {
    match name {
        "assert" | "eval" | "create_function" | "preg_replace" => Some(Kind::RequestIsEvaluated),
        "system" | "exec" | "passthru" | "shell_exec" | "popen" | "proc_open" | "pcntl_exec" => {
            Some(Kind::RequestStartsProcess)
        }
        "file_put_contents" | "fputs" | "fwrite" | "move_uploaded_file" => {
            Some(Kind::RequestWritesFile)
        }
        "include" | "require" => Some(Kind::RequestIsIncluded),
        _ => None,
    }
}

/// Where a PHP function takes the function it will call.
fn callback_position(name: &str) -> Option<usize> {
    match name {
        "call_user_func"
        | "call_user_func_array"
        | "array_map"
        | "register_shutdown_function"
        | "register_tick_function"
        | "forward_static_call"
        | "forward_static_call_array"
        | "ob_start"
        | "set_error_handler"
        | "set_exception_handler"
        | "spl_autoload_register"
        | "header_register_callback" => Some(0),
        "array_filter"
        | "array_walk"
        | "array_walk_recursive"
        | "array_reduce"
        | "usort"
        | "uasort"
        | "uksort"
        | "preg_replace_callback"
        | "mb_ereg_replace_callback"
        | "iterator_apply" => Some(1),
        "array_udiff"
        | "array_uintersect"
        | "array_diff_ukey"
        | "array_diff_uassoc"
        | "array_intersect_ukey"
        | "array_intersect_uassoc"
        | "array_udiff_assoc"
        | "array_uintersect_assoc" => Some(2),
        _ => None,
    }
}

/// What acts when `name` is called, as a plain function (`receiver` is absent) or on an object.
pub(super) fn call(dialect: Dialect, name: &str, receiver: Option<&str>) -> Option<Sink> {
    match dialect {
        Dialect::Php => php_call(name, receiver),
        Dialect::Java => java_call(name, receiver?),
        Dialect::CSharp => net_call(name, receiver),
        Dialect::JScript => jscript_call(name, receiver)
            .or_else(|| object_call(name, receiver))
            .or_else(|| net_call(name, receiver)),
        Dialect::Basic => basic_call(name, receiver)
            .or_else(|| object_call(name, receiver))
            .or_else(|| net_call(name, receiver)),
    }
}

fn php_call(name: &str, receiver: Option<&str>) -> Option<Sink> {
    if let Some(shape) = receiver {
        return match (name, last_part(shape)) {
            ("invoke" | "invokeargs", part) if part.starts_with("reflection") => {
                sink(Kind::RequestNamesFunction, Which::Any, Otherwise::Quiet)
            }
            ("exec" | "run" | "shellexecute", _) if is_command_shell(shape) => {
                sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
            }
            _ => None,
        };
    }
    if let Some(position) = callback_position(name) {
        return sink(
            Kind::RequestNamesFunction,
            Which::Callback(position),
            Otherwise::Quiet,
        );
    }
    match name {
        "eval" => sink(Kind::RequestIsEvaluated, Which::First, Otherwise::Code),
        "assert" => sink(
            Kind::RequestIsEvaluated,
            Which::First,
            Otherwise::ConstantCode,
        ),
        "create_function" => sink(Kind::RequestIsEvaluated, Which::Any, Otherwise::Code),
        "system" | "exec" | "passthru" | "shell_exec" | "popen" | "proc_open" | "pcntl_exec" => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        "include" | "include_once" | "require" | "require_once" => {
            sink(Kind::RequestIsIncluded, Which::First, Otherwise::Quiet)
        }
        "unserialize" => hint(Kind::RequestIsDeserialized, Which::First),
        "readfile" | "highlight_file" | "show_source" => hint(Kind::RequestReadsFile, Which::First),
        "dl" => sink(Kind::RequestLoadsCode, Which::First, Otherwise::Quiet),
        "fsockopen" | "pfsockopen" | "stream_socket_client" | "socket_connect" => {
            sink(Kind::RequestOpensTunnel, Which::Any, Otherwise::Quiet)
        }
        _ => None,
    }
}

fn java_call(name: &str, receiver: &str) -> Option<Sink> {
    let part = last_part(receiver);
    match name {
        "exec" => sink(
            Kind::RequestStartsProcess,
            Which::Any,
            if receiver.contains("runtime") {
                Otherwise::Starts
            } else {
                Otherwise::Quiet
            },
        ),
        "command" if part == "processbuilder" => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Quiet)
        }
        "start" if receiver.contains("processimpl") => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        "eval" => sink(
            Kind::RequestIsEvaluated,
            Which::Any,
            Otherwise::ConstantCode,
        ),
        "parseexpression"
        | "createvalueexpression"
        | "evaluateexpression"
        | "createmethodexpression" => sink(Kind::RequestIsEvaluated, Which::Any, Otherwise::Quiet),
        "defineclass" | "defineanonymousclass" | "definehiddenclass" => {
            sink(Kind::RequestLoadsCode, Which::Any, Otherwise::Code)
        }
        "invoke" => reflective(receiver),
        "forname" if !matches!(part, "class" | "reflect") => None,
        "loadclass" | "forname" => hint(Kind::RequestNamesFunction, Which::First),
        "readobject" => hint(Kind::RequestIsDeserialized, Which::Receiver),
        "connect" | "open" if part.contains("socket") => {
            sink(Kind::RequestOpensTunnel, Which::Any, Otherwise::Quiet)
        }
        _ => None,
    }
}

/// `Type.GetMethod("Name").Invoke(…)`: it depends on the name.
fn reflective(receiver: &str) -> Option<Sink> {
    const DANGEROUS: &[&str] = &[
        "exec",
        "load",
        "start",
        "eval",
        "jscriptevaluate",
        "defineclass",
        "loadfrom",
        "loadfile",
        "runscript",
        "getruntime",
        "compileassemblyfromsource",
        "parseexpression",
    ];
    let named = receiver
        .rsplit_once("method(")
        .map(|(_, name)| name.split(')').next().unwrap_or(name));
    match named {
        Some(name) if DANGEROUS.contains(&name) => {
            sink(Kind::RequestLoadsCode, Which::Any, Otherwise::Quiet)
        }
        _ => hint(Kind::RequestNamesFunction, Which::Any),
    }
}

fn net_call(name: &str, receiver: Option<&str>) -> Option<Sink> {
    let shape = receiver.unwrap_or_default();
    let part = last_part(shape);
    match name {
        "start" if is_process_shape(shape) => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        "write" | "writeline" | "writeasync" | "writelineasync" if part == "standardinput" => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Quiet)
        }
        "addscript" | "createpipeline" | "invokescript" | "createnestedpipeline" => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        "winexec"
        | "createprocess"
        | "createprocessa"
        | "createprocessw"
        | "shellexecutea"
        | "shellexecutew"
        | "createprocessasuser"
        | "createprocesswithlogonw" => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        "invokemethod" if shape.contains("management") || shape.contains("win32_process") => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        "shell" if receiver.is_none() || part == "interaction" => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        "load"
        | "loadfile"
        | "loadfrom"
        | "unsafeloadfrom"
        | "reflectiononlyload"
        | "loadwithpartialname"
            if matches!(part, "assembly" | "appdomain" | "currentdomain") =>
        {
            sink(Kind::RequestLoadsCode, Which::Any, Otherwise::ConstantCode)
        }
        "loadmodule" => sink(Kind::RequestLoadsCode, Which::Any, Otherwise::Quiet),
        "compileassemblyfromsource"
        | "compileassemblyfromfile"
        | "compileassemblyfromdom"
        | "compileassemblyfromsourcebatch" => {
            sink(Kind::RequestLoadsCode, Which::Any, Otherwise::Code)
        }
        "createinstance" | "createinstancefrom" | "createinstanceandunwrap"
            if matches!(part, "activator" | "appdomain" | "currentdomain") =>
        {
            sink(Kind::RequestNamesFunction, Which::Any, Otherwise::Quiet)
        }
        "invokemember" | "callbyname" => {
            sink(Kind::RequestNamesFunction, Which::Any, Otherwise::Quiet)
        }
        "gettypefromprogid" | "gettypefromclsid" => {
            sink(Kind::RequestNamesFunction, Which::First, Otherwise::Quiet)
        }
        "getmethod" if receiver.is_some() => hint(Kind::RequestNamesFunction, Which::First),
        "invoke" if shape.contains("method(") || part == "methodinfo" => reflective(shape),
        "jscriptevaluate" | "evaluateasync" | "runasync"
            if name == "jscriptevaluate" || part == "csharpscript" =>
        {
            sink(Kind::RequestIsEvaluated, Which::First, Otherwise::Code)
        }
        "deserialize" | "unsafedeserialize" => hint(Kind::RequestIsDeserialized, Which::Any),
        "writefile" | "transmitfile" if part == "response" => {
            hint(Kind::RequestReadsFile, Which::First)
        }
        "readalltext" | "readallbytes" | "readalllines" if part == "file" => {
            hint(Kind::RequestReadsFile, Which::First)
        }
        "connect" | "beginconnect" if matches!(part, "socket" | "tcpclient" | "udpclient") => {
            sink(Kind::RequestOpensTunnel, Which::Any, Otherwise::Quiet)
        }
        _ => None,
    }
}

fn jscript_call(name: &str, receiver: Option<&str>) -> Option<Sink> {
    let global = receiver.is_none_or(|shape| {
        matches!(
            last_part(shape),
            "this" | "window" | "global" | "globalthis"
        )
    });
    match name {
        "eval" if global => sink(Kind::RequestIsEvaluated, Which::First, Otherwise::Code),
        "function" if global => sink(Kind::RequestIsEvaluated, Which::Any, Otherwise::Code),
        _ => None,
    }
}

fn basic_call(name: &str, receiver: Option<&str>) -> Option<Sink> {
    match name {
        "execute" | "executeglobal" if receiver.is_none() => {
            sink(Kind::RequestIsEvaluated, Which::First, Otherwise::Code)
        }
        // In ASP.NET the same name binds data, so what is not known is common here.
        "eval" if receiver.is_none() => sink(
            Kind::RequestIsEvaluated,
            Which::First,
            Otherwise::ConstantCode,
        ),
        _ => None,
    }
}

/// Calls on automation objects, from VBScript and JScript.
fn object_call(name: &str, receiver: Option<&str>) -> Option<Sink> {
    let shape = receiver?;
    match name {
        "run" | "exec" | "shellexecute" | "create" if is_command_shell(shape) => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        "eval" | "executestatement" | "addcode" | "run" if is_script_engine(shape) => {
            sink(Kind::RequestIsEvaluated, Which::Any, Otherwise::Code)
        }
        // The object itself was chosen by the client.
        "run" | "exec" | "shellexecute" | "executestatement" | "addcode" => sink(
            Kind::RequestNamesFunction,
            Which::Receiver,
            Otherwise::Quiet,
        ),
        _ => None,
    }
}

/// What acts when an object of this class is made.
pub(super) fn construction(dialect: Dialect, class: &str) -> Option<Sink> {
    match (dialect, last_part(class)) {
        (_, "processstartinfo") => sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts),
        (Dialect::Java, "processbuilder") => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        (Dialect::Java, "urlclassloader") => {
            sink(Kind::RequestLoadsCode, Which::Any, Otherwise::Quiet)
        }
        (Dialect::JScript, "function") => {
            sink(Kind::RequestIsEvaluated, Which::Any, Otherwise::Code)
        }
        (Dialect::JScript, "activexobject") => hint(Kind::RequestNamesFunction, Which::First),
        (Dialect::Php, "reflectionfunction" | "reflectionmethod" | "reflectionclass") => {
            hint(Kind::RequestNamesFunction, Which::First)
        }
        (Dialect::Java, "expression" | "statement") => {
            sink(Kind::RequestNamesFunction, Which::Any, Otherwise::Quiet)
        }
        (Dialect::Php, "com") => sink(Kind::RequestNamesFunction, Which::First, Otherwise::Quiet),
        (Dialect::Java, "socket") | (_, "tcpclient") => {
            sink(Kind::RequestOpensTunnel, Which::First, Otherwise::Quiet)
        }
        _ => None,
    }
}

/// What acts when a property is set.
pub(super) fn assignment(receiver: &str, name: &str) -> Option<Sink> {
    match name {
        "filename" | "arguments" if is_process_shape(receiver) => {
            sink(Kind::RequestStartsProcess, Which::Any, Otherwise::Starts)
        }
        _ => None,
    }
}

/// How a call writes a file: the positions of the name and of the content among its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileWrite {
    pub(super) name: Option<usize>,
    pub(super) content: Option<usize>,
    /// The receiver holds the content (a posted file) or the name (an open stream).
    pub(super) receiver: Option<ReceiverHolds>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiverHolds {
    Content,
    Name,
}

pub(super) fn file_write(
    dialect: Dialect,
    name: &str,
    receiver: Option<&str>,
) -> Option<FileWrite> {
    let write = |name, content, receiver| {
        Some(FileWrite {
            name,
            content,
            receiver,
        })
    };
    let part = receiver.map_or("", last_part);
    if dialect == Dialect::Php {
        if receiver.is_some() {
            return None;
        }
        return match name {
            "file_put_contents" => write(Some(0), Some(1), None),
            "fwrite" | "fputs" => write(Some(0), Some(1), None),
            "move_uploaded_file" | "copy" | "rename" => write(Some(1), Some(0), None),
            _ => None,
        };
    }
    match name {
        "writealltext" | "writeallbytes" | "writealllines" | "appendalltext" | "appendalllines"
            if part == "file" =>
        {
            write(Some(0), Some(1), None)
        }
        "create" | "createtext" | "openwrite" | "appendtext" if part == "file" => {
            write(Some(0), None, None)
        }
        "copy" | "move" if part == "file" => write(Some(1), Some(0), None),
        "saveas" => write(Some(0), None, Some(ReceiverHolds::Content)),
        "savetofile" => write(Some(0), None, Some(ReceiverHolds::Content)),
        "createtextfile" => write(Some(0), None, None),
        "downloadfile" => write(Some(1), Some(0), None),
        "write" | "writeline" | "writebytes" | "print" | "println"
            if matches!(
                part,
                "fileoutputstream"
                    | "filewriter"
                    | "randomaccessfile"
                    | "streamwriter"
                    | "filestream"
                    | "createtextfile"
                    | "createtext"
                    | "opentextfile"
                    | "bufferedoutputstream"
                    | "textstream"
            ) =>
        {
            write(None, Some(0), Some(ReceiverHolds::Name))
        }
        "write" if part == "files" && dialect == Dialect::Java => write(Some(0), Some(1), None),
        "copy" if part == "files" && dialect == Dialect::Java => write(Some(1), Some(0), None),
        "writestringtofile" | "writebytearraytofile" | "copyinputstreamtofile" => {
            write(Some(0), Some(1), None)
        }
        "transferto" if dialect == Dialect::Java => {
            write(Some(0), None, Some(ReceiverHolds::Content))
        }
        _ => None,
    }
}

/// Classes whose objects write the file that is named when they are made.
pub(super) fn is_file_writer(class: &str) -> bool {
    matches!(
        last_part(class),
        "fileoutputstream" | "filewriter" | "streamwriter"
    )
}

/// Whether giving a variable this type tells more than the value it is given.
pub(super) fn is_telling_type(name: &str) -> bool {
    is_request(name)
        || matches!(
            last_part(name),
            "process"
                | "processstartinfo"
                | "socket"
                | "tcpclient"
                | "assembly"
                | "methodinfo"
                | "method"
                | "httpcontext"
                | "streamwriter"
                | "filestream"
                | "fileoutputstream"
                | "filewriter"
                | "scriptengine"
                | "runtime"
                | "processbuilder"
        )
}

/// Endings under which a server runs what was written.
pub(super) fn is_script_name(name: &str) -> bool {
    pack::shipped_files::is_script(name.trim_end_matches(['.', ' ', ';']))
}
