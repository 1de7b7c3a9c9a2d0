//! The process that reads: bounded in memory, killed by its parent when it takes too long.

use crate::Outcome;
use crate::exit::Failure;
use pipeline::job::{Frame, Job};
use pipeline::worker::Line;
use rlimit::Resource;
use std::io::{self, BufRead, BufWriter, StdinLock, StdoutLock, Write};
use std::process::ExitCode;

/// Reads a job from standard input, writes frames to standard output; what these ask for is answered on standard input.
pub(crate) fn run(reader_memory_mib: u64) -> Outcome {
    bound(reader_memory_mib)?;
    let mut answers = io::stdin().lock();
    let job = job(&mut answers)?;
    let out = BufWriter::new(io::stdout().lock());
    pipeline::worker::run(job, &mut Pipes { answers, out }).map_err(Failure::fault)?;
    Ok(ExitCode::SUCCESS)
}

fn job(answers: &mut StdinLock<'_>) -> Result<Job<'static>, Failure> {
    let mut line = Vec::new();
    answers.read_until(b'\n', &mut line)?;
    serde_json::from_slice(&line).map_err(Failure::fault)
}

/// Between this process and the one that started it.
struct Pipes<'a> {
    answers: StdinLock<'a>,
    out: BufWriter<StdoutLock<'a>>,
}

impl Line for Pipes<'_> {
    fn say(&mut self, frame: Frame) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &frame).map_err(io::Error::other)?;
        self.out.write_all(b"\n")?;
        // The journal is worth something only once it has left this process.
        self.out.flush()
    }

    fn claimed(&mut self, _: usize) -> io::Result<u64> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim_end().parse().map_err(io::Error::other)
    }
}

/// Private memory, not address space: YARA's runtime reserves far more of that than it uses.
fn bound(reader_memory_mib: u64) -> io::Result<()> {
    if cfg!(unix) {
        let bytes = reader_memory_mib.saturating_mul(1 << 20);
        Resource::DATA.set(bytes, bytes)?;
        // A crash must not leave evidence in a core file.
        Resource::CORE.set(0, 0)?;
    }
    Ok(())
}
