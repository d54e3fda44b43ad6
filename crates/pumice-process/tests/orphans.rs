//! Orphans that hide. Alone in its program: only the last guard of a program answers for those without a mark.

mod world;

use world::{World, in_runtime, shell};

#[test]
fn this_program_is_also_its_own_watcher() {
    world::body();
}

#[test]
fn finish_ends_an_orphan_that_cleared_its_environment() {
    in_runtime(async {
        let world = World::new(false);
        let script = "(env -i setsid sleep 1000 </dev/null >/dev/null 2>&1 &)";
        let child = world.guard.spawn(&shell(script)).unwrap();
        child.wait().await;
        drop(child);
        world.finish().await;
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(world::children_of(own), [0; 0]);
    });
}
