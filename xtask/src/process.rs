//! Starts other programs, and says what happens.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Writes a line to standard error.
pub(crate) fn say(line: &str) {
    // Nobody can be told that standard error is closed.
    let _closed = writeln!(std::io::stderr(), "{line}");
}

/// Writes a line to standard output: results, as opposed to progress.
pub(crate) fn tell(line: &str) {
    // Nobody reads on where standard output is closed.
    let _closed = writeln!(std::io::stdout(), "{line}");
}

/// A command in the project's folder. Expected files are compared, unless a task asks to rewrite them.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(crate::root())
        .env_remove("UPDATE_EXPECT");
    // What cargo says of this program to itself makes a cargo below it build `ring`, and all that stands on it, once more.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name.as_ref());
        }
    }
    command
}

/// The command as a person would type it.
pub(crate) fn as_typed(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

/// Runs to the end, with its output on this terminal.
pub(crate) fn run(mut command: Command) -> Result<(), String> {
    say(&format!("$ {}", as_typed(&command)));
    let status = command
        .status()
        .map_err(|source| format!("cannot start {}: {source}", as_typed(&command)))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{} failed ({status})", as_typed(&command)))
}

/// The same, and gives back those lines of the output for which `keep` says yes, in the order in which they came.
pub(crate) fn run_and_keep(
    mut command: Command,
    keep: fn(&str) -> bool,
) -> (Result<(), String>, Vec<String>) {
    say(&format!("$ {}", as_typed(&command)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(source) => {
            return (
                Err(format!("cannot start {}: {source}", as_typed(&command))),
                Vec::new(),
            );
        }
    };
    let kept = Mutex::new(Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        if let Some(stdout) = stdout {
            scope.spawn(|| pass_on(stdout, keep, &kept));
        }
        if let Some(stderr) = stderr {
            scope.spawn(|| pass_on(stderr, keep, &kept));
        }
    });
    let outcome = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} failed ({status})", as_typed(&command))),
        Err(source) => Err(format!("cannot wait for {}: {source}", as_typed(&command))),
    };
    (outcome, kept.into_inner().unwrap_or_default())
}

/// Standard output as text, or nothing where the program is missing or fails.
pub(crate) fn output(mut command: Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// Whether a tool is on this machine.
pub(crate) fn installed(program: &str, arguments: &[&str]) -> bool {
    output(command(program, arguments)).is_some()
}

fn pass_on(stream: impl Read, keep: fn(&str) -> bool, kept: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        say(&text);
        if keep(&text)
            && let Ok(mut kept) = kept.lock()
        {
            kept.push(text);
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_even_where_the_command_fails() {
        let command = command("sh", &["-c", "echo one; echo Summary two >&2; exit 3"]);
        let (outcome, kept) = run_and_keep(command, |line| line.contains("Summary"));
        assert_eq!(kept, ["Summary two"]);
        assert!(outcome.unwrap_err().contains('3'));
    }

    #[test]
    fn a_missing_program_is_told_and_not_a_panic() {
        assert!(!installed("surely-no-such-program", &["--version"]));
        let (outcome, _) = run_and_keep(command("surely-no-such-program", &[]), |_| true);
        assert!(outcome.unwrap_err().starts_with("cannot start"));
    }
}
