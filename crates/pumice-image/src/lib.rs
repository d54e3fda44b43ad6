//! Images: compression, tar, cpio, ext4, FAT, qcow2, ELF.
