//! The files that a job's text names, and putting other addresses in their place without touching the rest of the text.

use std::collections::BTreeMap;

use pumice_types::Span;
use pumice_yaml::{Node, Value};

/// An address in the text of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// As it is written: a URL, or what should be one.
    pub address: String,
    /// Where it stands, quotation marks included.
    pub span: Span,
    /// What it is the address of.
    pub kind: NamedFileKind,
}

/// What a job has addresses of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedFileKind {
    /// An image, or another file that is deployed.
    Image,
    /// An archive with a test (`from: url`).
    Archive,
    /// A git repository with a test (`from: git`).
    Repository,
}

/// Every address of a file in a job, in the order of the text. One that is used more than once, through an alias, comes once.
pub fn named_files(job: &Node) -> Vec<NamedFile> {
    let mut found = BTreeMap::new();
    if let Some(actions) = job.get("actions") {
        visit(actions, &mut found);
    }
    found.into_values().collect()
}

fn visit(node: &Node, found: &mut BTreeMap<usize, NamedFile>) {
    match &node.value {
        Value::Map(entries) => {
            let from = entries.get("from").and_then(Node::as_str);
            let kind = |key: &str| match (key, from) {
                ("url", _) => Some(NamedFileKind::Image),
                ("repository", Some("url")) => Some(NamedFileKind::Archive),
                ("repository", Some("git")) => Some(NamedFileKind::Repository),
                _ => None,
            };
            for entry in entries {
                if let (Some(kind), Some(address)) = (kind(&entry.key), entry.value.as_str()) {
                    let span = entry.value.span;
                    found.insert(span.start, NamedFile { address: address.to_owned(), span, kind });
                } else {
                    visit(&entry.value, found);
                }
            }
        }
        Value::Seq(items) => items.iter().for_each(|item| visit(item, found)),
        _ => {}
    }
}

/// The text with other addresses in the places of some. They are written so that YAML reads exactly them, wherever they stand.
pub fn replace_addresses(text: &str, replacements: &[(Span, String)]) -> String {
    let mut replacements: Vec<_> = replacements.iter().collect();
    replacements.sort_by_key(|(span, _)| span.start);
    let mut replaced = String::with_capacity(text.len());
    let mut end = 0;
    for (span, address) in replacements {
        replaced.push_str(text.get(end..span.start).unwrap_or_default());
        // JSON is YAML.
        replaced.push_str(&serde_json::Value::from(address.as_str()).to_string());
        end = span.end;
    }
    replaced.push_str(text.get(end..).unwrap_or_default());
    replaced
}

#[cfg(test)]
mod tests {
    use pumice_types::SourceId;

    use super::*;

    const JOB: &str = "\
# A comment stays.
job_name: url
actions:
- deploy:
    images:
      kernel: {url: './a kernel', image_arg: '-kernel {kernel}'}   # and this one
      ramdisk:
        url: &ramdisk file:///images/initrd.gz
        compression: gz
      again: {url: *ramdisk}
      dtb:
        url: \"x.dtb\"
- test:
    definitions:
    - {repository: tests.tar, from: url, name: repository, path: t.yaml}
    - {repository: 'file:///srv/git', from: git, name: g, path: t.yaml}
    - {repository: {metadata: {}}, from: inline, name: i, path: t.yaml}
";

    #[test]
    fn addresses_are_found_with_what_they_are_of() {
        use NamedFileKind::{Archive, Image, Repository};
        let (node, _) = pumice_yaml::parse(JOB, SourceId::default());
        let found = named_files(&node.unwrap());
        let shown: Vec<_> = found
            .iter()
            .map(|file| (file.address.as_str(), &JOB[file.span.start..file.span.end], file.kind))
            .collect();
        assert_eq!(
            shown,
            [
                ("./a kernel", "'./a kernel'", Image),
                ("file:///images/initrd.gz", "file:///images/initrd.gz", Image),
                ("x.dtb", "\"x.dtb\"", Image),
                ("tests.tar", "tests.tar", Archive),
                ("file:///srv/git", "'file:///srv/git'", Repository),
            ]
        );
    }

    #[test]
    fn other_addresses_leave_the_rest_of_the_text_as_it_is() {
        let (node, _) = pumice_yaml::parse(JOB, SourceId::default());
        let found = named_files(&node.unwrap());
        let other: Vec<_> = found
            .iter()
            .take(4)
            .map(|file| (file.span, format!("upload://x/{}", file.address.len())))
            .collect();
        let expected = JOB
            .replace("'./a kernel'", "\"upload://x/10\"")
            .replace("file:///images/initrd.gz", "\"upload://x/24\"")
            .replace("\"x.dtb\"", "\"upload://x/5\"")
            .replace("tests.tar", "\"upload://x/9\"");
        let replaced = replace_addresses(JOB, &other);
        assert_eq!(replaced, expected);
        let (node, _) = pumice_yaml::parse(&replaced, SourceId::default());
        assert_eq!(named_files(&node.unwrap())[1].address, "upload://x/24");
    }
}
