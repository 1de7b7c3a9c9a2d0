//! Ticket codes: what a recipient quotes when answering or asking whether a notice is genuine.
//!
//! A code is made of a secret of the case and of what the notice is about: the same notice has the same code, and nobody
//! outside can guess one. Letters and digits are those of Crockford's Base32, which leaves out what looks alike.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PREFIX: &str = "AC-";
/// 60 bits: enough that guessing is hopeless, short enough to be read out over a telephone.
const CHARACTERS: usize = 12;
const GROUP: usize = 4;
/// More codes than any mail that is about one notice quotes.
const FOUND_MAX: usize = 16;

/// The code of what these parts name.
pub fn code(secret: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in [secret].iter().chain(parts) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut bits = digest
        .iter()
        .take(8)
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut text = PREFIX.to_owned();
    for at in 0..CHARACTERS {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        let index = usize::try_from(bits >> 59).unwrap_or(0);
        text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'0')));
        bits <<= 5;
    }
    text
}

/// The codes that a text quotes, each once, in the order of the text. Case does not matter, and O, I and L are read as the
/// digits that they look like.
pub fn quoted(text: &str) -> Vec<String> {
    let upper = text.to_ascii_uppercase();
    let mut found = Vec::new();
    for (at, _) in upper.match_indices(PREFIX) {
        let rest = upper.get(at + PREFIX.len()..).unwrap_or_default();
        let mut code = PREFIX.to_owned();
        let mut characters = 0;
        for character in rest.chars() {
            let character = match character {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if character == '-' && characters % GROUP == 0 && !code.ends_with('-') {
                code.push('-');
            } else if characters < CHARACTERS
                && u8::try_from(character).is_ok_and(|byte| ALPHABET.contains(&byte))
                && (characters % GROUP != 0 || code.ends_with('-'))
            {
                code.push(character);
                characters += 1;
            } else {
                break;
            }
        }
        let code = code.trim_end_matches('-').to_owned();
        if characters == CHARACTERS && !found.contains(&code) && found.len() < FOUND_MAX {
            found.push(code);
        }
    }
    found
}

/// The text before the `@` of a notice's Message-ID.
pub fn local_part(code: &str) -> String {
    code.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_again_in_what_people_make_of_it() {
        let made = code("secret", &["campaign", "admin@example.org"]);
        assert_eq!(made, code("secret", &["campaign", "admin@example.org"]));
        assert_ne!(made, code("other", &["campaign", "admin@example.org"]));
        // Where the parts end is part of it.
        assert_ne!(code("s", &["ab", "c"]), code("s", &["a", "bc"]));
        for text in [
            format!("Re: [{made}] your servers"),
            format!("<{}@cert.example>", made.to_lowercase()),
            format!("done, {}.", made.replace('0', "o").replace('1', "l")),
        ] {
            assert_eq!(quoted(&text), std::slice::from_ref(&made), "{text}");
        }
        assert!(quoted("AC- AC-12 AC-1234-5678 ac-----------").is_empty());
        assert_eq!(quoted(&format!("{made}\n> {made}")).len(), 1);
    }
}
