//! The scripts of `guest/`, carried in the program.

/// The scripts: names below `bin/`, and texts. `multi_node` adds those that only a MultiNode job has.
pub(super) fn all(multi_node: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    HELPERS.iter().chain(if multi_node { MULTI_NODE } else { &[] }).copied()
}

macro_rules! scripts {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../../../../guest/", $name)))),*] };
}

const HELPERS: &[(&str, &str)] = scripts! {
    "lava-channel-relay"
    "lava-common-functions"
    "lava-signal"
    "lava-test-case"
    "lava-test-runner"
    "lava-test-shell"
};

const MULTI_NODE: &[(&str, &str)] = scripts! {};
