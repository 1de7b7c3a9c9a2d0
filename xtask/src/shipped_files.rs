//! `cargo xtask shipped-files INPUT.csv.gz`: makes `knowledge/exchange/shipped-files.txt`.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;

use pack::shipped_files::ShippedFiles;

const OUTPUT: &str = "knowledge/exchange/shipped-files.txt";

const SOURCE: &str =
    "microsoft/CSS-Exchange, Security/src/Baselines before commit e948fcb51 (MIT licence)";

const COMMENT: &str = "\
Script files, and FrontEndHttpProxy.dll, that Exchange 2013, 2016 and 2019 ship: path, SHA-256, builds.
Facts only. Made by `cargo xtask shipped-files`; do not edit by hand. The format is described in
crates/pack/src/shipped_files.rs. Nine builds of the source (15.0.1395.4, 15.0.1473.3, 15.0.1497.2,
15.1.1466.3, 15.1.1979.3, 15.1.2044.4, 15.2.659.4, 15.2.721.2, 15.2.792.3) give paths relative to
ClientAccess, which is put back here, and lack FrontEnd: for them nothing is known about that folder.";

/// Reads the baselines (`build,path,sha256`, gzip or plain) named by the one argument and writes the table.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let [input] = args else {
        return Err("usage: cargo xtask shipped-files INPUT.csv.gz".into());
    };
    let open = |path: &str| OpenOptions::new().read(true).open(path);
    let file = open(input).map_err(|source| format!("cannot open {input}: {source}"))?;
    let reader: Box<dyn Read> = match Path::new(input).extension() {
        Some(ending) if ending.eq_ignore_ascii_case("gz") => {
            Box::new(flate2::read::MultiGzDecoder::new(file))
        }
        _ => Box::new(file),
    };
    let table = ShippedFiles::from_baseline_csv(reader, SOURCE)
        .map_err(|source| format!("cannot read {input}: {source}"))?;
    let output = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(OUTPUT);
    std::fs::write(&output, table.to_text(COMMENT))
        .map_err(|source| format!("cannot write {}: {source}", output.display()))
}
