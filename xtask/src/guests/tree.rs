//! What stands in a guest's initramfs.

use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};

use super::{cpio::Archive, modules::Modules};

const SCRIPTS: [(&str, &str); 5] = [
    ("init", include_str!("../../guest/init")),
    ("etc/rc", include_str!("../../guest/rc")),
    ("etc/console", include_str!("../../guest/console")),
    ("etc/udhcpc", include_str!("../../guest/udhcpc")),
    ("etc/inittab", include_str!("../../guest/inittab")),
];

const FILES: [(&str, &str); 7] = [
    ("etc/profile", include_str!("../../guest/profile")),
    ("etc/passwd", "root::0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
    ("etc/hostname", "guest\n"),
    ("etc/hosts", "127.0.0.1 localhost guest\n"),
    ("etc/os-release", "ID=busybox\nNAME=busybox\nPRETTY_NAME=\"A busybox guest\"\n"),
    ("etc/issue", ""),
];

const DIRECTORIES: [&str; 18] = [
    "bin",
    "dev",
    "etc",
    "lib",
    "lib/modules",
    "mnt",
    "proc",
    "root",
    "run",
    "sbin",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "usr/sbin",
    "var",
    "var/lib",
    "var/log",
];

/// Changes whenever this recipe does: guests made by another are made anew.
pub(super) const FINGERPRINT: &[u8] = concat!(
    include_str!("tree.rs"),
    include_str!("modules.rs"),
    include_str!("cpio.rs"),
    include_str!("../../guest/init"),
    include_str!("../../guest/rc"),
    include_str!("../../guest/console"),
    include_str!("../../guest/udhcpc"),
    include_str!("../../guest/inittab"),
    include_str!("../../guest/profile"),
)
.as_bytes();

/// The gzipped cpio archive of a guest.
pub(super) fn initramfs(busybox: &[u8], release: &str, modules: &Modules) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for directory in DIRECTORIES {
        archive.directory(directory);
    }
    archive.file("bin/busybox", 0o755, busybox);
    archive.link("bin/sh", "busybox");
    archive.link("sbin/modprobe", "../bin/busybox");
    for (path, text) in SCRIPTS {
        archive.file(path, 0o755, text.as_bytes());
    }
    for (path, text) in FILES {
        archive.file(path, 0o644, text.as_bytes());
    }
    let base = format!("lib/modules/{release}");
    archive.directory(&base);
    for (path, content) in &modules.files {
        archive.parents(&format!("{base}/{path}"));
        archive.file(&format!("{base}/{path}"), 0o644, content);
    }
    archive.file(&format!("{base}/modules.dep"), 0o644, modules.dependencies.as_bytes());
    archive.file(&format!("{base}/modules.alias"), 0o644, modules.aliases.as_bytes());
    archive.file(&format!("{base}/modules.symbols"), 0o644, b"");

    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&archive.finish())?;
    Ok(packed.finish()?)
}
