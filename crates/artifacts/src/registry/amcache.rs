//! `Amcache.hve` (`Windows\AppCompat\Programs`): programs and drivers that Windows took stock of, with their hashes.
//!
//! From 2015 on (Windows 10, and older systems with updates) an entry is a key below `Root\InventoryApplicationFile`,
//! before it was one below `Root\File\VOLUME`, whose values have numbers for names. The hash is SHA-1 of at most the
//! first 31,457,280 bytes, with four zeros before it. An entry shows that the file was there, not that it ran. Source:
//! ANSSI, "Analysis of the `AmCache`", <https://cyber.gouv.fr/publications/analyse-de-l-amcache>.

use super::hive::{Key, Value, filetime};
use super::{Reading, record_source};
use crate::simple_record::SimpleRecord;
use model::{At, Timestamp};

/// Fields of a record and the values they come from.
type Fields = &'static [(&'static str, &'static str)];

/// Keys of which every subkey is an entry.
const INVENTORIES: [(&str, &str, Fields); 3] = [
    (
        "Root\\InventoryApplicationFile",
        "file",
        &[
            ("path", "LowerCaseLongPath"),
            ("process", "LowerCaseLongPath"),
            ("name", "Name"),
            ("sha1", "FileId"),
            ("link_date", "LinkDate"),
            ("publisher", "Publisher"),
            ("product", "ProductName"),
            ("version", "Version"),
            ("file_version", "BinFileVersion"),
            ("size", "Size"),
            ("program_id", "ProgramId"),
        ],
    ),
    (
        "Root\\InventoryDriverBinary",
        "driver",
        &[
            ("name", "DriverName"),
            ("service", "Service"),
            ("sha1", "DriverId"),
            ("signed", "DriverSigned"),
            ("publisher", "DriverCompany"),
            ("product", "Product"),
            ("version", "DriverVersion"),
        ],
    ),
    (
        "Root\\InventoryApplication",
        "application",
        &[
            ("name", "Name"),
            ("version", "Version"),
            ("publisher", "Publisher"),
            ("path", "RootDirPath"),
            ("uninstall", "UninstallString"),
            ("program_id", "ProgramId"),
        ],
    ),
];

/// The older form, by the numbers of its values.
const OLD: Fields = &[
    ("path", "15"),
    ("process", "15"),
    ("sha1", "101"),
    ("product", "0"),
    ("publisher", "1"),
    ("file_version", "2"),
    ("size", "6"),
    ("program_id", "100"),
];

impl Reading<'_> {
    pub(super) fn amcache(&mut self, root: &Key) {
        for (path, kind, fields) in INVENTORIES {
            let Some(parent) = self.hive.find_path(root, path) else {
                continue;
            };
            for entry in self.hive.subkeys(&parent) {
                self.inventory(&entry, &format!("{path}\\{}", entry.name), kind, fields);
            }
        }
        if let Some(volumes) = self.hive.find_path(root, "Root\\File") {
            for volume in self.hive.subkeys(&volumes) {
                for entry in self.hive.subkeys(&volume) {
                    let path = format!("Root\\File\\{}\\{}", volume.name, entry.name);
                    self.inventory(&entry, &path, "file", OLD);
                }
            }
        }
    }

    fn inventory(&mut self, entry: &Key, path: &str, kind: &'static str, fields: Fields) {
        let source = record_source("amcache");
        let values = self.hive.values(entry);
        let value = |wanted: &str| {
            let found = values
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value)
        };
        let mut record = SimpleRecord::new(&source, At::Offset(entry.offset))
            .with("key", path)
            .with("kind", kind);
        let mut sha1 = String::new();
        for (field, name) in fields {
            let Some(value) = value(name) else {
                continue;
            };
            let mut text = value.text();
            if *field == "sha1" {
                hash(&text).unwrap_or_default().clone_into(&mut sha1);
                text.clone_from(&sha1);
            }
            record = record.with(*field, text);
        }
        if !sha1.is_empty() {
            record = record.with("Hashes", format!("SHA1={sha1}"));
        }
        // In the older form the file's own times and the linker's are numbers.
        let time = |name: &str| value(name).and_then(|value| filetime(value.bytes(), 0));
        let linked = value("f")
            .and_then(Value::number)
            .and_then(|seconds| i64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        if fields == OLD {
            for (field, time) in [
                ("file_created", time("12")),
                ("file_modified", time("11")),
                ("link_date", linked),
            ] {
                if let Some(time) = time {
                    record = record.with(field, time.to_string());
                }
            }
        }
        let record = record.changed(entry.changed);
        self.sink.record(&record);
    }
}

/// The forty digits behind the four zeros.
fn hash(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0000")?;
    let is_hash = digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(digits)
}
