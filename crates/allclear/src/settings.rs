//! Reads what the arguments name: packs, rules, indicators, tables, a password.

use crate::args::Knowledge as Given;
use crate::case;
use crate::exit::Failure;
use crate::packs::{self, Trust};
use detect::Extra;
use evidence::Options;
use pack::Pack;
use pack::shipped_files::ShippedFiles;
use pipeline::job::Knowledge;
use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::thread;
use store::Case;

/// Files of rules or indicators; more than any published set has.
const SETTINGS_BYTES_MAX: u64 = 64 << 20;

/// Endings of files that hold Sigma rules.
const SIGMA_ENDINGS: &[&str] = &["yml", "yaml"];

/// What a judgement goes by that comes with Allclear.
pub(crate) struct Tables {
    builds: pack::BuildTable,
    products: Vec<pack::Product>,
    questions: Vec<pack::Question>,
    review: pack::Review,
}

impl Tables {
    pub(crate) fn builtin() -> Self {
        Self {
            builds: pack::BuildTable::builtin(),
            products: pack::products(),
            questions: pack::questions(),
            review: pack::Review::builtin(),
        }
    }

    pub(crate) fn knowledge<'a>(&'a self, shipped: &'a ShippedFiles) -> assess::Knowledge<'a> {
        assess::Knowledge {
            builds: &self.builds,
            products: &self.products,
            shipped,
            questions: &self.questions,
            review: &self.review,
        }
    }
}

/// What workers need to know.
pub(crate) fn knowledge(given: &Given, options: Options) -> Result<Knowledge, Failure> {
    let trust = Trust::of(&given.trust)?;
    let mut extra = Extra {
        sigma: sigma_files(&given.rules)?,
        ..Extra::default()
    };
    for (path, text) in read_all(&given.yara, &["yar", "yara"])? {
        extra.yara.push((path, as_text(&text)));
    }
    extra.indicators = read_all(&given.indicators, &[])?;
    Ok(Knowledge {
        builtin_packs: given.pack.is_empty(),
        packs: packs::named(&given.pack, &trust)?,
        extra,
        options,
    })
}

/// The same for whoever names rules or indicators and then wants these and no others, unless packs are named as well.
pub(crate) fn only_named(given: &Given, options: Options) -> Result<Knowledge, Failure> {
    let mut knowledge = knowledge(given, options)?;
    let own = [&given.rules, &given.yara, &given.indicators];
    if given.pack.is_empty() && own.iter().any(|paths| !paths.is_empty()) {
        knowledge.builtin_packs = false;
    }
    Ok(knowledge)
}

/// Every named file, and every file below the named folders that may hold Sigma rules: path and text.
pub(crate) fn sigma_files(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let files = read_all(paths, SIGMA_ENDINGS)?.into_iter();
    Ok(files.map(|(path, text)| (path, as_text(&text))).collect())
}

/// Bounds and password for opening evidence.
pub(crate) fn options(given: Option<&str>) -> Result<Options, Failure> {
    Ok(Options {
        password: password(given)?,
        ..Options::default()
    })
}

/// A password as it was given; `-` reads it from a line of standard input.
pub(crate) fn password(given: Option<&str>) -> Result<Option<String>, Failure> {
    Ok(match given {
        Some("-") => {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            Some(line.trim_end_matches(['\r', '\n']).to_owned())
        }
        other => other.map(str::to_owned),
    })
}

/// The packs to judge by.
pub(crate) fn packs(knowledge: &Knowledge) -> Result<Vec<Pack>, Failure> {
    pipeline::worker::packs(knowledge)
        .map_err(|error| Failure::usage(error, "`allclear pack lint PATH` says more about a pack"))
}

/// The tables of shipped files, the built-in one first.
pub(crate) fn shipped_files(paths: &[PathBuf]) -> Result<ShippedFiles, Failure> {
    let tables: Result<Vec<_>, Failure> = paths
        .iter()
        .map(|path| Ok((path.display().to_string(), as_text(&read(path)?))))
        .collect();
    shipped_of(&tables?)
}

/// The same of tables that were read already: their names and texts.
pub(crate) fn shipped_of(tables: &[(String, String)]) -> Result<ShippedFiles, Failure> {
    let mut shipped = ShippedFiles::builtin();
    for (name, text) in tables {
        let table = ShippedFiles::from_csv(text.as_bytes(), name).map_err(|error| {
            Failure::usage(
                format!("{name}: {error}"),
                "a table has the columns build,path,sha256; `allclear known make` writes one",
            )
        })?;
        shipped.merge(table);
    }
    Ok(shipped)
}

/// Under which a case keeps tables of shipped files.
const KNOWN: &str = "known_files";

/// The tables of shipped files that the case was judged by, and these; from now on the case keeps them too.
pub(crate) fn shipped_of_case(case: &Case, paths: &[PathBuf]) -> Result<ShippedFiles, Failure> {
    let kept = case.meta(KNOWN).map_err(case::failure)?;
    let mut tables: Vec<(String, String)> = match &kept {
        Some(json) => serde_json::from_str(json).map_err(Failure::fault)?,
        None => Vec::new(),
    };
    let before = tables.len();
    for path in paths {
        let text = as_text(&read(path)?);
        if !tables.iter().any(|(_, known)| *known == text) {
            tables.push((path.display().to_string(), text));
        }
    }
    let shipped = shipped_of(&tables)?;
    if tables.len() > before {
        let json = serde_json::to_string(&tables).map_err(Failure::fault)?;
        case.set_meta(KNOWN, &json).map_err(case::failure)?;
    }
    Ok(shipped)
}

/// Every named file, and every file with one of these endings below every named folder, in order of path.
fn read_all(paths: &[PathBuf], endings: &[&str]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| not_there(path, &error))?;
        if metadata.is_dir() {
            let before = files.len();
            below(path, endings, &mut files)?;
            if files.len() == before {
                // Going on would look as if it had been looked for something.
                return Err(nothing_below(path, endings));
            }
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    let named = |path: &PathBuf| Ok((path.display().to_string(), read(path)?));
    // Rules come in thousands of files, and opening each takes longer than reading it.
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let running: Vec<_> = files
            .chunks(share)
            .map(|part| scope.spawn(|| part.iter().map(named).collect::<Result<Vec<_>, Failure>>()))
            .collect();
        running.into_iter().try_fold(Vec::new(), |mut all, part| {
            all.append(&mut part.join().expect("reading a file does not panic")?);
            Ok(all)
        })
    })
}

fn nothing_below(folder: &Path, endings: &[&str]) -> Failure {
    let advice = match endings {
        [] => "name the files one by one".to_owned(),
        endings => format!("files are looked for that end in .{}", endings.join(", .")),
    };
    Failure::usage(
        format!("nothing to use lies below the folder {}", folder.display()),
        advice,
    )
}

fn below(folder: &Path, endings: &[&str], files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).map_err(|error| not_there(folder, &error))?;
    for entry in entries {
        let entry = entry?;
        // Links are not followed, so that a folder cannot hold itself.
        let kind = entry.file_type()?;
        let path = entry.path();
        let wanted = path
            .extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| endings.contains(&ending.to_lowercase().as_str()));
        if kind.is_dir() {
            below(&path, endings, files)?;
        } else if kind.is_file() && wanted {
            files.push(path);
        }
    }
    Ok(())
}

/// A file of settings, whole.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let mut bytes = Vec::new();
    open(path)?
        .take(SETTINGS_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| not_there(path, &error))?;
    if bytes.len() as u64 > SETTINGS_BYTES_MAX {
        return Err(Failure::usage(
            format!(
                "{} is larger than {SETTINGS_BYTES_MAX} bytes",
                path.display()
            ),
            "split it",
        ));
    }
    Ok(bytes)
}

#[expect(clippy::disallowed_methods, reason = "settings are read here")]
fn open(path: &Path) -> Result<fs::File, Failure> {
    fs::File::open(path).map_err(|error| not_there(path, &error))
}

fn not_there(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        format!("cannot read {}: {error}", path.display()),
        "check the path",
    )
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
