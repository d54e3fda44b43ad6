//! `{LABEL}` in the texts of devices and jobs.

use std::collections::BTreeMap;

/// `text` with every known `{LABEL}` replaced, in one pass: a path that holds braces is not read again. Other
/// braces are kept as they are.
pub fn substitute(text: &str, paths: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let known = rest.find('}').and_then(|close| Some((close, paths.get(&rest[1..close])?)));
        if let Some((close, path)) = known {
            out.push_str(path);
            rest = &rest[close + 1..];
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_replaced_once_and_other_braces_are_kept() {
        let paths = BTreeMap::from([
            ("kernel".to_owned(), "/a/{rootfs}".to_owned()),
            ("rootfs".to_owned(), "/b".to_owned()),
        ]);
        let check = |text: &str, expected: &str| assert_eq!(substitute(text, &paths), expected);
        check("{kernel}", "/a/{rootfs}");
        check("file={rootfs},if=virtio", "file=/b,if=virtio");
        check(r#"{"driver": "{rootfs}"}"#, r#"{"driver": "/b"}"#);
        check("{unknown} {", "{unknown} {");
    }
}
