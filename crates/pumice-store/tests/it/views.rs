//! What a job is given.

use std::{fs, io::Write};

use pumice_image::qcow2;
use pumice_store::{Artifact, Request, View, ViewError, ViewMethod};

use crate::world::{World, contents};

fn artifact(world: &World, bytes: &[u8]) -> Artifact {
    let path = world.path("source");
    fs::write(&path, bytes).unwrap();
    world.fetch(&Request::new(format!("file://{}", path.display()))).unwrap()
}

#[test]
fn a_writable_view_never_changes_the_artifact() {
    let world = World::new();
    let artifact = artifact(&world, b"image");
    let path = world.path("view");
    let viewed = world.store.view(&artifact, &path, View::Writable).unwrap();
    assert!(matches!(viewed.method, ViewMethod::Reflink | ViewMethod::Copy));
    fs::File::options().append(true).open(&path).unwrap().write_all(b" changed").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"image changed");
    assert_eq!(contents(&artifact), b"image");
    assert!(world.store.view(&artifact, &path, View::Writable).is_err(), "a view replaces no file");
}

#[test]
fn a_disk_view_has_the_artifact_behind_it() {
    let world = World::new();
    let artifact = artifact(&world, &vec![7; 100_000]);
    let path = world.path("view.qcow2");
    let viewed = world.store.view(&artifact, &path, View::Disk).unwrap();
    if viewed.method == ViewMethod::Qcow2 {
        let header = qcow2::Header::read(fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(header.backing_file.as_deref(), artifact.path().to_str());
    }
}

#[test]
fn an_object_somebody_wrote_to_is_found_out_and_replaced() {
    let world = World::new();
    let first = artifact(&world, b"image");
    let path = world.path("view");
    let viewed = world.store.view(&first, &path, View::ReadOnly).unwrap();
    assert_eq!(viewed.method, ViewMethod::HardLink);
    // Root may write through the link in spite of its mode; anybody else is refused.
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(&path, permissions).unwrap();
    fs::write(&path, b"harm!").unwrap();
    drop((first, viewed));
    assert_eq!(world.store.verify().unwrap().len(), 1);

    let again = artifact(&world, b"image");
    assert_eq!(contents(&again), b"image");
    assert_eq!(fs::read(&path).unwrap(), b"harm!");
    assert!(world.store.verify().unwrap().is_empty());
}

#[test]
fn an_image_that_names_other_files_is_refused() {
    let world = World::new();
    let evil = world.path("evil.qcow2");
    qcow2::create_overlay(&evil, std::path::Path::new("/etc/passwd")).unwrap();
    let artifact = artifact(&world, &fs::read(&evil).unwrap());
    for view in [View::ReadOnly, View::Writable, View::Disk] {
        let error = world.store.view(&artifact, &world.path("view"), view).unwrap_err();
        assert!(matches!(&error, ViewError::NotSelfContained(_, other) if other == "/etc/passwd"), "{error}");
    }
}
