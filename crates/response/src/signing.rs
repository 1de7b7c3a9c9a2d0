//! Keys and signatures of what leaves the case, in the form of [minisign](https://jedisct1.github.io/minisign/): Ed25519 over a
//! `BLAKE2b` hash, so that anybody can check them without Allclear (`minisign -Vm FILE -p KEY.pub`).

use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};
use pack::{PackKey, SignatureError};

/// Why something cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("this is no secret key of minisign")]
    Key,
    #[error("the key is locked, and this is not its password")]
    Password,
    #[error("the key is locked; its password is needed")]
    Locked,
    #[error("keys cannot be made: {0}")]
    Make(String),
}

/// A key that signs.
pub struct Signer {
    secret: SecretKey,
    public: PublicKey,
}

/// Text of a new key's two files: the secret one and the public one.
pub struct NewKey {
    pub secret: String,
    pub public: String,
}

/// Makes a key; with a password it is of no use to whoever copies the file.
pub fn new_key(password: Option<&str>) -> Result<NewKey, SigningError> {
    let made = |error: minisign::PError| SigningError::Make(error.to_string());
    let pair = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password.to_owned())),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let KeyPair { pk, sk } = pair.map_err(made)?;
    let comment = Some("allclear: signs clearances and heads of audit chains");
    Ok(NewKey {
        secret: sk.to_box(comment).map_err(made)?.into_string(),
        public: pk.to_box().map_err(made)?.into_string(),
    })
}

impl Signer {
    /// Reads a secret key: the text of its file.
    pub fn read(text: &str, password: Option<&str>) -> Result<Self, SigningError> {
        let boxed = || SecretKeyBox::from_string(text).map_err(|_error| SigningError::Key);
        let secret = match boxed()?.into_unencrypted_secret_key() {
            Ok(secret) => secret,
            Err(_locked) => {
                let password = password.ok_or(SigningError::Locked)?;
                boxed()?
                    .into_secret_key(Some(password.to_owned()))
                    .map_err(|_error| SigningError::Password)?
            }
        };
        let public = PublicKey::from_secret_key(&secret).map_err(|_error| SigningError::Key)?;
        Ok(Self { secret, public })
    }

    /// The public key, as one line.
    pub fn public(&self) -> String {
        self.public.to_base64()
    }

    /// The text of a signature file over these bytes. `comment` is signed as well.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, SigningError> {
        let untrusted = Some("signature of Allclear");
        minisign::sign(
            Some(&self.public),
            &self.secret,
            bytes,
            Some(comment),
            untrusted,
        )
        .map(minisign::SignatureBox::into_string)
        .map_err(|_error| SigningError::Key)
    }
}

/// Checks a signature; `key` is the text of a `.pub` file, or its second line.
pub fn check(bytes: &[u8], signature: &str, key: &str) -> Result<(), SignatureError> {
    PackKey::read(key)?.check(bytes, signature)
}
