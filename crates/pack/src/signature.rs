//! Signatures of packs, in the form of [minisign](https://jedisct1.github.io/minisign/): Ed25519 over a `BLAKE2b` hash.

use minisign_verify::{Error, PublicKey, Signature};

/// A public key that packs are signed with.
#[derive(Clone, Debug)]
pub struct PackKey(PublicKey);

/// Why a key or a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("not a public key of minisign")]
    Key,
    #[error("not a signature of minisign")]
    Form,
    #[error("signed with another key")]
    OtherKey,
    #[error("signed in minisign's old form, over the file itself and not its hash")]
    OldForm,
    #[error("the signature is not one of these bytes")]
    Wrong,
}

impl PackKey {
    /// Reads a key: the text of a `.pub` file, or its second line alone.
    ///
    /// # Errors
    /// Where it is no key.
    pub fn read(text: &str) -> Result<Self, SignatureError> {
        let text = text.trim();
        let key = if text.contains('\n') {
            PublicKey::decode(text)
        } else {
            PublicKey::from_base64(text)
        };
        key.map(Self).map_err(|_none| SignatureError::Key)
    }

    /// Checks the text of a `.minisig` file against the bytes that it should be of.
    ///
    /// # Errors
    /// Where this key did not sign these bytes.
    pub fn check(&self, bytes: &[u8], signature: &str) -> Result<(), SignatureError> {
        let signature = Signature::decode(signature).map_err(|_none| SignatureError::Form)?;
        let checked = self.0.verify(bytes, &signature, false);
        checked.map_err(|error| match error {
            Error::UnexpectedKeyId => SignatureError::OtherKey,
            Error::UnexpectedAlgorithm => SignatureError::OldForm,
            _ => SignatureError::Wrong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A key that was made for this test and thrown away, its signature of `pack`, and another key's.
    const KEY: &str = "RWRZfiMjz41PS2nDRSBAJjmfYliB557t1BjikytS6oIoqAxcrBxfinSD";
    const SIGNATURE: &str = "untrusted comment: signature of a pack for tests
RURZfiMjz41PS1zPjyZsccHvO9f31kqg2jt7Ew0rfmUtcWtXKE/k87+LGjoZeT6PgTpYNOTtfZ9RYk5gNqLvzzg6L9/7yKj/LAM=
trusted comment: a pack for tests
3Pu1EiZ1JUNAwD4yKBI3DlDUOtamQlgVCrn3cJuwbRacKHE56TbtdaGkaOF+NdlWwGB0sXk3tSd2MLu4BHwyAg==
";
    const SIGNATURE_OF_ANOTHER: &str = "untrusted comment: signature of a pack for tests
RUTol+A4Bl9V+rB2YBa/qyfOidDjIv2KNUL/fK7uWewH8QQksczaCiPhCS+Vc1qvvVTT15EisefdcZwyP1ZLaspUVYSlxtp20ws=
trusted comment: a pack for tests
eYvXGjEqe0/hUKG9APC5uv5HQu4pkxBJKuYd1L1Kb8GkOMG/tFysX/c3Cs/dqBG0qM5uBGA9FqXqgXYgy039DA==
";

    #[test]
    fn only_these_bytes_signed_with_this_key_are_trusted() {
        for text in [
            KEY.to_owned(),
            format!("untrusted comment: a key\r\n{KEY}\r\n"),
        ] {
            let key = PackKey::read(&text).unwrap();
            let check = |bytes: &[u8], signature: &str| key.check(bytes, signature);
            assert_eq!(check(b"pack", SIGNATURE), Ok(()));
            assert_eq!(check(b"pac", SIGNATURE), Err(SignatureError::Wrong));
            let other = check(b"pack", SIGNATURE_OF_ANOTHER);
            assert_eq!(other, Err(SignatureError::OtherKey));
            // What a signature says of itself is signed as well.
            let renamed = SIGNATURE.replace("trusted comment: a", "trusted comment: the");
            assert_eq!(check(b"pack", &renamed), Err(SignatureError::Wrong));
            // `Ed` instead of `ED` in front of the key's id: over the file itself.
            let old = SIGNATURE.replace("\nRUR", "\nRWR");
            assert_eq!(check(b"pack", &old), Err(SignatureError::OldForm));
            assert_eq!(check(b"pack", "x"), Err(SignatureError::Form));
        }
        assert_eq!(PackKey::read("x").err(), Some(SignatureError::Key));
    }

    proptest! {
        #[test]
        fn whatever_stands_in_keys_and_signatures_nothing_panics(
            text in ".{0,200}",
            lines in prop::collection::vec("[A-Za-z0-9+/=: ]{0,110}", 0..5),
            at in 0_usize..SIGNATURE.len() - 2,
        ) {
            let key = PackKey::read(KEY).unwrap();
            for text in [text, lines.join("\n"), SIGNATURE[..at].to_owned()] {
                let _none = PackKey::read(&text);
                prop_assert!(key.check(b"pack", &text).is_err());
            }
        }
    }
}
