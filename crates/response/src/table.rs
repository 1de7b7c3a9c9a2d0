//! Tables as people send them, read into rows of text: CSV (RFC 4180; comma, semicolon or tab), JSON (a list of objects, or an
//! object a line) and XLSX (ECMA-376; the first sheet).
//!
//! What cannot be read is a refused row with a fixed reason; rows in = rows + refused. Only where nothing at all can be made of
//! the bytes is it an error.

use calamine::{DataRef, Reader as _, Xlsx};
use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

/// No list of a campaign had more; stops a file that never ends.
pub const ROWS_MAX: usize = 5_000_000;

/// Of one row, once lists inside of objects are laid out flat. Event records of pipelines have some eighty.
const COLUMNS_MAX: usize = 512;

/// The longest text that has a place in a registry is an `OpenPGP` key with many signatures.
const CELL_BYTES_MAX: usize = 64 << 10;

/// What a workbook may hold when it is unpacked, and in how many parts.
const WORKBOOK_BYTES_MAX: u64 = 512 << 20;
const WORKBOOK_PARTS_MAX: usize = 4096;

/// Objects inside of objects that are laid out flat.
const DEPTH_MAX: usize = 8;

/// The rows of a file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Names of the columns in small letters.
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    pub refused: Vec<Refused>,
}

/// One row; cells that are missing or empty are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Where it begins, from 1; of a JSON list and of a workbook the number of the element or row.
    pub line: u64,
    cells: Vec<String>,
}

/// A row of which nothing was taken, and the fixed reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub line: u64,
    pub why: &'static str,
}

/// Why nothing can be made of a file.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("it is empty")]
    Empty,
    #[error("its first line names no columns")]
    NoColumns,
    #[error("the column {0} is there twice")]
    TwoColumns(String),
    #[error("it has more than {0} rows")]
    Rows(usize),
    #[error("it is a workbook of the old form, or one with a password")]
    OldWorkbook,
    #[error("unpacked, the workbook is larger than {0} bytes or has too many parts")]
    LargeWorkbook(u64),
    #[error("the workbook cannot be read: {0}")]
    Workbook(String),
    #[error("the JSON cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the text is neither UTF-8 nor UTF-16")]
    Encoding,
}

impl Table {
    /// Reads a file, whatever of the three it is.
    pub fn read(bytes: &[u8]) -> Result<Self, TableError> {
        const OLE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0];
        if bytes.starts_with(b"PK\x03\x04") {
            return workbook(bytes);
        }
        if bytes.starts_with(OLE) {
            return Err(TableError::OldWorkbook);
        }
        let wide = utf16(bytes)?;
        let bytes = wide.as_deref().map_or(bytes, str::as_bytes);
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => Err(TableError::Empty),
            Some(b'[') => elements(bytes),
            Some(b'{') => objects(bytes),
            Some(_) => separated(bytes),
        }
    }

    /// The number of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// What stands in a row below this name, without blanks around it; empty where there is nothing.
    pub fn cell<'a>(&self, row: &'a Row, name: &str) -> &'a str {
        self.column(name).map_or("", |column| row.at(column))
    }

    /// Columns with text in a row.
    pub fn filled<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.columns.iter().map(String::as_str);
        names
            .zip(row.cells.iter().map(|cell| cell.trim()))
            .filter(|(_, cell)| !cell.is_empty())
    }

    /// Rows that the file had.
    pub fn rows_in(&self) -> usize {
        self.rows.len() + self.refused.len()
    }

    fn push(&mut self, line: u64, cells: Vec<String>) -> Result<(), TableError> {
        if self.rows_in() >= ROWS_MAX {
            return Err(TableError::Rows(ROWS_MAX));
        }
        let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if cells.iter().any(|cell| cell.len() > CELL_BYTES_MAX) {
            self.refuse(line, "a cell is longer than 64 KiB");
        } else if cells.iter().any(|cell| cell.contains(steers)) {
            self.refuse(line, "a cell holds control characters");
        } else if cells.iter().all(|cell| cell.trim().is_empty()) {
            self.refuse(line, "the row is empty");
        } else {
            self.rows.push(Row { line, cells });
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, why: &'static str) {
        self.refused.push(Refused { line, why });
    }
}

impl Row {
    /// What stands in a column.
    pub fn at(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", |cell| cell.trim())
    }
}

/// The text of bytes that begin with a mark of UTF-16.
fn utf16(bytes: &[u8]) -> Result<Option<String>, TableError> {
    let pair: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return Ok(None),
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(TableError::Encoding);
    }
    let text: Result<String, _> =
        char::decode_utf16(pairs.iter().skip(1).map(|two| pair(*two))).collect();
    text.map(Some).map_err(|_lone| TableError::Encoding)
}

fn columns<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, TableError> {
    let columns: Vec<String> = names.map(|name| name.trim().to_lowercase()).collect();
    if columns.iter().all(String::is_empty) || columns.len() > COLUMNS_MAX {
        return Err(TableError::NoColumns);
    }
    let mut seen = std::collections::BTreeSet::new();
    for column in columns.iter().filter(|column| !column.is_empty()) {
        if !seen.insert(column) {
            return Err(TableError::TwoColumns(column.clone()));
        }
    }
    Ok(columns)
}

fn separated(bytes: &[u8]) -> Result<Table, TableError> {
    let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or(bytes);
    let count = |sign: u8| head.split(|byte| *byte == sign).count();
    // The first of those that occur as often: a comma, where there is one column.
    let sign = [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|sign| count(*sign));
    let mut reader = ReaderBuilder::new()
        .delimiter(sign.unwrap_or(b','))
        .flexible(true)
        .from_reader(bytes);
    let wrong = |_error: csv::Error| TableError::Encoding;
    let names = reader.headers().map_err(wrong)?.clone();
    let mut table = Table {
        columns: columns(names.iter())?,
        ..Table::default()
    };
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(wrong)? {
        let line = record.position().map_or(0, |at| line_of(bytes, at));
        if table.rows_in() >= ROWS_MAX {
            return Err(TableError::Rows(ROWS_MAX));
        }
        if record.len() != table.columns.len() {
            table.refuse(
                line,
                "the row has another number of cells than the first line",
            );
            continue;
        }
        let cells: Result<Vec<String>, _> = record
            .iter()
            .map(|cell| str::from_utf8(cell).map(str::to_owned))
            .collect();
        match cells {
            Ok(cells) => table.push(line, cells)?,
            Err(_) => table.refuse(line, "the text is not UTF-8"),
        }
    }
    Ok(table)
}

/// The line that a record stands on: the reader tells where it began to look, which may be at empty lines before it.
fn line_of(bytes: &[u8], at: &csv::Position) -> u64 {
    let start = usize::try_from(at.byte()).unwrap_or(usize::MAX);
    let rest = bytes.get(start..).unwrap_or_default().iter();
    let blank = rest.take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let lines = blank.filter(|byte| **byte == b'\n').count();
    at.line() + lines as u64
}

fn elements(bytes: &[u8]) -> Result<Table, TableError> {
    let values: Vec<Value> = serde_json::from_slice(bytes)?;
    let mut table = Flat::default();
    for (line, value) in (1..).zip(values) {
        table.add(line, value)?;
    }
    Ok(table.done())
}

/// An object a line; or objects over several lines, one after the other.
fn objects(bytes: &[u8]) -> Result<Table, TableError> {
    let mut table = Flat::default();
    let lines = || (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let first = lines().find(|(_, line)| !blank(line));
    if first.is_some_and(|(_, line)| serde_json::from_slice::<Value>(line).is_ok()) {
        for (number, line) in lines().filter(|(_, line)| !blank(line)) {
            match serde_json::from_slice(line) {
                Ok(value) => table.add(number, value)?,
                Err(_) => table.table.refuse(number, "the line is no JSON"),
            }
        }
    } else {
        let values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
        for (number, value) in (1..).zip(values) {
            table.add(number, value?)?;
        }
    }
    Ok(table.done())
}

/// Objects laid out flat: what lies in `source` below `ip` gets the name `source.ip`.
#[derive(Default)]
struct Flat {
    table: Table,
    numbers: BTreeMap<String, usize>,
}

impl Flat {
    fn add(&mut self, line: u64, value: Value) -> Result<(), TableError> {
        if self.table.rows_in() >= ROWS_MAX {
            return Err(TableError::Rows(ROWS_MAX));
        }
        let Value::Object(object) = value else {
            self.table.refuse(line, "it is no JSON object");
            return Ok(());
        };
        let mut cells = BTreeMap::new();
        lay_out(&object, "", DEPTH_MAX, &mut cells);
        let fresh = cells
            .keys()
            .filter(|name| !self.numbers.contains_key(*name));
        if cells.len() > COLUMNS_MAX || self.numbers.len() + fresh.count() > COLUMNS_MAX * 4 {
            self.table.refuse(line, "the object has too many fields");
            return Ok(());
        }
        let mut row = Vec::new();
        for (name, cell) in cells {
            let next = self.numbers.len();
            let number = *self.numbers.entry(name).or_insert(next);
            if row.len() <= number {
                row.resize(number + 1, String::new());
            }
            if let Some(place) = row.get_mut(number) {
                *place = cell;
            }
        }
        self.table.push(line, row)
    }

    fn done(self) -> Table {
        let mut named: Vec<(usize, String)> = self
            .numbers
            .into_iter()
            .map(|(name, number)| (number, name))
            .collect();
        named.sort_unstable();
        Table {
            columns: named.into_iter().map(|(_, name)| name).collect(),
            ..self.table
        }
    }
}

fn lay_out(
    object: &Map<String, Value>,
    before: &str,
    depth: usize,
    cells: &mut BTreeMap<String, String>,
) {
    for (name, value) in object {
        let name = format!("{before}{}", name.trim().to_lowercase());
        match value {
            Value::Object(inner) if depth > 0 => {
                lay_out(inner, &format!("{name}."), depth - 1, cells);
            }
            Value::Null => {}
            Value::String(text) => {
                cells.insert(name, text.clone());
            }
            Value::Array(list) if list.iter().all(|one| !one.is_array() && !one.is_object()) => {
                let texts: Vec<String> = list.iter().map(plain).collect();
                cells.insert(name, texts.join(";"));
            }
            other => {
                cells.insert(name, other.to_string());
            }
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn workbook(bytes: &[u8]) -> Result<Table, TableError> {
    bounded(bytes)?;
    let wrong = |error: calamine::XlsxError| TableError::Workbook(error.to_string());
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(wrong)?;
    let sheets = book.sheets_metadata();
    let shown = sheets
        .iter()
        .find(|sheet| sheet.visible == calamine::SheetVisible::Visible)
        .or(sheets.first());
    let name = shown.ok_or(TableError::Empty)?.name.clone();
    let mut cells = book.worksheet_cells_reader(&name).map_err(wrong)?;
    let mut table = Table::default();
    let mut row: Option<(u32, Vec<String>)> = None;
    loop {
        let cell = cells.next_cell().map_err(wrong)?;
        let at = cell.as_ref().map(calamine::Cell::get_position);
        if let Some((number, _)) = &row
            && at.is_none_or(|(next, _)| next != *number)
            && let Some((number, cells)) = row.take()
        {
            line_of_sheet(&mut table, u64::from(number) + 1, cells)?;
        }
        let (Some(cell), Some((number, column))) = (cell, at) else {
            break;
        };
        let text = text_of(cell.get_value());
        if text.is_empty() {
            continue;
        }
        let (_, cells) = row.get_or_insert_with(|| (number, Vec::new()));
        // One column more than there may be: the row is refused for it.
        let column = usize::try_from(column)
            .unwrap_or(usize::MAX)
            .min(COLUMNS_MAX);
        if cells.len() <= column {
            cells.resize(column + 1, String::new());
        }
        if let Some(place) = cells.get_mut(column) {
            *place = text;
        }
    }
    if table.columns.is_empty() {
        return Err(TableError::Empty);
    }
    Ok(table)
}

/// The first line with text names the columns.
fn line_of_sheet(table: &mut Table, line: u64, mut cells: Vec<String>) -> Result<(), TableError> {
    if table.columns.is_empty() {
        table.columns = columns(cells.iter().map(String::as_str))?;
        return Ok(());
    }
    if cells.len() > table.columns.len() {
        table.refuse(
            line,
            "the row has another number of cells than the first line",
        );
        return Ok(());
    }
    cells.resize(table.columns.len(), String::new());
    table.push(line, cells)
}

fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        // A whole number is written without a point: ports, ids.
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(truth) => truth.to_string(),
        DataRef::DateTime(time) => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
        }
        DataRef::Error(error) => error.to_string(),
    }
}

/// Unpacks every part once and counts: the sizes that an archive tells of itself may be lies.
fn bounded(bytes: &[u8]) -> Result<(), TableError> {
    let wrong = |error: zip::result::ZipError| TableError::Workbook(error.to_string());
    let large = || TableError::LargeWorkbook(WORKBOOK_BYTES_MAX);
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(wrong)?;
    if archive.len() > WORKBOOK_PARTS_MAX {
        return Err(large());
    }
    let mut left = WORKBOOK_BYTES_MAX;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(wrong)?;
        let read = io::copy(&mut part.take(left + 1), &mut io::sink())
            .map_err(|error| TableError::Workbook(error.to_string()))?;
        left = left.checked_sub(read).ok_or_else(large)?;
    }
    Ok(())
}
