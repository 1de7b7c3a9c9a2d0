//! Local accounts and groups (SAM).
//!
//! `SAM\Domains\Account\Users` holds an account by its number: `F` with times, number and flags, `V` with names.
//! `Names` holds the names as keys; the last write to such a key is when the account was made or renamed. Groups stand
//! below `Aliases`, with their members as identifiers in `C`. Layout:
//! <https://github.com/libyal/winreg-kb/blob/main/docs/sources/windows/Security-accounts-manager.md>. Password hashes
//! stand in the same values; they are not read.

use super::hive::{Key, Value, filetime, number, short, utf16};
use super::{Reading, key_clock, record_source};
use crate::simple_record::SimpleRecord;
use model::{At, Fact, Persistence, PersistenceKind, Timestamp, account_state};

const ACCOUNTS: &str = "SAM\\Domains\\Account";
const BUILT_IN: &str = "SAM\\Domains\\Builtin";

/// Number of the group Administrators among the built-in ones (MS-DTYP, "Well-known SID structures").
const ADMINISTRATORS: &str = "00000220";

/// Members of one group that are told.
const MEMBERS_MAX: usize = 1_000;

/// Parts that an identifier has at most (MS-DTYP 2.4.2).
const SID_PARTS_MAX: usize = 15;

impl Reading<'_> {
    pub(super) fn accounts(&mut self, root: &Key) {
        let machine = self.machine_sid(root);
        let administrators =
            self.group_members(root, &format!("{BUILT_IN}\\Aliases\\{ADMINISTRATORS}"));
        let users = format!("{ACCOUNTS}\\Users");
        let path = format!("{users}\\Names");
        let Some(names) = self.hive.find_path(root, &path) else {
            return;
        };
        let Some(users) = self.hive.find_path(root, &users) else {
            return;
        };
        let source = record_source("accounts");
        for account in self.hive.subkeys(&names) {
            // The number of an account is the type of its name's value.
            let rid = self.hive.value(&account, "").map(|value| value.kind());
            let user = rid.and_then(|rid| self.hive.find(&users, &format!("{rid:08X}")));
            let f = user.as_ref().and_then(|user| self.hive.value(user, "F"));
            let v = user.as_ref().and_then(|user| self.hive.value(user, "V"));
            let f = f.as_ref().map(Value::bytes).unwrap_or_default();
            let v = v.as_ref().map(Value::bytes).unwrap_or_default();
            // Windows logs on by the number inside of `F`: an intruder can give one account that of another.
            let inner = number(f, 48);
            let taken_over = inner.filter(|inner| Some(*inner) != rid);
            let sid = match (&machine, rid) {
                (Some(machine), Some(rid)) => format!("{machine}-{rid}"),
                _ => String::new(),
            };
            let administrator = !sid.is_empty() && administrators.contains(&sid);
            let flags = short(f, 56);
            let record = SimpleRecord::new(&source, At::Offset(account.offset))
                .with("key", path.as_str())
                .with("name", account.name.as_str())
                .with("user", account.name.as_str())
                .with("rid", rid.map(|rid| rid.to_string()).unwrap_or_default())
                .with("sid", sid)
                .with(
                    "acts_as_rid",
                    taken_over.map(|rid| rid.to_string()).unwrap_or_default(),
                )
                .with("full_name", name_in(v, 0x18))
                .with("comment", name_in(v, 0x24))
                .with("administrator", if administrator { "yes" } else { "" })
                .with(
                    "disabled",
                    flags.map_or("", |flags| if flags & 1 != 0 { "yes" } else { "no" }),
                )
                .with("last_logon", shown(filetime(f, 8)))
                .with("password_set", shown(filetime(f, 24)))
                .with("expires", shown(filetime(f, 32)))
                .with("last_failed_logon", shown(filetime(f, 40)))
                .with(
                    "logons",
                    short(f, 66)
                        .map(|count| count.to_string())
                        .unwrap_or_default(),
                )
                .changed(account.changed);
            self.sink.record(&record);
            let disabled = flags.is_some_and(|flags| flags & 1 != 0);
            let states = [
                administrator.then_some(account_state::ADMINISTRATOR),
                taken_over
                    .is_some()
                    .then_some(account_state::ACTS_AS_ANOTHER),
                disabled.then_some(account_state::DISABLED),
            ];
            self.fact(
                &account,
                Fact::Persistence(Persistence {
                    kind: PersistenceKind::Account,
                    name: account.name.clone(),
                    command: states.into_iter().flatten().collect::<Vec<_>>().join(", "),
                    changed: account.changed,
                    clock: account.changed.map_or_else(String::new, |_| {
                        "the last write of the account's name in the registry".to_owned()
                    }),
                    author: String::new(),
                }),
            );
        }
    }

    pub(super) fn groups(&mut self, root: &Key) {
        let source = record_source("groups");
        for domain in [BUILT_IN, ACCOUNTS] {
            let path = format!("{domain}\\Aliases");
            let Some(aliases) = self.hive.find_path(root, &path) else {
                continue;
            };
            for group in self.hive.subkeys(&aliases) {
                let Some(value) = self.hive.value(&group, "C") else {
                    continue;
                };
                let c = value.bytes();
                let Some(members) = members(c) else {
                    let reason = "the members of a group are in no known form";
                    self.sink.rejected(At::Offset(group.offset), reason);
                    continue;
                };
                let record = SimpleRecord::new(&source, At::Offset(group.offset))
                    .with("key", format!("{path}\\{}", group.name))
                    .with("name", text_at(c, 0x10).unwrap_or_default())
                    .with(
                        "rid",
                        number(c, 0).map(|rid| rid.to_string()).unwrap_or_default(),
                    )
                    .with("comment", text_at(c, 0x1c).unwrap_or_default())
                    .with("members", members.join(", "))
                    .changed(group.changed);
                self.sink.record(&record);
                if members.is_empty() {
                    continue;
                }
                self.fact(
                    &group,
                    Fact::Persistence(Persistence {
                        kind: PersistenceKind::GroupMembership,
                        name: text_at(c, 0x10).unwrap_or_default(),
                        command: members.join(", "),
                        changed: group.changed,
                        clock: key_clock(&group),
                        author: String::new(),
                    }),
                );
            }
        }
    }

    /// The identifier that those of local accounts begin with: the last twelve bytes of the domain's `V`.
    fn machine_sid(&mut self, root: &Key) -> Option<String> {
        let account = self.hive.find_path(root, ACCOUNTS)?;
        let value = self.hive.value(&account, "V")?;
        let bytes = value.bytes();
        let tail = bytes.get(bytes.len().checked_sub(12)?..)?;
        let [a, b, c] = [number(tail, 0)?, number(tail, 4)?, number(tail, 8)?];
        Some(format!("S-1-5-21-{a}-{b}-{c}"))
    }

    fn group_members(&mut self, root: &Key, path: &str) -> Vec<String> {
        let group = self.hive.find_path(root, path);
        let value = group.and_then(|group| self.hive.value(&group, "C"));
        let found = value.and_then(|value| members(value.bytes()));
        found.unwrap_or_default()
    }
}

fn shown(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// A text of `V`: offset and length in its head, counted from the head's end.
fn name_in(v: &[u8], at: usize) -> String {
    const HEAD_BYTES: usize = 0xcc;
    let read = || {
        let start = HEAD_BYTES.checked_add(number(v, at)? as usize)?;
        let end = start.checked_add(number(v, at + 4)? as usize)?;
        Some(utf16(v.get(start..end)?))
    };
    read().unwrap_or_default()
}

/// The head of a group's `C`.
const GROUP_HEAD_BYTES: usize = 0x34;

/// A text of `C`, as in `V`.
fn text_at(c: &[u8], at: usize) -> Option<String> {
    let start = GROUP_HEAD_BYTES.checked_add(number(c, at)? as usize)?;
    let end = start.checked_add(number(c, at + 4)? as usize)?;
    Some(utf16(c.get(start..end)?))
}

/// The members of a group, one identifier after the other.
fn members(c: &[u8]) -> Option<Vec<String>> {
    let start = GROUP_HEAD_BYTES.checked_add(number(c, 0x28)? as usize)?;
    let end = start.checked_add(number(c, 0x2c)? as usize)?;
    let count = number(c, 0x30)? as usize;
    let mut rest = c.get(start..end)?;
    let mut members = Vec::new();
    while members.len() < count.min(MEMBERS_MAX) {
        let (sid, bytes) = sid(rest)?;
        members.push(sid);
        rest = &rest[bytes..];
    }
    Some(members)
}

/// A security identifier as text, and its length in bytes.
fn sid(bytes: &[u8]) -> Option<(String, usize)> {
    use std::fmt::Write;
    let parts = usize::from(*bytes.get(1)?);
    if bytes.first() != Some(&1) || parts > SID_PARTS_MAX {
        return None;
    }
    let length = 8 + parts * 4;
    let authority = bytes.get(2..8)?;
    let authority = authority
        .iter()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for part in bytes.get(8..length)?.chunks_exact(4) {
        let _infallible = write!(text, "-{}", number(part, 0)?);
    }
    Some((text, length))
}
