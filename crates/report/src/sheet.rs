//! Short documents that leave the house, such as a clearance or a letter: blocks of text and tables, as HTML and as PDF.
//!
//! The PDF uses Helvetica, which every reader has; a letter that it lacks is shown as `<U+0416>` and never left out. Widths of its letters
//! are those of Adobe's metrics for the font (Adobe Core 14 AFM, `Helvetica.afm`).

use crate::escape::visible;
use crate::html::page;
use maud::html as markup;
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use std::io::{self, Write};

/// A document of some pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    pub title: String,
    pub blocks: Vec<Block>,
    /// Stands at the foot of each page.
    pub foot: String,
}

/// A part of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    Heading(String),
    Text(String),
    /// Label and value, a line each.
    Facts(Vec<(String, String)>),
    /// Heads of the columns, and rows. Columns share the width as these parts of a hundred say.
    Table {
        heads: Vec<String>,
        shares: Vec<u8>,
        rows: Vec<Vec<String>>,
    },
}

const STYLE: &str = "body{font:16px/1.45 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}\
h1{font-size:1.6rem}h2{font-size:1.1rem;margin-top:1.6rem;border-bottom:1px solid #c9d1d9}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .5rem;border-bottom:1px solid #dde3e9;\
overflow-wrap:anywhere}dt{font-weight:600}dd{margin:0 0 .5rem 0;overflow-wrap:anywhere}footer{margin-top:2rem;color:#57606a;font-size:.85rem}";

/// Writes the sheet as one HTML file that needs nothing else.
pub fn sheet_html(sheet: &Sheet, out: &mut dyn Write) -> io::Result<()> {
    let body = markup! {
        h1 { (visible(&sheet.title)) }
        @for block in &sheet.blocks {
            @match block {
                Block::Heading(text) => h2 { (visible(text)) },
                Block::Text(text) => p { (visible(text)) },
                Block::Facts(facts) => dl {
                    @for (label, value) in facts { dt { (visible(label)) } dd { (visible(value)) } }
                },
                Block::Table { heads, rows, .. } => table {
                    thead { tr { @for head in heads { th scope="col" { (visible(head)) } } } }
                    tbody { @for row in rows { tr { @for cell in row { td { (visible(cell)) } } } } }
                },
            }
        }
        footer { (visible(&sheet.foot)) }
    };
    page(&sheet.title, STYLE, &body, out)
}

/// A4, in points.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 56.0;
const GAP: f32 = 8.0;

/// Pages that a sheet may have: what is longer is a report.
const PAGES_MAX: usize = 400;

#[derive(Clone, Copy)]
struct Face {
    name: Name<'static>,
    size: f32,
}

const PLAIN: Face = Face {
    name: Name(b"F1"),
    size: 9.5,
};
const BOLD: Face = Face {
    name: Name(b"F2"),
    size: 9.5,
};
const HEAD: Face = Face {
    name: Name(b"F2"),
    size: 12.0,
};
const TITLE: Face = Face {
    name: Name(b"F2"),
    size: 17.0,
};
const SMALL: Face = Face {
    name: Name(b"F1"),
    size: 7.5,
};

/// The sheet as PDF. The same sheet gives the same bytes.
pub fn sheet_pdf(sheet: &Sheet) -> Vec<u8> {
    let mut pages = Pages::new();
    for line in wrapped(&sheet.title, TITLE, WIDTH - 2.0 * MARGIN) {
        pages.line(&line, TITLE, MARGIN);
    }
    for block in &sheet.blocks {
        pages.block(block);
    }
    pages.finish(sheet)
}

struct Pages {
    done: Vec<Vec<Drawn>>,
    current: Vec<Drawn>,
    y: f32,
}

struct Drawn {
    text: Vec<u8>,
    face: Face,
    x: f32,
    y: f32,
}

impl Pages {
    fn new() -> Self {
        Self {
            done: Vec::new(),
            current: Vec::new(),
            y: HEIGHT - MARGIN,
        }
    }

    fn block(&mut self, block: &Block) {
        let width = WIDTH - 2.0 * MARGIN;
        match block {
            Block::Heading(text) => {
                self.y -= GAP;
                // A heading does not stand alone at the foot of a page.
                self.room(5.0 * HEAD.size);
                for line in wrapped(text, HEAD, width) {
                    self.line(&line, HEAD, MARGIN);
                }
            }
            Block::Text(text) => {
                for line in wrapped(text, PLAIN, width) {
                    self.line(&line, PLAIN, MARGIN);
                }
                self.y -= GAP / 2.0;
            }
            Block::Facts(facts) => {
                for (label, value) in facts {
                    self.row(&[(label, BOLD, 0.28), (value, PLAIN, 0.72)]);
                }
            }
            Block::Table {
                heads,
                shares,
                rows,
            } => {
                let share = |at: usize| f32::from(shares.get(at).copied().unwrap_or(10)) / 100.0;
                let cells = |row: &'_ [String], face| -> Vec<(String, Face, f32)> {
                    let cells = row.iter().enumerate();
                    cells
                        .map(|(at, text)| (text.clone(), face, share(at)))
                        .collect()
                };
                for (row, face) in
                    std::iter::once((heads, BOLD)).chain(rows.iter().map(|row| (row, PLAIN)))
                {
                    let cells = cells(row, face);
                    let cells: Vec<_> = cells
                        .iter()
                        .map(|(text, face, share)| (text, *face, *share))
                        .collect();
                    self.row(&cells);
                }
                self.y -= GAP / 2.0;
            }
        }
    }

    /// Cells beside one another; a row that does not fit goes on at the next page.
    fn row(&mut self, cells: &[(&String, Face, f32)]) {
        let width = WIDTH - 2.0 * MARGIN;
        let wrapped: Vec<Vec<Vec<u8>>> = cells
            .iter()
            .map(|(text, face, share)| wrapped(text, *face, width * share - GAP))
            .collect();
        let lines = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for number in 0..lines {
            let mut x = MARGIN;
            self.room(PLAIN.size * 1.35);
            self.y -= PLAIN.size * 1.35;
            for ((_, face, share), lines) in cells.iter().zip(&wrapped) {
                if let Some(text) = lines.get(number) {
                    self.current.push(Drawn {
                        text: text.clone(),
                        face: *face,
                        x,
                        y: self.y,
                    });
                }
                x += width * share;
            }
        }
        self.y -= 2.0;
    }

    fn line(&mut self, text: &[u8], face: Face, x: f32) {
        self.room(face.size * 1.35);
        self.y -= face.size * 1.35;
        self.current.push(Drawn {
            text: text.to_vec(),
            face,
            x,
            y: self.y,
        });
    }

    fn room(&mut self, needed: f32) {
        if self.y - needed < MARGIN + 2.0 * SMALL.size {
            self.done.push(std::mem::take(&mut self.current));
            self.y = HEIGHT - MARGIN;
        }
    }

    fn finish(mut self, sheet: &Sheet) -> Vec<u8> {
        self.done.push(std::mem::take(&mut self.current));
        self.done.truncate(PAGES_MAX);
        let count = self.done.len();
        let number = |at: usize| i32::try_from(at).unwrap_or(i32::MAX);
        let (catalog, tree, plain, bold) = (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4));
        let page_ref = |at: usize| Ref::new(5 + 2 * number(at));
        let content_ref = |at: usize| Ref::new(6 + 2 * number(at));
        let mut pdf = Pdf::new();
        pdf.catalog(catalog)
            .pages(tree)
            .viewer_preferences()
            .display_doc_title(true);
        pdf.document_info(Ref::new(5 + 2 * number(count)))
            .title(TextStr(&visible(&sheet.title)));
        pdf.pages(tree)
            .kids((0..count).map(page_ref))
            .count(number(count));
        for (font, base) in [(plain, "Helvetica"), (bold, "Helvetica-Bold")] {
            pdf.type1_font(font)
                .base_font(Name(base.as_bytes()))
                .encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        for (at, drawn) in self.done.iter().enumerate() {
            let mut page = pdf.page(page_ref(at));
            page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT));
            page.parent(tree);
            page.contents(content_ref(at));
            page.resources()
                .fonts()
                .pair(PLAIN.name, plain)
                .pair(BOLD.name, bold);
            page.finish();
            let mut content = Content::new();
            let foot = format!("{} - page {} of {count}", visible(&sheet.foot), at + 1);
            let lines = wrapped(&foot, SMALL, WIDTH - 2.0 * MARGIN);
            let feet = lines.iter().take(2).enumerate().map(|(line, text)| Drawn {
                text: text.clone(),
                face: SMALL,
                x: MARGIN,
                y: MARGIN - SMALL.size * (1.0 + 1.3 * line as f32),
            });
            for Drawn { text, face, x, y } in feet.chain(drawn.iter().map(|drawn| Drawn {
                text: drawn.text.clone(),
                ..*drawn
            })) {
                content.begin_text();
                content.set_font(face.name, face.size);
                content.next_line(x, y);
                content.show(Str(&text));
                content.end_text();
            }
            pdf.stream(content_ref(at), &content.finish());
        }
        pdf.finish()
    }
}

/// The text in lines that fit, as bytes of the encoding. A word that is longer than a line is broken.
fn wrapped(text: &str, face: Face, width: f32) -> Vec<Vec<u8>> {
    let safe = visible(text);
    let mut lines = Vec::new();
    let mut line: Vec<u8> = Vec::new();
    let mut used = 0.0;
    for word in safe.split(' ') {
        let bytes = encoded(word);
        let long = measure(&bytes, face);
        if !line.is_empty() && used + measure(b" ", face) + long > width {
            lines.push(std::mem::take(&mut line));
            used = 0.0;
        }
        if !line.is_empty() {
            line.push(b' ');
            used += measure(b" ", face);
        }
        for byte in bytes {
            let own = measure(&[byte], face);
            if used + own > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            line.push(byte);
            used += own;
        }
    }
    lines.push(line);
    lines
}

/// Windows-1252 where it has the letter, its number where it has not.
fn encoded(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for letter in word.chars() {
        match letter {
            ' '..='~' => bytes.push(letter as u8),
            '\u{a1}'..='\u{ff}' => bytes.push(u8::try_from(u32::from(letter)).unwrap_or(b'?')),
            '€' => bytes.push(0x80),
            '–' => bytes.push(0x96),
            '—' => bytes.push(0x97),
            '‘' => bytes.push(0x91),
            '’' => bytes.push(0x92),
            '“' => bytes.push(0x93),
            '”' => bytes.push(0x94),
            '…' => bytes.push(0x85),
            other => bytes.extend(format!("<U+{:04X}>", u32::from(other)).bytes()),
        }
    }
    bytes
}

fn measure(bytes: &[u8], face: Face) -> f32 {
    // Bold letters are wider by less than a tenth.
    let wider = if face.name == PLAIN.name { 1.0 } else { 1.08 };
    let units: u32 = bytes
        .iter()
        .map(|byte| {
            let at = usize::from(byte.saturating_sub(b' '));
            u32::from(WIDTHS.get(at).copied().unwrap_or(722))
        })
        .sum();
    units as f32 / 1000.0 * face.size * wider
}

/// Of the letters from space to tilde, in thousandths of the size.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        Sheet {
            title: "A sheet".to_owned(),
            blocks: vec![
                Block::Heading("<script>".to_owned()),
                Block::Text("word ".repeat(2_000)),
                Block::Facts(vec![("host".to_owned(), "EX\u{202e}01 Ж".to_owned())]),
                Block::Table {
                    heads: vec!["a".to_owned(), "b".to_owned()],
                    shares: vec![30, 70],
                    rows: vec![vec!["x".repeat(900), "y".to_owned()]; 40],
                },
            ],
            foot: "foot".to_owned(),
        }
    }

    #[test]
    fn nothing_in_a_sheet_is_markup_or_leaves_the_page() {
        let mut html = Vec::new();
        sheet_html(&sheet(), &mut html).unwrap();
        let html = String::from_utf8(html).unwrap();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
        assert!(html.contains("&lt;U+202E&gt;"));
        let pdf = sheet_pdf(&sheet());
        assert_eq!(pdf, sheet_pdf(&sheet()));
        assert!(pdf.starts_with(b"%PDF-"));
        for line in wrapped(&"x".repeat(5_000), PLAIN, 100.0) {
            assert!(measure(&line, PLAIN) <= 100.0);
        }
        assert_eq!(wrapped("Ж", PLAIN, 100.0), [b"<U+0416>"]);
    }
}
