//! Access logs of IIS and error logs of HTTP.sys, W3C extended format.
//!
//! Fields by <https://learn.microsoft.com/windows/win32/http/w3c-logging>. A restart of the service writes the head
//! again in the middle of a file.

use crate::moment::Moment;
use std::fmt::Write;

/// The fields of HTTP.sys's error log.
pub const ERROR_FIELDS: &str = "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri streamid sc-status s-siteid s-reason s-queuename";

/// A field of an access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Date,
    Time,
    SiteName,
    ComputerName,
    ServerAddress,
    Method,
    UriStem,
    UriQuery,
    ServerPort,
    UserName,
    ClientAddress,
    Version,
    UserAgent,
    Cookie,
    Referer,
    Host,
    Status,
    Substatus,
    Win32Status,
    BytesSent,
    BytesReceived,
    TimeTaken,
    /// A field of the administrator's own, from the header `X-Forwarded-For`.
    ForwardedFor,
}

/// The fields that IIS logs unless it is told otherwise.
pub(crate) const DEFAULT_COLUMNS: [Column; 15] = [
    Column::Date,
    Column::Time,
    Column::ServerAddress,
    Column::Method,
    Column::UriStem,
    Column::UriQuery,
    Column::ServerPort,
    Column::UserName,
    Column::ClientAddress,
    Column::UserAgent,
    Column::Referer,
    Column::Status,
    Column::Substatus,
    Column::Win32Status,
    Column::TimeTaken,
];

impl Column {
    /// All that IIS offers, in the order in which it writes them.
    pub(crate) const ALL: [Self; 22] = [
        Self::Date,
        Self::Time,
        Self::SiteName,
        Self::ComputerName,
        Self::ServerAddress,
        Self::Method,
        Self::UriStem,
        Self::UriQuery,
        Self::ServerPort,
        Self::UserName,
        Self::ClientAddress,
        Self::Version,
        Self::UserAgent,
        Self::Cookie,
        Self::Referer,
        Self::Host,
        Self::Status,
        Self::Substatus,
        Self::Win32Status,
        Self::BytesSent,
        Self::BytesReceived,
        Self::TimeTaken,
    ];

    /// Its name in the head.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Time => "time",
            Self::SiteName => "s-sitename",
            Self::ComputerName => "s-computername",
            Self::ServerAddress => "s-ip",
            Self::Method => "cs-method",
            Self::UriStem => "cs-uri-stem",
            Self::UriQuery => "cs-uri-query",
            Self::ServerPort => "s-port",
            Self::UserName => "cs-username",
            Self::ClientAddress => "c-ip",
            Self::Version => "cs-version",
            Self::UserAgent => "cs(User-Agent)",
            Self::Cookie => "cs(Cookie)",
            Self::Referer => "cs(Referer)",
            Self::Host => "cs-host",
            Self::Status => "sc-status",
            Self::Substatus => "sc-substatus",
            Self::Win32Status => "sc-win32-status",
            Self::BytesSent => "sc-bytes",
            Self::BytesReceived => "cs-bytes",
            Self::TimeTaken => "time-taken",
            Self::ForwardedFor => "X-Forwarded-For",
        }
    }
}

/// The head of an access log begun at `begun`.
pub(crate) fn head(begun: Moment, columns: &[Column]) -> String {
    let names = columns.iter().map(|column| column.name());
    format!(
        "#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n#Date: {}\r\n#Fields: {}\r\n",
        begun.w3c(),
        names.collect::<Vec<_>>().join(" ")
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
    pub(crate) site: u32,
    pub(crate) computer: &'a str,
    pub(crate) server: &'a str,
    pub(crate) method: &'a str,
    pub(crate) stem: &'a str,
    /// Without its question mark.
    pub(crate) query: &'a str,
    /// What the server itself adds to the query, after an ampersand.
    pub(crate) query_rest: &'a str,
    pub(crate) port: u16,
    pub(crate) user: &'a str,
    pub(crate) client: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) host: &'a str,
    pub(crate) forwarded_for: &'a str,
    pub(crate) status: u16,
    pub(crate) bytes_sent: u32,
    pub(crate) bytes_received: u32,
    pub(crate) duration_ms: u32,
}

impl IisRow<'_> {
    /// Appends the row and its line break to `out`.
    pub(crate) fn write(&self, columns: &[Column], out: &mut String) {
        let at = self.time.civil();
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            match column {
                Column::Date => digits(out, [at.year, at.month, at.day], b'-'),
                Column::Time => digits(out, [at.hour, at.minute, at.second], b':'),
                Column::SiteName => number(out, "W3SVC", u64::from(self.site)),
                Column::ComputerName => field(out, self.computer),
                Column::ServerAddress => field(out, self.server),
                Column::Method => field(out, self.method),
                Column::UriStem => field(out, self.stem),
                Column::UriQuery => {
                    if self.query_rest.is_empty() {
                        field(out, self.query);
                    } else {
                        spaced(out, self.query);
                        out.push('&');
                        spaced(out, self.query_rest);
                    }
                }
                Column::ServerPort => number(out, "", u64::from(self.port)),
                Column::UserName => field(out, self.user),
                Column::ClientAddress => field(out, self.client),
                Column::Version => out.push_str("HTTP/1.1"),
                Column::UserAgent => field(out, self.user_agent),
                Column::Cookie | Column::Referer => out.push('-'),
                Column::Host => field(out, self.host),
                Column::Status => number(out, "", u64::from(self.status)),
                Column::Substatus => number(out, "", self.details().0),
                Column::Win32Status => number(out, "", self.details().1),
                Column::BytesSent => number(out, "", u64::from(self.bytes_sent)),
                Column::BytesReceived => number(out, "", u64::from(self.bytes_received)),
                Column::TimeTaken => number(out, "", u64::from(self.duration_ms)),
                Column::ForwardedFor => field(out, self.forwarded_for),
            }
        }
        out.push_str("\r\n");
    }

    /// Substatus and Windows' own status.
    fn details(&self) -> (u64, u64) {
        match (self.status, self.user.is_empty()) {
            // Who asks without a name is told to sign in (SEC_E_NO_CREDENTIALS).
            (401, true) => (1, 2_148_074_254),
            // A wrong password (ERROR_LOGON_FAILURE).
            (401, false) => (1, 1_326),
            (404, _) => (0, 2),
            _ => (0, 0),
        }
    }
}

/// Three numbers of the calendar or the clock, the first of four digits where it is a year.
fn digits(out: &mut String, numbers: [i64; 3], between: u8) {
    let [first, second, third] = numbers;
    let between = char::from(between);
    write!(out, "{first:02}{between}{second:02}{between}{third:02}")
        .expect("writing to a string succeeds");
}

fn number(out: &mut String, before: &str, number: u64) {
    write!(out, "{before}{number}").expect("writing to a string succeeds");
}

/// A value as IIS writes it: a hyphen for nothing, plus signs for spaces.
fn field(out: &mut String, value: &str) {
    if value.is_empty() {
        out.push('-');
    } else {
        spaced(out, value);
    }
}

fn spaced(out: &mut String, value: &str) {
    for (index, part) in value.split(' ').enumerate() {
        if index > 0 {
            out.push('+');
        }
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn row() -> IisRow<'static> {
        IisRow {
            time: Moment(1_614_754_182_162),
            site: 1,
            computer: "MAIL01",
            server: "10.0.0.5",
            method: "GET",
            stem: "/owa/",
            query: "",
            query_rest: "",
            port: 443,
            user: "",
            client: "192.0.2.1",
            user_agent: "Agent (\"quoted\" word)",
            host: "mail.example",
            forwarded_for: "",
            status: 302,
            bytes_sent: 17,
            bytes_received: 0,
            duration_ms: 4,
        }
    }

    #[test]
    fn a_row_has_no_spaces_inside_its_fields() {
        let columns = [DEFAULT_COLUMNS.as_slice(), &[Column::Host]].concat();
        let mut text = head(Moment(1_614_754_182_162), &columns);
        row().write(&columns, &mut text);
        let wrong_password = IisRow {
            query: "Cmd=Sync",
            query_rest: "CorrelationID=<empty>;",
            user: "CORP\\anna.de vries",
            status: 401,
            ..row()
        };
        wrong_password.write(&columns, &mut text);
        expect![[r#"
            #Software: Microsoft Internet Information Services 10.0
            #Version: 1.0
            #Date: 2021-03-03 06:49:42
            #Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken cs-host
            2021-03-03 06:49:42 10.0.0.5 GET /owa/ - 443 - 192.0.2.1 Agent+("quoted"+word) - 302 0 0 4 mail.example
            2021-03-03 06:49:42 10.0.0.5 GET /owa/ Cmd=Sync&CorrelationID=<empty>; 443 CORP\anna.de+vries 192.0.2.1 Agent+("quoted"+word) - 401 1 1326 4 mail.example
        "#]].assert_eq(&text.replace('\r', ""));
    }

    #[test]
    fn a_row_follows_its_head_whatever_the_columns() {
        let columns = [Column::ALL.as_slice(), &[Column::ForwardedFor]].concat();
        let mut text = head(Moment(1_614_754_182_162), &columns);
        let names = text.lines().last().unwrap().split(' ').count() - 1;
        text.clear();
        row().write(&columns, &mut text);
        assert_eq!(text.trim_end().split(' ').count(), names);
        expect![[r#"
            2021-03-03 06:49:42 W3SVC1 MAIL01 10.0.0.5 GET /owa/ - 443 - 192.0.2.1 HTTP/1.1 Agent+("quoted"+word) - - mail.example 302 0 0 17 0 4 -
        "#]].assert_eq(&text.replace('\r', ""));
    }
}
