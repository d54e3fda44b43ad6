//! What the `os` of a deploy block stands for (lava-compat 4.5, last paragraphs).

/// What an `os` means for the overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OsDefaults {
    /// The shell the helper scripts name in their first line.
    pub script_shell: &'static str,
    /// The shell that runs the steps of a test, where the guest has it; else the helpers' own.
    pub step_shell: &'static str,
    /// The folder of the overlay; `%s` stands for the job's id. The context variable `lava_test_results_dir`
    /// replaces it.
    pub results_dir: &'static str,
}

impl OsDefaults {
    /// The folder of the overlay in the guest: `over`, or this default, with the job's id in it.
    pub fn root(&self, over: Option<&str>, job: &str) -> String {
        let path = over.unwrap_or(self.results_dir).replace("%s", job);
        format!("/{}", path.trim_matches('/'))
    }
}

/// The defaults of `os`. LAVA knows no other words; an unknown one is treated as none.
pub fn os_defaults(os: Option<&str>) -> OsDefaults {
    let plain = OsDefaults { script_shell: "/bin/sh", step_shell: "/bin/sh", results_dir: "/lava-%s" };
    match os.unwrap_or_default() {
        "android" => OsDefaults {
            script_shell: "/system/bin/sh",
            step_shell: "/system/bin/sh",
            results_dir: "/data/local/tmp/lava-%s",
        },
        "archlinux" | "centos" | "centos_installer" | "debian" | "debian_installer" | "fedora"
        | "slackware" => OsDefaults { step_shell: "/bin/bash", ..plain },
        "apertis" => OsDefaults { results_dir: "/var/lib/lava-%s", ..plain },
        "lede" => OsDefaults { results_dir: "/tmp/lava-results-%s", ..plain },
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_contexts_then_the_systems() {
        assert_eq!(os_defaults(Some("android")).root(None, "7"), "/data/local/tmp/lava-7");
        assert_eq!(os_defaults(None).root(None, "7"), "/lava-7");
        assert_eq!(os_defaults(Some("debian")).root(Some("/var/tmp/lava-%s/"), "7"), "/var/tmp/lava-7");
    }
}
