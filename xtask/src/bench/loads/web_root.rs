//! A large made-up web root: pages, scripts, styles and binaries, a few of which hold what the made YARA rules look for.

use super::rules::marker;
use super::{Bench, made, size_of, walk, write};
use crate::draw::Draw;
use std::path::{Path, PathBuf};

/// Part of the run's scale that the web root takes: scanning is much slower than reading logs.
const SCALE_PART: u64 = 5;

/// Every so many files one holds a marker.
const MARKED_EVERY: u64 = 50;

const WORDS: &[&str] = &[
    "function", "return", "var", "document", "window", "element", "value", "string", "public",
    "class", "private", "void", "page", "server", "request", "response", "mail", "user", "item",
    "list", "index", "length", "style", "color", "margin", "padding", "width", "height", "true",
    "false", "null", "new",
];

/// A folder of files as web servers hold them.
pub(in crate::bench) struct WebRoot {
    pub(in crate::bench) folder: PathBuf,
    pub(in crate::bench) files: u64,
    pub(in crate::bench) bytes: u64,
    /// Files that hold a marker.
    pub(in crate::bench) marked: u64,
}

/// The web root of the run's scale.
pub(in crate::bench) fn web_root(bench: &Bench) -> Result<WebRoot, String> {
    let folder = bench.load("web-root");
    let wanted = bench.options.bytes / SCALE_PART;
    let said = made(&folder, &format!("1, {wanted} bytes"), |folder| {
        fill(folder, wanted).map(|marked| marked.to_string())
    })?;
    Ok(WebRoot {
        files: walk(&folder).len() as u64,
        bytes: size_of(&folder),
        marked: said.trim().parse().unwrap_or(0),
        folder,
    })
}

/// Writes files until there are enough bytes; says how many hold a marker.
fn fill(folder: &Path, wanted: u64) -> Result<u64, String> {
    const ENDINGS: &[&str] = &[
        "js", "js", "css", "aspx", "html", "cs", "resx", "dll", "png",
    ];
    let root = folder.join("HOST/C/inetpub/wwwroot");
    let mut draw = Draw::seeded(7);
    let (mut written, mut number, mut marked) = (0, 0, 0);
    while written < wanted {
        let ending = draw.one_of(ENDINGS);
        let bytes = 2_000 + draw.below(120_000);
        let mut content = if matches!(ending, "dll" | "png") {
            binary(&mut draw, bytes)
        } else {
            text(&mut draw, bytes)
        };
        if number % MARKED_EVERY == 0 {
            content.extend_from_slice(marker(number / MARKED_EVERY % 500).as_bytes());
            marked += 1;
        }
        written += content.len() as u64;
        let path = root.join(format!("site{:02}/file{number:05}.{ending}", number % 40));
        write(&path, &content)?;
        number += 1;
    }
    Ok(marked)
}

fn text(draw: &mut Draw, bytes: u64) -> Vec<u8> {
    const BETWEEN: &[&str] = &[" ", " ", ".", "(", ")", ";\n", " = ", ", ", "{\n", "}\n"];
    let mut text = String::new();
    while (text.len() as u64) < bytes {
        text.push_str(draw.one_of(WORDS));
        text.push_str(draw.one_of(BETWEEN));
        if draw.below(12) == 0 {
            text.push_str(&draw.word(8));
        }
    }
    text.into_bytes()
}

fn binary(draw: &mut Draw, bytes: u64) -> Vec<u8> {
    let mut content = Vec::new();
    while (content.len() as u64) < bytes {
        content.extend_from_slice(&draw.next().to_le_bytes());
        // Binaries are full of runs of zeros.
        let zeros = (draw.next() % 24) as usize;
        content.resize(content.len() + zeros, 0);
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_root_has_its_size_and_its_markers() {
        let home = tempfile::tempdir().unwrap();
        let marked = fill(home.path(), 4_000_000).unwrap();
        let files = walk(home.path());
        assert_eq!(marked, (files.len() as u64).div_ceil(MARKED_EVERY));
        assert!((4_000_000..4_200_000).contains(&size_of(home.path())));
        let first = std::fs::read(&files[0]).unwrap();
        assert!(first.ends_with(marker(0).as_bytes()));
    }
}
