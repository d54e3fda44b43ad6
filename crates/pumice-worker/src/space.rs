//! Room on a disk.

use std::path::Path;

use pumice_types::ByteSize;

/// Why the file system of `path` has not `least` bytes free for us; `None` when it has, or does not say.
pub(crate) fn shortage(path: &Path, least: ByteSize) -> Option<String> {
    let file_system = rustix::fs::statvfs(path).ok()?;
    let free = ByteSize(file_system.f_bavail.saturating_mul(file_system.f_frsize));
    (free < least).then(|| format!("{free} free in {}, and {least} are the least", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_says_how_much_is_free_and_where() {
        let path = Path::new("/");
        assert_eq!(shortage(path, ByteSize(0)), None);
        let said = shortage(path, ByteSize(u64::MAX)).unwrap();
        assert!(said.contains(" free in /"), "{said}");
    }
}
