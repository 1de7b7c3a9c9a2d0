//! Tables as people send them, and as an attacker would.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use response::table::{Table, TableError};
use std::io::{Cursor, Write as _};

/// Every row by its line and its filled cells, and every refusal, as one text.
fn check(bytes: &[u8]) -> String {
    let table = match Table::read(bytes) {
        Ok(table) => table,
        Err(error) => return error.to_string(),
    };
    let mut said = Vec::new();
    for row in &table.rows {
        let cells = table
            .filled(row)
            .map(|(name, cell)| format!("{name}={cell}"));
        said.push((row.line, cells.collect::<Vec<_>>().join(" ")));
    }
    for refused in &table.refused {
        said.push((refused.line, format!("refused: {}", refused.why)));
    }
    said.sort();
    assert_eq!(said.len(), table.rows_in());
    let lines: Vec<String> = said
        .iter()
        .map(|(line, text)| format!("{line}: {text}"))
        .collect();
    lines.join("\n")
}

#[test]
fn the_sign_between_cells_is_found_out() {
    let expected = "2: name=Blue, Ltd domains=a.example\n4: name=Green";
    assert_eq!(
        check(b"name;domains\nBlue, Ltd;a.example\n\nGreen;\n"),
        expected
    );
    assert_eq!(
        check(b"\xef\xbb\xbfName\tDomains\r\n\"Blue, Ltd\"\ta.example\r\n\r\nGreen\t\r\n"),
        expected
    );
    let wide: Vec<u8> = "\u{feff}name;domains\nBlue, Ltd;a.example\n\nGreen;\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(check(&wide), expected);
}

#[test]
fn damaged_rows_are_refused_and_counted_and_the_rest_is_read() {
    let long = "x".repeat((64 << 10) + 1);
    let mut bytes = b"name,note\nA,1\nB,\xff\xfe\nC\nD,1,2\nE,a\x00b\n".to_vec();
    bytes.extend(format!("F,{long}\n,\nG,=cmd|' /C calc'!A0\n").bytes());
    assert_eq!(
        check(&bytes),
        "2: name=A note=1\n\
         3: refused: the text is not UTF-8\n\
         4: refused: the row has another number of cells than the first line\n\
         5: refused: the row has another number of cells than the first line\n\
         6: refused: a cell holds control characters\n\
         7: refused: a cell is longer than 64 KiB\n\
         8: refused: the row is empty\n\
         9: name=G note==cmd|' /C calc'!A0"
    );
}

#[test]
fn objects_are_laid_out_flat() {
    let list = br#"[{"source":{"ip":"192.0.2.1","port":443},"tags":["a","b"],"none":null},7,{"name":"x"}]"#;
    assert_eq!(
        check(list),
        "1: source.ip=192.0.2.1 source.port=443 tags=a;b\n2: refused: it is no JSON object\n3: name=x"
    );
    assert_eq!(
        check(b"{\"a\":1}\n{\"a\":\n\n{\"a\":{\"b\":true}}"),
        "1: a=1\n2: refused: the line is no JSON\n4: a.b=true"
    );
    assert_eq!(check(b"{\n\"a\": 1\n}\n{\"a\": 2}"), "1: a=1\n2: a=2");
    let deep = format!("[{}1{}]", "{\"a\":".repeat(200), "}".repeat(200));
    assert!(check(deep.as_bytes()).starts_with("the JSON cannot be read: recursion"));
}

#[test]
fn what_is_no_table_is_told() {
    assert_eq!(check(b" \n "), "it is empty");
    assert_eq!(check(b",,\n1,2,3\n"), "its first line names no columns");
    assert_eq!(check(b"a,b,A\n"), "the column a is there twice");
    assert_eq!(
        check(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        "it is a workbook of the old form, or one with a password"
    );
    assert_eq!(check(b"\xff\xfea"), "the text is neither UTF-8 nor UTF-16");
    assert!(check(b"PK\x03\x04broken").starts_with("the workbook cannot be read"));
}

fn workbook(rows: &str, more: &[(&str, usize)]) -> Vec<u8> {
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let parts = [
        (
            "[Content_Types].xml",
            "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"
                .to_owned(),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{relations}\"><Relationship Id=\"r\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{relations}\"><Relationship Id=\"rId1\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                "<styleSheet xmlns=\"{main}\"><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/></cellXfs></styleSheet>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>"),
        ),
    ];
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(head.as_bytes()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let block = vec![0; 1 << 20];
    for (name, size_mib) in more {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        for _ in 0..*size_mib {
            zip.write_all(&block).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

fn cell(at: &str, text: &str) -> String {
    format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

#[test]
fn a_workbook_is_read_with_its_dates_and_far_cells_cost_nothing() {
    let rows = format!(
        "<row r=\"2\">{}{}</row><row r=\"4\">{}<c r=\"B4\" s=\"1\"><v>44257.5</v></c></row><row r=\"5\">{}</row>",
        cell("A2", "Name"),
        cell("B2", "seen"),
        cell("A4", "Blue"),
        cell("XFD5", "far"),
    );
    assert_eq!(
        check(&workbook(&rows, &[])),
        "4: name=Blue seen=2021-03-02T12:00:00Z\n\
         5: refused: the row has another number of cells than the first line"
    );
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked_in_memory() {
    let bomb = workbook("", &[("xl/sharedStrings.xml", 513)]);
    assert!(bomb.len() < 4 << 20);
    assert!(matches!(
        Table::read(&bomb),
        Err(TableError::LargeWorkbook(_))
    ));
}
