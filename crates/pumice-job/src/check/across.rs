//! What no part of a job shows by itself: what its parts say of one another.

use crate::language::names::VIRTUAL_DEPLOYS;
use std::collections::{BTreeSet, HashMap};

use pumice_types::{Code, Diagnostic, Diagnostics, Severity, Span, Spanned, nearest};

use super::{Told, arguments, describe, file_names, flow, notify};
use crate::{
    Action, Block, Definition, DefinitionSource, Image, Job, Resource, RoleKind, TestKind, Timeout, codes,
    language::{self, RunsOn},
};

/// Finds what is wrong between the parts of a job. What LAVA refuses only when the job starts is a warning, and a
/// defect of the job.
///
/// `told` is what was found in the parts. `is_whole` says that every block could be read.
pub(crate) fn check(job: &mut Job, told: &Diagnostics, is_whole: bool) -> Diagnostics {
    let mut found = Findings::default();
    file_names::check(job, &mut found);
    methods(job, &mut found);
    actions(job, &mut found);
    device_type(job, told, &mut found);
    namespaces(job, &mut found);
    timeouts(job, &mut found);
    roles(job, &mut found);
    definitions(job, &mut found);
    notify::check(job, &mut found);
    for action in &job.actions {
        if let Action::Deploy(deploy) = action {
            files(&deploy.images, &mut found);
            files(&deploy.files, &mut found);
        }
    }
    // After a block that is missing here the order says nothing.
    if is_whole {
        flow::check(job, &mut found);
        arguments::check(job, &mut found);
    }
    job.defects.extend(found.defects.into_list());
    found.told.into_list()
}

/// What was found.
#[derive(Default)]
pub(super) struct Findings {
    told: Told,
    defects: Told,
}

impl Findings {
    /// Whether more mistakes were found than anybody reads.
    pub(super) fn is_full(&self) -> bool {
        self.told.is_full()
    }

    /// Something that LAVA refuses on submission, or that is hardly meant.
    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        self.told.add(diagnostic);
    }

    /// Something that LAVA accepts on submission and that no run survives.
    pub(super) fn add_defect(&mut self, diagnostic: Diagnostic) {
        let defect = Diagnostic { severity: Severity::Error, ..diagnostic.clone() };
        self.defects.add(defect);
        self.told.add(diagnostic);
    }
}

/// Words that were reported already and that no run survives.
fn methods(job: &Job, found: &mut Findings) {
    for action in &job.actions {
        let (table, word) = match action {
            Action::Deploy(deploy) => (&language::DEPLOY, &deploy.to),
            Action::Boot(boot) => (&language::BOOT, &boot.method),
            Action::Test(_) | Action::Command(_) => continue,
        };
        let (code, message) = match table.methods.iter().find(|method| method.word == word.value) {
            Some(method) if method.runs_on == RunsOn::Virtual => continue,
            Some(_) => {
                (codes::NEEDS_BOARD, format!("`{}: {}` needs a physical board", table.key, word.value))
            }
            None => {
                (codes::UNKNOWN_METHOD, format!("`{}` is not a {}", describe::short(&word.value), table.what))
            }
        };
        found.defects.add(Diagnostic::error(code, word.span, message));
    }
}

/// A job for boards is refused. One that has blocks for a virtual platform too is accepted on submission, as LAVA
/// does, and refused when it is planned.
pub(crate) fn soften_boards(job: &Job, diagnostics: Diagnostics) -> Diagnostics {
    let is_virtual = job.actions.iter().any(|action| match action {
        Action::Deploy(deploy) => VIRTUAL_DEPLOYS.contains(&deploy.to.value.as_str()),
        _ => false,
    });
    let soften = |diagnostic: Diagnostic| match diagnostic.code {
        codes::NEEDS_BOARD if is_virtual => Diagnostic { severity: Severity::Warning, ..diagnostic },
        _ => diagnostic,
    };
    diagnostics.into_iter().map(soften).collect()
}

/// A warning about a text that has this place.
fn warning(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning(code, span, message)
}

fn actions(job: &Job, found: &mut Findings) {
    for block in job.actions.iter().map(Action::block) {
        if let (Some(repeat), Some(retry)) = (&block.repeat, &block.failure_retry) {
            found.add_defect(
                warning(
                    codes::REPEAT_AND_RETRY,
                    retry.span,
                    "a block has either `repeat` or `failure_retry`",
                )
                .related(repeat.span, "`repeat` is here")
                .help("`repeat` runs it again after success, `failure_retry` after failure; remove one"),
            );
        }
    }
}

fn device_type(job: &Job, told: &Diagnostics, found: &mut Findings) {
    let is_misspelt = || {
        let suggestions = told.iter().filter_map(|other| other.suggestion.as_ref());
        suggestions.into_iter().any(|suggestion| suggestion.replacement == "device_type")
    };
    match (&job.device_type, &job.multinode) {
        (None, None) if job.node.is_none() && !job.actions.is_empty() && !is_misspelt() => found.add(
            warning(codes::DEVICE_TYPE, job.name.span, "the job names no device type")
                .help("write `device_type:`, or give a device when it is run"),
        ),
        (Some(device_type), Some(multinode)) => found.add(
            warning(
                codes::DEVICE_TYPE,
                device_type.span,
                "in a MultiNode job each role names its device type",
            )
            .related(multinode.span, "the roles are here")
            .help("remove it"),
        ),
        _ => {}
    }
}

/// lava-compat 1.3.
fn namespaces(job: &Job, found: &mut Findings) {
    let blocks: Vec<&Block> = job.actions.iter().map(Action::block).collect();
    let Some(first) = blocks.iter().find_map(|block| block.namespace.as_ref()) else { return };
    let names: BTreeSet<&str> =
        blocks.iter().filter_map(|block| block.namespace.as_ref()).map(|name| name.value.as_str()).collect();
    for block in &blocks {
        match &block.namespace {
            None => found.add_defect(
                warning(codes::NAMESPACE, block.word_span, "this block has no namespace and others have one")
                    .related(first.span, "for example here")
                    .help("give every block a `namespace`, or none"),
            ),
            Some(name) if name.value == "docker-test-shell" => found.add_defect(
                warning(codes::NAMESPACE, name.span, "the namespace `docker-test-shell` is reserved")
                    .help("choose another name"),
            ),
            Some(name) if name.value == "common" && names.len() > 1 => found.add_defect(
                warning(
                    codes::NAMESPACE,
                    name.span,
                    "`common` means no namespace and cannot stand beside others",
                )
                .help("choose another name"),
            ),
            Some(_) => {}
        }
        if let Some(other) =
            block.connection_namespace.as_ref().filter(|other| !names.contains(other.value.as_str()))
        {
            let message = format!("no block has the namespace `{}`", describe::short(&other.value));
            let likely = describe::likely(&other.value, names.iter().copied());
            found.add(warning(codes::NAMESPACE, other.span, message).suggest(likely));
        }
    }
}

fn timeouts(job: &Job, found: &mut Findings) {
    let whole = job.timeouts.job;
    let mut compare = |timeout: &Timeout, what: &str| {
        // A job of the length that stands for none was told of already.
        if timeout.duration > whole.duration && whole.duration != Timeout::UNSET {
            let message = format!(
                "{what} may take {} seconds, the whole job {}",
                timeout.duration.as_secs(),
                whole.duration.as_secs()
            );
            found.add(
                warning(codes::TIMEOUT_TOO_LONG, timeout.span, message)
                    .related(whole.span, "the job's timeout")
                    .help("the job ends first; make its timeout longer or this one shorter"),
            );
        }
    };
    let global = &job.timeouts;
    global.action.iter().for_each(|timeout| compare(timeout, "an action"));
    global.connection.iter().for_each(|timeout| compare(timeout, "a wait on a console"));
    for named in global.actions.iter().chain(&global.connections) {
        compare(&named.timeout, &describe::quoted(&named.name.value));
    }
    for action in &job.actions {
        let block = action.block();
        block.timeout.iter().for_each(|timeout| compare(timeout, &format!("the {} block", action.word())));
        for named in &block.timeouts {
            compare(&named.timeout, &describe::quoted(&named.name.value));
        }
    }
}

/// lava-compat 5.1.
fn roles(job: &Job, found: &mut Findings) {
    let Some(multinode) = &job.multinode else { return };
    let names: BTreeSet<&str> = multinode.roles.iter().map(|role| role.name.value.as_str()).collect();
    let some: Vec<_> = multinode
        .roles
        .iter()
        .take(10)
        .map(|role| format!("`{}`", describe::short(&role.name.value)))
        .collect();
    let some = some.join(", ");
    let unknown = |role: &Spanned<String>| {
        let message = format!("there is no role `{}`", describe::short(&role.value));
        warning(codes::ROLE, role.span, message)
            .suggest(describe::likely(&role.value, names.iter().copied()))
            .help(format!("the roles under `lava-multinode` are {some}"))
    };
    for block in job.actions.iter().map(Action::block) {
        if block.roles.is_empty() {
            let message = "in a MultiNode job every block says for which roles it is";
            let help = format!("write `role:` with some of {some}");
            found.add(warning(codes::ROLE, block.word_span, message).label("no machine runs it").help(help));
        }
        for role in block.roles.iter().filter(|role| !names.contains(role.value.as_str())) {
            found.add_defect(unknown(role));
        }
    }
    for role in &multinode.roles {
        if let RoleKind::Connection(connection) = &role.kind {
            let named = [Some(&connection.host_role), connection.expect_role.as_ref()];
            for other in named.into_iter().flatten().filter(|other| !names.contains(other.value.as_str())) {
                found.add_defect(unknown(other));
            }
        }
    }
}

/// More definitions of one name are not compared with one another.
const MOST_COMPARED: usize = 20;

/// Names are unique in a namespace and a role; `lava` is the suite of the job itself.
fn definitions(job: &Job, found: &mut Findings) {
    let mut seen: HashMap<(&str, &str), Vec<(&Block, &Definition)>> = HashMap::new();
    for action in &job.actions {
        let Action::Test(test) = action else { continue };
        let TestKind::Definitions { definitions, .. } = &test.kind else { continue };
        for definition in definitions {
            let name = &definition.name;
            if name.value == "lava" {
                let message = "`lava` is the suite of the job itself";
                found.add_defect(
                    warning(codes::DUPLICATE_NAME, name.span, message).help("choose another name"),
                );
            }
            let others = seen.entry((test.block.namespace(), name.value.as_str())).or_default();
            let first = others.iter().take(MOST_COMPARED).find(|(block, _)| share_role(block, &test.block));
            if let Some((_, first)) = first {
                let message = format!("the name `{}` is given twice", describe::short(&name.value));
                found.add_defect(
                    warning(codes::DUPLICATE_NAME, name.span, message)
                        .related(first.name.span, "first here")
                        .help("their results could not be told apart; choose another name"),
                );
            }
            others.push((&test.block, definition));
            shallow(definition, found);
        }
    }
}

fn share_role(one: &Block, other: &Block) -> bool {
    one.roles.is_empty()
        || other.roles.is_empty()
        || one.roles.iter().any(|role| other.roles.iter().any(|other| other.value == role.value))
}

fn shallow(definition: &Definition, found: &mut Findings) {
    if let DefinitionSource::Git { revision: Some(revision), shallow: Some(shallow), .. } = &definition.from
        && shallow.value
    {
        found.add(
            Diagnostic::error(
                codes::SHALLOW_REVISION,
                shallow.span,
                "`shallow: true` cannot be used with `revision`",
            )
            .related(revision.span, "the revision is here")
            .help("remove one of the two"),
        );
    }
}

fn files(images: &[Image], found: &mut Findings) {
    const SCHEMES: [&str; 7] = ["http", "https", "file", "scp", "rclone", "downloads", "upload"];
    for Resource { url, checksums, .. } in images.iter().map(|image| &image.resource) {
        let scheme = url.value.split_once("://").map(|(scheme, _)| scheme);
        // `{KEY}` may stand for anything, a scheme too.
        if !scheme.is_some_and(|scheme| SCHEMES.contains(&scheme)) && !url.value.starts_with('{') {
            let likely = scheme.and_then(|scheme| nearest(scheme, SCHEMES));
            let mended =
                scheme.zip(likely).map(|(scheme, likely)| format!("{likely}{}", &url.value[scheme.len()..]));
            found.add_defect(
                warning(codes::URL, url.span, format!("files cannot be fetched from `{}`", describe::short(&url.value)))
                    .suggest(mended)
                    .help("a URL begins with `http://`, `https://`, `file://`, `scp://`, `rclone://` or `downloads://`; for `pumice run` and `submit --upload` it may be the path of a file, from the job's directory"),
            );
        }
        for checksum in checksums {
            let length = match checksum.algorithm {
                crate::Algorithm::Md5 => 32,
                crate::Algorithm::Sha256 => 64,
                crate::Algorithm::Sha512 => 128,
            };
            let digest = &checksum.digest;
            if digest.value.len() != length || !digest.value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let message = format!("the checksum must have {length} hexadecimal digits");
                let label = format!("this has {} characters", digest.value.chars().count());
                found.add_defect(warning(codes::CHECKSUM, digest.span, message).label(label));
            }
        }
    }
}
