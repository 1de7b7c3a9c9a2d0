//! How fast a server is made, in CPU seconds of this one thread; a benchmark for whoever changes a writer.
//!
//! `cargo run --release -p range --example speed -- [SCENARIO] [TEXT_BYTES] [CONTAINER PATH]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use jiff::Timestamp;
use range::{ContainerKind, Options, Sink, Taken, make, open_container};
use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Instant;

/// Counts what it is given.
#[derive(Default)]
struct Counting {
    files: u64,
    bytes: u64,
    text_bytes: u64,
    inner: Option<Box<dyn Sink>>,
}

impl Sink for Counting {
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let bytes = u64::try_from(contents.len()).unwrap_or(0);
        self.files += 1;
        self.bytes += bytes;
        if path.to_lowercase().ends_with(".log") {
            self.text_bytes += bytes;
        }
        match &mut self.inner {
            Some(inner) => inner.file(path, modified, contents),
            None => Ok(()),
        }
    }

    fn finish(&mut self, taken: &Taken) -> io::Result<()> {
        match &mut self.inner {
            Some(inner) => inner.finish(taken),
            None => Ok(()),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let scenario = arguments.first().map_or("clean", String::as_str);
    let mut sink = Counting::default();
    if let [_, _, kind, path] = arguments.as_slice() {
        let kind: ContainerKind = kind.parse()?;
        sink.inner = Some(open_container(kind, Path::new(path))?.0);
    }
    let options = Options {
        text_bytes: arguments.get(1).map(|bytes| bytes.parse()).transpose()?,
        ..Options::new(scenario, 1)
    };
    let begun = Instant::now();
    make(&options, &mut sink)?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{} files, {:.1} MB, text logs {:.1} MB, {seconds:.3} s, {:.2} GB a minute",
        sink.files,
        sink.bytes as f64 / 1e6,
        sink.text_bytes as f64 / 1e6,
        sink.bytes as f64 / 1e9 * 60.0 / seconds,
    );
    Ok(())
}
