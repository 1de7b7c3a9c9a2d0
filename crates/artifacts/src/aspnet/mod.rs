//! What ASP.NET keeps of pages it has compiled: below `Temporary ASP.NET Files` a `.compiled` file names the page and the
//! assembly `App_Web_*.dll` holds its code. Both outlive the page.
//!
//! <https://learn.microsoft.com/previous-versions/aspnet/ms366723(v=vs.100)>

use crate::simple_record::SimpleRecord;
use crate::xml;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, CompiledPage, Fact, GapKind, SourceName};

/// Folder of the compiler's results, in lower case.
const FOLDER: &str = "\\temporary asp.net files\\";

/// Source files kept of one page.
const SOURCES_MAX: usize = 1_000;

/// The `.compiled` file of a page.
#[derive(Debug)]
pub(crate) struct CompiledFile;

impl Artifact for CompiledFile {
    fn kind(&self) -> &'static str {
        "aspnet.compiled"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let head = xml::decoded(&probe.head[..probe.head.len().min(4_096)]);
        let named_so = model::extension(probe.path) == "compiled";
        if head.contains("<preserve ") && (named_so || head.contains("virtualPath")) {
            Match::Content
        } else if named_so && is_temporary(probe.path) {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, probe: &Probe<'_>) -> Option<SourceName> {
        is_temporary(probe.path).then(source)
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let document = match xml::read(content) {
            Ok(document) if document.root.name == "preserve" => document,
            Ok(_) => return not_understood(sink, "its root is no `preserve`"),
            Err(reason) => return not_understood(sink, reason),
        };
        if let Some(fault) = document.fault {
            let detail = format!("what was compiled is read only in part: {fault}");
            sink.gap(GapKind::Partial, At::Item, (None, None), &detail);
        }
        let root = &document.root;
        let virtual_path = root.attribute("virtualPath").unwrap_or_default();
        let assembly = root.attribute("assembly").unwrap_or_default();
        let sources: Vec<String> = root
            .child("filedeps")
            .into_iter()
            .flat_map(|dependencies| dependencies.children_named("filedep"))
            .filter_map(|dependency| dependency.attribute("name"))
            .take(SOURCES_MAX)
            .map(str::to_owned)
            .collect();
        let source = source();
        let record = SimpleRecord::new(&source, At::Line(root.line))
            .with("path", virtual_path)
            .with("assembly", assembly)
            .with("type", root.attribute("type").unwrap_or_default())
            .with(
                "result_type",
                root.attribute("resultType").unwrap_or_default(),
            )
            .with("file_dependencies", sources.join(", "));
        sink.record(&record);
        if !virtual_path.is_empty() {
            sink.fact(
                At::Item,
                Fact::CompiledPage(CompiledPage {
                    virtual_path: virtual_path.to_owned(),
                    assembly: assembly.to_owned(),
                    sources,
                }),
            );
        }
    }
}

/// An assembly of compiled pages. Its code is for the web-shell analysis; it has no records.
#[derive(Debug)]
pub(crate) struct CompiledAssembly;

impl Artifact for CompiledAssembly {
    fn kind(&self) -> &'static str {
        "aspnet.assembly"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let name = model::file_name(probe.path).to_ascii_lowercase();
        let named_so = model::extension(&name) == "dll"
            && (name.starts_with("app_web_")
                || (name.starts_with("app_") && is_temporary(probe.path)));
        match (named_so, probe.head.starts_with(b"MZ")) {
            (true, true) => Match::Content,
            (true, false) => Match::Path,
            (false, _) => Match::No,
        }
    }

    fn source(&self, probe: &Probe<'_>) -> Option<SourceName> {
        is_temporary(probe.path).then(source)
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        if !content.head().starts_with(b"MZ") {
            let detail = "this is named as a compiled page and is no program file";
            sink.gap(GapKind::NotUnderstood, At::Item, (None, None), detail);
        }
    }
}

fn source() -> SourceName {
    SourceName::of("files", "temporary_aspnet")
}

fn is_temporary(path: &str) -> bool {
    let lower = path.to_ascii_lowercase().replace('/', "\\");
    lower.contains(FOLDER)
}

fn not_understood(sink: &mut dyn Sink, reason: &str) {
    sink.rejected(At::Item, "not understood");
    let detail = format!("what page this was compiled from cannot be read: {reason}");
    sink.gap(GapKind::NotUnderstood, At::Item, (None, None), &detail);
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::needless_raw_string_hashes,
        reason = "written so by expect-test"
    )]

    use crate::testing::check;
    use expect_test::expect;

    const FOLDER: &str = "C:\\Windows\\Microsoft.NET\\Framework64\\v4.0.30319\\Temporary ASP.NET Files\\owa\\8e05b027\\e164d61b\\";

    #[test]
    fn compiled_page_names_its_source_and_assembly() {
        check(
            &format!("{FOLDER}page.aspx.f5dba9b9.compiled"),
            br#"<?xml version="1.0" encoding="utf-8"?>
<preserve resultType="3" virtualPath="/owa/auth/page.aspx" hash="fffffff" filehash="" flags="110000" assembly="App_Web_llfrjg0v" type="ASP.auth_page_aspx">
    <filedeps>
        <filedep name="/owa/auth/page.aspx" />
        <filedep name="/owa/web.config" />
    </filedeps>
</preserve>"#,
            &["*"],
            expect![[r#"
                kind: aspnet.compiled
                source: files:temporary_aspnet
                records: 1
                  - | line 2 | path=/owa/auth/page.aspx | assembly=App_Web_llfrjg0v | type=ASP.auth_page_aspx | result_type=3 | file_dependencies=/owa/auth/page.aspx, /owa/web.config
                rejected: 0
                facts: 1
                  item | {"fact":"compiled_page","virtual_path":"/owa/auth/page.aspx","assembly":"App_Web_llfrjg0v","sources":["/owa/auth/page.aspx","/owa/web.config"]}
                gaps: 0
            "#]],
        );
    }

    #[test]
    fn damaged_results_of_the_compiler_are_gaps() {
        check(
            &format!("{FOLDER}cut.aspx.1.compiled"),
            br#"<preserve resultType="3" virtualPath="/owa/cut.aspx" assembly="App_Web_x"><filedeps><filedep na"#,
            &["*"],
            expect![[r#"
                kind: aspnet.compiled
                source: files:temporary_aspnet
                records: 1
                  - | line 1 | path=/owa/cut.aspx | assembly=App_Web_x | result_type=3
                rejected: 0
                facts: 1
                  item | {"fact":"compiled_page","virtual_path":"/owa/cut.aspx","assembly":"App_Web_x","sources":[]}
                gaps: 1
                  partial | item | what was compiled is read only in part: it is not well-formed
            "#]],
        );
        check(
            &format!("{FOLDER}empty.compiled"),
            b"",
            &["*"],
            expect![[r#"
                kind: aspnet.compiled (by path)
                source: files:temporary_aspnet
                records: 0
                rejected: 1
                  item | not understood
                facts: 0
                gaps: 1
                  not_understood | item | what page this was compiled from cannot be read: it holds no XML
            "#]],
        );
        check(
            &format!("{FOLDER}App_Web_x.dll"),
            b"MZ\x90\0",
            &["*"],
            expect![[r#"
                kind: aspnet.assembly
                source: files:temporary_aspnet
                records: 0
                rejected: 0
                facts: 0
                gaps: 0
            "#]],
        );
        check(
            &format!("{FOLDER}App_Web_x.dll"),
            b"text",
            &["*"],
            expect![[r#"
                kind: aspnet.assembly (by path)
                source: files:temporary_aspnet
                records: 0
                rejected: 0
                facts: 0
                gaps: 1
                  not_understood | item | this is named as a compiled page and is no program file
            "#]],
        );
    }
}
