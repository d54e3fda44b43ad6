//! Secrets are replaced by `[MASKED]` wherever text leaves us.

/// What stands for a secret.
pub const MASK: &str = "[MASKED]";

/// Replaces secrets in text. Secrets are replaced whole and the longest first, so that one secret inside
/// another leaves nothing behind.
#[derive(Clone, Default)]
pub struct Mask(Vec<String>);

impl Mask {
    /// A mask for `secrets`. Blank ones are left out: replacing every space hides nothing and ruins the text.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<_> = secrets.into_iter().filter(|secret| !secret.trim().is_empty()).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The length of the longest secret in bytes: how much of a stream must be held back to see one whole.
    pub fn longest(&self) -> usize {
        self.0.first().map_or(0, String::len)
    }

    /// `text` with every secret replaced.
    pub fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }
}

/// Never shows the secrets.
impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} secrets)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_inside_another_leaves_nothing_behind() {
        let mask = Mask::new(["key".to_owned(), "monkey-wrench".to_owned(), " ".to_owned()]);
        assert_eq!(mask.apply("a key and a monkey-wrench"), "a [MASKED] and a [MASKED]");
        assert_eq!(mask.longest(), 13);
        assert!(!format!("{mask:?}").contains("key-"));
    }
}
