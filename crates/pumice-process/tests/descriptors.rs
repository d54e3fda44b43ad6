//! Descriptors: none is lost by us, none reaches a child by accident. Alone in its program, because it counts.

use std::{
    fs,
    time::{Duration, Instant},
};

use pumice_process::{Command, Stdio};
use pumice_types::Deadline;

mod world;

use world::{World, in_runtime, shell};

#[test]
fn this_program_is_also_its_own_watcher() {
    world::body();
}

fn open() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[test]
fn no_descriptor_is_lost_or_handed_down() {
    in_runtime(async {
        let deadline = Deadline::after(Instant::now(), Duration::from_secs(60), "the test");
        let outside = open();
        {
            let world = World::new(true);
            let inside = open();
            for _ in 0..5 {
                let piped = shell("exit 1").stdin(Stdio::Piped).stdout(Stdio::Piped).stderr(Stdio::Piped);
                world.guard.spawn(&piped).unwrap().kill_all(&deadline).await.unwrap();
                world
                    .guard
                    .spawn(&shell("sleep 1000").on_terminal())
                    .unwrap()
                    .kill_all(&deadline)
                    .await
                    .unwrap();
                drop(world.guard.spawn(&shell("sleep 1000")).unwrap());
                assert!(world.guard.spawn(&Command::new("pumice-no-such-program")).is_err());
            }
            assert_eq!(open(), inside);
            let held = world.guard.spawn(&shell("sleep 1000").stdout(Stdio::Piped)).unwrap();
            let list = Command::new("/bin/ls").arg("/proc/self/fd");
            let output = world.guard.output(list, 4096, &deadline).await.unwrap();
            // Three streams, and the directory that is being read.
            assert_eq!(String::from_utf8(output.stdout).unwrap(), "0\n1\n2\n3\n");
            drop(held);
            world.finish().await;
        }
        assert_eq!(open(), outside);
    });
}
