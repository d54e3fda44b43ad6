//! What a lab does when its disks are full, its clocks jump and its database is slow, and when it is told to end.

mod clock;
mod database;
mod disk;
mod ending;
mod lava_server;
mod rig;
