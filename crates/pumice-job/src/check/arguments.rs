//! `{label}` in arguments.

use std::collections::{BTreeSet, HashMap};

use pumice_types::{Diagnostic, Span, Spanned};

use super::{across::Findings, describe};
use crate::{Action, Boot, BootDetail, Deploy, Image, Job, codes};

/// What an argument may name beside files: the lab's NFS server, and what it serves.
const FROM_THE_LAB: [&str; 2] = ["NFS_SERVER_IP", "NFSROOTFS"];

/// The labels of all deployed files, by namespace, as they are written and in upper case.
type Labels<'j> = HashMap<&'j str, (BTreeSet<&'j str>, BTreeSet<String>)>;

/// Looks at every argument that may name a deployed file.
pub(super) fn check(job: &Job, found: &mut Findings) {
    let mut labels = Labels::new();
    for action in &job.actions {
        if let Action::Deploy(deploy) = action {
            let (written, upper) = labels.entry(deploy.block.namespace()).or_insert_with(|| {
                (BTreeSet::from(FROM_THE_LAB), BTreeSet::from(["ARTIFACT_DIR".to_owned()]))
            });
            for Image { label, .. } in deploy.images.iter().chain(&deploy.files) {
                written.insert(&label.value);
                upper.insert(label.value.to_uppercase());
            }
        }
    }
    for action in &job.actions {
        match action {
            Action::Deploy(deploy) => images(deploy, &labels, found),
            Action::Boot(boot) => model(boot, &labels, found),
            _ => {}
        }
    }
}

/// Textual replacement (lava-compat 11, trap 28): what is no label stays as it is.
fn images(deploy: &Deploy, labels: &Labels<'_>, found: &mut Findings) {
    let Some((labels, _)) = labels.get(deploy.block.namespace()) else { return };
    for argument in deploy.images.iter().filter_map(|image| image.resource.image_arg.as_ref()) {
        for (at, name) in words_in_braces(&argument.value) {
            if !labels.contains(name) && !found.is_full() {
                let likely = describe::likely(name, labels.iter().copied());
                found.add(undefined(argument, at, name, likely));
            }
        }
    }
}

/// The arguments of a model are formatted as by Python's `str.format` (lava-compat 10.2): labels in upper case, an
/// unknown one is an error, braces are doubled.
fn model(boot: &Boot, labels: &Labels<'_>, found: &mut Findings) {
    let BootDetail::Model(model) = &boot.detail else { return };
    let none = BTreeSet::new();
    let labels = labels.get(boot.block.namespace()).map_or(&none, |(_, upper)| upper);
    for argument in &model.arguments {
        for (at, name) in format_fields(&argument.value) {
            if !labels.contains(name) && !found.is_full() {
                let likely = describe::likely(name, labels.iter().map(String::as_str));
                found.add_defect(
                    undefined(argument, at, name, likely).help(match likely {
                        Some(likely) => format!("did you mean `{{{likely}}}`?"),
                        None => "the labels are those under `images`, in upper case; write `{{` for a brace"
                            .to_owned(),
                    }),
                );
            }
        }
    }
}

fn undefined(argument: &Spanned<String>, at: usize, name: &str, likely: Option<&str>) -> Diagnostic {
    let message = format!("no deployed file has the label `{}`", describe::short(name));
    let (span, is_exact) = part(argument, at, name.len());
    let diagnostic =
        Diagnostic::warning(codes::UNDEFINED_LABEL, span, message).suggest(likely.filter(|_| is_exact));
    match likely {
        Some(likely) => diagnostic.help(format!("did you mean `{{{likely}}}`?")),
        None => diagnostic,
    }
}

/// The place of a part of a text. Exact where the text stands as it is, with or without quotes; else the whole.
fn part(text: &Spanned<String>, at: usize, length: usize) -> (Span, bool) {
    let Span { source, start, end } = text.span;
    let quotes = (end - start).saturating_sub(text.value.len());
    match quotes {
        0 | 2 => (Span::new(source, start + quotes / 2 + at, start + quotes / 2 + at + length), true),
        _ => (text.span, false),
    }
}

/// Every `{word}`, with the place of the word, whose braces can mean nothing else: a word of letters, digits, `-`, `_`, not after a `$`.
fn words_in_braces(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('{').filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let name = &rest[..rest.find('}')?];
        let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        (is_word && !text[..at].ends_with(['$', '{'])).then_some((at + 1, name))
    })
}

/// Every field of a Python format string with its place, without what follows `:`, `!`, `.` or `[`.
fn format_fields(text: &str) -> Vec<(usize, &str)> {
    let mut fields = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find('{') {
        from += at + 1;
        if text[from..].starts_with('{') {
            from += 1;
            continue;
        }
        let Some(end) = text[from..].find('}') else { break };
        let field = &text[from..from + end];
        fields.push((from, field.split([':', '!', '.', '[']).next().unwrap_or(field)));
        from += end + 1;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_told_from_other_braces() {
        let words = |text| words_in_braces(text).map(|(_, word)| word).collect::<Vec<_>>();
        assert_eq!(words("-kernel {kernel} -append 'a={b c} ${HOME} {{x}}' {dtb-1}"), ["kernel", "dtb-1"]);
        assert_eq!(words("{"), Vec::<&str>::new());
    }

    #[test]
    fn fields_are_those_of_a_python_format() {
        assert_eq!(format_fields("-C a={BL1} {{x}} {FIP!r} {B:>3} {"), [(6, "BL1"), (18, "FIP"), (26, "B")]);
        assert_eq!(format_fields("no braces }"), []);
    }
}
