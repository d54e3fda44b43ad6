//! A file in the guest, reached through its shell: nothing of ours needs to be in the guest but `base64`, `sha256sum`, `tail`,
//! `head` and `wc` (POSIX and coreutils; busybox has them all).

use std::sync::atomic::{AtomicU64, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pumice_types::Failure;

use super::{Hands, Ran, What, refused};

/// How much of a file is asked for at once; its base64 must fit into what a console keeps for a wait (128 KiB).
const READ_BYTES: u64 = 24 << 10;

/// Makes the names of temporary files differ.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A file in a machine's guest.
pub(super) struct GuestFile<'h> {
    hands: &'h Hands,
    machine: String,
    path: String,
}

impl<'h> GuestFile<'h> {
    /// How much is typed in one line: busybox's line editor takes 1,023 characters (`FEATURE_EDITING_MAX_LEN`), and base64 has
    /// four for three bytes.
    pub(super) const PIECE_BYTES: usize = 480;

    pub(super) fn new(hands: &'h Hands, machine: &str, path: String) -> Self {
        Self { hands, machine: machine.to_owned(), path }
    }

    /// A file of ours that nobody else uses.
    pub(super) fn temporary(hands: &'h Hands, machine: &str, what: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::new(hands, machine, format!("/tmp/.pumice-{what}-{number}"))
    }

    /// The path as one word of a shell's.
    pub(super) fn quoted(&self) -> String {
        quoted(&self.path)
    }

    async fn run(&self, line: String) -> Result<Ran, Failure> {
        self.hands.wish(&self.machine, What::Shell(line)).await
    }

    async fn must_run(&self, line: String) -> Result<Ran, Failure> {
        let ran = self.run(line).await?;
        if ran.status == 0 {
            return Ok(ran);
        }
        let said = String::from_utf8_lossy(&ran.output).trim().to_owned();
        let message =
            format!("the guest's shell ended with status {} for `{}`: {said}", ran.status, self.path);
        Err(refused(&message)
            .hint("the guest needs base64, sha256sum, head, tail and wc, and room for the file"))
    }

    /// How long it is; `None` when it is not there.
    pub(super) async fn size(&self) -> Result<Option<u64>, Failure> {
        let ran = self.run(format!("test -f {0} && wc -c < {0}", self.quoted())).await?;
        let text = String::from_utf8_lossy(&ran.output).trim().to_owned();
        Ok(text.parse().ok().filter(|_| ran.status == 0))
    }

    pub(super) async fn make_empty(&self) -> Result<(), Failure> {
        self.must_run(format!(": > {}", self.quoted())).await.map(drop)
    }

    pub(super) async fn append(&self, piece: &[u8]) -> Result<(), Failure> {
        let line = format!("echo {} | base64 -d >> {}", STANDARD.encode(piece), self.quoted());
        self.must_run(line).await.map(drop)
    }

    /// The bytes from `offset` on, as many as come at once.
    pub(super) async fn read(&self, offset: u64) -> Result<Vec<u8>, Failure> {
        let line = format!("tail -c +{} {} | head -c {READ_BYTES} | base64", offset + 1, self.quoted());
        let ran = self.must_run(line).await?;
        let text: Vec<u8> = ran.output.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        STANDARD.decode(text).map_err(|error| {
            refused(&format!("what the guest sent of `{}` was damaged on the console: {error}", self.path))
        })
    }

    pub(super) async fn sha256(&self) -> Result<String, Failure> {
        let ran = self.must_run(format!("sha256sum < {}", self.quoted())).await?;
        let text = String::from_utf8_lossy(&ran.output);
        Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
    }

    pub(super) async fn remove(&self) -> Result<(), Failure> {
        self.must_run(format!("rm -f {}", self.quoted())).await.map(drop)
    }

    pub(super) async fn rename(&self, path: &str) -> Result<(), Failure> {
        self.must_run(format!("mv -f {} {}", self.quoted(), quoted(path))).await.map(drop)
    }
}

/// A text as one word of a shell's (POSIX 2.2.2).
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_whatever_is_in_it() {
        assert_eq!(quoted("/a b/it's $(x)"), r"'/a b/it'\''s $(x)'");
    }
}
