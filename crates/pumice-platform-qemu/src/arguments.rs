//! From the texts of device and job to words of a command line.

use std::collections::BTreeMap;

use pumice_plan::MachineSpec;
use pumice_platform::substitute;
use pumice_types::{Code, Diagnostic, Diagnostics, Span, nearest};
use pumice_yaml::Node;

use crate::nfs_root::{LABEL, NFS, kernel_line};

/// The text cannot be split into words.
pub(crate) const QUOTING: Code = Code("unbalanced-quotes");
/// The device does not say what to start.
pub(crate) const NO_COMMAND: Code = Code("device-without-command");
/// A `{LABEL}` that no file has.
pub(crate) const UNKNOWN_LABEL: Code = Code("unknown-label");

/// What device and job say of the command line, split into words but with `{LABEL}` still in them.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// The program, as the device names it.
    pub(crate) program: String,
    /// The device's `options` and `extra`.
    pub(crate) device: Vec<String>,
    /// The job's image arguments, in the order of the job.
    pub(crate) images: Vec<String>,
    /// What the device tells the kernel of a root file system on NFS.
    pub(crate) kernel: Vec<String>,
}

impl Words {
    /// Reads them from the device's part for the boot method and the job's images, with every mistake.
    pub(crate) fn read(spec: &MachineSpec) -> (Self, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let parameters = spec.device.get("parameters");
        let Some(program) = parameters.and_then(|node| node.get("command")).and_then(Node::as_str) else {
            diagnostics.push(
                Diagnostic::error(
                    NO_COMMAND,
                    spec.method.span,
                    format!("the device does not say what to start for method `{}`", spec.method.value),
                )
                .help(format!(
                    "give the device `actions.boot.methods.{}.parameters` with a `command`, or name another \
                     device",
                    spec.method.value
                )),
            );
            return (Self::default(), diagnostics);
        };
        // The job may name another one, in the image of the container it asks for.
        let of_image = spec.boot.at(&["docker", "binary"]).and_then(Node::scalar_text);
        let mut words = Self { program: of_image.unwrap_or_else(|| program.to_owned()), ..Self::default() };
        for key in ["options", "extra"] {
            let items = parameters.and_then(|node| node.get(key)).and_then(Node::as_seq).unwrap_or_default();
            for item in items.iter().filter(|item| !item.is_null()) {
                let text = item.scalar_text().unwrap_or_default();
                split(&text, item.span, &mut words.device, &mut diagnostics);
            }
        }
        if spec.method.value == NFS
            && let Some(line) = kernel_line(parameters)
        {
            words.kernel = ["--append".to_owned(), line].into();
        }
        let is_served = |label: &str| spec.method.value == NFS && label == LABEL;
        for image in spec.images.iter().filter(|image| !is_served(&image.label)) {
            if let Some(argument) = &image.image_arg {
                split(&argument.value, argument.span, &mut words.images, &mut diagnostics);
                check_labels(&argument.value, argument.span, spec, &mut diagnostics);
            }
        }
        (words, diagnostics)
    }

    /// All words behind the program, with `{LABEL}` replaced by the file's path where `paths` has it.
    pub(crate) fn bound(&self, paths: &BTreeMap<String, String>) -> Vec<String> {
        self.chained().map(|word| substitute(word, paths)).collect()
    }

    /// All words behind the program, unbound.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> + Clone {
        self.chained().map(String::as_str)
    }

    fn chained(&self) -> impl Iterator<Item = &String> + Clone {
        self.device.iter().chain(&self.images).chain(&self.kernel)
    }
}

/// Splits as a POSIX shell splits words; a text it cannot split is a mistake at `span`.
fn split(text: &str, span: Span, words: &mut Vec<String>, diagnostics: &mut Diagnostics) {
    match shell_words::split(text) {
        Ok(split) => words.extend(split),
        Err(_) => diagnostics.push(
            Diagnostic::error(QUOTING, span, "a quote is opened and never closed")
                .help("quotes group words as in a shell; close the quote, or escape it with a backslash"),
        ),
    }
}

/// A `{word}` that looks like a label and is none. Only a warning: JSON arguments hold braces too, and LAVA
/// passes what it does not know (lava-compat 11, trap 28).
fn check_labels(text: &str, span: Span, spec: &MachineSpec, diagnostics: &mut Diagnostics) {
    let known = || spec.images.iter().map(|image| image.label.as_str());
    for label in labels(text) {
        if !known().any(|name| name == label) && label != "NFSROOTFS" && label != "NFS_SERVER_IP" {
            let mut diagnostic = Diagnostic::warning(
                UNKNOWN_LABEL,
                span,
                format!("`{{{label}}}` names no file of this job and is passed on as it is"),
            );
            if let Some(meant) = nearest(label, known()) {
                diagnostic = diagnostic.help(format!("did you mean `{{{meant}}}`?"));
            }
            diagnostics.push(diagnostic);
        }
    }
}

/// The words in braces that could be labels.
fn labels(text: &str) -> impl Iterator<Item = &str> {
    let is_label = |word: &&str| {
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == '.')
    };
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(word, _)| word).filter(is_label)
}

/// The value of an option given as `-name value` or `--name value`; the last one counts.
pub(crate) fn option<'a>(words: impl Iterator<Item = &'a str> + Clone, names: &[&str]) -> Option<&'a str> {
    let next = words.clone().skip(1);
    words.zip(next).filter(|(word, _)| is_option(word, names)).map(|(_, value)| value).last()
}

/// Whether `word` is one of the options `names`, with one dash or two.
pub(crate) fn is_option(word: &str, names: &[&str]) -> bool {
    word.strip_prefix('-').is_some_and(|name| names.contains(&name.strip_prefix('-').unwrap_or(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_an_option_counts_with_one_dash_or_two() {
        let words = ["-M", "virt", "-machine", "virt,gic-version=3", "--append", "x"];
        assert_eq!(option(words.into_iter(), &["M", "machine"]), Some("virt,gic-version=3"));
        assert_eq!(option(words.into_iter(), &["append"]), Some("x"));
        assert_eq!(option(words.into_iter(), &["initrd"]), None);
    }
}
