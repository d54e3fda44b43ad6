//! What stands in a guest's initramfs.

use anyhow::Result;
use pumice_image::{Compression, Tree, compression::encode, cpio};

use super::modules::Modules;

const SCRIPTS: [(&str, &str); 6] = [
    ("init", include_str!("../../guest/init")),
    ("etc/rc", include_str!("../../guest/rc")),
    ("etc/console", include_str!("../../guest/console")),
    ("etc/rootlogin", include_str!("../../guest/rootlogin")),
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

/// Mount points, and where programs expect to write.
const DIRECTORIES: [&str; 11] =
    ["dev", "mnt", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/sbin", "var/lib", "var/log"];

/// Changes whenever this recipe does: guests made by another are made anew.
pub(super) const FINGERPRINT: &[u8] = concat!(
    include_str!("tree.rs"),
    include_str!("modules.rs"),
    include_str!("../../guest/init"),
    include_str!("../../guest/rc"),
    include_str!("../../guest/console"),
    include_str!("../../guest/rootlogin"),
    include_str!("../../guest/udhcpc"),
    include_str!("../../guest/inittab"),
    include_str!("../../guest/profile"),
)
.as_bytes();

/// The gzipped cpio archive of a guest.
pub(super) fn initramfs(busybox: Vec<u8>, release: &str, modules: Modules) -> Result<Vec<u8>> {
    let mut tree = Tree::new();
    for directory in DIRECTORIES {
        tree.directory(directory, 0o755)?;
    }
    tree.file("bin/busybox", 0o755, busybox)?;
    tree.symlink("bin/sh", "busybox")?;
    tree.symlink("sbin/modprobe", "../bin/busybox")?;
    for (path, text) in SCRIPTS {
        tree.file(path, 0o755, text.as_bytes())?;
    }
    for (path, text) in FILES {
        tree.file(path, 0o644, text.as_bytes())?;
    }
    let base = format!("lib/modules/{release}");
    for (path, content) in modules.files {
        tree.file(format!("{base}/{path}"), 0o644, content)?;
    }
    tree.file(format!("{base}/modules.dep"), 0o644, modules.dependencies.as_bytes())?;
    tree.file(format!("{base}/modules.alias"), 0o644, modules.aliases.as_bytes())?;
    tree.file(format!("{base}/modules.symbols"), 0o644, Vec::new())?;

    let mut packed = encode(Some(Compression::Gzip), Vec::new())?;
    cpio::write(&tree, &mut packed)?;
    Ok(packed.finish()?)
}
