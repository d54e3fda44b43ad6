//! The platform's reading of an entry of the model library (`library/models/README.md`).
//!
//! ```toml
//! [machine]
//! core = "cluster.cpu0"                     # {core} below
//! options = ["--stat"]                      # words before all parameters
//! library = "RTSM_VE_AEMv8A.so"             # for model_shell: what it loads
//! environment = { LD_LIBRARY_PATH = "…" }   # for the model's process
//! data = ["--data", "{core}={file}@{address}"]   # words for a label `data@ADDRESS`, when not these
//! overlay_disk = ["-C", "motherboard.virtioblockdevice.image_path={file}"]
//!
//! [machine.images]                          # words for an image of that label; {directory} holds all files
//! axf = ["-a", "{core}={file}"]
//!
//! [machine.boot_wrapper]                    # kernel, dtb, initrd and command line through semihosting
//! parameter = "{core}.semihosting-cmd_line"
//!
//! [machine.network]                         # `card` and `bridge`, the parameters of its card; or words of its own
//! user = ["--network=nat"]                  # for a mode: `user`, `none`, `tap` with {tap}
//! ```

use std::{collections::BTreeMap, time::Duration};

use pumice_yaml::Node;

use crate::request::parameter_text;

/// An entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: String,
    /// File names of the program, the preferred first.
    pub(crate) binaries: Vec<String>,
    /// Parameters with dotted names.
    pub(crate) parameters: Vec<(String, String)>,
    /// Consoles by role: the name that announces them, and the guest's device.
    pub(crate) consoles: BTreeMap<String, (String, Option<String>)>,
    /// The stock its licence is taken from.
    pub(crate) licence: Option<String>,
    /// Times by name.
    pub(crate) timeouts: BTreeMap<String, Duration>,
    /// How many times slower than usual it is.
    pub(crate) time_factor: u32,
    /// `[machine]`.
    pub(crate) machine: Node,
}

impl Entry {
    /// Reads it; `None` for null. The library has said every mistake in it already.
    pub(crate) fn read(node: &Node) -> Option<Self> {
        node.as_map()?;
        let text = |key: &str| node.get(key).and_then(Node::scalar_text);
        let mut parameters = Vec::new();
        flatten("", node.get("parameters"), &mut parameters);
        let consoles = node.get("consoles").and_then(Node::as_map);
        let consoles = consoles.into_iter().flat_map(|map| map.iter()).filter_map(|entry| {
            let named = entry.value.get("announced_as").unwrap_or(&entry.value).scalar_text()?;
            let device = entry.value.get("guest_device").and_then(Node::scalar_text);
            Some((entry.key.clone(), (named, device)))
        });
        let timeouts = node.get("timeouts").and_then(Node::as_map);
        let timeouts = timeouts.into_iter().flat_map(|map| map.iter());
        Some(Self {
            name: text("name").unwrap_or_default(),
            binaries: texts(node.get("binaries")),
            parameters,
            consoles: consoles.collect(),
            licence: node.at(&["licence", "feature"]).and_then(Node::scalar_text),
            timeouts: timeouts
                .filter_map(|entry| Some((entry.key.clone(), duration(&entry.value)?)))
                .collect(),
            time_factor: node
                .get("time_factor")
                .and_then(Node::as_i64)
                .and_then(|factor| u32::try_from(factor).ok())
                .unwrap_or(1)
                .max(1),
            machine: node.get("machine").cloned().unwrap_or_default(),
        })
    }

    /// The core that starts first, `{core}` in the words.
    pub(crate) fn core(&self) -> String {
        self.machine.get("core").and_then(Node::scalar_text).unwrap_or_else(|| "cluster.cpu0".to_owned())
    }

    /// The words for an image of this label; `None` when the model has no place for one. A label `data@ADDRESS` is
    /// bytes that are loaded at an address, which every model can (fastmodels 2.1, 2.3).
    pub(crate) fn image_words(&self, label: &str) -> Option<Vec<String>> {
        if let Some(node) = self.machine.at(&["images", label]) {
            return Some(texts(Some(node)));
        }
        let address = label.strip_prefix("data@").filter(|address| is_address(address))?;
        let usual = || ["--data", "{core}={file}@{address}"].map(str::to_owned).to_vec();
        let words = self.machine.get("data").map_or_else(usual, |node| texts(Some(node)));
        Some(words.iter().map(|word| word.replace("{address}", address)).collect())
    }

    /// The labels it has a place for.
    pub(crate) fn image_labels(&self) -> Vec<&str> {
        self.machine.get("images").and_then(Node::as_map).map(|map| map.keys().collect()).unwrap_or_default()
    }

    /// The words at a key of `[machine]`.
    pub(crate) fn words(&self, key: &str) -> Vec<String> {
        texts(self.machine.get(key))
    }

    /// The parameter that the boot-wrapper's command line goes to.
    pub(crate) fn wrapper_parameter(&self) -> Option<String> {
        self.machine.at(&["boot_wrapper", "parameter"]).and_then(Node::scalar_text)
    }

    /// The kernel command line when the job gives none.
    pub(crate) fn append(&self) -> Option<String> {
        self.machine.at(&["boot_wrapper", "append"]).and_then(Node::scalar_text)
    }

    /// A word of `[machine.network]`.
    pub(crate) fn network(&self, key: &str) -> Option<String> {
        self.machine.at(&["network", key]).and_then(Node::scalar_text)
    }

    /// The words of `[machine.network]` for a mode, where the model has options of its own for it.
    pub(crate) fn network_words(&self, mode: &str) -> Option<Vec<String>> {
        self.machine.at(&["network", mode]).map(|node| texts(Some(node)))
    }

    /// Variables for the model's process.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let map = self.machine.get("environment").and_then(Node::as_map);
        let entries = map.into_iter().flat_map(|map| map.iter());
        entries.filter_map(|entry| Some((entry.key.clone(), entry.value.scalar_text()?))).collect()
    }
}

/// `0x80000000`, also behind a memory space: `Secure:0x0` (fastmodels 2.1).
fn is_address(text: &str) -> bool {
    let (space, number) = text.rsplit_once(':').unwrap_or(("", text));
    let digits = number.strip_prefix("0x").map(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_number =
        digits.unwrap_or_else(|| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    is_number && number != "0x" && space.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn texts(node: Option<&Node>) -> Vec<String> {
    match node {
        Some(node) => match node.as_seq() {
            Some(items) => items.iter().filter_map(Node::scalar_text).collect(),
            None => node.scalar_text().filter(|_| !node.is_null()).into_iter().collect(),
        },
        None => Vec::new(),
    }
}

/// Nested tables are dotted names.
fn flatten(prefix: &str, node: Option<&Node>, found: &mut Vec<(String, String)>) {
    for entry in node.and_then(Node::as_map).into_iter().flat_map(|map| map.iter()) {
        let name = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
        match parameter_text(&entry.value) {
            Some(text) => found.push((name, text)),
            None => flatten(&name, Some(&entry.value), found),
        }
    }
}

/// `{ minutes = 10 }` or a number of seconds.
fn duration(node: &Node) -> Option<Duration> {
    let seconds = |node: &Node| node.as_i64().and_then(|number| u64::try_from(number).ok());
    if let Some(number) = seconds(node) {
        return Some(Duration::from_secs(number));
    }
    let mut total = 0_u64;
    for entry in node.as_map()? {
        let unit = match entry.key.trim_end_matches('s') {
            "hour" => 3600,
            "minute" => 60,
            "second" => 1,
            _ => return None,
        };
        total = total.saturating_add(seconds(&entry.value)?.saturating_mul(unit));
    }
    Some(Duration::from_secs(total))
}
