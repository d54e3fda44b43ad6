//! What later blocks need of earlier ones.

use pumice_job::{Action, Boot, Deploy, TestKind};

use super::Builder;
use crate::machine::{MachineSpec, Outline};

/// The blocks of a job, to be asked what follows or goes before.
pub(crate) struct LookAhead<'a> {
    actions: &'a [Action],
}

impl<'a> LookAhead<'a> {
    pub(crate) fn new(actions: &'a [Action]) -> Self {
        Self { actions }
    }

    /// Whether any test uses the overlay of this namespace.
    pub(crate) fn needs_overlay(&self, namespace: &str) -> bool {
        self.tests(namespace).any(|test| matches!(test.kind, TestKind::Definitions { .. }))
    }

    /// Whether any test uses that overlay in the guest, and not in a container beside it.
    pub(crate) fn needs_guest_overlay(&self, namespace: &str) -> bool {
        let mut tests = self.tests(namespace);
        tests.any(|test| matches!(test.kind, TestKind::Definitions { container: None, .. }))
    }

    /// Whether any test types into a shell of this namespace.
    pub(crate) fn needs_shell(&self, namespace: &str) -> bool {
        self.tests(namespace).any(|test| {
            matches!(test.kind, TestKind::Definitions { container: None, .. } | TestKind::Commands(_))
        })
    }

    fn tests(&self, namespace: &str) -> impl Iterator<Item = &'a pumice_job::Test> {
        self.actions.iter().filter_map(move |action| match action {
            Action::Test(test)
                if test.block.namespace() == namespace || test.block.console_namespace() == namespace =>
            {
                Some(&**test)
            }
            _ => None,
        })
    }

    /// The tests of a namespace itself, with their index in the job.
    pub(crate) fn own_tests(&self, namespace: &str) -> impl Iterator<Item = (usize, &'a pumice_job::Test)> {
        self.actions.iter().enumerate().filter_map(move |(index, action)| match action {
            Action::Test(test) if test.block.namespace() == namespace => Some((index, &**test)),
            _ => None,
        })
    }

    /// The boot block of a namespace that the block at `index` belongs to: the last one up to it, else the
    /// first behind it.
    pub(crate) fn boot_for(&self, namespace: &str, index: usize) -> Option<usize> {
        let is_boot = |at: &usize| matches!(&self.actions[*at], Action::Boot(boot) if boot.block.namespace() == namespace);
        let behind = || (index..self.actions.len()).find(is_boot);
        (0..=index.min(self.actions.len().saturating_sub(1))).rev().find(is_boot).or_else(behind)
    }

    /// The next boot block of a namespace behind `index`.
    pub(crate) fn next_boot(&self, namespace: &str, index: usize) -> Option<usize> {
        (index..self.actions.len()).find(
            |at| matches!(&self.actions[*at], Action::Boot(boot) if boot.block.namespace() == namespace),
        )
    }

    /// The deploy blocks of a namespace before `index` that bring files for a machine.
    pub(crate) fn deploys_before(&self, namespace: &str, index: usize) -> impl Iterator<Item = &'a Deploy> {
        self.actions[..index].iter().filter_map(move |action| match action {
            Action::Deploy(deploy)
                if deploy.block.namespace() == namespace && deploy.to.value != "downloads" =>
            {
                Some(&**deploy)
            }
            _ => None,
        })
    }

    /// The boot block at `index`.
    pub(crate) fn boot(&self, index: usize) -> Option<&'a Boot> {
        match self.actions.get(index)? {
            Action::Boot(boot) => Some(boot),
            _ => None,
        }
    }

    /// The factors of all machines the job starts.
    pub(crate) fn machines(&self, builder: &Builder<'_>) -> Vec<u32> {
        (0..self.actions.len())
            .filter_map(|index| builder.outline_of(index))
            .map(|(_, outline)| outline.time_factor)
            .collect()
    }
}

impl Builder<'_> {
    /// The machine that the boot block at `index` starts and the shape its platform gives it; `None` when it
    /// starts none, or the platform finds a mistake (which the block's own turn reports).
    pub(crate) fn outline_of(&self, index: usize) -> Option<(MachineSpec, Outline)> {
        let boot = self.ahead.boot(index)?;
        let (planner, spec) = self.machine_spec(boot, index)?;
        if planner.check(&spec).has_errors() {
            return None;
        }
        let outline = self.outline(planner, &spec, boot);
        Some((spec, outline))
    }
}
