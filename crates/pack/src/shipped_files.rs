//! Which files the product's vendor ships: path, build and SHA-256, and what those tables do not cover.
//!
//! The built-in table is `knowledge/exchange/shipped-files.txt`, a text format of our own so that a reviewer can read
//! it and a change shows as a diff:
//!
//! ```text
//! # a comment
//! format allclear/shipped-files/1
//! source where the facts come from
//! build 15.0.516.32             every build of the table, ascending; the first is number 0
//! file \ClientAccess\ecp\x.aspx a path relative to the install folder
//! <64 hex digits> 0-3,7         one SHA-256 of the file named last, and the builds that ship it so
//! ```
//!
//! A user's own table is a CSV with the columns `build`, `path` and `sha256`. Hashes are kept whole: there are few
//! enough of them that cutting them short would save nothing worth an adversary's while.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use model::Build;

/// A SHA-256 digest.
pub type Sha256 = [u8; 32];

const FORMAT: &str = "allclear/shipped-files/1";

const BUILTIN: &str = include_str!("../../../knowledge/exchange/shipped-files.txt");

/// File name endings that IIS can be set up to run as server code.
///
/// A table that lists files of a top folder is taken to list all of these below it. That none of the endings that the
/// built-in table lacks (`.asp`, `.php`, `.jsp`, …) is ever shipped was checked over the 1.84 million rows of the full
/// baselines. `.master` is shipped but not in the table, so it is not here.
pub const SCRIPT_EXTENSIONS: &[&str] = &[
    "asa", "asax", "ascx", "ashx", "asmx", "asp", "aspx", "cdx", "cer", "cshtml", "jsp", "jspx",
    "php", "php3", "php4", "php5", "phtml", "rem", "soap", "svc", "vbhtml",
];

/// More rows than any product has files times builds; stops a runaway file.
const CSV_ROWS_MAX: u64 = 5_000_000;

/// Longer than any path Windows can open; stops a row of gigabytes from being kept.
const PATH_BYTES_MAX: usize = 32 * 1024;

/// Bytes of a user's CSV that are read at most: room for `CSV_ROWS_MAX` rows of usual length.
const CSV_BYTES_MAX: u64 = 1 << 30;

/// What the tables say about one file: its path, its content and the build that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Shipped with this content at this path in this build; `source` says which table knows.
    Shipped {
        /// The table's own words about where it comes from.
        source: String,
    },
    /// Shipped with this content at this path, but only in these builds (ascending, never empty).
    ShippedInOtherBuild {
        /// The builds that ship it.
        builds: Vec<Build>,
        /// Whether a table covers the installed build and folder, so that "not in this build" is proven.
        this_build_covered: bool,
    },
    /// A table covers this build and folder, and no build ships this content at this path.
    NotShipped {
        /// The table lists the path for this build with other content: a changed file rather than an added one.
        path_is_shipped: bool,
    },
    /// No table can tell.
    NotCovered(Uncovered),
}

/// Why no table can tell whether a file is shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncovered {
    /// The installed build is not known, or only three parts of it.
    BuildUnknown,
    /// No table lists this build.
    BuildNotListed,
    /// The build is listed, but nothing of this top folder is.
    FolderNotListed,
    /// Files with this ending are not in the tables.
    KindNotListed,
}

impl fmt::Display for Uncovered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BuildUnknown => "the installed build is not known",
            Self::BuildNotListed => "no table of shipped files lists this build",
            Self::FolderNotListed => "the table of shipped files lacks this folder for this build",
            Self::KindNotListed => "the tables of shipped files do not list files of this kind",
        })
    }
}

/// One content of a path, and the builds that ship it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The path as the table writes it.
    pub path: String,
    /// SHA-256 of the content.
    pub sha256: Sha256,
    /// The builds that ship it, ascending. Empty only if the table says "any build".
    pub builds: Vec<Build>,
    /// A user's table vouches for it whatever the build.
    pub any_build: bool,
}

/// Why a table could not be read; the line is counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ShippedFilesError {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// All loaded tables of shipped files.
#[derive(Clone, Debug, Default)]
pub struct ShippedFiles {
    tables: Vec<Table>,
}

impl ShippedFiles {
    /// The table that comes with Allclear.
    pub fn builtin() -> Self {
        let table = Table::from_text(BUILTIN).expect("the checked-in table is read by a test");
        Self {
            tables: vec![table],
        }
    }

    /// Reads a user's table, a CSV whose first line names the columns `build`, `path` and `sha256` (in any order,
    /// others are ignored). `source` names it in answers.
    ///
    /// An empty build means any: the file is known wherever it is found, and nothing follows for other files. A row
    /// that names a build says that the table is the whole list, for that build, of script files below the same top
    /// folder; so a single file that is merely known to be good is best added with an empty build.
    pub fn from_csv(reader: impl Read, source: &str) -> Result<Self, ShippedFilesError> {
        let rows = csv_rows(reader)?;
        Ok(Self {
            tables: vec![Table::from_rows(rows, source)],
        })
    }

    /// Reads the published baselines of Exchange (same columns) and mends their quirk: nine builds give their paths
    /// relative to `ClientAccess` instead of the install folder.
    ///
    /// A build is mended only if none of its paths stands below `\ClientAccess` or `\FrontEnd` and nearly all of them
    /// are shipped, with the same content, below `\ClientAccess` by another build.
    pub fn from_baseline_csv(reader: impl Read, source: &str) -> Result<Self, ShippedFilesError> {
        let rows = mend_client_access(csv_rows(reader)?);
        Ok(Self {
            tables: vec![Table::from_rows(rows, source)],
        })
    }

    /// Adds the tables of `other`; a file is known if any table knows it.
    pub fn merge(&mut self, other: Self) {
        self.tables.extend(other.tables);
    }

    /// Says whether the vendor ships this content at this path in this build.
    ///
    /// `path` is relative to the install folder; case, the kind of slash and a missing leading backslash do not matter,
    /// and a folder named after a version (`owa\auth\15.1.2176`) is the folder `version` of the tables.
    pub fn lookup(&self, build: Option<Build>, path: &str, sha256: &Sha256) -> Answer {
        let key = path_key(path);
        let mut other_builds = BTreeSet::new();
        for table in &self.tables {
            for (_, builds) in table
                .contents(&key)
                .iter()
                .filter(|(hash, _)| hash == sha256)
            {
                if builds.any || build.is_some_and(|build| table.holds(builds, build)) {
                    return Answer::Shipped {
                        source: table.source.clone(),
                    };
                }
                other_builds.extend(table.named(builds));
            }
        }
        let coverage = self.coverage_of(build, &key);
        if !other_builds.is_empty() {
            return Answer::ShippedInOtherBuild {
                builds: other_builds.into_iter().collect(),
                this_build_covered: coverage.is_ok(),
            };
        }
        match coverage {
            Ok(()) => Answer::NotShipped {
                path_is_shipped: build.is_some_and(|build| self.ships_path(build, &key)),
            },
            Err(why) => Answer::NotCovered(why),
        }
    }

    /// The contents that this build ships at this path, in the order of their hashes.
    pub fn shipped(&self, build: Build, path: &str) -> Vec<Sha256> {
        let key = path_key(path);
        let mut hashes = BTreeSet::new();
        for table in &self.tables {
            let here = table
                .contents(&key)
                .iter()
                .filter(|(_, builds)| builds.any || table.holds(builds, build));
            hashes.extend(here.map(|(hash, _)| *hash));
        }
        hashes.into_iter().collect()
    }

    /// Every content that any build ships at this path.
    pub fn versions(&self, path: &str) -> Vec<Version> {
        let key = path_key(path);
        self.tables
            .iter()
            .flat_map(|table| table.versions_of(&key))
            .collect()
    }

    /// Every path and build at which this content is shipped: tells a shipped file that was copied elsewhere.
    pub fn places_of(&self, sha256: &Sha256) -> Vec<Version> {
        let mut found = Vec::new();
        for table in &self.tables {
            for key in table.files.keys() {
                found.extend(
                    table
                        .versions_of(key)
                        .into_iter()
                        .filter(|version| version.sha256 == *sha256),
                );
            }
        }
        found
    }

    /// Every build that some table lists, ascending.
    pub fn builds(&self) -> Vec<Build> {
        let all: BTreeSet<Build> = self
            .tables
            .iter()
            .flat_map(|table| table.builds.iter().copied())
            .collect();
        all.into_iter().collect()
    }

    /// Whether some table lists this build at all.
    pub fn lists_build(&self, build: Build) -> bool {
        self.tables
            .iter()
            .any(|table| table.index_of(build).is_some())
    }

    /// Whether the absence of this path from the tables would prove that this build does not ship it; else why not.
    pub fn covers(&self, build: Option<Build>, path: &str) -> Result<(), Uncovered> {
        self.coverage_of(build, &path_key(path))
    }

    fn coverage_of(&self, build: Option<Build>, key: &str) -> Result<(), Uncovered> {
        let Some(build) = build.filter(|build| build.revision.is_some()) else {
            return Err(Uncovered::BuildUnknown);
        };
        if !self.lists_build(build) {
            return Err(Uncovered::BuildNotListed);
        }
        if self.ships_path(build, key) {
            return Ok(());
        }
        if !is_script(key) {
            return Err(Uncovered::KindNotListed);
        }
        let folder_listed = self.tables.iter().any(|table| {
            table
                .folders
                .get(top_folder(key))
                .is_some_and(|builds| table.holds(builds, build))
        });
        if folder_listed {
            Ok(())
        } else {
            Err(Uncovered::FolderNotListed)
        }
    }

    fn ships_path(&self, build: Build, key: &str) -> bool {
        self.tables.iter().any(|table| {
            table
                .contents(key)
                .iter()
                .any(|(_, builds)| table.holds(builds, build))
        })
    }

    /// Writes the first table in the format of the module's head; what `builtin` reads.
    pub fn to_text(&self, comment: &str) -> String {
        self.tables
            .first()
            .map(|table| table.to_text(comment))
            .unwrap_or_default()
    }
}

/// Whether the ending of this path is one that IIS can run as server code.
pub fn is_script(path: &str) -> bool {
    let name = path.rsplit(['\\', '/']).next().unwrap_or_default();
    name.rsplit_once('.').is_some_and(|(_, ending)| {
        SCRIPT_EXTENSIONS
            .iter()
            .any(|script| script.eq_ignore_ascii_case(ending))
    })
}

/// One source's table. Builds are numbered so that the many equal sets of builds stay small.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    source: String,
    /// Ascending.
    builds: Vec<Build>,
    /// By path key.
    files: BTreeMap<String, File>,
    /// By top folder: the builds of which the table lists files there.
    folders: BTreeMap<String, BuildSet>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    path: String,
    /// Ascending by hash.
    contents: Vec<(Sha256, BuildSet)>,
}

/// A set of a table's builds, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct BuildSet {
    any: bool,
    bits: Vec<u64>,
}

impl BuildSet {
    fn insert(&mut self, index: usize) {
        let word = index / 64;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (index % 64);
    }

    fn contains(&self, index: usize) -> bool {
        self.bits
            .get(index / 64)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn add_all(&mut self, other: &Self) {
        if self.bits.len() < other.bits.len() {
            self.bits.resize(other.bits.len(), 0);
        }
        for (word, added) in self.bits.iter_mut().zip(&other.bits) {
            *word |= added;
        }
    }

    fn indices(&self) -> impl Iterator<Item = usize> {
        (0..self.bits.len() * 64).filter(|index| self.contains(*index))
    }

    /// `0-3,7`
    fn to_ranges(&self) -> String {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for index in self.indices() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == index => *last = index,
                _ => ranges.push((index, index)),
            }
        }
        let texts = ranges.iter().map(|(first, last)| match last - first {
            0 => first.to_string(),
            _ => format!("{first}-{last}"),
        });
        texts.collect::<Vec<_>>().join(",")
    }

    fn from_ranges(text: &str, build_count: usize) -> Result<Self, String> {
        let number = |digits: &str| match digits.parse::<usize>() {
            Ok(index) if index < build_count => Ok(index),
            _ => Err(format!(
                "`{}` is not the number of a build",
                shorten(digits)
            )),
        };
        let mut set = Self::default();
        for range in text.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            for index in number(first)?..=number(last)? {
                set.insert(index);
            }
        }
        Ok(set)
    }
}

/// One row of a CSV. No build means any.
struct Row {
    build: Option<Build>,
    path: String,
    sha256: Sha256,
}

impl Table {
    fn from_rows(rows: Vec<Row>, source: &str) -> Self {
        let builds: BTreeSet<Build> = rows.iter().filter_map(|row| row.build).collect();
        let mut table = Self {
            source: source.to_owned(),
            builds: builds.into_iter().collect(),
            files: BTreeMap::new(),
            folders: BTreeMap::new(),
        };
        let mut contents: BTreeMap<(String, Sha256), (String, BuildSet)> = BTreeMap::new();
        for row in rows {
            let content = contents
                .entry((path_key(&row.path), row.sha256))
                .or_insert_with(|| (with_leading_backslash(&row.path), BuildSet::default()));
            match row.build.and_then(|build| table.index_of(build)) {
                Some(index) => content.1.insert(index),
                None => content.1.any = true,
            }
        }
        for ((key, sha256), (path, builds)) in contents {
            table.add(key, path, sha256, builds);
        }
        table
    }

    fn from_text(text: &str) -> Result<Self, ShippedFilesError> {
        let mut table = Self {
            source: String::new(),
            builds: Vec::new(),
            files: BTreeMap::new(),
            folders: BTreeMap::new(),
        };
        let mut current: Option<(String, String)> = None;
        let mut format_seen = false;
        for (line, number) in text.lines().zip(1_u64..) {
            let wrong = |problem: String| ShippedFilesError {
                line: number,
                problem,
            };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line
                .split_once(' ')
                .ok_or_else(|| wrong("a word and a value are expected".into()))?;
            match word {
                "format" if rest == FORMAT => format_seen = true,
                _ if !format_seen => {
                    return Err(wrong(format!("the first line must be `format {FORMAT}`")));
                }
                "source" => rest.clone_into(&mut table.source),
                "build" => table.builds.push(parse_build(rest).map_err(wrong)?),
                "file" => current = Some((path_key(rest), rest.to_owned())),
                hash => {
                    let (key, path) = current
                        .clone()
                        .ok_or_else(|| wrong("a hash before any `file`".into()))?;
                    let sha256 = parse_sha256(hash).map_err(wrong)?;
                    let builds = BuildSet::from_ranges(rest, table.builds.len()).map_err(wrong)?;
                    table.add(key, path, sha256, builds);
                }
            }
        }
        if table.builds.is_sorted() {
            Ok(table)
        } else {
            Err(ShippedFilesError {
                line: 1,
                problem: "the builds are not in ascending order".into(),
            })
        }
    }

    fn to_text(&self, comment: &str) -> String {
        let mut text = String::new();
        for line in comment.lines() {
            text.push_str(format!("# {line}").trim_end());
            text.push('\n');
        }
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        line(format!("format {FORMAT}"));
        line(format!("source {}", self.source));
        for build in &self.builds {
            line(format!("build {build}"));
        }
        for file in self.files.values() {
            line(format!("file {}", file.path));
            for (sha256, builds) in &file.contents {
                line(format!("{} {}", hex(sha256), builds.to_ranges()));
            }
        }
        text
    }

    /// Called once for each path and hash, ascending by hash within a path.
    fn add(&mut self, key: String, path: String, sha256: Sha256, builds: BuildSet) {
        self.folders
            .entry(top_folder(&key).to_owned())
            .or_default()
            .add_all(&builds);
        self.files
            .entry(key)
            .or_insert_with(|| File {
                path,
                contents: Vec::new(),
            })
            .contents
            .push((sha256, builds));
    }

    fn contents(&self, key: &str) -> &[(Sha256, BuildSet)] {
        self.files.get(key).map_or(&[], |file| &file.contents)
    }

    fn versions_of(&self, key: &str) -> Vec<Version> {
        let Some(file) = self.files.get(key) else {
            return Vec::new();
        };
        let version = |(sha256, builds): &(Sha256, BuildSet)| Version {
            path: file.path.clone(),
            sha256: *sha256,
            builds: self.named(builds).collect(),
            any_build: builds.any,
        };
        file.contents.iter().map(version).collect()
    }

    fn index_of(&self, build: Build) -> Option<usize> {
        self.builds.binary_search(&build).ok()
    }

    fn holds(&self, set: &BuildSet, build: Build) -> bool {
        self.index_of(build)
            .is_some_and(|index| set.contains(index))
    }

    fn named(&self, set: &BuildSet) -> impl Iterator<Item = Build> {
        set.indices()
            .filter_map(|index| self.builds.get(index).copied())
    }
}

/// Reads `build,path,sha256` rows; the error names the line.
fn csv_rows(reader: impl Read) -> Result<Vec<Row>, ShippedFilesError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(reader.take(CSV_BYTES_MAX));
    let first = |problem: String| ShippedFilesError { line: 1, problem };
    let header = reader
        .byte_headers()
        .map_err(|source| first(source.to_string()))?
        .clone();
    let column = |name: &str| {
        let named = |field: &[u8]| {
            let field = field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field);
            field.eq_ignore_ascii_case(name.as_bytes())
        };
        header.iter().position(named).ok_or_else(|| {
            first(format!(
                "no column `{name}`; the first line must name build, path and sha256"
            ))
        })
    };
    let (build_column, path_column, hash_column) =
        (column("build")?, column("path")?, column("sha256")?);

    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    loop {
        let start = reader.position().line();
        let more = reader
            .read_byte_record(&mut record)
            .map_err(|source| ShippedFilesError {
                line: source.position().map_or(start, csv::Position::line),
                problem: source.to_string(),
            })?;
        if !more {
            return Ok(rows);
        }
        let line = record.position().map_or(start, csv::Position::line);
        let wrong = |problem: String| ShippedFilesError { line, problem };
        if rows.len() as u64 >= CSV_ROWS_MAX {
            return Err(wrong(format!("more than {CSV_ROWS_MAX} rows")));
        }
        let field = |index: usize, name: &str| {
            let bytes = record
                .get(index)
                .ok_or_else(|| wrong(format!("the column `{name}` is missing")))?;
            std::str::from_utf8(bytes)
                .map_err(|_source| wrong(format!("the column `{name}` is not UTF-8")))
        };
        let build = match field(build_column, "build")? {
            "" => None,
            text => Some(parse_build(text).map_err(wrong)?),
        };
        let path = checked_path(field(path_column, "path")?).map_err(wrong)?;
        let sha256 = parse_sha256(field(hash_column, "sha256")?).map_err(wrong)?;
        rows.push(Row {
            build,
            path: path.to_owned(),
            sha256,
        });
    }
}

fn checked_path(path: &str) -> Result<&str, String> {
    if path.trim_matches(['\\', '/']).is_empty() {
        return Err("the path is empty".into());
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(format!("the path is longer than {PATH_BYTES_MAX} bytes"));
    }
    if path.contains(':') || path.starts_with(r"\\") {
        return Err(format!(
            "`{}` is not relative to the install folder, such as \\Folder\\file.aspx",
            shorten(path)
        ));
    }
    Ok(path)
}

/// Of one build: its rows, those below a known top folder, and those that another build has below the prefix.
#[derive(Default)]
struct Tally {
    rows: usize,
    rooted: usize,
    known_with_prefix: usize,
}

/// Gives the builds whose paths start below `ClientAccess` the prefix that they lack.
fn mend_client_access(rows: Vec<Row>) -> Vec<Row> {
    const ROOT: &str = r"\ClientAccess";
    let whole: BTreeSet<(String, Sha256)> = rows
        .iter()
        .map(|row| (path_key(&row.path), row.sha256))
        .collect();
    let mut tallies: BTreeMap<Option<Build>, Tally> = BTreeMap::new();
    for row in &rows {
        let tally = tallies.entry(row.build).or_default();
        let key = path_key(&row.path);
        let prefixed = format!("{}{key}", ROOT.to_lowercase());
        tally.rows += 1;
        tally.rooted += usize::from([r"\clientaccess", r"\frontend"].contains(&top_folder(&key)));
        tally.known_with_prefix += usize::from(whole.contains(&(prefixed, row.sha256)));
    }
    let lacks_prefix = |build: Option<Build>| {
        tallies.get(&build).is_some_and(|tally| {
            tally.rooted == 0 && tally.known_with_prefix * 10 >= tally.rows * 9
        })
    };
    let mut mended = rows;
    for row in &mut mended {
        if lacks_prefix(row.build) {
            row.path = format!("{ROOT}{}", with_leading_backslash(&row.path));
        }
    }
    mended
}

/// The form in which paths are compared: lower case, backslashes, one leading backslash, version folders named alike.
fn path_key(path: &str) -> String {
    let parts: Vec<&str> = path
        .split(['\\', '/'])
        .filter(|part| !part.is_empty())
        .collect();
    let mut key = String::with_capacity(path.len() + 1);
    for (index, part) in parts.iter().enumerate() {
        key.push('\\');
        if index + 1 < parts.len() && is_version_folder(part) {
            key.push_str("version");
        } else {
            key.push_str(&part.to_lowercase());
        }
    }
    key
}

/// `15.1.2176` or `15.1.2176.9`: what setup calls the folder that the baselines call `version`.
fn is_version_folder(name: &str) -> bool {
    let numbers: Vec<&str> = name.split('.').collect();
    (3..=4).contains(&numbers.len())
        && numbers
            .iter()
            .all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `\frontend` of `\frontend\httpproxy\…`; `\` for a file that stands directly in the install folder.
fn top_folder(key: &str) -> &str {
    match key
        .char_indices()
        .skip(1)
        .find(|(_, character)| *character == '\\')
    {
        Some((end, _)) => &key[..end],
        None => "\\",
    }
}

fn with_leading_backslash(path: &str) -> String {
    format!("\\{}", path.replace('/', "\\").trim_start_matches('\\'))
}

/// Four parts; a leading zero in a part (`15.00.1104.008`) has no meaning.
fn parse_build(text: &str) -> Result<Build, String> {
    match text.parse::<Build>() {
        Ok(build) if build.revision.is_some() => Ok(build),
        _ => Err(format!(
            "`{}` is not a build of four numbers such as 15.1.2176.9",
            shorten(text)
        )),
    }
}

fn parse_sha256(text: &str) -> Result<Sha256, String> {
    let wrong = || {
        format!(
            "`{}` is not a SHA-256 of 64 hexadecimal digits",
            shorten(text)
        )
    };
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte =
            hex_digit(pair[0]).ok_or_else(wrong)? << 4 | hex_digit(pair[1]).ok_or_else(wrong)?;
    }
    Ok(hash)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn hex(hash: &Sha256) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    hash.iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Enough of a wrong value to find it again.
fn shorten(text: &str) -> String {
    const CHARACTERS: usize = 60;
    let mut start: String = text.chars().take(CHARACTERS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const LOGON: &str = r"\FrontEnd\HttpProxy\owa\auth\logon.aspx";

    fn build(text: &str) -> Build {
        text.parse().unwrap()
    }

    fn table(csv: &str) -> ShippedFiles {
        ShippedFiles::from_csv(csv.as_bytes(), "test").unwrap()
    }

    fn hash(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn check_error(csv: &str, expected: &Expect) {
        expected.assert_eq(
            &ShippedFiles::from_csv(csv.as_bytes(), "test")
                .unwrap_err()
                .to_string(),
        );
    }

    #[test]
    fn the_built_in_table_knows_the_sign_in_page_of_a_build() {
        let shipped = ShippedFiles::builtin();
        let cu19 = build("15.1.2176.9");
        let hashes = shipped.shipped(cu19, LOGON);
        assert_eq!(hashes.len(), 1);
        let answer = shipped.lookup(
            Some(cu19),
            "frontend/httpproxy/OWA/auth/LOGON.aspx",
            &hashes[0],
        );
        assert!(matches!(answer, Answer::Shipped { source } if source.contains("CSS-Exchange")));
        assert_eq!(
            shipped.lookup(Some(cu19), LOGON, &[7; 32]),
            Answer::NotShipped {
                path_is_shipped: true
            },
            "a changed page"
        );
        assert_eq!(
            shipped.lookup(
                Some(cu19),
                r"\FrontEnd\HttpProxy\owa\auth\added.aspx",
                &[7; 32]
            ),
            Answer::NotShipped {
                path_is_shipped: false
            },
            "an added page"
        );
        assert_eq!(
            shipped.lookup(
                Some(cu19),
                r"\FrontEnd\HttpProxy\owa\auth\added.php",
                &[7; 32]
            ),
            Answer::NotShipped {
                path_is_shipped: false
            },
            "no build ships PHP"
        );
        assert_eq!(shipped.builds().len(), 131);
    }

    #[test]
    fn the_timeout_page_is_shipped_at_its_own_path_only() {
        let shipped = ShippedFiles::builtin();
        let cu19 = build("15.1.2176.9");
        let page = shipped.shipped(cu19, r"\FrontEnd\HttpProxy\ecp\auth\TimeoutLogout.aspx")[0];
        assert!(matches!(
            shipped.lookup(
                Some(cu19),
                r"\FrontEnd\HttpProxy\ecp\auth\TimeoutLogout.aspx",
                &page
            ),
            Answer::Shipped { .. }
        ));
        let elsewhere = r"\FrontEnd\HttpProxy\owa\auth\TimeoutLogout.aspx";
        assert_eq!(
            shipped.lookup(Some(cu19), elsewhere, &page),
            Answer::NotShipped {
                path_is_shipped: false
            }
        );
        assert!(
            shipped
                .places_of(&page)
                .iter()
                .all(|place| place.path.contains(r"\ecp\auth\"))
        );
    }

    #[test]
    fn what_no_table_covers_is_not_called_unshipped() {
        let shipped = ShippedFiles::builtin();
        let base_of_cu = build("15.1.1979.3");
        let not_covered = |build: Option<&str>, path: &str| match shipped.lookup(
            build.map(|text| text.parse().unwrap()),
            path,
            &[7; 32],
        ) {
            Answer::NotCovered(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            not_covered(Some("15.1.1979.3"), LOGON),
            Uncovered::FolderNotListed
        );
        assert_eq!(
            not_covered(Some("15.1.2507.6"), LOGON),
            Uncovered::BuildNotListed
        );
        assert_eq!(not_covered(None, LOGON), Uncovered::BuildUnknown);
        assert_eq!(
            not_covered(Some("15.1.2176.9"), r"\FrontEnd\HttpProxy\owa\auth\x.js"),
            Uncovered::KindNotListed
        );
        assert_eq!(
            not_covered(Some("15.1.2176.9"), r"\Bin\x.aspx"),
            Uncovered::FolderNotListed
        );
        assert!(
            shipped
                .covers(Some(base_of_cu), r"\ClientAccess\ecp\x.aspx")
                .is_ok(),
            "its paths lacked the top folder, which the command mended"
        );
    }

    #[test]
    fn content_of_another_build_is_told_apart() {
        let shipped = ShippedFiles::builtin();
        let old = build("15.0.516.32");
        let page = shipped.shipped(old, LOGON)[0];
        let Answer::ShippedInOtherBuild {
            builds,
            this_build_covered,
        } = shipped.lookup(Some(build("15.2.858.5")), LOGON, &page)
        else {
            panic!("the first page of 2013 is not shipped in 2019");
        };
        assert!(builds.contains(&old) && this_build_covered);
        let Answer::ShippedInOtherBuild {
            this_build_covered, ..
        } = shipped.lookup(Some(build("15.2.1544.4")), LOGON, &page)
        else {
            panic!("a build after the table");
        };
        assert!(!this_build_covered);
    }

    #[test]
    fn each_update_has_its_own_proxy_library() {
        let path = r"\FrontEnd\HttpProxy\bin\Microsoft.Exchange.FrontEndHttpProxy.dll";
        let versions = ShippedFiles::builtin().versions(path);
        assert_eq!(versions.len(), 108);
        assert_eq!(
            versions
                .iter()
                .map(|version| version.builds.len())
                .sum::<usize>(),
            122
        );
    }

    #[test]
    fn version_folders_and_odd_build_forms_are_the_same() {
        let csv = format!(
            "build,path,sha256\n15.00.1104.008,ClientAccess\\owa\\version\\x.aspx,{}\n",
            hash('A')
        );
        let shipped = table(&csv);
        for path in [
            r"\ClientAccess\owa\15.0.1104\x.aspx",
            r"\clientaccess\OWA\15.0.1104.8\X.ASPX",
        ] {
            let answer = shipped.lookup(Some(build("15.0.1104.8")), path, &[0xAA; 32]);
            assert_eq!(
                answer,
                Answer::Shipped {
                    source: "test".into()
                },
                "{path}"
            );
        }
    }

    #[test]
    fn an_empty_build_means_any_and_covers_nothing_else() {
        let shipped = table(&format!(
            "\u{feff}path,sha256,build\r\n\\FrontEnd\\HttpProxy\\a.aspx,{},\r\n",
            hash('1')
        ));
        let known = shipped.lookup(None, r"\FrontEnd\HttpProxy\a.aspx", &[0x11; 32]);
        assert_eq!(
            known,
            Answer::Shipped {
                source: "test".into()
            }
        );
        let other = shipped.lookup(
            Some(build("15.1.1.1")),
            r"\FrontEnd\HttpProxy\b.aspx",
            &[0x11; 32],
        );
        assert_eq!(other, Answer::NotCovered(Uncovered::BuildNotListed));
    }

    #[test]
    fn a_users_table_adds_a_build_that_the_built_in_one_lacks() {
        let mut shipped = ShippedFiles::builtin();
        shipped.merge(table(&format!(
            "build,path,sha256\n15.1.2507.6,{LOGON},{}\n",
            hash('2')
        )));
        let new = Some(build("15.1.2507.6"));
        assert_eq!(
            shipped.lookup(new, LOGON, &[0x22; 32]),
            Answer::Shipped {
                source: "test".into()
            }
        );
        let added = shipped.lookup(new, r"\FrontEnd\HttpProxy\owa\auth\added.aspx", &[0x22; 32]);
        assert_eq!(
            added,
            Answer::NotShipped {
                path_is_shipped: false
            }
        );
        let elsewhere = shipped.lookup(new, r"\ClientAccess\ecp\added.aspx", &[0x22; 32]);
        assert_eq!(elsewhere, Answer::NotCovered(Uncovered::FolderNotListed));
    }

    #[test]
    fn errors_of_a_users_table_name_the_line() {
        let good = format!("15.1.2176.9,\\a.aspx,{}", hash('0'));
        check_error(
            "",
            &expect!["line 1: no column `build`; the first line must name build, path and sha256"],
        );
        check_error(
            "build,path\n",
            &expect!["line 1: no column `sha256`; the first line must name build, path and sha256"],
        );
        check_error(
            &format!(
                "build,path,sha256\n{good}\n15.1.2176,\\a.aspx,{}\n",
                hash('0')
            ),
            &expect!["line 3: `15.1.2176` is not a build of four numbers such as 15.1.2176.9"],
        );
        check_error(
            &format!("build,path,sha256\n{good}\n{good}\n,\\a.aspx,12zz\n"),
            &expect!["line 4: `12zz` is not a SHA-256 of 64 hexadecimal digits"],
        );
        check_error(
            &format!("build,path,sha256\n,C:\\a.aspx,{}\n", hash('0')),
            &expect![[
                r"line 2: `C:\a.aspx` is not relative to the install folder, such as \Folder\file.aspx"
            ]],
        );
        check_error(
            "build,path,sha256\n15.1.2176.9\n",
            &expect!["line 2: the column `path` is missing"],
        );
    }

    #[test]
    fn text_form_gives_the_same_table_back() {
        let csv = format!(
            "build,path,sha256\n15.1.1.1,\\A\\x.aspx,{0}\n15.1.1.2,\\A\\x.aspx,{0}\n15.1.1.4,\\a\\X.aspx,{1}\n15.0.9.9,\\A\\x.aspx,{0}\n",
            hash('b'),
            hash('a')
        );
        let shipped = table(&csv);
        let text = shipped.to_text("two\n\nlines");
        expect![[r"
            # two
            #
            # lines
            format allclear/shipped-files/1
            source test
            build 15.0.9.9
            build 15.1.1.1
            build 15.1.1.2
            build 15.1.1.4
            file \a\X.aspx
            aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 3
            bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 0-2
        "]]
        .assert_eq(&text);
        assert_eq!(Table::from_text(&text).unwrap(), shipped.tables[0]);
    }

    #[test]
    fn damaged_text_form_is_refused_with_its_line() {
        let error = |text: &str| Table::from_text(text).unwrap_err().to_string();
        let head = format!("format {FORMAT}\nbuild 15.1.1.1\n");
        assert_eq!(
            error("build 1.2.3.4"),
            format!("line 1: the first line must be `format {FORMAT}`")
        );
        assert_eq!(
            error(&format!("{head}{} 0", hash('a'))),
            "line 3: a hash before any `file`"
        );
        let range = error(&format!("{head}file \\a\n{} 0-1", hash('a')));
        assert_eq!(range, "line 4: `1` is not the number of a build");
        assert_eq!(
            error(&format!("{head}x")),
            "line 3: a word and a value are expected"
        );
    }

    /// Every row of the published table must be found again in the checked-in one, and nothing more.
    #[test]
    fn built_in_table_holds_exactly_the_published_rows() {
        let input = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/evidence/exchange/legitimate-files.csv.gz"
        );
        let Ok(file) = std::fs::OpenOptions::new().read(true).open(input) else {
            println!("skipped: {input} is not on this machine");
            return;
        };
        let mut csv = Vec::new();
        flate2::read::GzDecoder::new(file)
            .read_to_end(&mut csv)
            .unwrap();
        let builtin = ShippedFiles::builtin();
        let mended =
            ShippedFiles::from_baseline_csv(csv.as_slice(), &builtin.tables[0].source).unwrap();
        assert_eq!(mended.tables, builtin.tables);

        let mut count = 0_usize;
        for row in csv_rows(csv.as_slice()).unwrap() {
            let as_is = builtin.lookup(row.build, &row.path, &row.sha256);
            let below = builtin.lookup(
                row.build,
                &format!("\\ClientAccess{}", row.path),
                &row.sha256,
            );
            let found = [as_is, below]
                .iter()
                .any(|answer| matches!(answer, Answer::Shipped { .. }));
            assert!(found, "{:?} {}", row.build, row.path);
            count += 1;
        }
        let listed: usize = builtin.tables[0]
            .files
            .values()
            .flat_map(|file| &file.contents)
            .map(|(_, builds)| builds.indices().count())
            .sum();
        assert_eq!((count, listed), (116_118, 116_118));
    }
}
