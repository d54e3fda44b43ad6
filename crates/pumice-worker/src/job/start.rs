//! Preparing a job's directory, and starting its keeper.

use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    process::{Command, Stdio},
};

use fs_err as fs;

use super::{Directory, JobDirError, Keeper, StartRecord, environment, write_json};
use crate::KeeperProgram;

/// The texts that a server sends with a job; empty where there is nothing.
pub(crate) struct Texts<'a> {
    pub(crate) definition: &'a str,
    pub(crate) device: &'a str,
    pub(crate) dispatcher: &'a str,
    pub(crate) env: &'a str,
    pub(crate) env_dut: &'a str,
}

/// Writes what the job's process needs, and last what the keeper is to start.
pub(crate) fn prepare(
    directory: &Directory,
    texts: &Texts<'_>,
    argv: Vec<String>,
) -> Result<(), JobDirError> {
    for (name, text) in [
        ("job.yaml", texts.definition),
        ("device.yaml", texts.device),
        ("dispatcher.yaml", texts.dispatcher),
        ("env.yaml", texts.env),
        ("env-dut.yaml", texts.env_dut),
    ] {
        // Secrets are filled in: for nobody else's eyes.
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(options.options_mut(), 0o600);
        options.open(directory.file(name))?.write_all(text.as_bytes())?;
    }
    let (purge, env) = environment(texts.env);
    write_json(&directory.file("start.json"), &StartRecord { argv, env, purge })
}

/// Starts the keeper. It outlives us: it makes a session of its own, and says in `keeper.json` that it is the one.
pub(crate) fn start_keeper(directory: &Directory, program: &KeeperProgram) -> Result<Keeper, JobDirError> {
    let mut options = std::fs::OpenOptions::new();
    let log = options.append(true).create(true).mode(0o600).open(directory.file("keeper.log"))?;
    let child = Command::new(&program.program)
        .args(&program.arguments)
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(Keeper::started(child)?)
}
