//! Disks that a machine gets beside those of its job.

use std::path::Path;

use pumice_plan::GuestDisk;

use crate::{board::Board, platform::escaped};

/// The words that attach a raw disk as the device wires its own (lava-compat 1.6).
pub(crate) fn disk_words(guest: &GuestDisk, board: &Board, disk: &Path) -> Vec<String> {
    let file = format!("file={},format=raw,media=disk,id={}", escaped(disk), guest.drive_id);
    if guest.interface == "virtio" && !board.has_pci() {
        let device = format!("virtio-blk-device,drive={}", guest.drive_id);
        ["-drive".to_owned(), format!("{file},if=none"), "-device".to_owned(), device].into()
    } else {
        ["-drive".to_owned(), format!("{file},if={}", guest.interface)].into()
    }
}
