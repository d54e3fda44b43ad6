//! Digests: the name of an object, and the checksums a job gives.

use std::{fmt, io, io::Read, str::FromStr};

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// A SHA-256, written as 64 lower case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// The text is no digest of the kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {algorithm} checksum, which has {} hexadecimal digits", algorithm.digits())]
pub struct InvalidDigest {
    algorithm: Algorithm,
    text: String,
}

/// Which checksum a job gives (lava-compat 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `md5sum`.
    Md5,
    /// `sha256sum`.
    Sha256,
    /// `sha512sum`.
    Sha512,
}

/// A checksum that bytes must have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checksum {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest a hasher counted.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of everything `input` gives.
    pub fn of_reader(mut input: impl Read) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => return Ok(Self(hasher.finalize().into())),
                Ok(count) => hasher.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid =
            || InvalidDigest { algorithm: Algorithm::Sha256, text: text.chars().take(140).collect() };
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(invalid());
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return Err(invalid()) };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl Algorithm {
    /// The key of a job without `sum`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Hexadecimal digits of a checksum.
    pub fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Checksum {
    /// Reads the hexadecimal digits of a checksum, in either case.
    pub fn new(algorithm: Algorithm, text: &str) -> Result<Self, InvalidDigest> {
        let text = text.trim();
        if text.len() == algorithm.digits() && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            Ok(Self { algorithm, hex: text.to_ascii_lowercase() })
        } else {
            Err(InvalidDigest { algorithm, text: text.chars().take(140).collect() })
        }
    }

    /// Which checksum it is.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits, in lower case.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

/// The digests of some bytes: SHA-256 always, the others when somebody asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) sha256: Digest,
    pub(crate) md5: Option<String>,
    pub(crate) sha512: Option<String>,
}

impl Digests {
    /// The digits for `algorithm`, if they were counted.
    pub(crate) fn get(&self, algorithm: Algorithm) -> Option<String> {
        match algorithm {
            Algorithm::Md5 => self.md5.clone(),
            Algorithm::Sha256 => Some(self.sha256.to_string()),
            Algorithm::Sha512 => self.sha512.clone(),
        }
    }
}

/// Counts the digests of what is read through it.
pub(crate) struct Hashing<R> {
    input: R,
    sha256: Sha256,
    md5: Option<Md5>,
    sha512: Option<Sha512>,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    /// Counts SHA-256, and what `checksums` need.
    pub(crate) fn new(input: R, checksums: &[Checksum]) -> Self {
        let needs = |algorithm| checksums.iter().any(|checksum| checksum.algorithm == algorithm);
        Self {
            input,
            sha256: Sha256::new(),
            md5: needs(Algorithm::Md5).then(Md5::new),
            sha512: needs(Algorithm::Sha512).then(Sha512::new),
            bytes: 0,
        }
    }

    /// The digests and the number of bytes read so far.
    pub(crate) fn finish(self) -> (Digests, u64) {
        let digests = Digests {
            sha256: Digest(self.sha256.finalize().into()),
            md5: self.md5.map(|hasher| hexadecimal(&hasher.finalize())),
            sha512: self.sha512.map(|hasher| hexadecimal(&hasher.finalize())),
        };
        (digests, self.bytes)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        let bytes = &buffer[..count];
        self.sha256.update(bytes);
        if let Some(hasher) = &mut self.md5 {
            hasher.update(bytes);
        }
        if let Some(hasher) = &mut self.sha512 {
            hasher.update(bytes);
        }
        self.bytes += count as u64;
        Ok(count)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        // FIPS 180-4 and RFC 1321, the message "abc".
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let md5 = "900150983cd24fb0d6963f7d28e17f72";
        let sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                      2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        let checksums = [
            Checksum::new(Algorithm::Md5, &md5.to_uppercase()).unwrap(),
            Checksum::new(Algorithm::Sha512, sha512).unwrap(),
        ];
        let mut hashing = Hashing::new(&b"abc"[..], &checksums);
        io::copy(&mut hashing, &mut io::sink()).unwrap();
        let (digests, bytes) = hashing.finish();
        assert_eq!(bytes, 3);
        assert_eq!(digests.sha256.to_string(), sha256);
        assert_eq!(digests.get(Algorithm::Md5).as_deref(), Some(checksums[0].hex()));
        assert_eq!(digests.get(Algorithm::Sha512).as_deref(), Some(sha512));
        assert_eq!(sha256.parse(), Ok(Digest::of(b"abc")));
    }

    #[test]
    fn what_is_no_checksum_is_refused_with_its_length() {
        let error = Checksum::new(Algorithm::Md5, "abc").unwrap_err();
        assert_eq!(error.to_string(), "`abc` is not a md5 checksum, which has 32 hexadecimal digits");
        assert!("zz".repeat(32).parse::<Digest>().is_err());
    }
}
