//! LAVA's form of a boot block: the program and every argument (lava-compat 10.2).

use std::collections::BTreeMap;

use pumice_plan::MachineSpec;
use pumice_types::{Code, Diagnostic, Diagnostics, Span, Spanned, nearest};
use pumice_yaml::Node;

use crate::format::{FormatError, format};

/// The text cannot be split into words.
const QUOTING: Code = Code("unbalanced-quotes");
/// A field in braces that no file has the name of.
const UNKNOWN_LABEL: Code = Code("unknown-label");
/// Neither a program nor a model is named.
const NO_MODEL: Code = Code("no-model");
/// Something of LAVA's that is not done here.
const NOT_SUPPORTED: Code = Code("not-supported");
/// A variable that is not `NAME=value`.
const BAD_VARIABLE: Code = Code("bad-variable");

/// The name that stands for the directory with all files.
pub(crate) const ARTIFACT_DIR: &str = "ARTIFACT_DIR";

/// What the block says, split into words but with `{LABEL}` still in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// The program.
    pub(crate) image: Option<String>,
    /// The entry of the model library the block names.
    pub(crate) model: Option<Spanned<String>>,
    /// Its arguments, each word with the place of the argument it is from.
    pub(crate) words: Vec<(String, Span)>,
    /// Pattern of the main console's announcement.
    pub(crate) console: Option<String>,
    /// Patterns of the others to listen to.
    pub(crate) feedbacks: Vec<String>,
    /// Whether the console is a port; else it is the model's own output.
    pub(crate) use_telnet: bool,
    /// Variables for the model, those of its licence among them.
    pub(crate) environment: BTreeMap<String, String>,
    /// Pattern of the version in what the program prints.
    pub(crate) version_pattern: Option<String>,
    /// What makes it print its version.
    pub(crate) version_arguments: Vec<String>,
    /// The image of the container that the job names for it, under which the operator may say where the model is.
    pub(crate) container_image: Option<String>,
    /// The kernel command line, for a model of the library.
    pub(crate) append: Option<String>,
    /// Parameters, for a model of the library.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Request {
    /// Reads it, with every mistake.
    pub(crate) fn read(spec: &MachineSpec) -> (Self, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let boot = &spec.boot;
        let text = |key: &str| boot.get(key).and_then(Node::scalar_text);
        let mut request = Self {
            image: text("image"),
            model: boot.get("model").and_then(|node| Some(Spanned::new(node.scalar_text()?, node.span))),
            console: text("console_string"),
            use_telnet: boot.get("use_telnet").and_then(Node::as_bool).unwrap_or(true),
            version_pattern: text("version_string"),
            version_arguments: text("version_args").map_or_else(
                || vec!["--version".to_owned()],
                |text| shell_words::split(&text).unwrap_or(vec![text]),
            ),
            append: text("append"),
            ..Self::default()
        };
        for node in list(boot.get("feedbacks")) {
            request.feedbacks.extend(node.scalar_text());
        }
        for node in list(boot.get("arguments")) {
            request.split(&node.scalar_text().unwrap_or_default(), node.span, &mut diagnostics);
        }
        for node in list(boot.get("environment")).chain(boot.get("license_variable")) {
            request.variable(node, &mut diagnostics);
        }
        if let Some(map) = boot.get("model_parameters").and_then(Node::as_map) {
            let pairs =
                map.iter().filter_map(|entry| Some((entry.key.clone(), parameter_text(&entry.value)?)));
            request.parameters = pairs.collect();
        }
        request.container_image = boot.at(&["docker", "name"]).and_then(Node::scalar_text);
        request.refuse(spec, &mut diagnostics);
        request.check_fields(spec, &mut diagnostics);
        (request, diagnostics)
    }

    fn split(&mut self, text: &str, span: Span, diagnostics: &mut Diagnostics) {
        match shell_words::split(text) {
            Ok(words) => self.words.extend(words.into_iter().map(|word| (word, span))),
            Err(_) => diagnostics
                .push(Diagnostic::error(QUOTING, span, "a quote is opened and never closed").help(
                    "quotes group words as in a shell; close the quote, or escape it with a backslash",
                )),
        }
    }

    fn variable(&mut self, node: &Node, diagnostics: &mut Diagnostics) {
        let text = node.scalar_text().unwrap_or_default();
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                self.environment.insert(name.trim().to_owned(), value.to_owned());
            }
            _ => diagnostics.push(
                Diagnostic::error(BAD_VARIABLE, node.span, format!("`{text}` is no variable"))
                    .help("write `NAME=value`"),
            ),
        }
    }

    /// What nobody here does is said before anything is started.
    fn refuse(&self, spec: &MachineSpec, diagnostics: &mut Diagnostics) {
        let said = |key: &str| spec.boot.get(key).filter(|node| !node.is_null());
        if let Some((node, label)) = said("erpc_app").and_then(|node| Some((node, node.scalar_text()?))) {
            let label = label.trim_matches(['{', '}']);
            let mut known = spec.images.iter().map(|image| image.label.as_str());
            if !known.clone().any(|known| known.eq_ignore_ascii_case(label)) {
                let message = format!("no deployed file has the label `{label}`, which `erpc_app` names");
                let meant = nearest(label, known.by_ref());
                diagnostics.push(Diagnostic::error(UNKNOWN_LABEL, node.span, message).suggest(meant));
            }
        }
        for key in ["commands", "erpc_app"] {
            let (Some(node), None) = (said(key), &self.container_image) else { continue };
            // Natively it would be the operator's own shell in the hands of whoever writes jobs.
            let message = format!("`{key}` runs in the model's container, and the job names none");
            diagnostics.push(
                Diagnostic::error(NOT_SUPPORTED, node.span, message)
                    .help("name the container's image: `docker: {name: IMAGE}`"),
            );
        }
        if spec.boot.get("ubl_license").is_some() || spec.device.at(&["options", "ubl_license"]).is_some() {
            let span = spec.boot.get("ubl_license").map(|node| node.span);
            let message = "`ubl_license`: no licence is activated for a job";
            diagnostics.push(Diagnostic::warning(NOT_SUPPORTED, span, message).help(
                "activate it once on this host with `armlm activate`, and name its cache in pumice's \
                 configuration: ARMLM_CACHED_LICENSES_LOCATION",
            ));
        }
        if self.image.is_none() && self.model.is_none() && spec.model.is_null() {
            let message = "the job does not say which model to start";
            diagnostics.push(Diagnostic::error(NO_MODEL, spec.method.span, message).help(
                "add `model: NAME` with a name that `pumice model list` shows, or `image:` with the program's \
                 path and `arguments:`",
            ));
        }
    }

    /// Every field in the words names a file; LAVA gives up on an unknown one, so it is an error here too.
    fn check_fields(&self, spec: &MachineSpec, diagnostics: &mut Diagnostics) {
        let labels = spec.images.iter().map(|image| (image.label.to_uppercase(), String::new()));
        let mut values: BTreeMap<_, _> = labels.collect();
        values.insert(ARTIFACT_DIR.to_owned(), String::new());
        for (word, span) in &self.words {
            let message = match format(word, &values) {
                Ok(_) => continue,
                Err(FormatError::Unknown(name)) => format!("no deployed file has the label `{name}`"),
                Err(FormatError::SingleBrace) => format!("a single brace in `{word}`"),
            };
            let labels: Vec<_> = values.keys().map(|label| format!("{{{label}}}")).collect();
            diagnostics.push(Diagnostic::error(UNKNOWN_LABEL, *span, message).help(format!(
                "there is {}; write `{{{{` and `}}}}` for braces that are meant as they are",
                labels.join(", ")
            )));
        }
    }

    /// The arguments with every `{LABEL}` replaced.
    pub(crate) fn bound(&self, values: &BTreeMap<String, String>) -> Vec<String> {
        // What cannot be replaced was refused when the job was checked.
        self.words.iter().map(|(word, _)| format(word, values).unwrap_or_else(|_| word.clone())).collect()
    }

    /// The arguments as the job writes them.
    pub(crate) fn unbound(&self) -> Vec<String> {
        self.words.iter().map(|(word, _)| word.clone()).collect()
    }
}

fn list(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    node.and_then(Node::as_seq).unwrap_or_default().iter()
}

/// A parameter's value as the command line takes it: booleans are 1 and 0.
pub(crate) fn parameter_text(node: &Node) -> Option<String> {
    node.as_bool().map(|flag| u8::from(flag).to_string()).or_else(|| node.scalar_text())
}
