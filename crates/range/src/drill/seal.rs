//! Seals the truth: ChaCha20-Poly1305 (RFC 8439) by a key that seals nothing else.
//!
//! A sealed truth is a line that names the form, 32 bytes that commit to the key, the ciphertext, and its tag. The nonce is
//! zero: it must be unique for a key, and each drill has a key of its own. The cipher alone does not commit to its key (two
//! keys could be made that open one ciphertext to two truths), so a hash of the key stands in front, and both are
//! authenticated. The truth is filled up with spaces to a round length, since a long story makes a long truth.

use crate::files::hex;
use crate::truth::{FleetTruth, SCHEMA};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// First line of a sealed truth.
const FORM: &[u8] = b"allclear/range-sealed-truth/1\n";

/// First word of a key's text.
const KEY_FORM: &str = "allclear/range-key/1";

/// Sets the hash that commits to the key apart from every other use of SHA-256.
const KEY_LABEL: &[u8] = b"allclear/range-sealed-truth/1 key\0";

const KEY_BYTES: usize = 32;

/// The truth is filled up to a multiple of this, or of so much for each host where that is more.
const LENGTH_STEP: usize = 1 << 20;
const LENGTH_STEP_EACH_HOST: usize = 1 << 14;

/// Opens one sealed truth.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// A key of these bytes, which must come from the operating system's randomness and must not be used again.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// As it is kept in a file: one line.
    pub fn to_text(&self) -> String {
        format!("{KEY_FORM} {}\n", hex(&self.0))
    }

    fn commitment(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(KEY_LABEL);
        hash.update(self.0);
        hash.finalize().into()
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&self.0.into())
    }
}

impl fmt::Debug for Key {
    /// Without the key: what is printed is kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl FromStr for Key {
    type Err = SealError;

    /// Reads what [`Key::to_text`] wrote.
    fn from_str(text: &str) -> Result<Self, SealError> {
        let digits = text
            .trim()
            .strip_prefix(KEY_FORM)
            .map(str::trim)
            .filter(|digits| digits.len() == KEY_BYTES * 2)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .ok_or(SealError::NoKey)?;
        let mut bytes = [0; KEY_BYTES];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = &digits[index * 2..index * 2 + 2];
            *byte = u8::from_str_radix(pair, 16).expect("two hexadecimal digits");
        }
        Ok(Self(bytes))
    }
}

/// Why a sealed truth does not open.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("it is no key: a key is one line, `{KEY_FORM}` and 64 hexadecimal digits")]
    NoKey,
    #[error("it is no sealed truth")]
    NotSealed,
    #[error("the key is of another drill")]
    OtherKey,
    #[error("the sealed truth was changed after it had been sealed")]
    Changed,
    #[error("what was sealed is no truth of the form {SCHEMA}")]
    NoTruth(#[source] Option<serde_json::Error>),
    #[error("the truth cannot be written")]
    Write(#[source] serde_json::Error),
}

/// Seals the truth by a key that has sealed nothing before.
///
/// # Errors
/// When the truth cannot be written as JSON, which does not happen.
pub fn seal(truth: &FleetTruth, key: &Key) -> Result<Vec<u8>, SealError> {
    let mut text = serde_json::to_vec(truth).map_err(SealError::Write)?;
    let step = LENGTH_STEP.max(truth.hosts.len().saturating_mul(LENGTH_STEP_EACH_HOST));
    text.resize(text.len().next_multiple_of(step), b' ');
    let head = head(key);
    let payload = Payload {
        msg: &text,
        aad: &head,
    };
    let sealed = key
        .cipher()
        .encrypt(&Nonce::default(), payload)
        .expect("a truth is far shorter than 256 GiB, the cipher's bound");
    Ok([head, sealed].concat())
}

/// Opens a sealed truth.
///
/// # Errors
/// When it is none, when it was sealed by another key, when it was changed, or when what was sealed is no truth.
pub fn open(sealed: &[u8], key: &Key) -> Result<FleetTruth, SealError> {
    let rest = sealed.strip_prefix(FORM).ok_or(SealError::NotSealed)?;
    let (commitment, ciphertext) = rest
        .split_at_checked(key.commitment().len())
        .ok_or(SealError::NotSealed)?;
    if commitment != key.commitment() {
        return Err(SealError::OtherKey);
    }
    let payload = Payload {
        msg: ciphertext,
        aad: &head(key),
    };
    let text = key
        .cipher()
        .decrypt(&Nonce::default(), payload)
        .map_err(|_error| SealError::Changed)?;
    let truth: FleetTruth =
        serde_json::from_slice(&text).map_err(|error| SealError::NoTruth(Some(error)))?;
    if truth.schema != SCHEMA {
        return Err(SealError::NoTruth(None));
    }
    Ok(truth)
}

/// The SHA-256 of a sealed truth, in hexadecimal digits.
pub fn commitment(sealed: &[u8]) -> String {
    hex(&Sha256::digest(sealed))
}

/// What stands before the ciphertext, and is authenticated with it.
fn head(key: &Key) -> Vec<u8> {
    [FORM, &key.commitment()].concat()
}
