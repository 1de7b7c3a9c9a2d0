//! Runs the binary as a person or a script would, away from any terminal.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// How a run of the binary ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary in a folder, with nothing around it that a test does not set itself.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_allclear"));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_remove("COLUMNS")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env("RUST_BACKTRACE", "0");
    command
}

/// Runs the binary to its end. It must never panic, nor die of a signal, whatever it is given.
pub(crate) fn allclear(folder: &Path, arguments: &[&str]) -> Run {
    let output = command(folder)
        .args(arguments)
        .output()
        .expect("the binary starts");
    run_of(output)
}

pub(crate) fn run_of(output: Output) -> Run {
    let run = Run {
        code: output.status.code().expect("no signal ended the run"),
        stdout: String::from_utf8(output.stdout).expect("reports are UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    };
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains("panicked at"), "{text}");
    }
    run
}

/// What a run or this repository wrote.
#[expect(
    clippy::disallowed_methods,
    reason = "a test looks at what was written"
)]
#[cfg_attr(
    test,
    expect(
        clippy::allow_attributes,
        reason = "whether it is used depends on the test that includes it"
    )
)]
#[allow(dead_code, reason = "not every test looks at files")]
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
