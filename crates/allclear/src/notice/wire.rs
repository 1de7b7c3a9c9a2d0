//! A connection to a mail server, told apart by what is certain afterwards: taken, not taken, or unknown.

use crate::exit::Failure;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailCommand, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use response::notice::mail::Mail;
use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;
use url::Url;

/// A server that says nothing for so long has gone.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Servers end a session after some mails; better to begin a new one before.
const MAILS_A_SESSION: usize = 100;

/// What became of a mail.
#[derive(Debug)]
pub(super) enum Delivery {
    /// The server took it.
    Taken,
    /// The server said no, for good.
    Refused(String),
    /// It certainly was not taken; later it may be.
    NotYet(String),
    /// It went out, and no answer came.
    Unknown(String),
}

/// A mail server.
pub(super) struct Wire {
    url: Url,
    password: Option<String>,
    session: Option<(SmtpConnection, usize)>,
}

impl Wire {
    pub(super) fn new(url: &str, password: Option<String>) -> Result<Self, Failure> {
        let refused = |why: &str| {
            Failure::usage(
                format!("{url}: {why}"),
                "such as smtps://user@mail.example:465 or smtp://127.0.0.1:25",
            )
        };
        let parsed = Url::parse(url).map_err(|error| refused(&error.to_string()))?;
        if !matches!(parsed.scheme(), "smtp" | "smtps") || parsed.host_str().is_none() {
            return Err(refused("it is no address of a mail server"));
        }
        if parsed.password().is_some() {
            return Err(refused(
                "a password must not stand on the command line; set ALLCLEAR_SMTP_PASSWORD",
            ));
        }
        Ok(Self {
            url: parsed,
            password,
            session: None,
        })
    }

    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        host.trim_matches(['[', ']']).to_owned()
    }

    /// Whether the server is on this machine: only then nobody can listen. A name may lead anywhere, but `localhost`.
    fn is_here(&self) -> bool {
        let host = self.host();
        let address = host.parse::<IpAddr>();
        address.is_ok_and(|address| address.is_loopback()) || host.eq_ignore_ascii_case("localhost")
    }

    fn connect(&mut self) -> Result<SmtpConnection, Error> {
        let host = self.host();
        let is_tls = self.url.scheme() == "smtps";
        let port = self.url.port().unwrap_or(if is_tls { 465 } else { 25 });
        let hello = ClientId::default();
        let tls = if is_tls || !self.is_here() {
            Some(TlsParameters::new(host.clone())?)
        } else {
            None
        };
        // Each address of the host in turn, as the library does; names are looked up once a session.
        let addresses: Vec<_> = (host.as_str(), port)
            .to_socket_addrs()
            .map(Iterator::collect)
            .unwrap_or_default();
        let at_once = if is_tls { tls.as_ref() } else { None };
        let mut connection =
            SmtpConnection::connect(addresses.as_slice(), Some(TIMEOUT), &hello, at_once, None)?;
        if let (Some(tls), false) = (&tls, is_tls) {
            connection.starttls(tls, &hello)?;
        }
        if !self.url.username().is_empty()
            && let Some(password) = &self.password
        {
            let user = self.url.username().replace("%40", "@");
            let credentials = Credentials::new(user, password.clone());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)?;
        }
        Ok(connection)
    }

    /// Hands a mail over.
    pub(super) fn deliver(&mut self, mail: &Mail) -> Delivery {
        let (mut connection, sent) = match self.session.take() {
            Some((connection, sent)) if sent < MAILS_A_SESSION => (connection, sent),
            other => {
                if let Some((mut old, _)) = other {
                    // It has done its work; how it ends does not matter.
                    let _ = old.quit();
                }
                match self.connect() {
                    Ok(connection) => (connection, 0),
                    Err(error) => return Delivery::NotYet(error.to_string()),
                }
            }
        };
        let delivery = deliver(&mut connection, mail);
        if matches!(delivery, Delivery::Taken) {
            self.session = Some((connection, sent + 1));
        } else {
            connection.abort();
        }
        delivery
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some((connection, _)) = &mut self.session {
            let _ = connection.quit();
        }
    }
}

fn deliver(connection: &mut SmtpConnection, mail: &Mail) -> Delivery {
    let mut options = Vec::new();
    let info = connection.server_info();
    let addresses = mail.envelope.to().iter().chain(mail.envelope.from());
    if addresses
        .into_iter()
        .any(|address| !AsRef::<str>::as_ref(address).is_ascii())
    {
        if !info.supports_feature(Extension::SmtpUtfEight) {
            return Delivery::Refused("the server takes no addresses outside of ASCII".to_owned());
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    if !mail.bytes.is_ascii() {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    // Until the last line of the mail has gone, nothing can have been taken.
    let before = |error: &Error| {
        if error.is_permanent() {
            Delivery::Refused(error.to_string())
        } else {
            Delivery::NotYet(error.to_string())
        }
    };
    if let Err(error) = connection.command(MailCommand::new(mail.envelope.from().cloned(), options))
    {
        return before(&error);
    }
    for address in mail.envelope.to() {
        if let Err(error) = connection.command(Rcpt::new(address.clone(), Vec::new())) {
            return before(&error);
        }
    }
    if let Err(error) = connection.command(Data) {
        return before(&error);
    }
    match connection.message(&mail.bytes) {
        Ok(_) => Delivery::Taken,
        Err(error) if error.is_permanent() => Delivery::Refused(error.to_string()),
        Err(error) if error.is_transient() => Delivery::NotYet(error.to_string()),
        Err(error) => Delivery::Unknown(error.to_string()),
    }
}
