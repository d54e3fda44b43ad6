//! Whether blocks come in an order that can work, and patterns have the groups they need.

use crate::language::names::BOOTS_OF_DEPLOYED;
use std::collections::BTreeSet;

use pumice_types::{Diagnostic, FilePattern, Spanned};

use super::across::Findings;
use crate::{Action, Block, Boot, BootDetail, Deploy, Job, Test, TestKind, codes};

/// More roles than this are not looked at.
const MOST_ROLES: usize = 100;

/// Looks at the blocks of each role, and of each namespace, in order.
pub(super) fn check(job: &Job, found: &mut Findings) {
    let roles: Vec<Option<&str>> = match &job.multinode {
        Some(multinode) => {
            multinode.roles.iter().take(MOST_ROLES).map(|role| Some(role.name.value.as_str())).collect()
        }
        None => vec![None],
    };
    let mut reported = BTreeSet::new();
    for role in roles {
        let is_for = |block: &Block| {
            block.roles.is_empty()
                || role.is_none()
                || block.roles.iter().any(|name| Some(name.value.as_str()) == role)
        };
        let (mut deployed, mut booted) = (BTreeSet::new(), BTreeSet::new());
        for action in job.actions.iter().filter(|action| is_for(action.block())) {
            let block = action.block();
            let problem = match action {
                Action::Deploy(_) => {
                    deployed.insert(block.namespace());
                    None
                }
                Action::Boot(boot) => {
                    let problem = without_deploy(boot, &deployed);
                    booted.insert(block.namespace());
                    problem
                }
                Action::Test(test) => without_boot(test, &booted),
                Action::Command(_) => None,
            };
            // A block of several roles is wrong once.
            if let Some(problem) = problem
                && reported.insert(block.word_span)
            {
                found.add_defect(problem);
            }
        }
    }
    for action in &job.actions {
        match action {
            Action::Boot(boot) => consoles(boot, found),
            Action::Test(test) => results(test, found),
            Action::Deploy(deploy) => taken_files(deploy, found),
            Action::Command(_) => {}
        }
    }
}

/// Methods that start something which a deploy block must have brought.
fn without_deploy(boot: &Boot, deployed: &BTreeSet<&str>) -> Option<Diagnostic> {
    let needs = BOOTS_OF_DEPLOYED.contains(&boot.method.value.as_str());
    if !needs || deployed.contains(boot.block.namespace()) {
        return None;
    }
    let message = format!("nothing is deployed before `method: {}`", boot.method.value);
    let diagnostic = Diagnostic::warning(codes::NO_DEPLOY, boot.block.word_span, message);
    Some(diagnostic.help("put a deploy block of the same namespace before it"))
}

/// Tests on the machine need one that was started.
fn without_boot(test: &Test, booted: &BTreeSet<&str>) -> Option<Diagnostic> {
    let needs = match &test.kind {
        TestKind::Definitions { container, .. } => container.is_none(),
        TestKind::Monitors(_) | TestKind::Interactive(_) | TestKind::Commands(_) => true,
        TestKind::Services(_) => false,
    };
    if !needs || booted.contains(test.block.console_namespace()) {
        return None;
    }
    let diagnostic =
        Diagnostic::warning(codes::NO_BOOT, test.block.word_span, "no machine is booted before this test");
    Some(diagnostic.help("put a boot block of the same namespace before it"))
}

/// The patterns of consoles name the port they find.
fn consoles(boot: &Boot, found: &mut Findings) {
    let BootDetail::Model(model) = &boot.detail else { return };
    let announced = model.console_string.iter().filter(|_| model.use_telnet);
    for pattern in announced.chain(&model.feedbacks) {
        if let Some(problem) = without_group(pattern, "PORT", r"(?P<PORT>\d+)") {
            found.add_defect(problem);
        }
    }
}

/// The patterns of files that are taken out of an image are some.
fn taken_files(deploy: &Deploy, found: &mut Findings) {
    let images = deploy.images.iter().chain(&deploy.files);
    for file in images.flat_map(|image| &image.resource.extract) {
        if let Err(error) = file.value.value.parse::<FilePattern>() {
            found.add_defect(Diagnostic::warning(codes::PATTERN, file.value.span, error.to_string()).help(
                "name the file, `zImage`, its path, `/boot/zImage`, or a pattern of one, `/boot/vmlinuz-*`",
            ));
        }
    }
}

fn results(test: &Test, found: &mut Findings) {
    let TestKind::Monitors(monitors) = &test.kind else { return };
    for monitor in monitors {
        // LAVA runs it and logs what it cannot name.
        if let Some(problem) = without_group(&monitor.pattern, "test_case_id", r"(?P<test_case_id>\S+)") {
            found.add(problem);
        }
    }
}

fn without_group(pattern: &Spanned<String>, group: &str, example: &str) -> Option<Diagnostic> {
    let named = ["(?P<", "(?<"].map(|open| format!("{open}{group}>"));
    if named.iter().any(|named| pattern.value.contains(named)) {
        return None;
    }
    let message = format!("the pattern has no group `{group}`");
    let help = format!("put it around what is to be found: `{example}`");
    Some(Diagnostic::warning(codes::PATTERN, pattern.span, message).help(help))
}
