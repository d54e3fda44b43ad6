//! Test definitions: "Lava-Test Test Definition 1.0" (lava-compat 4.5).

mod parse;

pub use parse::{FORMAT, codes, parse, parse_parameters};

/// A test definition, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestDefinition {
    /// The name the definition gives itself. The suite is named by the job, not by this.
    pub name: String,
    /// What it tests.
    pub description: Option<String>,
    /// Defaults of its parameters.
    pub parameters: Parameters,
    /// What is to be installed before it runs.
    pub install: Install,
    /// Lines of shell, in order. A construct of the shell may span several of them.
    pub steps: Vec<String>,
    /// A pattern on all output instead of signals; historic.
    pub pattern: Option<OutputPattern>,
    /// The cases it must report, if it says so.
    pub expected: Option<Vec<String>>,
}

/// What a test definition installs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Install {
    /// Keys of package sources.
    pub keys: Vec<String>,
    /// Package sources.
    pub sources: Vec<String>,
    /// Packages for every distribution.
    pub deps: Vec<String>,
    /// More packages for one distribution: `deps-debian` is `("debian", …)`.
    pub deps_by_distro: Vec<(String, Vec<String>)>,
    /// Repositories the host clones and packs, so that the guest needs no network for them.
    pub git_repos: Vec<GitRepo>,
    /// Lines of shell.
    pub steps: Vec<String>,
}

/// A repository that is packed into the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRepo {
    /// Where it is. May name parameters as `$NAME` and `${NAME}`.
    pub url: String,
    /// The branch; the repository's own choice without.
    pub branch: Option<String>,
    /// The folder inside the test's folder; git's own choice without.
    pub destination: Option<String>,
}

/// A regular expression on the output of a run, in Python's syntax, with the named groups `test_case_id`, `result`,
/// `measurement` and `units`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputPattern {
    /// The expression.
    pub pattern: String,
    /// What the words it finds as results mean: `("PASSED", "pass")`.
    pub fixups: Vec<(String, String)>,
}

/// Variables of the shell with their values, in order, names unique.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Sets `name`, in its old place if it has one.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These, with those of `job` over them: the job's parameters win (lava-compat 4.5).
    #[must_use]
    pub fn overridden_by(&self, job: &Self) -> Self {
        let mut merged = self.clone();
        for (name, value) in job.iter() {
            merged.set(name, value);
        }
        merged
    }

    /// `text` with `$NAME` and `${NAME}` of known parameters replaced, as LAVA does in the URLs of git-repos. Other
    /// dollars stay.
    pub fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            let braced =
                rest[1..].strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(name, _)| name);
            let name = braced.unwrap_or_else(|| {
                let end = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                &rest[1..end.map_or(rest.len(), |end| end + 1)]
            });
            let length = 1 + name.len() + if braced.is_some() { 2 } else { 0 };
            match self.get(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.push_str(&rest[..length]),
            }
            rest = &rest[length..];
        }
        expanded.push_str(rest);
        expanded
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(iter: I) -> Self {
        let mut parameters = Self::default();
        for (name, value) in iter {
            parameters.set(name, value);
        }
        parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_overrides_and_keeps_the_order() {
        let defaults: Parameters = [("A", "1"), ("B", "2")].into_iter().collect();
        let merged = defaults.overridden_by(&[("C", "3"), ("A", "0")].into_iter().collect());
        assert_eq!(merged.iter().collect::<Vec<_>>(), [("A", "0"), ("B", "2"), ("C", "3")]);
    }

    #[test]
    fn expand_replaces_known_names_and_leaves_the_rest() {
        let parameters: Parameters = [("HOST", "example.org"), ("P", "$HOST")].into_iter().collect();
        for (text, expected) in [
            ("https://$HOST/a", "https://example.org/a"),
            ("${HOST}x$HOSTS", "example.orgx$HOSTS"),
            ("${OPEN", "${OPEN"),
            ("$", "$"),
            ("a$é${}$", "a$é${}$"),
            ("$P", "$HOST"),
        ] {
            assert_eq!(parameters.expand(text), expected);
        }
    }
}
