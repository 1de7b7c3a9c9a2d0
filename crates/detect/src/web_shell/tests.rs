//! The analysis against shells in many styles, ordinary pages, damaged files and files made to waste time.

use base64::Engine as _;
use expect_test::{Expect, expect, expect_file};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{Analysis, analyse};

struct Sample {
    is_shell: bool,
    name: String,
    path: String,
    content: Vec<u8>,
}

/// The pages of `testdata/pages.txt`.
fn samples() -> Vec<Sample> {
    let lines = include_str!("testdata/pages.txt").lines();
    let sample = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [kind, name, path, content] = fields.as_slice() else {
            panic!("not four fields: {line}");
        };
        Sample {
            is_shell: *kind == "shell",
            name: (*name).to_owned(),
            path: (*path).to_owned(),
            content: base64::engine::general_purpose::STANDARD
                .decode(content)
                .unwrap(),
        }
    };
    lines
        .filter(|line| !line.starts_with('#'))
        .map(sample)
        .collect()
}

/// Kinds and lines, an exclamation mark on decisive ones.
fn summary(analysis: &Analysis) -> String {
    let mut text = String::new();
    for sign in &analysis.signs {
        let mark = if sign.decisive { "!" } else { "" };
        let _ = write!(text, " {}{mark}:{}", sign.kind.name(), sign.line);
    }
    for reason in &analysis.not_seen {
        let _ = write!(text, " ({reason})");
    }
    text
}

#[test]
fn every_sample_is_judged_as_recorded() {
    let mut text = String::new();
    for sample in samples() {
        let analysis = analyse(&sample.path, &sample.content);
        let _ = writeln!(text, "{}:{}", sample.name, summary(&analysis));
    }
    expect_file!["testdata/pages.out"].assert_eq(&text);
}

#[test]
fn every_shell_is_proven_and_every_page_is_quiet() {
    let (mut shells, mut pages) = (0, 0);
    let mut wrong = Vec::new();
    for sample in samples() {
        let analysis = analyse(&sample.path, &sample.content);
        let right = if sample.is_shell {
            shells += 1;
            analysis.decisive()
        } else {
            pages += 1;
            analysis.signs.is_empty() && analysis.complete()
        };
        if !right {
            wrong.push(format!("{}:{}", sample.name, summary(&analysis)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        shells >= 25 && pages >= 15,
        "{shells} shells, {pages} pages"
    );
}

fn kinds(path: &str, content: &[u8]) -> Vec<String> {
    let mark = |decisive: bool| if decisive { "!" } else { "" };
    let signs = analyse(path, content).signs;
    signs
        .iter()
        .map(|sign| format!("{}{}", sign.kind.name(), mark(sign.decisive)))
        .collect()
}

/// A shell of these tests, by its name.
fn shell(name: &str) -> Sample {
    let found = samples().into_iter().find(|sample| sample.name == name);
    found.unwrap_or_else(|| panic!("no sample {name}"))
}

fn check_sign(analysis: &Analysis, expected: &Expect) {
    let mut text = String::new();
    for sign in &analysis.signs {
        let _ = writeln!(
            text,
            "{} decisive={} line={} offset={} {} {:?}\n  {}",
            sign.kind.name(),
            sign.decisive,
            sign.line,
            sign.offset,
            sign.language.name(),
            sign.techniques,
            sign.explanation
        );
    }
    expected.assert_eq(&text);
}

#[test]
fn a_sign_says_where_what_and_why() {
    let sample = shell("csharp_process");
    let analysis = analyse(&sample.path, &sample.content);
    check_sign(
        &analysis,
        &expect![[r#"
        request_starts_process decisive=true line=10 offset=321 csharp ["T1505.003", "T1059"]
          What the client sends (Request.form) reaches processstartinfo.arguments, which runs it as a command.
    "#]],
    );
    let sign = &analysis.signs[0];
    let at = usize::try_from(sign.offset).unwrap();
    assert!(
        sample.content[at..].starts_with(b"info.Arguments"),
        "the offset is that of the statement"
    );
    assert!(sign.excerpt.starts_with("info.Arguments"));
}

#[test]
fn the_script_in_a_dump_is_placed_where_it_stands() {
    let sample = shell("dump_script");
    check_sign(
        &analyse(&sample.path, &sample.content),
        &expect![[r#"
        script_in_property_dump decisive=true line=13 offset=628 none ["T1505.003"]
          This is the text dump of a virtual directory's properties, and the value of ExternalUrl carries server code: the virtual directory was changed so that its dump would be a web shell.
        request_is_evaluated decisive=true line=13 offset=691 jscript ["T1505.003"]
          What the client sends (Request) reaches eval, which runs it as script.
    "#]],
    );
}

#[test]
fn offsets_in_utf_16_are_those_of_the_file() {
    let sample = shell("csharp_utf16");
    let sign = analyse(&sample.path, &sample.content).signs.remove(0);
    let at = usize::try_from(sign.offset).unwrap();
    assert_eq!(&sample.content[at..at + 4], b"S\0t\0", "Start");
}

#[test]
fn a_name_that_no_server_runs_is_only_suspicious() {
    let sample = shell("jscript_eval");
    assert_eq!(
        kinds(r"C:\inetpub\wwwroot\google.log", &sample.content),
        ["request_is_evaluated"]
    );
    let dump = shell("dump_hidden_tag");
    assert_eq!(
        kinds(r"C:\backup\oab.txt", &dump.content),
        ["script_in_property_dump"]
    );
    assert_eq!(
        kinds(r"C:\mail\archive.pst", b"!BDN\x01\x02"),
        Vec::<String>::new()
    );
}

#[test]
fn padding_and_line_ends_hide_nothing() {
    for sample in samples().into_iter().filter(|sample| sample.is_shell) {
        if sample.content.starts_with(b"\xff\xfe") || sample.name.ends_with("_head") {
            continue;
        }
        let mut padded = b"<html><!-- ".to_vec();
        padded.extend(std::iter::repeat_n(b"padding ".as_slice(), 20_000).flatten());
        padded.extend_from_slice(b" -->");
        padded.extend_from_slice(&sample.content);
        assert!(
            analyse(&sample.path, &padded).decisive(),
            "{} behind padding",
            sample.name
        );
        let text = String::from_utf8(sample.content.clone()).unwrap();
        let windows = text.replace('\n', "\r\n");
        assert!(
            analyse(&sample.path, windows.as_bytes()).decisive(),
            "{} with CRLF",
            sample.name
        );
    }
}

#[test]
fn more_than_is_looked_at_is_said() {
    let mut padded = vec![b' '; super::BYTES_MAX];
    padded.extend_from_slice(&shell("jscript_eval").content);
    let analysis = analyse("a.aspx", &padded);
    expect![" (only the first 16777216 of 16777284 bytes were looked at)"]
        .assert_eq(&summary(&analysis));
    let many = "<% a = 1 %>".repeat(200_000);
    let analysis = analyse("a.asp", many.as_bytes());
    expect![" (the page holds more code than the 300000 words that are followed)"]
        .assert_eq(&summary(&analysis));
    let deep = format!(
        "<%@ Page Language=\"C#\"%><% x = {}1{}; %>",
        "(".repeat(500),
        ")".repeat(500)
    );
    let analysis = analyse("a.aspx", deep.as_bytes());
    expect![" (brackets are nested deeper than is followed)"].assert_eq(&summary(&analysis));
}

#[test]
fn configurations_are_judged_by_what_they_map() {
    let config = |inside: &str| {
        kinds(
            r"C:\site\web.config",
            format!("<configuration>{inside}</configuration>").as_bytes(),
        )
    };
    let handlers = |add: &str| {
        config(&format!(
            "<system.webServer><handlers>{add}</handlers></system.webServer>"
        ))
    };
    assert_eq!(
        handlers(r#"<add path="*.jpg" verb="*" type="System.Web.UI.PageHandlerFactory"/>"#),
        ["odd_script_mapping"]
    );
    assert_eq!(
        handlers(r#"<add path="*.aspx" verb="*" type="System.Web.UI.PageHandlerFactory"/>"#),
        Vec::<String>::new()
    );
    assert_eq!(
        handlers(
            r#"<add path="*.php" verb="*" modules="FastCgiModule" scriptProcessor="C:\php\php-cgi.exe"/>"#
        ),
        Vec::<String>::new()
    );
    let providers = r#"<system.web><compilation><buildProviders><add extension=".png" type="System.Web.Compilation.PageBuildProvider"/></buildProviders></compilation></system.web>"#;
    assert_eq!(config(providers), ["odd_script_mapping"]);
    let keys = r#"<system.web><machineKey validationKey="00112233445566778899AABBCCDDEEFF" decryptionKey="AutoGenerate"/></system.web>"#;
    assert_eq!(config(keys), ["fixed_machine_key"]);
    let cut = r#"<configuration><system.webServer><handlers><add path="*.txt" type="System.Web.UI.PageHandlerFactory"/><add pa"#;
    assert_eq!(kinds("web.config", cut.as_bytes()), ["odd_script_mapping"]);
}

/// An assembly with these names and texts in its metadata, and nothing else.
fn assembly(names: &[&str], texts: &[&str]) -> Vec<u8> {
    let mut strings = vec![0];
    for name in names {
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
    }
    let mut user = vec![0];
    for text in texts {
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        user.push(u8::try_from(wide.len() + 1).unwrap());
        user.extend_from_slice(&wide);
        user.push(0);
    }
    let head: u32 = 16 + 12 + 4 + 20 + 12;
    let mut bytes = b"MZ of a test, then the metadata: ".to_vec();
    bytes.extend_from_slice(b"BSJB\x01\0\x01\0\0\0\0\0\x0c\0\0\0v4.0.30319\0\0\0\0\x02\0");
    for (name, start, size) in [
        ("#Strings\0\0\0\0", head, strings.len()),
        (
            "#US\0",
            head + u32::try_from(strings.len()).unwrap(),
            user.len(),
        ),
    ] {
        bytes.extend_from_slice(&start.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes.extend(strings);
    bytes.extend(user);
    bytes
}

#[test]
fn compiled_pages_are_judged_by_their_calls() {
    let path = r"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\Temporary ASP.NET Files\owa\8e05b027\e164d61b\App_Web_llfrjg0v.dll";
    let evaluating = assembly(
        &[
            "Page_Load",
            "get_Request",
            "get_Item",
            "JScript",
            concat!("JScript", "Evaluate"),
        ],
        &["key", "unsafe"],
    );
    check_sign(
        &analyse(path, &evaluating),
        &expect![[r#"
        compiled_shell decisive=true line=1 offset=33 dotnet ["T1505.003"]
          This compiled page reads what the client sends (get_request) and runs text as script (JScriptEvaluate): it was made from a web shell.
    "#]],
    );
    let starting = assembly(
        &["get_Form", "Process", "Start", "ProcessStartInfo"],
        &["cmd.exe"],
    );
    assert_eq!(kinds(path, &starting), ["compiled_shell!"]);
    let unclear = assembly(&["get_Form", "Process", "Start"], &["https://example.org/"]);
    assert_eq!(kinds(path, &unclear), ["compiled_shell"]);
    let loading = assembly(&["BinaryRead", "Assembly", "Load", "get_Request"], &[]);
    assert_eq!(kinds(path, &loading), ["compiled_shell!"]);
    let ordinary = assembly(
        &[
            "get_Request",
            "get_QueryString",
            "Redirect",
            "Page_Load",
            "Start",
        ],
        &["/owa/"],
    );
    assert_eq!(kinds(path, &ordinary), Vec::<String>::new());
    assert_eq!(
        kinds(r"C:\Exchange\Bin\Tool.dll", &starting),
        Vec::<String>::new(),
        "a library is no page"
    );
    assert!(!analyse(path, b"MZ and nothing more").complete());
    assert!(
        analyse(path, &evaluating[..evaluating.len() / 2])
            .signs
            .len()
            <= 1,
        "damaged"
    );
}

/// Pieces of code and markup that the proptests mix.
const PIECES: &[&str] = &[
    "<%",
    "%>",
    "<%@ Page Language=\"JScript\"%>",
    "<script runat=server language=vb>",
    "</script>",
    "<?php ",
    "?>",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "`",
    "$a",
    "${",
    "->",
    ".",
    ",",
    ";",
    "=",
    "=>",
    "+",
    "&",
    "?",
    ":",
    "<",
    ">",
    "\n",
    " _\n",
    "new ",
    "function ",
    "function(",
    "class A{",
    "eval(",
    "Request",
    "Request(\"a\")",
    "$_GET['a']",
    "If ",
    " Then ",
    "End Function\n",
    "Function f(a)\n",
    "With ",
    "return ",
    "for(",
    "foreach(",
    " as ",
    "\\u0065",
    "/*",
    "*/",
    "//",
    "<<<X\n",
    "\nX;",
    "base64_decode(\"ZXZhbA==\")",
    "$\"{a}",
    "@{",
    "Chr(",
    "1",
    "x",
    "\u{200c}",
    "#",
    "&H41",
    "Dim a\n",
    "\0",
    "<jsp:scriptlet>",
    "&#101;",
    "Name : a\n",
    "ExternalUrl : <%\n",
];

const PATHS: &[&str] = &[
    "a.aspx",
    "a.asp",
    "a.ashx",
    "a.asmx",
    "a.php",
    "a.jsp",
    "a.jspx",
    "a.cshtml",
    "a.vbhtml",
    "a.txt",
    "web.config",
    "App_Web_1.dll",
];

proptest! {
    #[test]
    fn no_bytes_stop_the_analysis(bytes in proptest::collection::vec(any::<u8>(), 0..2000), path in 0..PATHS.len()) {
        let analysis = analyse(PATHS[path], &bytes);
        for sign in analysis.signs {
            prop_assert!(usize::try_from(sign.offset).unwrap() <= bytes.len());
        }
        let _ = super::compiled_page(&bytes);
    }

    #[test]
    fn no_mixture_of_code_stops_the_analysis(pieces in proptest::collection::vec(0..PIECES.len(), 0..300), path in 0..PATHS.len()) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let first = analyse(PATHS[path], text.as_bytes());
        prop_assert_eq!(first, analyse(PATHS[path], text.as_bytes()), "same input, same outcome");
    }

    #[test]
    fn no_cut_or_changed_byte_stops_the_analysis(index in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let samples = samples();
        let sample = index.get(&samples);
        let mut content = sample.content.clone();
        let at = cut.index(content.len());
        content[at] = byte;
        let _ = analyse(&sample.path, &content);
        content.truncate(at);
        let _ = analyse(&sample.path, &content);
    }
}

#[test]
fn time_grows_no_faster_than_the_input() {
    // Each of these once cost the square of its length, or would in a careless reader. The bound is generous: a
    // quadratic reader needs hours.
    const UNITS: &[&str] = &[
        "(",
        "{",
        "[",
        "}",
        "\"",
        "<",
        "<%",
        "<a \"",
        "a.",
        "a(",
        "a=>",
        "new ",
        "function(){",
        "$\"{",
        "x+=\"ab\";",
        "$x.=\"ab\";",
        "int f()=>1 ",
        "<<<A\n",
        "@a ",
        "eval(Request[1]);",
        "\u{e9}",
    ];
    const PAGES: &[(&str, &str)] = &[
        ("<?php ", "a.php"),
        ("<%@ Page Language=\"C#\"%><%", "a.aspx"),
        ("<%", "a.asp"),
        ("<%", "a.jsp"),
        ("", "a.cshtml"),
        ("", "web.config"),
    ];
    let size = 4 << 20;
    for unit in UNITS {
        for (head, path) in PAGES {
            let text = format!("{head}{}", unit.repeat(size / unit.len()));
            let start = Instant::now();
            let _ = analyse(path, text.as_bytes());
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{unit:?} in {path}"
            );
        }
    }
}
