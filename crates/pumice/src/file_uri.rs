//! Paths as URI references (RFC 3986; RFC 8089 for `file:`).

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What is escaped in a path: everything but unreserved characters (RFC 3986, 2.3) and the slash.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A `file:` URI of an absolute path, a relative reference of any other. A path that is not UTF-8 keeps its bytes.
pub(crate) fn file_uri(path: &Path) -> String {
    let scheme = if path.is_absolute() { "file://" } else { "" };
    format!("{scheme}{}", percent_encode(path.as_os_str().as_encoded_bytes(), RESERVED))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    use super::*;

    #[test]
    fn a_path_becomes_a_uri_reference_of_the_same_bytes() {
        let check =
            |path: &[u8], expected| assert_eq!(file_uri(Path::new(OsStr::from_bytes(path))), expected);
        check(b"jobs/a b.yaml", "jobs/a%20b.yaml");
        check("/lab/é.yaml".as_bytes(), "file:///lab/%C3%A9.yaml");
        check(b"a:b#c.yaml", "a%3Ab%23c.yaml");
        check(b"/lab/\xff~1.img", "file:///lab/%FF~1.img");
    }
}
