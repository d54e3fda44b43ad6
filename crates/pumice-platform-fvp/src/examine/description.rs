//! What a model's program says of itself, and the entry of the model library that follows from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use pumice_types::{Blame as _, Cause, Failure};

use super::Subject;
use crate::{options::Dialect, parameters, probe::version_in};

/// A program, in its own words.
#[derive(Clone, Debug)]
pub struct Description {
    /// The file name of the program, or of the shared library that is the model.
    pub name: String,
    /// Its path.
    pub program: String,
    /// The shared library, for a Model Shell.
    pub library: Option<String>,
    /// Its version, as it prints it.
    pub version: Option<String>,
    /// Its parameters with their defaults, as [`crate::parameter_list`] reads them.
    pub parameters: BTreeMap<String, String>,
    /// The lines of `--list-instances`: a tree whose layout no public source gives.
    pub instances: Vec<String>,
    dialect: Dialect,
}

/// Asks a program for its version, its parameters and its instances.
pub async fn describe(subject: &Subject) -> Result<Description, Failure> {
    let program = subject.program.display().to_string();
    let file = |path: &std::path::Path| {
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let dialect = Dialect::of(&file(&subject.program));
    if dialect == Dialect::Shell && subject.library.is_none() {
        let message = format!("`{program}` runs a model that is a shared library, and none is given");
        return Err(Failure::new(Cause::InvalidDefinition, message).hint("add `--library MODEL.so`"));
    }
    let text = subject.run(&["--version"]).await.map_err(|error| error.failure())?.text;
    let version = version_in(&text, None);
    let (mut listed, mut instances) = (BTreeMap::new(), Vec::new());
    if dialect != Dialect::Foundation {
        let text = subject.run(&["--list-params"]).await.map_err(|error| error.failure())?.text;
        listed = parameters::list(&text);
        if listed.is_empty() {
            let message = format!("`{program} --list-params` shows no parameters, so it may be no model");
            return Err(Failure::new(Cause::SimulatorRefused, message).evidence("simulator", tail(&text)));
        }
        let text = subject.run(&["--list-instances"]).await.map_err(|error| error.failure())?.text;
        instances = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    } else if version.is_none() {
        let message = format!("`{program} --version` shows no version that a model would");
        return Err(Failure::new(Cause::SimulatorRefused, message).evidence("simulator", tail(&text)));
    }
    let name = file(subject.library.as_deref().unwrap_or(&subject.program));
    let library = subject.library.as_ref().map(|library| library.display().to_string());
    let name = name.trim_end_matches(".so").to_owned();
    Ok(Description { name, program, library, version, parameters: listed, instances, dialect })
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Parameters that every run of ours sets where the model has them, by the end of their names: no windows, no
/// clients of its own, an end when the guest switches off, and speed (fastmodels 3.1, 3.2, 8).
const SETTINGS: &[(&str, &str)] = &[
    (".start_telnet", "false"),
    (".exit_on_shutdown", "true"),
    (".disable_visualisation", "true"),
    (".disable-visualisation", "true"),
    (".rate_limit-enable", "false"),
    (".non_arch_start_at_default", "true"),
    ("cache_state_modelled", "false"),
    ("uart0.untimed_fifos", "true"),
    ("uart1.untimed_fifos", "true"),
    (".unbuffered_output", "true"),
];

/// Where an image of a label goes, by the end of a parameter's name (fastmodels 3.2, 3.3).
const PLACES: &[(&str, &str)] = &[
    ("bl1", ".secureflashloader.fname"),
    ("fip", ".flashloader0.fname"),
    ("uefi", ".flashloader1.fname"),
    ("disk", "virtioblockdevice.image_path"),
    ("rootfs", "virtioblockdevice.image_path"),
    ("sd", ".p_mmc_file"),
];

/// Where the Base platform's files are preloaded (fastmodels 3.2, "Preload convention").
const PRELOADED: &[(&str, &str)] =
    &[("kernel", "0x80080000"), ("dtb", "0x82000000"), ("initrd", "0x84000000"), ("ramdisk", "0x84000000")];

/// Names of the terminal that has the login, the likeliest first (fastmodels 4.1).
const MAIN: &[&str] = &[
    "terminal_ns_uart_ap",
    "terminal_uart_ap",
    "terminal_uart0_ap",
    "terminal_0",
    "telnetterminal0",
    "terminal0",
];

impl Description {
    /// The parameters whose names end so, in the order of their names.
    fn ending(&self, end: &str) -> impl Iterator<Item = &str> {
        self.parameters.keys().map(String::as_str).filter(move |name| name.ends_with(end))
    }

    fn first(&self, end: &str) -> Option<&str> {
        self.ending(end).next()
    }

    /// The names that announce its terminals: components with the parameter `start_telnet`.
    pub fn terminals(&self) -> Vec<&str> {
        self.ending(".start_telnet").filter_map(|name| name.rsplit('.').nth(1)).collect()
    }

    /// The core that starts first: the first with semihosting (fastmodels 2.4, 2.6).
    pub fn core(&self) -> Option<&str> {
        self.first(".semihosting-cmd_line").and_then(|name| name.strip_suffix(".semihosting-cmd_line"))
    }

    /// An entry of the model library, TOML, that the operator may go on writing. `name` is the entry's.
    pub fn entry(&self, name: &str) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{text}");
        };
        line(format!(
            "# Made by `pumice model add`; library/models/README.md has the keys. {}",
            self.origin()
        ));
        line(format!("name = {}", quoted(name)));
        line("platform = \"fvp\"".to_owned());
        line(format!("description = {}", quoted(&format!("{} on this host", self.name))));
        line(format!("binaries = [{}]", quoted(&self.program)));
        line("capabilities = [\"restart\"]".to_owned());
        line("\n# Where a licence is counted, name its stock (docs/fast-models.md):".to_owned());
        line("# [licence]\n# feature = \"fast-models\"\n\n[parameters]".to_owned());
        for (end, value) in SETTINGS {
            for parameter in self.ending(end) {
                line(format!("{} = {value}", quoted(parameter)));
            }
        }
        line("\n[consoles]".to_owned());
        for (role, terminal) in self.consoles() {
            line(format!("{} = {}", quoted(&role), quoted(terminal)));
        }
        line("\n[machine]".to_owned());
        if let Some(core) = self.core() {
            line(format!("core = {}", quoted(core)));
        }
        if let Some(library) = &self.library {
            line(format!("library = {}", quoted(library)));
        }
        if self.dialect != Dialect::Foundation {
            line("options = [\"--stat\"]".to_owned());
        }
        if self.dialect == Dialect::Foundation {
            line("data = [\"--data={file}@{address}\"]".to_owned());
        }
        line("\n[machine.images]".to_owned());
        for (label, words) in self.images() {
            let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            line(format!("{label} = [{}]", words.join(", ")));
        }
        if self.is_versatile_express() {
            line("\n[machine.boot_wrapper]".to_owned());
            line(
                "parameter = \"{core}.semihosting-cmd_line\"\nappend = \"console=ttyAMA0,38400n8\""
                    .to_owned(),
            );
        }
        let card = self.first(".smsc_91c111.enabled").and_then(|name| name.strip_suffix(".enabled"));
        let bridge =
            self.first(".hostbridge.userNetworking").and_then(|name| name.strip_suffix(".userNetworking"));
        if let (Some(card), Some(bridge)) = (card, bridge) {
            line(format!("\n[machine.network]\ncard = {}\nbridge = {}", quoted(card), quoted(bridge)));
        }
        out
    }

    fn origin(&self) -> String {
        let version = self.version.clone().unwrap_or_else(|| "no version".to_owned());
        format!("From {version}, {} parameters, {} instances.", self.parameters.len(), self.instances.len())
    }

    /// Its consoles by role: the one with the login is `main`, the others have their own names. Of several with one name
    /// (each chip of a model with two has the same) one stands here: all are connected and recorded anyway.
    fn consoles(&self) -> Vec<(String, &str)> {
        let terminals = self.terminals();
        if self.dialect == Dialect::Foundation {
            return vec![("main".to_owned(), "terminal_0")];
        }
        let main = MAIN.iter().find_map(|wanted| terminals.iter().find(|name| *name == wanted));
        let main = main.or_else(|| terminals.first()).copied();
        let mut seen = BTreeSet::new();
        let others = terminals.iter().filter(|name| Some(**name) != main && seen.insert(**name));
        let others = others.map(|name| (name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"), *name));
        main.map(|name| ("main".to_owned(), name)).into_iter().chain(others).collect()
    }

    /// An Armv7 Versatile Express, whose boot-wrapper loads kernel and device tree by semihosting (fastmodels 3.4).
    fn is_versatile_express(&self) -> bool {
        self.parameters.keys().any(|name| name.starts_with("motherboard.")) && !self.name.contains("v8")
    }

    fn images(&self) -> Vec<(&'static str, Vec<String>)> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        if self.dialect == Dialect::Foundation {
            return vec![
                ("axf", words(&["--image={file}"])),
                ("bl1", words(&["--data={file}@0x0"])),
                ("fip", words(&["--data={file}@0x8000000"])),
                ("kernel", words(&["--data={file}@0x80080000"])),
                ("dtb", words(&["--data={file}@0x82000000"])),
                ("initrd", words(&["--data={file}@0x84000000"])),
                ("disk", words(&["--block-device={file}"])),
                ("rootfs", words(&["--block-device={file}"])),
            ];
        }
        let axf = if self.core().is_some() { "{core}={file}" } else { "{file}" };
        let mut images = vec![("axf", words(&["-a", axf]))];
        for (label, end) in PLACES {
            // The root file system of a Versatile Express is on its SD card, as the entries that ship have it.
            let card = Some(".p_mmc_file").filter(|_| *label == "rootfs" && self.is_versatile_express());
            if let Some(parameter) = card.and_then(|end| self.first(end)).or_else(|| self.first(end)) {
                images.push((label, words(&["-C", &format!("{parameter}={{file}}")])));
            }
        }
        if self.parameters.keys().any(|name| name.starts_with("bp.")) {
            for (label, address) in PRELOADED {
                images.push((label, words(&["--data", &format!("{{core}}={{file}}@{address}")])));
            }
        }
        images
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(name: &str, names: &[&str]) -> Description {
        Description {
            name: name.to_owned(),
            program: format!("/opt/{name}"),
            library: None,
            version: Some("Fast Models [11.31.28]".to_owned()),
            parameters: names.iter().map(|name| ((*name).to_owned(), String::new())).collect(),
            instances: Vec::new(),
            dialect: Dialect::of(name),
        }
    }

    #[track_caller]
    fn check(description: &Description, expected: &[&str], never: &[&str]) {
        let entry = description.entry("own");
        for line in expected {
            assert!(entry.lines().any(|found| found == *line), "no `{line}` in\n{entry}");
        }
        for text in never {
            assert!(!entry.contains(text), "`{text}` in\n{entry}");
        }
    }

    #[test]
    fn an_entry_sets_what_the_model_has_and_nothing_else() {
        let names = [
            "bp.terminal_0.start_telnet",
            "bp.terminal_1.start_telnet",
            "bp.secureflashloader.fname",
            "bp.virtioblockdevice.image_path",
            "bp.smsc_91c111.enabled",
            "bp.hostbridge.userNetworking",
            "cluster0.cpu0.semihosting-cmd_line",
            "cluster0.cpu1.semihosting-cmd_line",
        ];
        check(
            &description("FVP_Base_RevC-2xAEMvA", &names),
            &[
                "binaries = [\"/opt/FVP_Base_RevC-2xAEMvA\"]",
                "\"bp.terminal_1.start_telnet\" = false",
                "\"main\" = \"terminal_0\"",
                "\"terminal-1\" = \"terminal_1\"",
                "core = \"cluster0.cpu0\"",
                "bl1 = [\"-C\", \"bp.secureflashloader.fname={file}\"]",
                "kernel = [\"--data\", \"{core}={file}@0x80080000\"]",
                "card = \"bp.smsc_91c111\"",
            ],
            &["exit_on_shutdown", "boot_wrapper", "p_mmc_file"],
        );
        check(
            &description(
                "FVP_VE_Cortex-A15x1",
                &[
                    "motherboard.terminal_0.start_telnet",
                    "motherboard.mmc.p_mmc_file",
                    "motherboard.virtioblockdevice.image_path",
                    "cluster.cpu0.semihosting-cmd_line",
                ],
            ),
            &[
                "[machine.boot_wrapper]",
                "axf = [\"-a\", \"{core}={file}\"]",
                "rootfs = [\"-C\", \"motherboard.mmc.p_mmc_file={file}\"]",
                "disk = [\"-C\", \"motherboard.virtioblockdevice.image_path={file}\"]",
            ],
            &["--data"],
        );
        let twice = ["socket0.css0.terminal_scp.start_telnet", "socket0.css1.terminal_scp.start_telnet"];
        let names = [&twice[..], &["socket0.css0.terminal_ns_uart_ap.start_telnet"]].concat();
        let entry = description("FVP_RD_V3_R1", &names).entry("own");
        assert_eq!(entry.matches("\"terminal-scp\"").count(), 1, "{entry}");
        check(
            &description("Foundation_Platform", &[]),
            &["axf = [\"--image={file}\"]"],
            &["--stat", "core ="],
        );
    }

    #[test]
    fn the_console_with_the_login_is_found_among_many() {
        let names = ["css.terminal_uart_scp", "soc.terminal_s0", "board.terminal_uart_ap"];
        let names = names.map(|name| format!("{name}.start_telnet"));
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        check(&description("FVP_Morello", &names), &["\"main\" = \"terminal_uart_ap\""], &[]);
    }
}
