//! A notice as the bytes that go over the wire: plain text, its table beside it, encrypted where a key is known
//! (PGP/MIME, RFC 3156).

use super::code::local_part;
use jiff::Timestamp;
use lettre::address::Envelope;
use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType};
use lettre::message::{Attachment, Body, Mailbox, Message, MultiPart, SinglePart};
use pgp::composed::{
    ArmorOptions, Deserializable, MessageBuilder, SignedPublicKey, SignedPublicSubKey,
};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::SignatureType;
use pgp::types::KeyDetails;
use std::time::{Duration, UNIX_EPOCH};
use store::response::NoticeRow;

/// Larger than any key with its signatures that a contact publishes for this.
const KEY_BYTES_MAX: usize = 256 << 10;

/// Why no mail can be made.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("`{0}` is no address that a mail can go to")]
    Address(String),
    #[error("the OpenPGP key of {address} cannot be used: {why}")]
    Key { address: String, why: String },
    #[error("the mail cannot be made: {0}")]
    Message(#[from] lettre::error::Error),
}

/// A mail: whom it goes to, and its bytes.
#[derive(Clone, Debug)]
pub struct Mail {
    pub envelope: Envelope,
    pub bytes: Vec<u8>,
}

/// The Message-ID of a notice: made of its code, so that a server that gets it twice can tell, and an answer names it.
pub fn message_id(code: &str, from: &Mailbox) -> String {
    format!("<{}@{}>", local_part(code), from.email.domain())
}

/// The mail that a notice is.
pub fn mail(notice: &NoticeRow, from: &Mailbox, now: Timestamp) -> Result<Mail, MailError> {
    let address: lettre::Address = notice
        .address
        .parse()
        .map_err(|_error| MailError::Address(notice.address.clone()))?;
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let mut builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, address.clone()))
        .date(UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(message_id(&notice.id, from)))
        .subject(notice.subject.clone());
    if let Some(parent) = &notice.parent {
        let parent = message_id(parent, from);
        builder = builder.in_reply_to(parent.clone()).references(parent);
    }
    let text = SinglePart::plain(notice.body.clone());
    let boundary = format!("=_{}", local_part(&notice.id));
    let table = notice.attachment.as_ref().map(|table| {
        let kind = ContentType::parse("text/csv; charset=utf-8").expect("it is a content type");
        Attachment::new(format!("{}.csv", notice.id)).body(table.clone(), kind)
    });
    let content = table.map(|table| {
        MultiPart::builder()
            .kind(lettre::message::MultiPartKind::Mixed)
            .boundary(format!("{boundary}-mixed"))
            .singlepart(text.clone())
            .singlepart(table)
    });
    let message = match (&notice.pgp_key, content) {
        (None, None) => builder.singlepart(text)?,
        (None, Some(content)) => builder.multipart(content)?,
        (Some(key), content) => {
            let inner = content.map_or_else(|| text.formatted(), |content| content.formatted());
            let encrypted =
                encrypt(key, inner, now.as_microsecond()).map_err(|why| MailError::Key {
                    address: notice.address.clone(),
                    why,
                })?;
            builder.multipart(pgp_mime(&boundary, &encrypted))?
        }
    };
    let envelope =
        Envelope::new(Some(from.email.clone()), vec![address]).map_err(MailError::Message)?;
    Ok(Mail {
        envelope,
        bytes: message.formatted(),
    })
}

/// RFC 3156, section 4.
fn pgp_mime(boundary: &str, encrypted: &str) -> MultiPart {
    let kind = |text| ContentType::parse(text).expect("it is a content type");
    let plain = |text: String| {
        Body::new_with_encoding(text, ContentTransferEncoding::SevenBit).unwrap_or_else(Body::new)
    };
    let version = SinglePart::builder()
        .header(kind("application/pgp-encrypted"))
        .body(plain("Version: 1\r\n".to_owned()));
    let content = SinglePart::builder()
        .header(kind("application/octet-stream"))
        .header(ContentDisposition::inline_with_name("encrypted.asc"))
        .body(plain(encrypted.replace("\r\n", "\n").replace('\n', "\r\n")));
    MultiPart::builder()
        .kind(lettre::message::MultiPartKind::Encrypted {
            protocol: "application/pgp-encrypted".to_owned(),
        })
        .boundary(format!("{boundary}-pgp"))
        .singlepart(version)
        .singlepart(content)
}

/// Whether something can be encrypted to a key at a time; else why not.
pub fn check_key(armoured: &str, now: i64) -> Result<(), String> {
    let key = read_key(armoured)?;
    encryption_key(&key, now).map(|_| ())
}

fn read_key(armoured: &str) -> Result<SignedPublicKey, String> {
    if armoured.len() > KEY_BYTES_MAX {
        return Err(format!("it is larger than {KEY_BYTES_MAX} bytes"));
    }
    let (key, _) = SignedPublicKey::from_string(armoured)
        .map_err(|_error| "it is no armoured public key".to_owned())?;
    key.verify_bindings()
        .map_err(|_error| "its own signatures do not hold".to_owned())?;
    Ok(key)
}

/// The newest subkey that may be encrypted to, or the key itself where it may.
enum Usable<'a> {
    Primary(&'a SignedPublicKey),
    Subkey(&'a SignedPublicSubKey),
}

fn encryption_key(key: &SignedPublicKey, now: i64) -> Result<Usable<'_>, String> {
    if !key.details.revocation_signatures.is_empty() {
        return Err("it was revoked".to_owned());
    }
    let seconds = u64::try_from(now / 1_000_000).unwrap_or(0);
    let is_over = |created: u32, lasts: Option<Duration>| {
        lasts.is_some_and(|lasts| {
            lasts.as_secs() > 0 && u64::from(created).saturating_add(lasts.as_secs()) <= seconds
        })
    };
    let created = key.primary_key.created_at().as_secs();
    let own: Vec<_> = key
        .details
        .users
        .iter()
        .flat_map(|user| &user.signatures)
        .chain(&key.details.direct_signatures)
        .collect();
    let newest = own
        .iter()
        .max_by_key(|signature| signature.created().map(pgp::types::Timestamp::as_secs));
    if newest
        .is_some_and(|signature| is_over(created, signature.key_expiration_time().map(Into::into)))
    {
        return Err("it has expired".to_owned());
    }
    let mut found: Option<(u32, &SignedPublicSubKey)> = None;
    let mut has_expired = false;
    for subkey in &key.public_subkeys {
        let revoked = subkey
            .signatures
            .iter()
            .any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation));
        let binding = subkey
            .signatures
            .iter()
            .filter(|signature| signature.typ() == Some(SignatureType::SubkeyBinding))
            .max_by_key(|signature| signature.created().map(pgp::types::Timestamp::as_secs));
        let Some(binding) = binding else { continue };
        let flags = binding.key_flags();
        if revoked || !(flags.encrypt_comms() || flags.encrypt_storage()) {
            continue;
        }
        let created = subkey.key.created_at().as_secs();
        if is_over(created, binding.key_expiration_time().map(Into::into)) {
            has_expired = true;
            continue;
        }
        if found.is_none_or(|(best, _)| created >= best) {
            found = Some((created, subkey));
        }
    }
    if let Some((_, subkey)) = found {
        return Ok(Usable::Subkey(subkey));
    }
    if newest.is_some_and(|signature| {
        let flags = signature.key_flags();
        flags.encrypt_comms() || flags.encrypt_storage()
    }) {
        return Ok(Usable::Primary(key));
    }
    Err(if has_expired {
        "its encryption key has expired".to_owned()
    } else {
        "it has no encryption key".to_owned()
    })
}

/// An armoured message that only the key's owner can read.
pub fn encrypt(armoured: &str, text: Vec<u8>, now: i64) -> Result<String, String> {
    let key = read_key(armoured)?;
    let usable = encryption_key(&key, now)?;
    let mut random = rand::thread_rng();
    let mut builder =
        MessageBuilder::from_bytes("", text).seipd_v1(&mut random, SymmetricKeyAlgorithm::AES256);
    match usable {
        Usable::Primary(key) => builder.encrypt_to_key(&mut random, key),
        Usable::Subkey(subkey) => builder.encrypt_to_key(&mut random, subkey),
    }
    .map_err(|error| error.to_string())?;
    builder
        .to_armored_string(&mut random, ArmorOptions::default())
        .map_err(|error| error.to_string())
}
