//! What a token may be used for.

/// One kind of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Looking.
    Read,
    /// Submitting jobs, cancelling and changing one's own.
    Submit,
    /// Everything else its owner may.
    Manage,
}

impl Scope {
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::Submit, Self::Manage];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Manage => "manage",
        }
    }
}

/// The uses of one token; none stands for all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes(Vec<Scope>);

impl Scopes {
    /// Reads words with spaces between; `None` when one of them is unknown.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split_whitespace()
            .map(|word| Scope::ALL.into_iter().find(|scope| scope.as_str() == word))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether everything that is asked for is allowed here: nobody gives more than they have.
    pub(crate) fn cover(&self, asked: &Self) -> bool {
        self.0.is_empty() || !asked.0.is_empty() && asked.0.iter().all(|scope| self.allow(*scope))
    }

    /// Whether a use is allowed. Whoever may do more may look.
    pub(crate) fn allow(&self, wanted: Scope) -> bool {
        self.0.is_empty() || self.0.contains(&wanted) || wanted == Scope::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_is_every_scope_and_an_unknown_word_is_none() {
        assert!(Scopes::parse("").unwrap().allow(Scope::Manage));
        let ci = Scopes::parse("read submit").unwrap();
        assert!(ci.allow(Scope::Submit) && ci.allow(Scope::Read) && !ci.allow(Scope::Manage));
        assert!(Scopes::parse("read everything").is_none());
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        let covers =
            |own: &str, asked: &str| Scopes::parse(own).unwrap().cover(&Scopes::parse(asked).unwrap());
        assert!(covers("", "") && covers("", "manage") && covers("manage", "read manage"));
        assert!(!covers("manage", "submit") && !covers("manage", "") && !covers("read submit", "manage"));
    }
}
