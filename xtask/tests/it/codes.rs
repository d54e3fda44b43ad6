//! Every code of a mistake can be looked up.

use std::collections::BTreeSet;

use crate::repository::{Text, none, root, rust_files};

#[test]
fn every_code_of_a_mistake_is_explained() {
    let page = Text::read("docs/user/codes.md").text;
    let mut unexplained = BTreeSet::new();
    for file in rust_files(&["crates"]).iter().filter(|file| file.is_source()) {
        for (line, text) in file.code() {
            let codes = text.split("Code(\"").skip(1).filter_map(|rest| rest.split_once('"'));
            for (code, _) in codes {
                let has_page = root().join(format!("docs/user/codes/{code}.md")).exists();
                if !has_page && !page.contains(&format!("\n### {code}\n")) {
                    unexplained.insert(format!("{}:{line}: {code}", file.path));
                }
            }
        }
    }
    let offences: Vec<String> = unexplained.into_iter().collect();
    none(&offences, "Add a section to docs/user/codes.md.");
}
