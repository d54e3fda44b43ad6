//! Tokens: made from the system's randomness, kept as hashes; or derived from the server's key, kept nowhere.

use std::{io, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

/// Bytes of a random secret: 256 bits.
const SECRET_BYTES: usize = 32;

/// What a sealed text begins with; the number is that of the form.
const SEALED: &str = "sealed:1:";

/// The letters of a token: no sign that an address, a shell or a header would change.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The server's key. From it come the tokens of workers and jobs, so that a copy of the database gives none away.
#[derive(Clone)]
pub(crate) struct ServerKey([u8; SECRET_BYTES]);

/// Never shows the key.
impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey")
    }
}

impl ServerKey {
    /// Reads the key from a file, made with mode 0600 when it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
        match fs_err::read(path) {
            Ok(bytes) => bytes.try_into().map(Self).map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("`{}` is not a server key", path.display()),
                )
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = random()?;
                let mut file = fs_err::OpenOptions::new();
                file.options_mut().write(true).create_new(true).mode(0o600);
                let mut file = file.open(path)?;
                file.write_all(&key)?;
                file.sync_all()?;
                Ok(Self(key))
            }
            Err(error) => Err(error),
        }
    }

    /// The token of one thing: the same each time for the same key, purpose and name.
    pub(crate) fn derive(&self, purpose: &str, name: &str) -> String {
        let mut digest = self.mac();
        // The length keeps (`a`, `bc`) and (`ab`, `c`) apart.
        digest.update(&(purpose.len() as u64).to_le_bytes());
        digest.update(purpose.as_bytes());
        digest.update(name.as_bytes());
        in_letters(&digest.finalize().into_bytes())
    }

    /// Whether `token` is [`ServerKey::derive`]'s, compared in constant time.
    pub(crate) fn verify(&self, purpose: &str, name: &str, token: &str) -> bool {
        self.same(&self.derive(purpose, name), token)
    }

    /// A secret as the database keeps it: encrypted (ChaCha20-Poly1305, RFC 8439) with a key from this one, so that a
    /// dump of the database shows none.
    pub(crate) fn seal(&self, secret: &str) -> io::Result<String> {
        let broken = |_| io::Error::other("a secret could not be sealed");
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
        let mut text = secret.as_bytes().to_vec();
        let sealing = self.sealing().map_err(broken)?;
        sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
            .map_err(broken)?;
        Ok(format!("{SEALED}{}", BASE64_STANDARD_NO_PAD.encode([&nonce[..], &text].concat())))
    }

    /// The secret that was sealed; `None` when it was sealed with another key. A text that never was sealed is itself.
    pub(crate) fn unseal(&self, kept: &str) -> Option<String> {
        let Some(encoded) = kept.strip_prefix(SEALED) else { return Some(kept.to_owned()) };
        let mut bytes = BASE64_STANDARD_NO_PAD.decode(encoded).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.sealing().ok()?.open_in_place(nonce, Aad::empty(), text).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    fn sealing(&self) -> Result<LessSafeKey, ring::error::Unspecified> {
        let mut digest = self.mac();
        digest.update(b"seal");
        UnboundKey::new(&CHACHA20_POLY1305, &digest.finalize().into_bytes()).map(LessSafeKey::new)
    }

    /// Whether two texts are the same, in a time that does not say where they differ.
    fn same(&self, one: &str, other: &str) -> bool {
        let mut first = self.mac();
        first.update(one.as_bytes());
        let mut second = self.mac();
        second.update(other.as_bytes());
        second.verify(&first.finalize().into_bytes()).is_ok()
    }

    fn mac(&self) -> Hmac<Sha256> {
        // HMAC takes a key of any length, and this one has a fixed length.
        Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!("a key of 32 bytes"))
    }
}

fn random() -> io::Result<[u8; SECRET_BYTES]> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// A new token of 256 random bits.
pub(crate) fn new_token() -> io::Result<String> {
    Ok(in_letters(&random()?))
}

/// What is kept of a token.
pub(crate) fn hash(token: &str) -> String {
    hexadecimal(&Sha256::digest(token.as_bytes()))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// A number of 256 bits in base 62: 43 letters.
fn in_letters(bytes: &[u8]) -> String {
    let mut number: Vec<u8> = bytes.to_vec();
    let mut letters = Vec::with_capacity(43);
    while letters.len() < 43 {
        let mut rest = 0_u32;
        for digit in &mut number {
            let value = rest * 256 + u32::from(*digit);
            *digit = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        letters.push(char::from(LETTERS[rest as usize]));
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_by_purpose_name_and_key() {
        let key = ServerKey([7; SECRET_BYTES]);
        let token = key.derive("worker", "w1");
        assert_eq!(token.len(), 43);
        assert!(key.verify("worker", "w1", &token));
        assert!(!key.verify("worker", "w2", &token));
        assert!(!key.verify("job", "w1", &token));
        assert_ne!(key.derive("a", "bc"), key.derive("ab", "c"));
        assert!(!ServerKey([8; SECRET_BYTES]).verify("worker", "w1", &token));
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_only() {
        let (key, other) = (ServerKey([7; SECRET_BYTES]), ServerKey([8; SECRET_BYTES]));
        let sealed = key.seal("s3cret").unwrap();
        assert!(sealed.starts_with(SEALED) && !sealed.contains("s3cret"));
        assert_eq!(key.unseal(&sealed).as_deref(), Some("s3cret"));
        assert_eq!(other.unseal(&sealed), None);
        assert_eq!(key.unseal(&sealed[..sealed.len() - 1]), None);
        assert_ne!(key.seal("s3cret").unwrap(), sealed, "the same secret twice looks different");
        assert_eq!(key.unseal("from before").as_deref(), Some("from before"));
    }

    #[test]
    fn a_key_is_made_once_and_read_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        let token = ServerKey::open(&path).unwrap().derive("p", "n");
        assert_eq!(ServerKey::open(&path).unwrap().derive("p", "n"), token);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, b"short").unwrap();
        assert!(ServerKey::open(&path).is_err());
    }

    #[test]
    fn the_hash_of_a_token_is_its_sha_256() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_ne!(new_token().unwrap(), new_token().unwrap());
    }
}
