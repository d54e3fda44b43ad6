//! The platform qemu.
