//! A root file system over NFS: where the kernel is told to find it (lava-compat 2.5).

use std::collections::BTreeMap;

use pumice_plan::HostSeen;
use pumice_platform::NfsRoot;
use pumice_types::{Code, Diagnostic, Diagnostics, Span};
use pumice_yaml::Node;

use crate::arguments::Words;

/// The boot method.
pub(crate) const NFS: &str = "qemu-nfs";

/// The file that is served. Its image argument is the kernel's, which the device knows, and no word of the simulator.
pub(crate) const LABEL: &str = "nfsrootfs";

/// The guest could not reach what is served.
const NO_WAY: Code = Code("nfs-has-no-way");

/// What is written for the address and the name of the export, in devices as in LAVA's jobs.
const ADDRESS: &str = "NFS_SERVER_IP";
const EXPORT: &str = "NFSROOTFS";

/// The kernel's arguments as the device's `append` has them; `None` when it has none.
pub(crate) fn kernel_line(parameters: Option<&Node>) -> Option<String> {
    let append = parameters?.get("append")?;
    let text = |key| append.get(key).and_then(Node::scalar_text).unwrap_or_default();
    let [console, root, arguments, addresses] = ["console", "root", "nfsrootargs", "ipargs"].map(text);
    Some(format!("console={console} root={root} {arguments} rw {addresses}"))
}

/// Says where the export is. The server has no port mapper, so that the client is told both ports (`nfs(5)`), and the
/// version, behind the options that the device gives.
pub(crate) fn bind(
    nfs: &NfsRoot,
    seen: &HostSeen,
    words: &mut Words,
    paths: &mut BTreeMap<String, String>,
    span: Span,
    diagnostics: &mut Diagnostics,
) {
    let HostSeen::LoopbackAt(address) = seen else {
        let message = "the guest has no way to a root file system that is served on this host alone";
        diagnostics.push(Diagnostic::error(NO_WAY, span, message).help(
            "give the machine a network that leads there: `network: {mode: user}`, `network: {mode: tap}` without a \
             bridge, or the device `netdevice: user`",
        ));
        return;
    };
    paths.insert(ADDRESS.to_owned(), address.to_string());
    paths.insert(EXPORT.to_owned(), nfs.export.clone());
    let port = nfs.port;
    let placeholder = format!("{{{EXPORT}}}");
    for word in &mut words.kernel {
        // Behind the last option of `nfsroot=`, which ends at a blank.
        let Some(at) = word.find(&placeholder) else { continue };
        let end = word[at..].find(' ').map_or(word.len(), |length| at + length);
        word.insert_str(end, &format!(",nfsvers=3,port={port},mountport={port}"));
    }
}
