//! Access logs of IIS and error logs of HTTP.sys, W3C extended format.
//!
//! Fields by <https://learn.microsoft.com/windows/win32/http/w3c-logging>. A restart of the service writes the head
//! again in the middle of a file.

use crate::moment::Moment;
use std::fmt::Write;

/// The fields that IIS logs unless it is told otherwise.
pub const FIELDS: &str = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken";

/// The fields of HTTP.sys's error log.
pub const ERROR_FIELDS: &str = "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri streamid sc-status s-siteid s-reason s-queuename";

/// The head of an access log begun at `begun`; `extra` names a further field.
pub(crate) fn head(begun: Moment, extra: Option<&str>) -> String {
    let extra = extra.map_or(String::new(), |extra| format!(" {extra}"));
    format!(
        "#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n#Date: {}\r\n#Fields: {FIELDS}{extra}\r\n",
        begun.w3c()
    )
}

/// The head of an error log.
pub(crate) fn error_head(begun: Moment) -> String {
    format!(
        "#Software: Microsoft HTTP API 2.0\r\n#Version: 1.0\r\n#Date: {}\r\n#Fields: {ERROR_FIELDS}\r\n",
        begun.w3c()
    )
}

/// One request as IIS logs it.
#[derive(Clone, Debug)]
pub(crate) struct IisRow<'a> {
    pub(crate) time: Moment,
    pub(crate) server: &'a str,
    pub(crate) method: &'a str,
    pub(crate) stem: &'a str,
    pub(crate) query: &'a str,
    pub(crate) port: u16,
    pub(crate) user: &'a str,
    pub(crate) client: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) status: u16,
    pub(crate) duration_ms: u32,
    /// The value of a further field, where one is logged.
    pub(crate) extra: Option<&'a str>,
}

impl IisRow<'_> {
    pub(crate) fn write(&self, out: &mut String) {
        let extra = self
            .extra
            .map_or(String::new(), |extra| format!(" {extra}"));
        write!(
            out,
            "{} {} {} {} {} {} {} {} {} - {} 0 0 {}{extra}\r\n",
            self.time.w3c(),
            self.server,
            self.method,
            field(self.stem),
            field(self.query),
            self.port,
            field(self.user),
            self.client,
            field(self.user_agent),
            self.status,
            self.duration_ms,
        )
        .expect("writing to a string succeeds");
    }
}

/// A value as IIS writes it: a hyphen for nothing, plus signs for spaces.
fn field(value: &str) -> String {
    if value.is_empty() {
        "-".to_owned()
    } else {
        value.replace(' ', "+")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_row_has_no_spaces_inside_its_fields() {
        let mut text = head(Moment(1_614_754_182_162), Some("cs-host"));
        IisRow {
            time: Moment(1_614_754_182_162),
            server: "10.0.0.5",
            method: "GET",
            stem: "/owa/",
            query: "",
            port: 443,
            user: "",
            client: "192.0.2.1",
            user_agent: "Agent (\"quoted\" word)",
            status: 302,
            duration_ms: 4,
            extra: Some("mail.example"),
        }
        .write(&mut text);
        expect![[r#"
            #Software: Microsoft Internet Information Services 10.0
            #Version: 1.0
            #Date: 2021-03-03 06:49:42
            #Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken cs-host
            2021-03-03 06:49:42 10.0.0.5 GET /owa/ - 443 - 192.0.2.1 Agent+("quoted"+word) - 302 0 0 4 mail.example
        "#]].assert_eq(&text.replace('\r', ""));
    }
}
