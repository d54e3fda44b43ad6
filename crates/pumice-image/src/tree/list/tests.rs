use super::*;

fn paths(tree: &Tree) -> Vec<String> {
    tree.iter().map(|(path, _)| path.to_string()).collect()
}

fn link(target: &str) -> Entry {
    Entry::new(Meta::new(0o644), Node::HardLink(TreePath::new(target).unwrap()))
}

#[test]
fn missing_directories_are_implied_and_come_first() {
    let mut tree = Tree::new();
    tree.file("a/b/c", 0o644, "x").unwrap().file("a-b", 0o600, "y").unwrap();
    assert_eq!(paths(&tree), ["/a", "/a-b", "/a/b", "/a/b/c"]);
    assert_eq!(tree.implied().map(ToString::to_string).collect::<Vec<_>>(), ["/a", "/a/b"]);
    tree.directory("a/b", 0o700).unwrap();
    assert_eq!(tree.get(&TreePath::new("a/b").unwrap()).unwrap().st_mode(), 0o040_700);
    assert_eq!(tree.implied().count(), 1);
}

#[test]
fn links_to_directories_are_followed_inside_the_tree() {
    let mut tree = Tree::new();
    tree.directory("usr/lib", 0o755).unwrap().symlink("lib", "usr/lib").unwrap();
    tree.symlink("abs", "/../../usr").unwrap();
    tree.file("lib/modules/x", 0o644, "").unwrap().file("abs/lib/y", 0o644, "").unwrap();
    tree.directory("lib", 0o700).unwrap();
    let expected =
        ["/abs", "/lib", "/usr", "/usr/lib", "/usr/lib/modules", "/usr/lib/modules/x", "/usr/lib/y"];
    assert_eq!(paths(&tree), expected);
}

#[test]
fn what_cannot_stand_there_is_refused_with_what_is_in_the_way() {
    let mut tree = Tree::new();
    tree.file("f", 0o644, "").unwrap().directory("d", 0o755).unwrap().symlink("loop", "loop").unwrap();
    let message = |result: Result<&mut Tree, TreeError>| result.unwrap_err().to_string();
    assert_eq!(
        message(tree.file("f/x", 0o644, "")),
        "`/f/x` cannot be put into the tree: `/f` is a file there"
    );
    assert_eq!(
        message(tree.file("d", 0o644, "")),
        "`/d` cannot be put into the tree: `/d` is a directory there"
    );
    assert!(matches!(tree.file("loop/x", 0o644, ""), Err(TreeError::Link(_))));
    assert!(tree.file("../x", 0o644, "").is_err());
    let missing = tree.insert(&TreePath::new("h").unwrap(), link("nothing"));
    assert!(matches!(missing, Err(TreeError::HardLink { .. })));
}

#[test]
fn a_replaced_file_leaves_its_other_names_the_old_contents() {
    let mut tree = Tree::new();
    tree.file("one", 0o644, "old").unwrap();
    tree.insert(&TreePath::new("two").unwrap(), link("one")).unwrap();
    tree.insert(&TreePath::new("three").unwrap(), link("two")).unwrap();
    tree.file("one", 0o644, "new").unwrap();
    let node = |tree: &Tree, name: &str| tree.get(&TreePath::new(name).unwrap()).unwrap().node.clone();
    assert_eq!(node(&tree, "one"), Node::File("new".into()));
    assert_eq!(node(&tree, "three"), Node::File("old".into()));
    assert_eq!(node(&tree, "two"), Node::HardLink(TreePath::new("three").unwrap()));

    let mut copy = Tree::new();
    copy.merge(tree.clone()).unwrap();
    assert_eq!(copy, tree);
}

#[test]
fn links_are_followed_to_a_file_of_the_tree_and_no_further() {
    let mut tree = Tree::new();
    tree.file("real/x", 0o644, "x").unwrap();
    for (path, target) in [
        ("in/near", "../real/x"),
        ("far", "in/near"),
        ("out", "../../etc/passwd"),
        ("absolute", "/etc/passwd"),
        ("round", "round"),
        ("nowhere", "real/y"),
        ("dir", "real"),
    ] {
        tree.symlink(path, target).unwrap();
    }
    let check = |path: &str, expected: bool| {
        let found = tree.follow(&TreePath::new(path).unwrap());
        assert_eq!(found.is_some_and(|entry| matches!(entry.node, Node::File(_))), expected, "{path}");
    };
    for path in ["real/x", "in/near", "far", "dir/x"] {
        check(path, true);
    }
    for path in ["out", "absolute", "round", "nowhere", "dir", "nothing"] {
        check(path, false);
    }
}
