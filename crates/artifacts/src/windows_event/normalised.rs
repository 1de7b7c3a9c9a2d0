//! Names that Allclear gives to the same thing in every source, looked up in an event's own fields.

use super::Event;
use super::flat::borrowed;
use model::Value;

/// Normalised name, and the fields of events that hold it, the surest first.
pub(crate) const ALIASES: [(&str, &[&str]); 10] = [
    ("channel", &["Channel"]),
    ("event_id", &["EventID"]),
    ("provider", &["Provider_Name"]),
    ("server", &["Computer"]),
    ("command", &["CommandLine", "ProcessCommandLine"]),
    ("process", &["Image", "NewProcessName", "ProcessName"]),
    ("parent_process", &["ParentImage", "ParentProcessName"]),
    ("target_file", &["TargetFilename", "RelativeTargetName"]),
    ("client", &["IpAddress", "ClientAddress"]),
    (
        "user",
        &["User", "SubjectUserName", "AccountName", "TargetUserName"],
    ),
];

/// Logons are of the user they name as target; the subject is the service that asked.
pub(crate) const LOGON_IDS: [u64; 3] = [4624, 4625, 4648];

impl Event<'_> {
    /// The value of a field under its own or a normalised name. Names with spaces are also found without them, as
    /// Sigma rules write Defender's `Threat Name`.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'_>> {
        if let Some(value) = self.exact(name) {
            return Some(value);
        }
        if let Some((_, own_names)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
            return self.normalised(name, own_names);
        }
        let (_, value) = self
            .fields
            .iter()
            .find(|(known, _)| known.contains(' ') && known.replace(' ', "") == name)?;
        Some(borrowed(value))
    }

    /// Calls `visit` for every normalised name that finds something.
    pub(crate) fn each_normalised(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, own_names) in ALIASES {
            if let Some(value) = self.normalised(name, own_names) {
                visit(name, value);
            }
        }
    }

    /// The first of `own_names` that says something; Windows writes `-` for nothing.
    fn normalised(&self, name: &str, own_names: &[&str]) -> Option<Value<'_>> {
        if name == "user"
            && self
                .unsigned("EventID")
                .is_some_and(|id| LOGON_IDS.contains(&id))
            && let Some(target) = self.exact("TargetUserName")
        {
            return Some(target);
        }
        own_names
            .iter()
            .filter_map(|own_name| self.exact(own_name))
            .find(|value| !matches!(value.to_text().as_ref(), "" | "-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_names_find_the_events_own() {
        let event = Event::parse(
            r#"{"EventID":4624,"SubjectUserName":"MX$","TargetUserName":"bob","IpAddress":"-","ClientAddress":"10.0.0.9","Threat Name":"x"}"#,
        )
        .unwrap();
        assert_eq!(event.get("user"), Some(Value::text("bob")));
        assert_eq!(event.get("client"), Some(Value::text("10.0.0.9")));
        assert_eq!(event.get("event_id"), Some(Value::Unsigned(4624)));
        assert_eq!(event.get("ThreatName"), Some(Value::text("x")));
        assert_eq!(event.get("command"), None);
    }
}
