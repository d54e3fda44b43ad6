//! What is made before the program starts: its files, its sockets, its command.

use std::fs;

use pumice_console::Listener;
use pumice_process::{Command, Stdio as ProcessStdio};

use super::made;
use crate::{Find, Launch, StartError, Stdio, network::MadeNetwork};

/// Makes the working directory with the links and files of the launch.
pub(super) fn write_files(launch: &Launch) -> Result<(), StartError> {
    fs::create_dir_all(&launch.work_dir).map_err(|error| made(&launch.work_dir, error))?;
    for link in &launch.links {
        let path = launch.work_dir.join(&link.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| made(parent, error))?;
        }
        // Two files of one name: the first has it, as in a directory that both were copied to.
        if !path.is_symlink() {
            std::os::unix::fs::symlink(&link.target, &path).map_err(|error| made(&path, error))?;
        }
    }
    for file in &launch.files {
        let path = launch.work_dir.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| made(parent, error))?;
        }
        fs::write(&path, &file.contents).map_err(|error| made(&path, error))?;
    }
    Ok(())
}

/// The sockets that the program connects its consoles to, each with the index of its console.
pub(super) fn listen(launch: &Launch) -> Result<Vec<(usize, Listener)>, StartError> {
    let mut listeners = Vec::new();
    for (index, console) in launch.consoles.iter().enumerate() {
        if let Find::Listen { path } = &console.find {
            listeners.push((index, Listener::bind(path.clone()).map_err(|error| made(path, error))?));
        }
    }
    Ok(listeners)
}

/// A small, fixed environment, and what the launch says.
pub(super) fn command(launch: &Launch, network: Option<&MadeNetwork>, search_path: &str) -> Command {
    let home = launch.work_dir.to_string_lossy().into_owned();
    let mut words = network.map(MadeNetwork::prefix).unwrap_or_default();
    words.push((&launch.program).into());
    words.extend(launch.args.iter().map(Into::into));
    let program = words.remove(0);
    let mut command = Command::new(program)
        .args(words)
        .directory(&launch.work_dir)
        .envs([
            ("PATH", search_path),
            ("HOME", &home),
            ("TMPDIR", &home),
            ("LC_ALL", "C.UTF-8"),
            ("TERM", "dumb"),
        ])
        .envs(launch.env.iter().filter(|(name, _)| !launch.env_remove.contains(name)))
        .envs(&launch.secret_env.0);
    let is_console = launch.consoles.iter().any(|console| console.find == Find::Stdio);
    command = match (launch.stdio, is_console) {
        (Stdio::Pty, _) => command.on_terminal(),
        (Stdio::Pipes, true) => {
            command.stdin(ProcessStdio::Piped).stdout(ProcessStdio::Piped).stderr(ProcessStdio::Piped)
        }
        (Stdio::Pipes, false) => command.stdout(ProcessStdio::Piped).stderr(ProcessStdio::SameAsOutput),
    };
    command
}
