//! From an entry of the model library and the job's images to a command line.

use std::collections::BTreeMap;

use pumice_plan::MachineSpec;
use pumice_types::{Code, Diagnostic, Diagnostics, nearest};

use crate::{
    entry::Entry,
    options,
    request::{ARTIFACT_DIR, Request},
};

/// The model has no place for an image.
const NO_PLACE: Code = Code("no-place-for-image");
/// The model takes no kernel command line.
const NO_APPEND: Code = Code("no-kernel-command-line");

/// Labels of what the boot-wrapper loads, with its option for each (fastmodels 3.4).
const WRAPPED: [(&str, &str); 4] =
    [("kernel", "--kernel"), ("dtb", "--dtb"), ("initrd", "--initrd"), ("ramdisk", "--initrd")];

/// Whether the boot-wrapper loads the image: it does when there is an application to do it.
pub(crate) fn is_wrapped(label: &str, spec: &MachineSpec, entry: &Entry) -> bool {
    entry.wrapper_parameter().is_some()
        && WRAPPED.iter().any(|(wrapped, _)| *wrapped == label)
        && (spec.image("axf").is_some() || entry.image_words(label).is_none())
}

/// The label of the initramfs that stays the root file system.
pub(crate) fn initramfs(spec: &MachineSpec, append: Option<&str>) -> Option<String> {
    let root = append.unwrap_or_default().split_whitespace().find_map(|word| word.strip_prefix("root="));
    if root.is_some_and(|root| !root.starts_with("/dev/ram") && root != "tmpfs") {
        return None;
    }
    ["initrd", "ramdisk"].into_iter().find(|label| spec.image(label).is_some()).map(str::to_owned)
}

/// Every image the model has no place for, and a command line it cannot take.
pub(crate) fn check(spec: &MachineSpec, request: &Request, entry: &Entry) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for image in &spec.images {
        let label = image.label.as_str();
        let is_named = request.words.iter().any(|(word, _)| word.contains(&label.to_uppercase()));
        if is_named || is_wrapped(label, spec, entry) || entry.image_words(label).is_some() {
            continue;
        }
        let known = entry.image_labels();
        let mut diagnostic = Diagnostic::error(
            NO_PLACE,
            image.span,
            format!("the model {} has no place for an image `{label}`", entry.name),
        );
        diagnostic = match nearest(label, known.iter().copied()) {
            Some(meant) => diagnostic.suggest(Some(meant)),
            None => diagnostic.help(format!(
                "it has: {}; or name it in `arguments` as {{{}}}",
                known.join(", "),
                label.to_uppercase()
            )),
        };
        diagnostics.push(diagnostic);
    }
    if request.append.is_some() && !uses_wrapper(spec, entry) {
        let span = spec.boot.get("append").map(|node| node.span);
        let message = format!("nothing passes a kernel command line to the model {}", entry.name);
        diagnostics.push(Diagnostic::error(NO_APPEND, span, message).help(
            "put it into the device tree or the boot loader's environment; only a boot-wrapper takes one",
        ));
    }
    diagnostics
}

fn uses_wrapper(spec: &MachineSpec, entry: &Entry) -> bool {
    spec.images.iter().any(|image| is_wrapped(&image.label, spec, entry))
}

/// What an entry's words are filled with.
pub(crate) struct Filling<'a> {
    /// The files' paths by label.
    pub(crate) files: BTreeMap<String, String>,
    /// The directory with all of them under their own names.
    pub(crate) directory: String,
    /// The parameters that the model lists.
    pub(crate) known: &'a BTreeMap<String, String>,
}

/// The arguments behind the program.
pub(crate) fn arguments(
    spec: &MachineSpec,
    request: &Request,
    entry: &Entry,
    filling: &Filling<'_>,
) -> Vec<String> {
    let Filling { files, directory, known } = filling;
    let core = entry.core();
    let fill = |word: &str, file: &str| {
        word.replace("{core}", &core).replace("{file}", file).replace("{directory}", directory)
    };
    let mut words = entry.words("library");
    words.extend(entry.words("options").iter().map(|word| fill(word, "")));
    let mut parameters = entry.parameters.clone();
    // A share or a semihosting directory of the job's own: `{ARTIFACT_DIR}`.
    let own = |(name, value): &(String, String)| {
        (name.clone(), value.replace(&format!("{{{ARTIFACT_DIR}}}"), directory))
    };
    parameters.extend(request.parameters.iter().map(own));
    for (name, value) in latest(&parameters) {
        words.extend(["-C".to_owned(), format!("{}={value}", fill(&name, ""))]);
    }
    silence_terminals(&mut words, known);
    for image in &spec.images {
        let label = image.label.as_str();
        if let (Some(file), false) = (files.get(label), is_wrapped(label, spec, entry)) {
            words.extend(entry.image_words(label).unwrap_or_default().iter().map(|word| fill(word, file)));
        }
    }
    if let Some(parameter) = entry.wrapper_parameter().filter(|_| uses_wrapper(spec, entry)) {
        let line = wrapper_line(spec, request, entry, files);
        words.extend(["-C".to_owned(), format!("{}={line}", fill(&parameter, ""))]);
    }
    words
}

/// Of each name the value given last, at the place it was given first.
fn latest(parameters: &[(String, String)]) -> Vec<(String, String)> {
    let mut latest: Vec<(String, String)> = Vec::new();
    for (name, value) in parameters {
        match latest.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => old.clone_from(value),
            None => latest.push((name.clone(), value.clone())),
        }
    }
    latest
}

/// A terminal that opens a window of its own would take the only seat at its port (fastmodels 4.4, complaint 5):
/// each that the model lists and that is not decided yet is told not to.
fn silence_terminals(words: &mut Vec<String>, known: &BTreeMap<String, String>) {
    let is_open =
        |name: &&String| name.ends_with(".start_telnet") && options::parameter(words, name).is_none();
    let open: Vec<_> = known.keys().filter(is_open).cloned().collect();
    for name in open {
        words.extend(["-C".to_owned(), format!("{name}=0")]);
    }
}

/// `--kernel F [--dtb F] [--initrd F] -- ARGUMENTS` (fastmodels 3.4).
fn wrapper_line(
    spec: &MachineSpec,
    request: &Request,
    entry: &Entry,
    files: &BTreeMap<String, String>,
) -> String {
    let mut line = Vec::new();
    for (label, option) in WRAPPED {
        if let (Some(file), true) = (files.get(label), is_wrapped(label, spec, entry)) {
            line.extend([option.to_owned(), file.clone()]);
        }
    }
    let append = request.append.clone().or_else(|| entry.append()).unwrap_or_default();
    line.extend(["--".to_owned(), append]);
    line.join(" ").trim_end().to_owned()
}
