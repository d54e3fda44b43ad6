//! What `system.methodHelp` says.

use std::fmt::Write as _;

use super::table::Method;

/// The help of a method: its name, its arguments and what it does.
pub(super) fn help(method: &Method) -> String {
    let arguments: Vec<_> = method.parameters.iter().map(|parameter| format!("`{parameter}`")).collect();
    let mut text = format!(
        "Name\n----\n`{}` ({})\n\nDescription\n-----------\n{}\n",
        method.name,
        arguments.join(", "),
        method.does
    );
    if !method.parameters.is_empty() {
        text.push_str("\nArguments\n---------\n");
        for parameter in method.parameters {
            match parameter.strip_suffix('?') {
                Some(name) => {
                    let _ = writeln!(text, "`{name}`: may be left out");
                }
                None => {
                    let _ = writeln!(text, "`{parameter}`");
                }
            }
        }
    }
    text
}
