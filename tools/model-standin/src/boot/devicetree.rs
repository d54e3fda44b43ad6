//! Which device tree QEMU gets.

use super::fdt::Node;
use super::vexpress;
use crate::journal;
use crate::knobs::Knobs;
use std::path::Path;

/// The tree for `vexpress-a15`: the one given when it describes what QEMU has, else the knob's, else one of our
/// own, under the name of the one given so that the guest reads the same `/proc/device-tree/model`.
pub(crate) fn for_machine(given: Option<&Path>, cores: usize, knobs: &Knobs) -> Vec<u8> {
    let given_tree = given.and_then(|path| std::fs::read(path).ok()).and_then(|blob| Node::parse(&blob));
    let usable = given_tree.as_ref().filter(|tree| is_usable(tree));
    let from_knob =
        || knobs.dtb.as_ref().and_then(|path| std::fs::read(path).ok()).and_then(|blob| Node::parse(&blob));
    let model = knobs.dt_model.clone().or_else(|| model_of(given_tree.as_ref()));
    let (origin, mut tree) = match (usable, from_knob()) {
        (Some(tree), _) => ("as given", without_missing_cores(tree.clone(), cores)),
        (None, Some(tree)) => ("the knob's", tree),
        (None, None) => ("written by us", vexpress::tree("V2P-CA15", cores)),
    };
    if let Some(model) = &model {
        name(&mut tree, model);
    }
    journal::note(&format!(
        "device tree: given {}, used: {origin}, model {}",
        given.map_or_else(|| "none".into(), |path| path.display().to_string()),
        tree.strings("model").join(", "),
    ));
    tree.to_blob()
}

/// QEMU's own tree, renamed; `None` when there is nothing to change.
pub(crate) fn edited(own: &[u8], given: Option<&Path>, knobs: &Knobs) -> Option<Vec<u8>> {
    let given_tree = given.and_then(|path| std::fs::read(path).ok()).and_then(|blob| Node::parse(&blob));
    let model = knobs.dt_model.clone().or_else(|| model_of(given_tree.as_ref()))?;
    let mut tree = Node::parse(own)?;
    name(&mut tree, &model);
    journal::note(&format!("device tree: QEMU's own, renamed {model}"));
    Some(tree.to_blob())
}

/// Takes out the cores that QEMU does not start; a kernel would wait for each of them.
fn without_missing_cores(mut tree: Node, cores: usize) -> Node {
    if let Some(cpus) = tree.children.iter_mut().find(|node| node.name == "cpus") {
        let mut seen = 0;
        cpus.children.retain(|node| {
            let core = node.name.starts_with("cpu@");
            seen += usize::from(core);
            !core || seen <= cores
        });
    }
    tree
}

/// Whether QEMU's machine can run with this tree: an A15 tile, and not the NIC that QEMU lacks.
fn is_usable(tree: &Node) -> bool {
    let root = tree.strings("compatible");
    let a15_only = tree.find("cpus").is_some_and(|cpus| {
        let cores = cpus.children.iter().filter(|node| node.name.starts_with("cpu@"));
        cores.clone().count() > 0 && cores.clone().all(|core| core.has_compatible("arm,cortex-a15"))
    });
    root.iter().any(|word| word.starts_with("arm,vexpress"))
        && a15_only
        && !tree.has_compatible("smsc,lan91c111")
}

fn model_of(tree: Option<&Node>) -> Option<String> {
    tree?.strings("model").into_iter().next()
}

fn name(tree: &mut Node, model: &str) {
    tree.set("model", model.bytes().chain(std::iter::once(0)).collect());
}

#[cfg(test)]
mod tests {
    use super::super::fdt::Cell;
    use super::*;

    fn rtsm() -> Node {
        Node::new("")
            .with("model", &Cell::Strings(&["RTSM_VE_CortexA15x4-A7x4"]))
            .with("compatible", &Cell::Strings(&["arm,rtsm_ve,cortex_a15x4_a7x4", "arm,vexpress"]))
            .child(Node::new("ethernet@2,2000000").with("compatible", &Cell::Strings(&["smsc,lan91c111"])))
    }

    fn used(given: &Node, knobs: &Knobs) -> Node {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), given.to_blob()).unwrap();
        Node::parse(&for_machine(Some(file.path()), 4, knobs)).unwrap()
    }

    #[test]
    fn a_tree_of_an_rtsm_is_replaced_and_keeps_its_name() {
        let tree = used(&rtsm(), &Knobs::default());
        assert_eq!(tree.strings("model"), ["RTSM_VE_CortexA15x4-A7x4"]);
        assert!(tree.has_compatible("smsc,lan9118") && !tree.has_compatible("smsc,lan91c111"));
        assert_eq!(tree.find("cpus").unwrap().children.len(), 4);
    }

    #[test]
    fn a_tree_that_qemu_can_use_is_used() {
        let given = vexpress::tree("V2P-CA15", 2);
        assert_eq!(used(&given, &Knobs::default()), given);
    }

    #[test]
    fn cores_that_are_not_there_are_taken_out() {
        let given = vexpress::tree("V2P-CA15", 8);
        assert_eq!(used(&given, &Knobs::default()), vexpress::tree("V2P-CA15", 4));
    }

    #[test]
    fn the_knob_names_the_model() {
        let knobs = Knobs { dt_model: Some("RTSM_VE_X".into()), ..Knobs::default() };
        assert_eq!(used(&rtsm(), &knobs).strings("model"), ["RTSM_VE_X"]);
    }
}
