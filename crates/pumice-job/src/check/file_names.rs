//! Words of a job that become names of files and directories on the host: they must not lead anywhere else.

use pumice_types::{Diagnostic, Spanned};

use super::{across::Findings, describe};
use crate::{Action, Image, Job, codes};

/// The longest name, in bytes: what Linux takes (`NAME_MAX`, include/uapi/linux/limits.h), less what is put behind it.
const LONGEST: usize = 200;

/// Looks at the labels of files, the namespaces and the roles. However many mistakes there are, these are found.
pub(super) fn check(job: &Job, found: &mut Findings) {
    let mut look = |word: &Spanned<String>, what: &str| {
        if !is_name(&word.value) {
            let message = format!("`{}` cannot be the name of {what}", describe::short(&word.value));
            found.add_defect(
                Diagnostic::warning(codes::FILE_NAME, word.span, message)
                    .help("directories are called by it: use letters, digits, `-`, `_` and `.`"),
            );
        }
    };
    for action in &job.actions {
        let block = action.block();
        for namespace in block.namespace.iter().chain(&block.connection_namespace) {
            look(namespace, "a namespace");
        }
        if let Action::Deploy(deploy) = action {
            for Image { label, resource } in deploy.images.iter().chain(&deploy.files) {
                look(label, "a file");
                resource.extract.iter().for_each(|file| look(&file.name, "a file"));
            }
        }
    }
    for role in job.multinode.iter().flat_map(|multinode| &multinode.roles) {
        look(&role.name, "a role");
    }
}

/// Whether a word is one component of a path.
fn is_name(word: &str) -> bool {
    !matches!(word, "" | "." | "..") && word.len() <= LONGEST && !word.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_component_of_a_path() {
        for (word, expected) in [
            ("kernel", true),
            ("bl1.bin", true),
            ("..a", true),
            ("ein Bild", true),
            ("", false),
            (".", false),
            ("..", false),
            ("../x", false),
            ("/etc", false),
            ("a/b", false),
            ("a\0b", false),
        ] {
            assert_eq!(is_name(word), expected, "{word:?}");
        }
        assert!(!is_name(&"x".repeat(201)));
    }
}
