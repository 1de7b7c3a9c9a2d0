//! What comes back: bounces (RFC 3464), automatic replies (RFC 3834), answers of people. Anybody can write such a mail, so
//! nothing is believed of one that does not quote a code, and nothing but a state comes of one that does.

use super::code::quoted;
use super::hex;
use super::state::State;
use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders, PartType};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::panic::catch_unwind;

const ANSWERS: &str = include_str!("../../../../knowledge/notices/answers.yaml");

/// Larger than any answer needs to be; a photograph of a letter is not read anyway.
pub const MAIL_BYTES_MAX: usize = 4 << 20;
/// Parts of one mail that are looked at.
const PARTS_MAX: usize = 64;
/// Of a text, as much is searched for a code.
const TEXT_MAX: usize = 256 << 10;
/// Lines of an answer before its first word is given up.
const LINES_MAX: usize = 20;

/// What a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailKind {
    Bounce,
    AutoReply,
    Answer,
}

impl MailKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::AutoReply => "auto_reply",
            Self::Answer => "answer",
        }
    }
}

/// A mail as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// SHA-256 of its bytes.
    pub id: String,
    pub kind: MailKind,
    /// The address it says it is from; empty where it says none.
    pub sender: String,
    /// Codes it quotes, in the order of how much they count: what it answers, its subject, its text.
    pub codes: Vec<String>,
    /// What it says of the notice; nothing where it only says that a server still tries.
    pub state: Option<State>,
    /// In words.
    pub why: String,
}

/// Why a mail is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    TooLarge,
    NoMail,
    NoCode,
}

impl Unusable {
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "larger than a mail may be",
            Self::NoMail => "no mail",
            Self::NoCode => "quotes no code",
        }
    }
}

/// Words that people answer with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub language: String,
    pub acted: Vec<String>,
    pub refuted: Vec<String>,
    pub acknowledged: Vec<String>,
}

/// The words that our frames ask for.
pub fn words() -> Vec<Words> {
    serde_yaml_ng::from_str(ANSWERS).expect("a test reads the table")
}

/// Reads a mail. Never fails as a whole, whatever its bytes are.
pub fn read(bytes: &[u8], words: &[Words]) -> Result<Received, Unusable> {
    if bytes.len() > MAIL_BYTES_MAX {
        return Err(Unusable::TooLarge);
    }
    // The parser is another's, and mail is written by anybody: a fault in it costs one mail.
    catch_unwind(|| parse(bytes, words)).unwrap_or(Err(Unusable::NoMail))
}

fn parse(bytes: &[u8], words: &[Words]) -> Result<Received, Unusable> {
    let mail = MessageParser::default()
        .parse(bytes)
        .ok_or(Unusable::NoMail)?;
    if mail.headers().is_empty() {
        return Err(Unusable::NoMail);
    }
    let sender = mail
        .from()
        .and_then(|from| from.first())
        .and_then(|address| address.address.as_deref())
        .unwrap_or_default()
        .to_lowercase();
    let mut codes = Codes::default();
    let bounce = delivery_status(&mail);
    if bounce.is_some() {
        codes.returned(&mail);
    }
    codes.of_header(mail.in_reply_to());
    codes.of_header(mail.references());
    codes.of(mail.subject().unwrap_or_default());
    let text = mail.body_text(0).unwrap_or_default();
    codes.of(head(&text));
    let (kind, state, why) = match bounce {
        Some((state, why)) => (MailKind::Bounce, state, why),
        None if is_automatic(&mail) => (
            MailKind::AutoReply,
            Some(State::Delivered),
            "an automatic reply came".to_owned(),
        ),
        None => {
            let (state, why) = said(&text, words);
            (MailKind::Answer, Some(state), why)
        }
    };
    if codes.found.is_empty() {
        return Err(Unusable::NoCode);
    }
    Ok(Received {
        id: hex(&Sha256::digest(bytes)),
        kind,
        sender: report::visible(&sender).into_owned(),
        codes: codes.found,
        state,
        why,
    })
}

#[derive(Default)]
struct Codes {
    found: Vec<String>,
}

impl Codes {
    fn of(&mut self, text: &str) {
        for code in quoted(text) {
            if !self.found.contains(&code) {
                self.found.push(code);
            }
        }
    }

    fn of_header(&mut self, value: &HeaderValue<'_>) {
        match value {
            HeaderValue::Text(text) => self.of(text),
            HeaderValue::TextList(list) => list.iter().rev().for_each(|text| self.of(text)),
            _ => {}
        }
    }

    /// The message that a bounce gives back, whole or its head alone.
    fn returned(&mut self, mail: &Message<'_>) {
        for part in mail.parts.iter().take(PARTS_MAX) {
            if let PartType::Message(inner) = &part.body {
                self.of(inner.message_id().unwrap_or_default());
            }
            let kind = part.content_type();
            let subtype = kind.and_then(|kind| kind.subtype()).unwrap_or_default();
            if subtype.eq_ignore_ascii_case("rfc822-headers")
                || subtype.eq_ignore_ascii_case("rfc822")
                || subtype.eq_ignore_ascii_case("delivery-status")
            {
                let text = String::from_utf8_lossy(part.contents());
                self.of(head(&text));
            }
        }
    }
}

fn head(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// What a delivery status notification says; `None` where the mail is none.
fn delivery_status(mail: &Message<'_>) -> Option<(Option<State>, String)> {
    let is_status = |part: &&mail_parser::MessagePart<'_>| {
        part.content_type().is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case("message")
                && kind
                    .subtype()
                    .is_some_and(|name| name.eq_ignore_ascii_case("delivery-status"))
        })
    };
    let part = mail.parts.iter().take(PARTS_MAX).find(is_status)?;
    let text = String::from_utf8_lossy(part.contents());
    let mut actions = BTreeSet::new();
    let mut detail = String::new();
    for line in head(&text).lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "action" => {
                let word = value.split_whitespace().next().unwrap_or_default();
                actions.insert(word.to_ascii_lowercase());
            }
            "status" if detail.is_empty() => {
                let status: String = value.trim().chars().take(16).collect();
                detail = report::visible(&status).into_owned();
            }
            _ => {}
        }
    }
    // A notice goes to one address. Should a list have passed it on, one that got it is enough.
    let found = match () {
        () if actions.contains("delivered") => Some(State::Delivered),
        () if actions.contains("relayed") || actions.contains("expanded") => None,
        () if actions.contains("failed") => Some(State::Bounced),
        () => None,
    };
    let words = match found {
        Some(State::Delivered) => "their server says it was delivered",
        Some(_) => "it came back",
        None if actions.contains("delayed") => "their server still tries",
        None => "a server passed it on",
    };
    let status = match detail.as_str() {
        "" => String::new(),
        detail => format!(" ({detail})"),
    };
    Some((found, format!("{words}{status}")))
}

/// RFC 3834, section 5, and what programs did before it.
fn is_automatic(mail: &Message<'_>) -> bool {
    let header = |name: &'static str| {
        let value = mail.header_raw(name).unwrap_or_default();
        value.trim().to_ascii_lowercase()
    };
    let submitted = header("Auto-Submitted");
    let is_no = submitted.split([';', ' ']).next() == Some("no");
    !submitted.is_empty() && !is_no
        || !header("X-Autoreply").is_empty()
        || !header("X-Autorespond").is_empty()
        || header("Precedence") == "auto_reply"
        || header("X-Auto-Response-Suppress").contains("all") && mail.return_address() == Some("")
}

/// What a person says in the first line of their own that holds anything.
fn said(text: &str, words: &[Words]) -> (State, String) {
    let first = head(text)
        .lines()
        .take(LINES_MAX)
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('>'));
    let spoken = first.unwrap_or_default().to_lowercase();
    let spoken = spoken.trim_matches(|c: char| !c.is_alphanumeric());
    let spoken: Vec<&str> = spoken.split_whitespace().collect();
    let spoken = spoken.join(" ");
    for words in words {
        let is = |list: &[String]| list.contains(&spoken);
        if is(&words.refuted) {
            return (
                State::Refuted,
                "they say that it is not so, or not theirs".to_owned(),
            );
        }
        if is(&words.acted) {
            return (State::Acted, "they say that they acted".to_owned());
        }
    }
    (State::Acknowledged, "they answered".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::code::code;

    fn check(mail: &str) -> String {
        let code = code("s", &["x"]);
        let mail = mail
            .replace("CODE", &code)
            .replace("LOWER", &code.to_lowercase())
            .replace('\n', "\r\n");
        match read(mail.as_bytes(), &words()) {
            Ok(read) => format!(
                "{} from {}: {} ({}){}",
                read.kind.name(),
                read.sender,
                read.state.map_or("-", State::name),
                read.why,
                if read.codes == [code] {
                    ""
                } else {
                    " other codes"
                }
            ),
            Err(why) => why.name().to_owned(),
        }
    }

    const BOUNCE: &str = "From: MAILER-DAEMON@mx.example\nTo: <cert@cert.example>\nSubject: Undelivered Mail\n\
        Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\nMIME-Version: 1.0\n\n\
        --b\nContent-Type: text/plain\n\nSorry.\n\n\
        --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
        Final-Recipient: rfc822; a@b.example\nAction: ACTION\nStatus: 5.1.1\n\n\
        --b\nContent-Type: PART\n\nMessage-ID: <LOWER@cert.example>\nSubject: x\n\n--b--\n";

    #[test]
    fn bounces_auto_replies_and_answers_are_told_apart() {
        for (action, part, expected) in [
            (
                "failed",
                "text/rfc822-headers",
                "bounced (it came back (5.1.1))",
            ),
            ("failed", "message/rfc822", "bounced (it came back (5.1.1))"),
            (
                "delayed",
                "message/rfc822",
                "- (their server still tries (5.1.1))",
            ),
            (
                "delivered",
                "message/rfc822",
                "delivered (their server says it was delivered (5.1.1))",
            ),
            (
                "relayed",
                "message/rfc822",
                "- (a server passed it on (5.1.1))",
            ),
        ] {
            let mail = BOUNCE.replace("ACTION", action).replace("PART", part);
            assert_eq!(
                check(&mail),
                format!("bounce from mailer-daemon@mx.example: {expected}")
            );
        }
        let head = "From: A <Admin@b.example>\nSubject: Re: [CODE] your servers\n";
        for (rest, expected) in [
            (
                "Auto-Submitted: auto-replied (vacation)\n\nI am away. DONE\n",
                "auto_reply from admin@b.example: delivered (an automatic reply came)",
            ),
            (
                "Auto-Submitted: no\n\n\nDone.\n> text\n",
                "answer from admin@b.example: acted (they say that they acted)",
            ),
            (
                "\nDone? Not yet, we are looking.\n",
                "answer from admin@b.example: acknowledged (they answered)",
            ),
            (
                "\n> DONE\n> NOT OURS\nwe look into it\n",
                "answer from admin@b.example: acknowledged (they answered)",
            ),
            (
                "\nNicht  unser!\n",
                "answer from admin@b.example: refuted (they say that it is not so, or not theirs)",
            ),
        ] {
            assert_eq!(check(&format!("{head}{rest}")), expected);
        }
        assert_eq!(
            check("From: a@b.example\nIn-Reply-To: <LOWER@cert.example>\nSubject: hello\n\nthanks"),
            "answer from a@b.example: acknowledged (they answered)"
        );
    }

    #[test]
    fn damaged_mail_is_refused_with_a_reason() {
        assert_eq!(
            check("From: a@b.example\nSubject: win a prize\n\nhello"),
            "quotes no code"
        );
        assert_eq!(check(""), "no mail");
        assert_eq!(
            read(&vec![b'a'; MAIL_BYTES_MAX + 1], &words()).unwrap_err(),
            Unusable::TooLarge
        );
        // However deep parts are nested, and however a bounce ends, it is read or refused.
        let mut nested = String::from("Subject: CODE\n");
        for depth in 0..2_000 {
            let part = format!("Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n");
            nested.push_str(&part);
        }
        check(&nested);
        for end in 0..BOUNCE.len() {
            check(BOUNCE.get(..end).unwrap());
        }
    }
}
