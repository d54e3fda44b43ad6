//! The files a test needs in the guest, as a list that any writer can pack (lava-compat 4.1).
//!
//! ```text
//! lava-42/bin/*                           the helper scripts
//! lava-42/environment                     variables, sourced before each stage
//! lava-42/secrets                         the job's secrets
//! lava-42/channel                         where signals may go, best first
//! lava-42/lava-channel                    a pipe to whoever sends signals there, and one for its answer
//! lava-42/settings                        what the scripts must know: distribution, shell
//! lava-42/multinode                       this node and the others, in a MultiNode job
//! lava-42/0/lava-test-runner.conf         the folders of stage 0's tests
//! lava-42/0/tests/0_name/                 the test's repository, testdef.yaml, uuid, install.sh, run.sh
//! lava-42/0/results/0_name-1/             what the test leaves: return_code, results/CASE/result
//! ```
//!
//! In the guest `bin/retry/*` joins them: `apt-get`, `pip`, `git` and others as install steps find them, tried again
//! when the network fails.

mod environment;
mod helpers;
mod os;
mod script;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use pumice_types::JobId;

use crate::{
    definition::{Parameters, TestDefinition},
    shell,
};

pub use environment::{Environment, environment_value};
pub use os::{OsDefaults, os_defaults};

/// One entry of the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayFile {
    /// Where it goes, from the guest's root, without a `/` at its beginning.
    pub path: String,
    /// Its permissions: `0o755`. Owner and group are root.
    pub mode: u32,
    /// What is in it.
    pub contents: Contents,
}

/// What an entry of the overlay is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// A folder.
    Directory,
    /// A file of these bytes.
    Bytes(Cow<'static, [u8]>),
    /// A file with the contents of this file of the host.
    HostPath(PathBuf),
    /// A symbolic link to this target.
    Link(String),
    /// A named pipe.
    Pipe,
}

/// What goes into an overlay.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// The job.
    pub job: JobId,
    /// The folder in the guest: absolute, see [`OsDefaults::results_dir`].
    pub root: String,
    /// The `os` of the job's deploy block: a hint for the scripts, which look for themselves.
    pub os: Option<String>,
    /// Variables for the tests, in order.
    pub environment: Vec<(String, String)>,
    /// Secrets for the tests, in order.
    pub secrets: Vec<(String, String)>,
    /// Devices in the guest that lead to us, best first. Empty: signals go over the console.
    pub channel: Vec<Channel>,
    /// This node and the others, in a MultiNode job.
    pub multi_node: Option<Node>,
    /// The test definitions, of all stages.
    pub runs: Vec<TestRun>,
}

/// A device in the guest that leads to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its path, or a shell pattern for it: `/dev/virtio-ports/pumice`, `/dev/ttyAMA1`.
    pub device: String,
    /// Whether it takes bytes as soon as the guest has it: to open it waits for nobody, and its speed need not be set.
    /// Any other is tried with care, which costs the guest the start of three programs.
    pub is_ready: bool,
}

/// A node of a MultiNode job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its own job's id.
    pub id: String,
    /// Its role.
    pub role: String,
    /// All nodes with their roles, this one too.
    pub group: Vec<(String, String)>,
}

/// A test definition at its place in a job.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRun {
    /// The index of the test block among those of its namespace, from 0.
    pub stage: u32,
    /// The index of the definition over all test blocks of the namespace, from 0.
    pub number: u32,
    /// The name the job gives it.
    pub name: String,
    /// `JOB_LEVEL`, the id in signals and results.
    pub uuid: String,
    /// The definition.
    pub definition: TestDefinition,
    /// The definition's text, as it was read.
    pub text: String,
    /// The job's parameters.
    pub parameters: Parameters,
    /// What of the install steps is left out.
    pub skip_install: Vec<InstallPart>,
    /// Whether console signals go through the kernel's log (`lava-signal: kmsg`).
    pub kernel_log: bool,
    /// Where it came from, for `testdef_metadata`: `("from", "git")`.
    pub metadata: Vec<(String, String)>,
    /// The files of its repository and of its git-repos, their paths from the test's folder.
    pub files: Vec<OverlayFile>,
}

impl TestRun {
    /// The suite: `N_name`.
    pub fn suite(&self) -> String {
        format!("{}_{}", self.number, self.name)
    }

    /// Whether this part of the install steps is to be done.
    fn installs(&self, part: InstallPart) -> bool {
        !self.skip_install.iter().any(|skipped| [part, InstallPart::All].contains(skipped))
    }
}

/// A part of the install steps that a job may leave out (`skip_install`, lava-compat 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallPart {
    /// Keys of package sources.
    Keys,
    /// Package sources.
    Sources,
    /// Packages.
    Deps,
    /// Lines of shell.
    Steps,
    /// Repositories packed by the host.
    GitRepos,
    /// Everything.
    All,
}

impl InstallPart {
    /// Reads the word of a job.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "keys" => Self::Keys,
            "sources" => Self::Sources,
            "deps" => Self::Deps,
            "steps" => Self::Steps,
            "git-repos" => Self::GitRepos,
            "all" => Self::All,
            _ => return None,
        })
    }
}

/// The files of `overlay`: folders before what is in them, every path once. Where a repository brings a file that we
/// write too, ours stands. Folders above the root (`/tmp` of `/tmp/lava-42`) are not among them: they are the guest's,
/// with its permissions. A file of a repository whose path would leave the test's folder is left out.
pub fn build(overlay: &Overlay) -> Vec<OverlayFile> {
    let root = overlay.root.trim_matches('/');
    let mut tree = Tree { root: root.to_owned(), ..Tree::default() };
    for (name, text) in helpers::all(overlay.multi_node.is_some()) {
        tree.script(format!("{root}/bin/{name}"), with_shell(text, overlay.os.as_deref()));
    }
    tree.text(format!("{root}/environment"), 0o644, script::exports(&overlay.environment));
    tree.text(format!("{root}/secrets"), 0o600, script::assignments(&overlay.secrets));
    tree.text(format!("{root}/channel"), 0o644, channel_list(&overlay.channel));
    if !overlay.channel.is_empty() {
        // Made here, because to make one in the guest is to start a program.
        for name in ["lava-channel", "lava-channel.status"] {
            tree.insert(OverlayFile {
                path: format!("{root}/{name}"),
                mode: 0o666,
                contents: Contents::Pipe,
            });
        }
    }
    tree.text(format!("{root}/settings"), 0o644, settings(overlay));
    if let Some(node) = &overlay.multi_node {
        tree.text(format!("{root}/multinode"), 0o644, node_table(node));
    }
    tree.directory(format!("{root}/results"));
    let mut stages: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for run in &overlay.runs {
        let folder = format!("{root}/{}/tests/{}", run.stage, run.suite());
        stages.entry(run.stage).or_default().push(format!("/{folder}"));
        test_folder(&mut tree, &folder, run, os_defaults(overlay.os.as_deref()).step_shell);
        tree.directory(format!("{root}/{}/results/{}-1/results", run.stage, run.suite()));
    }
    for (stage, folders) in stages {
        tree.text(format!("{root}/{stage}/lava-test-runner.conf"), 0o644, lines(&folders));
        tree.directory(format!("{root}/{stage}/results"));
    }
    tree.into_files()
}

fn test_folder(tree: &mut Tree, folder: &str, run: &TestRun, step_shell: &str) {
    let parameters = run.definition.parameters.overridden_by(&run.parameters);
    let inside = |file: &&OverlayFile| file.path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    for file in run.files.iter().filter(inside) {
        tree.insert(OverlayFile { path: format!("{folder}/{}", file.path), ..file.clone() });
    }
    tree.text(format!("{folder}/testdef.yaml"), 0o644, run.text.clone());
    tree.text(format!("{folder}/testdef_metadata"), 0o644, script::metadata(&run.metadata));
    tree.text(format!("{folder}/uuid"), 0o644, format!("{}\n", run.uuid));
    if let Some(install) = script::install(run, &parameters, &format!("/{folder}")) {
        tree.text(format!("{folder}/install.sh"), 0o755, install);
    }
    let own_shell = script::needs_own_shell(run);
    if own_shell {
        tree.text(format!("{folder}/own-shell"), 0o644, String::new());
    }
    let inherits = !own_shell && step_shell.ends_with("/sh");
    let steps = script::run(run, &parameters, &format!("/{folder}"), inherits);
    tree.text(format!("{folder}/run.sh"), 0o755, steps);
}

/// The script with the shell of the guest in its first line.
fn with_shell(text: &'static str, os: Option<&str>) -> Cow<'static, [u8]> {
    match (os_defaults(os).script_shell, text.strip_prefix("#!/bin/sh\n")) {
        ("/bin/sh", _) | (_, None) => Cow::Borrowed(text.as_bytes()),
        (shell, Some(body)) => Cow::Owned(format!("#!{shell}\n{body}").into_bytes()),
    }
}

fn settings(overlay: &Overlay) -> String {
    let defaults = os_defaults(overlay.os.as_deref());
    let mut text = format!("LAVA_STEP_SHELL={}\n", shell::quote(defaults.step_shell));
    if let Some(os) = &overlay.os {
        text.extend(["LAVA_OS_HINT=", &shell::quote(os), "\n"]);
    }
    text
}

/// `self ID ROLE`, then `node ID ROLE` for every node.
fn node_table(node: &Node) -> String {
    let mut text = format!("self {} {}\n", node.id, node.role);
    for (id, role) in &node.group {
        text.extend(["node ", id, " ", role, "\n"]);
    }
    text
}

/// A device a line, with the word `ready` behind those that are.
fn channel_list(channels: &[Channel]) -> String {
    let mut text = String::new();
    for channel in channels {
        text.extend([channel.device.as_str(), if channel.is_ready { " ready\n" } else { "\n" }]);
    }
    text
}

fn lines(items: &[String]) -> String {
    let mut text = String::new();
    for item in items {
        text.extend([item, "\n"]);
    }
    text
}

/// The entries by path, with the folders they need.
#[derive(Default)]
struct Tree {
    root: String,
    files: BTreeMap<String, OverlayFile>,
    folders: BTreeSet<String>,
}

impl Tree {
    fn insert(&mut self, file: OverlayFile) {
        let below = file.path.match_indices('/').map(|(at, _)| &file.path[..at]);
        self.folders.extend(below.filter(|path| path.len() >= self.root.len()).map(str::to_owned));
        if file.contents == Contents::Directory {
            self.folders.insert(file.path);
        } else {
            self.files.insert(file.path.clone(), file);
        }
    }

    fn text(&mut self, path: String, mode: u32, text: String) {
        self.insert(OverlayFile { path, mode, contents: Contents::Bytes(Cow::Owned(text.into_bytes())) });
    }

    fn script(&mut self, path: String, text: Cow<'static, [u8]>) {
        self.insert(OverlayFile { path, mode: 0o755, contents: Contents::Bytes(text) });
    }

    fn directory(&mut self, path: String) {
        self.insert(OverlayFile { path, mode: 0o755, contents: Contents::Directory });
    }

    fn into_files(self) -> Vec<OverlayFile> {
        let folders = self.folders.into_iter().map(|path| OverlayFile {
            path,
            mode: 0o755,
            contents: Contents::Directory,
        });
        folders.chain(self.files.into_values()).collect()
    }
}
