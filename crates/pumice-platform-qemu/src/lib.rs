//! The platform `qemu`: arm, arm64, x86, riscv64 and every other target QEMU has.
//!
//! A LAVA device gives the program and its options as text (lava-compat 2.5), the job adds an `image_arg` for
//! each file. Both are split into words as a POSIX shell would split them, without a shell, and completed with
//! what makes the machine observable: a socket for the console, one for the control channel (QMP), and a
//! spare UART for the signals of the tests where the board has one.

mod arguments;
mod board;
mod disk;
mod installer;
mod monitor;
mod network;
mod nfs_root;
mod platform;
mod probe;

pub use platform::Qemu;
