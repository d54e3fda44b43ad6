//! What a test needs of the machine.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Something a test needs is not there.
#[derive(Debug)]
pub struct Missing {
    what: String,
    /// Whether `cargo xtask` brings it, so that on CI its absence is a fault of the set-up.
    is_set_up: bool,
}

impl Missing {
    /// `cargo xtask setup` or `guests` would bring it.
    pub fn set_up(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_set_up: true }
    }

    /// Not every machine can have it: KVM, a licence, a container engine.
    pub fn rare(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_set_up: false }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.is_set_up { f.write_str(" (`cargo xtask guests` brings it)") } else { Ok(()) }
    }
}

/// The path of a program that `cargo xtask setup` installs.
///
/// # Errors
/// It is in no directory of `PATH`, nor in `/usr/sbin` or `/sbin`.
pub fn program(name: &str) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([Path::new("/usr/sbin").to_owned(), Path::new("/sbin").to_owned()])
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| Missing::set_up(format!("the program {name}")))
}

/// The path of a Python program of `xtask/python-requirements.txt`, or of `python` itself with its packages.
///
/// # Errors
/// The environment `target/python` was not made, which needs a Python package index.
pub fn python_program(name: &str) -> Result<PathBuf, Missing> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join("target/python/bin").join(name);
    if path.is_file() { Ok(path) } else { Err(Missing::rare(format!("{name} in target/python"))) }
}

/// Says why a test is skipped. On CI, where the set-up has run, what it brings must be there.
///
/// # Panics
/// On CI, when the set-up should have brought it.
pub fn skip_or_fail(missing: &Missing) {
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!(is_ci && missing.is_set_up), "the set-up did not bring {missing}");
    println!("skipped: there is no {missing}");
}

/// The value of a `Result<_, Missing>`; where it is missing, the calling test ends, saying why.
#[macro_export]
macro_rules! need {
    ($wanted:expr) => {
        match $wanted {
            Ok(found) => found,
            Err(missing) => {
                $crate::skip_or_fail(&missing);
                return;
            }
        }
    };
}
