//! Program files of a product, for the version they carry.
//!
//! PE: <https://learn.microsoft.com/windows/win32/debug/pe-format>; version resource: <https://learn.microsoft.com/windows/win32/menurc/vs-versioninfo>.
//! The version in a file proves which update reached the disk; registry and control panel only claim it.

use crate::products::products;
use crate::simple_record::SimpleRecord;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Build, BuildSeen, Fact, GapKind, SourceName};
use pelite::PeFile;
use std::io::Read;
use std::sync::OnceLock;

/// Larger than any of the binaries below; the rest is not looked at.
const BYTES_MAX: u64 = 64 << 20;

/// A program file that is looked at.
struct KnownBinary {
    /// File name in lower case.
    name: String,
    /// Name of the folder that it lies in, in lower case.
    folder: String,
    product: String,
    /// Whether its version is the product's build.
    tells_build: bool,
}

/// The binaries that `knowledge/products.yaml` names.
fn binaries() -> &'static [KnownBinary] {
    static BINARIES: OnceLock<Vec<KnownBinary>> = OnceLock::new();
    BINARIES.get_or_init(|| {
        let mut known = Vec::new();
        for product in products() {
            let usual = product.install_folders.first().cloned().unwrap_or_default();
            for binary in &product.binaries {
                let path = format!("{usual}{}", binary.path).to_ascii_lowercase();
                let names = std::iter::once(model::file_name(&path)).map(str::to_owned);
                let others = binary
                    .also_named
                    .iter()
                    .map(|name| name.to_ascii_lowercase());
                known.extend(names.chain(others).map(|name| KnownBinary {
                    name,
                    folder: model::file_name(model::parent(&path)).to_owned(),
                    product: product.id.clone(),
                    tells_build: binary.tells_build,
                }));
            }
        }
        known
    })
}

/// Program files of a product.
#[derive(Debug)]
pub(crate) struct ProductFile;

impl Artifact for ProductFile {
    fn kind(&self) -> &'static str {
        "windows.pe"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        match (binary(probe.path), probe.head.starts_with(b"MZ")) {
            (Some(_), true) => Match::Content,
            (Some(_), false) => Match::Path,
            (None, _) => Match::No,
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(source())
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let Some(binary) = binary(item.path) else {
            return;
        };
        let mut bytes = Vec::new();
        let read = content.stream().take(BYTES_MAX).read_to_end(&mut bytes);
        if let Err(error) = read {
            let detail = format!("the program file cannot be read to its end: {error}");
            sink.gap(GapKind::Partial, At::Item, (None, None), &detail);
        }
        let Some(version) = Version::of(&bytes) else {
            sink.rejected(At::Item, "no version resource");
            let detail = "the version in this program file cannot be read";
            sink.gap(GapKind::NotUnderstood, At::Item, (None, None), detail);
            return;
        };
        let source = source();
        let name = model::file_name(item.path);
        let record = SimpleRecord::new(&source, At::Item)
            .with("file", name)
            .with("file_version", version.file.to_string())
            .with("build", version.file.to_string())
            .with("file_version_text", version.text.as_str())
            .with("product_version", version.product.to_string())
            .with("product", version.product_name.as_str())
            .with("company", version.company.as_str())
            .with("original_filename", version.original_name.as_str());
        sink.record(&record);
        if binary.tells_build && is_installed(item.path, binary) {
            sink.fact(
                At::Item,
                Fact::Build(BuildSeen {
                    product: binary.product.clone(),
                    build: version.file,
                    first: None,
                    last: None,
                    count: 1,
                    rule: format!("file version of {name}"),
                }),
            );
        }
    }
}

fn source() -> SourceName {
    SourceName::of("files", "product_binary")
}

fn binary(path: &str) -> Option<&'static KnownBinary> {
    let name = model::file_name(path);
    let mut known = binaries().iter();
    known.find(|binary| binary.name.eq_ignore_ascii_case(name))
}

/// Whether the file lies where the product runs it: in a folder of the same name as in an installation. The same files lie
/// in unpacked installation media, which say nothing about what is installed.
fn is_installed(path: &str, binary: &KnownBinary) -> bool {
    let lower = path.to_ascii_lowercase().replace('/', "\\");
    model::file_name(model::parent(&lower)) == binary.folder && !lower.contains("\\serverroles\\")
}

/// What a version resource says.
#[derive(Debug)]
struct Version {
    file: Build,
    product: Build,
    text: String,
    product_name: String,
    company: String,
    original_name: String,
}

impl Version {
    fn of(bytes: &[u8]) -> Option<Self> {
        let file = PeFile::from_bytes(bytes).ok()?;
        let version = file.resources().ok()?.version_info().ok()?;
        let fixed = version.fixed()?;
        let mut texts = Vec::new();
        for language in version.translation().iter().take(16) {
            version.strings(*language, |key, value| {
                if texts.len() < 256 {
                    texts.push((key.to_owned(), value.trim_end_matches('\0').to_owned()));
                }
            });
        }
        let text = |name: &str| {
            let known = texts.iter().find(|(key, _)| key == name);
            known.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let build = |version: pelite::image::VS_VERSION| {
            Build::new(
                version.Major.into(),
                version.Minor.into(),
                version.Patch.into(),
                version.Build.into(),
            )
        };
        Some(Self {
            file: build(fixed.dwFileVersion),
            product: build(fixed.dwProductVersion),
            text: text("FileVersion"),
            product_name: text("ProductName"),
            company: text("CompanyName"),
            original_name: text("OriginalFilename"),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::needless_raw_string_hashes,
        reason = "written so by expect-test"
    )]

    use crate::testing::check;
    use expect_test::expect;
    use range::formats::pe::Image;

    const PATH: &str = "D:\\Exchange\\V15\\Bin\\ExSetup.exe";

    fn image() -> Vec<u8> {
        Image {
            dll: false,
            version: Some([15, 1, 2176, 9]),
            version_text: "15.01.2176.009".to_owned(),
            company: "Microsoft Corporation".to_owned(),
            product: "Microsoft Exchange".to_owned(),
            description: "Setup".to_owned(),
            original_name: "ExSetup.exe".to_owned(),
            linked: model::Timestamp::from_second(1_614_000_000).unwrap(),
            assembly: None,
            padding_bytes: 0,
        }
        .to_bytes()
    }

    #[test]
    fn the_version_of_an_installed_binary_is_the_build() {
        check(
            PATH,
            &image(),
            &["*"],
            expect![[r#"
            kind: windows.pe
            source: files:product_binary
            records: 1
              - | item | file=ExSetup.exe | file_version=15.1.2176.9 | build=15.1.2176.9 | file_version_text=15.01.2176.009 | product_version=15.1.2176.9 | product=Microsoft Exchange | company=Microsoft Corporation | original_filename=ExSetup.exe
            rejected: 0
            facts: 1
              item | {"fact":"build","product":"exchange","build":"15.1.2176.9","count":1,"rule":"file version of ExSetup.exe"}
            gaps: 0
        "#]],
        );
    }

    #[test]
    fn the_same_file_in_installation_media_is_no_build() {
        let media = "D:\\CU20\\Setup\\ServerRoles\\Common\\bin\\ExSetup.exe";
        check(
            media,
            &image(),
            &["build"],
            expect![[r#"
            kind: windows.pe
            source: files:product_binary
            records: 1
              - | item | build=15.1.2176.9
            rejected: 0
            facts: 0
            gaps: 0
        "#]],
        );
    }

    #[test]
    fn damaged_binary_is_a_gap() {
        let image = image();
        check(
            PATH,
            &image[..image.len() / 2],
            &["build"],
            expect![[r#"
                kind: windows.pe
                source: files:product_binary
                records: 0
                rejected: 1
                  item | no version resource
                facts: 0
                gaps: 1
                  not_understood | item | the version in this program file cannot be read
            "#]],
        );
        check(
            PATH,
            b"not a program",
            &["build"],
            expect![[r#"
            kind: windows.pe (by path)
            source: files:product_binary
            records: 0
            rejected: 1
              item | no version resource
            facts: 0
            gaps: 1
              not_understood | item | the version in this program file cannot be read
        "#]],
        );
    }
}
