//! The application compatibility cache (`SYSTEM\…\Control\Session Manager\AppCompatCache`): programs that Windows looked
//! at, with the time at which each file was last modified. It does not prove that a program ran.
//!
//! Layouts by version of Windows, from the head of the value:
//! <https://github.com/libyal/winreg-kb/blob/main/docs/sources/system-keys/Application-compatibility-cache.md>. Windows
//! writes the value when it shuts down, so that what ran since the last start is not in it.

use super::hive::{Key, filetime, number, short, utf16};
use super::{Reading, record_source};
use crate::simple_record::SimpleRecord;
use model::{At, GapKind, Timestamp};

const KEY: &str = "Control\\Session Manager\\AppCompatCache";

/// Windows keeps 1,024 entries.
const ENTRIES_MAX: usize = 4_096;

/// Head of the value in Windows 8, 8.1 and Server 2012.
const HEAD_BYTES_2012: u32 = 0x80;

/// Heads of the value in Windows 10 and Server 2016 and later.
const HEAD_BYTES_2016: [u32; 2] = [0x30, 0x34];

/// Begins the value in Windows 7 and Server 2008 R2.
const MAGIC_2008_R2: u32 = 0xbadc_0fee;

/// One program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: String,
    pub(super) modified: Option<Timestamp>,
    /// What Windows notes beside it where it believes that the program ran; only up to Server 2012 R2.
    pub(super) ran: Option<bool>,
}

/// What a value holds.
#[derive(Debug, Default)]
pub(super) struct Programs {
    pub(super) list: Vec<Program>,
    /// Why it was not read to its end.
    pub(super) fault: Option<&'static str>,
}

impl Reading<'_> {
    pub(super) fn shim_cache(&mut self, control_set: &Key) {
        let Some(key) = self.hive.find_path(control_set, KEY) else {
            return;
        };
        let Some(value) = self.hive.value(&key, "AppCompatCache") else {
            return;
        };
        let programs = programs(value.bytes());
        if let Some(fault) = programs.fault {
            let at = At::Offset(key.offset);
            self.sink.rejected(at, fault);
            let detail = format!(
                "the list of programs that Windows looked at is not read to its end: {fault}"
            );
            let source = record_source("shimcache");
            self.sink
                .gap_of_source(&source, GapKind::Partial, at, (None, None), &detail);
        }
        let source = record_source("shimcache");
        for (position, program) in programs.list.iter().enumerate() {
            // Apps of the store stand there by numbers and names that tabs divide.
            let is_package = program.path.contains('\t');
            let path = if is_package {
                ""
            } else {
                program.path.as_str()
            };
            let package = if is_package {
                program.path.as_str()
            } else {
                ""
            };
            // The time is that of the file, which can be set to anything; it does not date the record.
            let record = SimpleRecord::new(&source, At::Offset(key.offset))
                .with("key", KEY)
                .with("path", path)
                .with("process", path)
                .with("name", model::file_name(path))
                .with("package", package)
                .with("position", (position + 1).to_string())
                .with(
                    "file_modified",
                    program.modified.map(|t| t.to_string()).unwrap_or_default(),
                )
                .with(
                    "ran",
                    program.ran.map_or("", |ran| if ran { "yes" } else { "no" }),
                );
            self.sink.record(&record);
        }
    }
}

/// The programs of a value, the one looked at last first.
pub(super) fn programs(bytes: &[u8]) -> Programs {
    match number(bytes, 0) {
        Some(head) if HEAD_BYTES_2016.contains(&head) => {
            sequence(bytes, head as usize, Form::Server2016)
        }
        Some(HEAD_BYTES_2012) => {
            let form = match bytes.get(0x80..0x84) {
                Some(b"00ts") => Form::Server2012,
                _ => Form::Server2012R2,
            };
            sequence(bytes, HEAD_BYTES_2012 as usize, form)
        }
        Some(MAGIC_2008_R2) => table(bytes),
        Some(_) => Programs {
            fault: Some("its head is of no known version"),
            ..Programs::default()
        },
        None => Programs {
            fault: Some("it is empty"),
            ..Programs::default()
        },
    }
}

#[derive(Clone, Copy)]
enum Form {
    Server2012,
    Server2012R2,
    Server2016,
}

/// Entries that follow one another, each with its length.
fn sequence(bytes: &[u8], start: usize, form: Form) -> Programs {
    let mut programs = Programs::default();
    let mut at = start;
    while at < bytes.len() {
        if programs.list.len() >= ENTRIES_MAX {
            programs.fault = Some("more entries than Windows keeps");
            break;
        }
        let Some((program, next)) = entry(bytes, at, form) else {
            programs.fault = Some("an entry is damaged");
            break;
        };
        programs.list.push(program);
        at = next;
    }
    programs
}

fn entry(bytes: &[u8], at: usize, form: Form) -> Option<(Program, usize)> {
    let signature = bytes.get(at..at.checked_add(4)?)?;
    if signature != b"10ts" && signature != b"00ts" {
        return None;
    }
    let length = number(bytes, at + 8)? as usize;
    let next = at.checked_add(12)?.checked_add(length)?;
    let body = bytes.get(at + 12..next)?;
    let path_bytes = usize::from(short(body, 0)?);
    let path = utf16(body.get(2..2 + path_bytes)?);
    let mut rest = 2 + path_bytes;
    let mut ran = None;
    match form {
        Form::Server2016 => {}
        Form::Server2012 => {
            ran = Some(number(body, rest)? & 2 != 0);
            rest += 8;
        }
        Form::Server2012R2 => {
            let package_bytes = usize::from(short(body, rest)?);
            rest += 2 + package_bytes;
            ran = Some(number(body, rest)? & 2 != 0);
            rest += 8;
        }
    }
    let program = Program {
        path,
        modified: filetime(body, rest),
        ran,
    };
    Some((program, next))
}

/// Windows 7 and Server 2008 R2: a table of entries that refer to their paths.
fn table(bytes: &[u8]) -> Programs {
    let mut programs = Programs::default();
    let count = number(bytes, 4).unwrap_or(0) as usize;
    // In the 64-bit form the path's offset has eight bytes and stands aligned.
    let wide = number(bytes, 0x80 + 4) == Some(0);
    let entry_bytes = if wide { 48 } else { 32 };
    for position in 0..count {
        if position >= ENTRIES_MAX {
            programs.fault = Some("more entries than Windows keeps");
            break;
        }
        let at = 0x80 + position * entry_bytes;
        let read = || {
            let length = usize::from(short(bytes, at)?);
            let (path_at, modified_at, flags_at) = if wide { (8, 16, 24) } else { (4, 8, 16) };
            let high = if wide {
                number(bytes, at + path_at + 4)?
            } else {
                0
            };
            if high != 0 {
                return None;
            }
            let path_at = number(bytes, at + path_at)? as usize;
            Some(Program {
                path: utf16(bytes.get(path_at..path_at.checked_add(length)?)?),
                modified: filetime(bytes, at + modified_at),
                ran: Some(number(bytes, at + flags_at)? & 2 != 0),
            })
        };
        let Some(program) = read() else {
            programs.fault = Some("an entry is damaged");
            break;
        };
        programs.list.push(program);
    }
    programs
}
