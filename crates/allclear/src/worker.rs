//! The process that reads: bounded in memory, killed by its parent when it takes too long.

use crate::Outcome;
use crate::exit::Failure;
use pipeline::job::Job;
use rlimit::Resource;
use std::io::{self, BufRead, BufWriter, Write};
use std::process::ExitCode;

/// Reads a job from standard input, writes frames to standard output.
pub(crate) fn run(reader_memory_mib: u64) -> Outcome {
    bound(reader_memory_mib)?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line).map_err(Failure::fault)?;
    let mut out = BufWriter::new(io::stdout().lock());
    pipeline::worker::run(&job, &mut |frame| {
        serde_json::to_writer(&mut out, &frame).map_err(io::Error::other)?;
        out.write_all(b"\n")?;
        // The journal is worth something only once it has left this process.
        out.flush()
    })
    .map_err(Failure::fault)?;
    Ok(ExitCode::SUCCESS)
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
