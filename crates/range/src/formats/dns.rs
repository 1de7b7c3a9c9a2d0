//! Logs of names asked of the DNS: Zeek's `dns.log`, the query log of BIND, the debug log of Windows' DNS server.
//!
//! Written from <https://docs.zeek.org/en/master/logs/dns.html>, the BIND 9 Administrator Reference Manual, section "The
//! Query Log", and the key that the debug log of Windows has at its own head.

use crate::moment::Moment;
use serde::Deserialize;
use std::fmt::Write;

/// Which program writes the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DnsLog {
    Zeek,
    Bind,
    WindowsDebug,
}

/// A name that somebody asked for, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) time: Moment,
    /// Who asked.
    pub(crate) client: String,
    pub(crate) port: u16,
    pub(crate) name: String,
    /// Addresses and names; none where the name does not exist.
    pub(crate) answers: Vec<String>,
}

/// Columns of Zeek's log that are written.
const ZEEK_FIELDS: [(&str, &str); 14] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("query", "string"),
    ("qclass_name", "string"),
    ("qtype_name", "string"),
    ("rcode_name", "string"),
    ("answers", "vector[string]"),
    ("TTLs", "vector[interval]"),
    ("rejected", "bool"),
];

impl DnsLog {
    /// The name of the instance of the source.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zeek => "zeek",
            Self::Bind => "bind",
            Self::WindowsDebug => "windows_debug",
        }
    }

    /// The name of a day's file.
    pub(crate) fn file_name(self, day: Moment) -> String {
        let day = day.compact_day();
        match self {
            Self::Zeek => format!("dns.{day}.log"),
            Self::Bind => format!("query.{day}.log"),
            Self::WindowsDebug => format!("dns-{day}.log"),
        }
    }

    /// What stands before the first row.
    pub(crate) fn head(self, begun: Moment) -> String {
        let at = begun.civil();
        match self {
            Self::Zeek => {
                let (names, types): (Vec<_>, Vec<_>) = ZEEK_FIELDS.into_iter().unzip();
                format!(
                    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n#open\t{:04}-{:02}-{:02}-00-00-00\n#fields\t{}\n#types\t{}\n",
                    at.year,
                    at.month,
                    at.day,
                    names.join("\t"),
                    types.join("\t")
                )
            }
            Self::Bind => String::new(),
            Self::WindowsDebug => format!(
                "DNS Server log file creation at {}\r\n\r\nMessage logging key (for packets - other items use a subset of these fields):\r\n\tField #  Information         Values\r\n\t-------  -----------         ------\r\n\t   1     Date\r\n\t   2     Time\r\n\t   3     Thread ID\r\n\t   4     Context\r\n\t   5     Internal packet identifier\r\n\t   6     UDP/TCP indicator\r\n\t   7     Send/Receive indicator\r\n\t   8     Remote IP\r\n\t   9     Xid (hex)\r\n\t  10     Query/Response      R = Response\r\n\t                             blank = Query\r\n\t  11     Opcode              Q = Standard Query\r\n\t                             N = Notify\r\n\t                             U = Update\r\n\t                             ? = Unknown\r\n\t  12     [ Flags (hex)\r\n\t  13     Flags (char codes)  A = Authoritative Answer\r\n\t  14     ResponseCode ]\r\n\t  15     Question Type\r\n\t  16     Question Name\r\n\r\n",
                windows_time(begun)
            ),
        }
    }

    /// Appends the rows of a question. `resolver` is the address of whoever answers.
    pub(crate) fn write(self, question: &Question, resolver: &str, out: &mut String) {
        let Question {
            time,
            client,
            port,
            name,
            answers,
        } = question;
        let code = if answers.is_empty() {
            "NXDOMAIN"
        } else {
            "NOERROR"
        };
        match self {
            Self::Zeek => {
                let (answers, lives) = if answers.is_empty() {
                    ("-".to_owned(), "-".to_owned())
                } else {
                    let lives = vec!["60.000000"; answers.len()];
                    (answers.join(","), lives.join(","))
                };
                let (seconds, millis) = (time.0.div_euclid(1_000), time.0.rem_euclid(1_000));
                writeln!(
                out,
                    "{seconds}.{millis:03}000\tC{:x}{port:x}\t{client}\t{port}\t{resolver}\t53\tudp\t{name}\tC_INTERNET\tA\t{code}\t{answers}\t{lives}\tF",
                    time.0
                )
                .expect("writing to a string succeeds");
            }
            Self::Bind => writeln!(
                out,
                "{time} queries: info: client @0x7f3a{:08x} {client}#{port} ({name}): query: {name} IN A + ({resolver})",
                time.0 & 0xffff_ffff
            )
            .expect("writing to a string succeeds"),
            Self::WindowsDebug => {
                let (at, id, counted) = (windows_time(*time), time.0 & 0xffff, counted(name));
                write!(
                out,
                    "{at} 0E24 PACKET  000000D4B0FDE6B0 UDP Rcv {client:<15} {id:04x}   Q [0001   D   NOERROR] A      {counted}\r\n{at} 0E24 PACKET  000000D4B0FDE6B0 UDP Snd {client:<15} {id:04x} R Q [8081   DR  {code}] A      {counted}\r\n"
                )
                .expect("writing to a string succeeds");
            }
        }
    }
}

/// `6/11/2020 10:37:33 PM`.
fn windows_time(time: Moment) -> String {
    let at = time.civil();
    let half = if at.hour < 12 { "AM" } else { "PM" };
    let hour = match at.hour % 12 {
        0 => 12,
        hour => hour,
    };
    format!(
        "{}/{}/{} {hour}:{:02}:{:02} {half}",
        at.month, at.day, at.year, at.minute, at.second
    )
}

/// `(3)www(7)example(3)com(0)`.
fn counted(name: &str) -> String {
    let labels = name
        .split('.')
        .map(|label| format!("({}){label}", label.len()));
    format!("{}(0)", labels.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn rows_have_the_form_of_their_programs() {
        let time = "2020-06-11T22:37:33.512Z"
            .parse::<jiff::Timestamp>()
            .unwrap();
        let question = Question {
            time: Moment::from(time),
            client: "10.1.2.3".into(),
            port: 51_234,
            name: "www.example.com".into(),
            answers: vec!["192.0.2.77".into()],
        };
        let unknown = Question {
            answers: Vec::new(),
            ..question.clone()
        };
        let mut rows = String::new();
        for log in [DnsLog::Zeek, DnsLog::Bind, DnsLog::WindowsDebug] {
            log.write(&question, "10.1.2.53", &mut rows);
            log.write(&unknown, "10.1.2.53", &mut rows);
        }
        expect![[r"
            1591915053.512000	C172a58801c8c822	10.1.2.3	51234	10.1.2.53	53	udp	www.example.com	C_INTERNET	A	NOERROR	192.0.2.77	60.000000	F
            1591915053.512000	C172a58801c8c822	10.1.2.3	51234	10.1.2.53	53	udp	www.example.com	C_INTERNET	A	NXDOMAIN	-	-	F
            2020-06-11T22:37:33.512Z queries: info: client @0x7f3aa58801c8 10.1.2.3#51234 (www.example.com): query: www.example.com IN A + (10.1.2.53)
            2020-06-11T22:37:33.512Z queries: info: client @0x7f3aa58801c8 10.1.2.3#51234 (www.example.com): query: www.example.com IN A + (10.1.2.53)
            6/11/2020 10:37:33 PM 0E24 PACKET  000000D4B0FDE6B0 UDP Rcv 10.1.2.3        01c8   Q [0001   D   NOERROR] A      (3)www(7)example(3)com(0)
            6/11/2020 10:37:33 PM 0E24 PACKET  000000D4B0FDE6B0 UDP Snd 10.1.2.3        01c8 R Q [8081   DR  NOERROR] A      (3)www(7)example(3)com(0)
            6/11/2020 10:37:33 PM 0E24 PACKET  000000D4B0FDE6B0 UDP Rcv 10.1.2.3        01c8   Q [0001   D   NOERROR] A      (3)www(7)example(3)com(0)
            6/11/2020 10:37:33 PM 0E24 PACKET  000000D4B0FDE6B0 UDP Snd 10.1.2.3        01c8 R Q [8081   DR  NXDOMAIN] A      (3)www(7)example(3)com(0)
        "]].assert_eq(&rows.replace('\r', ""));
        let head = DnsLog::Zeek.head(question.time);
        let columns = head.lines().find_map(|line| line.strip_prefix("#fields\t"));
        let columns = columns.unwrap().split('\t').count();
        let row = rows.lines().next().unwrap();
        assert_eq!(row.split('\t').count(), columns);
        assert!(
            DnsLog::WindowsDebug
                .head(question.time)
                .contains("10:37:33 PM")
        );
    }
}
