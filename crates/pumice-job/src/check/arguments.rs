//! `{label}` in arguments.

use pumice_types::{Diagnostic, Spanned, nearest};

use super::across::Findings;
use crate::{Action, Boot, BootDetail, Image, Job, codes};

/// What an argument may name beside files: the lab's NFS server, and what it serves.
const FROM_THE_LAB: [&str; 2] = ["NFS_SERVER_IP", "NFSROOTFS"];

/// Looks at every argument that may name a deployed file.
pub(super) fn check(job: &Job, found: &mut Findings) {
    for action in &job.actions {
        match action {
            Action::Deploy(deploy) => {
                // Textual replacement (lava-compat 11, trap 28): what is no label stays as it is.
                let mut labels = labels(job, deploy.block.namespace());
                labels.extend(FROM_THE_LAB);
                for argument in deploy.images.iter().filter_map(|image| image.resource.image_arg.as_ref()) {
                    for name in words_in_braces(&argument.value) {
                        if !labels.contains(&name) {
                            found.add(undefined(argument, name, nearest(name, labels.iter().copied())));
                        }
                    }
                }
            }
            Action::Boot(boot) => model(job, boot, found),
            _ => {}
        }
    }
}

/// The arguments of a model are formatted as by Python's `str.format` (lava-compat 10.2): labels in upper case, an
/// unknown one is an error, braces are doubled.
fn model(job: &Job, boot: &Boot, found: &mut Findings) {
    let BootDetail::Model(model) = &boot.detail else { return };
    let mut labels: Vec<String> =
        labels(job, boot.block.namespace()).into_iter().map(str::to_uppercase).collect();
    labels.push("ARTIFACT_DIR".to_owned());
    for argument in &model.arguments {
        for name in format_fields(&argument.value) {
            if !labels.iter().any(|label| label == name) {
                let likely = nearest(name, labels.iter().map(String::as_str));
                found.add_defect(
                    undefined(argument, name, likely).help(match likely {
                        Some(likely) => format!("did you mean `{{{likely}}}`?"),
                        None => "the labels are those under `images`, in upper case; write `{{` for a brace"
                            .to_owned(),
                    }),
                );
            }
        }
    }
}

/// The labels of all files deployed in a namespace.
fn labels<'j>(job: &'j Job, namespace: &str) -> Vec<&'j str> {
    let deploys = job.actions.iter().filter_map(|action| match action {
        Action::Deploy(deploy) if deploy.block.namespace() == namespace => Some(deploy),
        _ => None,
    });
    let images = deploys.flat_map(|deploy| deploy.images.iter().chain(&deploy.files));
    images.map(|Image { label, .. }| label.value.as_str()).collect()
}

fn undefined(argument: &Spanned<String>, name: &str, likely: Option<&str>) -> Diagnostic {
    let message = format!("no deployed file has the label `{name}`");
    let diagnostic = Diagnostic::warning(codes::UNDEFINED_LABEL, argument.span, message);
    match likely {
        Some(likely) => diagnostic.help(format!("did you mean `{{{likely}}}`?")),
        None => diagnostic,
    }
}

/// Every `{word}` whose braces can mean nothing else: a word of letters, digits, `-`, `_`, not after a `$`.
fn words_in_braces(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let name = &rest[..rest.find('}')?];
        let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        (is_word && !text[..at].ends_with(['$', '{'])).then_some(name)
    })
}

/// Every field of a Python format string, without what follows `:`, `!`, `.` or `[`.
fn format_fields(text: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            rest = after;
            continue;
        }
        let Some(end) = rest.find('}') else { break };
        let field = &rest[..end];
        fields.push(field.split([':', '!', '.', '[']).next().unwrap_or(field));
        rest = &rest[end + 1..];
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_told_from_other_braces() {
        let words = |text| words_in_braces(text).collect::<Vec<_>>();
        assert_eq!(words("-kernel {kernel} -append 'a={b c} ${HOME} {{x}}' {dtb-1}"), ["kernel", "dtb-1"]);
        assert_eq!(words("{"), Vec::<&str>::new());
    }

    #[test]
    fn fields_are_those_of_a_python_format() {
        assert_eq!(format_fields("-C a={BL1} {{x}} {FIP!r} {B:>3} {"), ["BL1", "FIP", "B"]);
        assert_eq!(format_fields("no braces }"), Vec::<&str>::new());
    }
}
