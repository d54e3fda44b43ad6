//! The scripts of `guest/`, carried in the program.

/// The scripts: names below `bin/`, and texts. `multi_node` adds those that only a MultiNode job has.
pub(super) fn all(multi_node: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    HELPERS.iter().chain(if multi_node { MULTI_NODE } else { &[] }).copied()
}

macro_rules! scripts {
    // One script under several names looks at the name it is called by.
    ($($($name:literal)|+ = $file:literal)*) => {
        &[$($(($name, include_str!(concat!("../../../../guest/", $file)))),+),*]
    };
}

const HELPERS: &[(&str, &str)] = scripts! {
    "lava-add-keys" = "lava-add-keys"
    "lava-add-sources" = "lava-add-sources"
    "lava-background-process-start" = "lava-background-process-start"
    "lava-background-process-stop" = "lava-background-process-stop"
    "lava-case-functions" = "lava-case-functions"
    "lava-channel-relay" = "lava-channel-relay"
    "lava-common-functions" = "lava-common-functions"
    "lava-echo-ipv4" = "lava-echo-ipv4"
    "lava-install-packages" = "lava-install-packages"
    "lava-installed-packages" = "lava-installed-packages"
    "lava-os-build" = "lava-os-build"
    "lava-os-functions" = "lava-os-functions"
    "lava-probe-ip" = "lava-probe-ip"
    "lava-result-functions" = "lava-result-functions"
    "lava-retry" = "lava-retry"
    "lava-target-ip" | "lava-target-mac" | "lava-target-storage" = "lava-target"
    "lava-test-case" = "lava-test-case"
    "lava-test-event" = "lava-test-event"
    "lava-test-feedback" = "lava-test-feedback"
    "lava-test-raise" = "lava-test-raise"
    "lava-test-reference" = "lava-test-reference"
    "lava-test-runner" = "lava-test-runner"
    "lava-test-set" = "lava-test-set"
    "lava-test-shell" = "lava-test-shell"
};

const MULTI_NODE: &[(&str, &str)] = scripts! {
    "lava-group" | "lava-role" | "lava-self" | "lava-send" | "lava-sync" | "lava-wait" | "lava-wait-all"
        = "lava-multi-node"
};
