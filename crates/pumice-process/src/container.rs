//! Containers: what a run makes through the client of a container engine lives in the engine, not below us. No
//! signal, session or cgroup of ours reaches it, so it is removed the way it was made: by name, through the client.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::command::Command;

/// How long the engine may take to end a container and remove it.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the containers of a composition may take to end, all together with their grace of [`COMPOSITION_GRACE`].
const COMPOSITION_PATIENCE: Duration = Duration::from_secs(60);

/// How many seconds each container of a composition has to end by itself.
const COMPOSITION_GRACE: &str = "10";

/// How often it is asked.
const ATTEMPTS: u32 = 5;

/// The pause between two: an engine may still be making what a client asked for in the moment it was killed, or still
/// be noticing that a container of its has died (podman, whose own helpers are below us).
const PAUSE: Duration = Duration::from_millis(300);

/// How the client of a container engine is called, by a run and by whoever cleans up after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineCall {
    /// The client.
    pub program: PathBuf,
    /// What stands before every subcommand, for example where the engine is.
    pub arguments: Vec<String>,
    /// Its environment: where the engine and its settings are. No secrets, as it is written to the ledger.
    pub environment: BTreeMap<String, String>,
}

impl EngineCall {
    /// The client with a subcommand.
    pub fn command<S: Into<String>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        Command::new(&self.program)
            .args(&self.arguments)
            .args(words.into_iter().map(Into::into))
            .envs(&self.environment)
    }

    /// Ends a container, if it is there, and removes it with the volumes that nobody named. It blocks.
    pub fn remove(&self, container: &str) -> io::Result<()> {
        let mut is_absent = false;
        let mut refusal = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(PAUSE);
            }
            match self.remove_once(container) {
                Ok(true) => return Ok(()),
                Ok(false) if is_absent => return Ok(()),
                Ok(false) => is_absent = true,
                Err(error) => refusal = Some(error),
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Whether it was there.
    fn remove_once(&self, container: &str) -> io::Result<bool> {
        let answer = self.answer(&["rm", "--force", "--volumes", container], PATIENCE)?;
        is_removed(answer.succeeded, &answer.printed, &answer.said)
    }

    /// Ends every container of a composition, where this is the client of compositions, and removes them with their
    /// volumes and networks. One that is gone is no failure. It blocks.
    pub fn remove_composition(&self, project: &str, file: &Path) -> io::Result<()> {
        let file = file.to_string_lossy();
        let words = composition_words(project, &file, &["down", "--volumes", "--timeout", COMPOSITION_GRACE]);
        let answer = self.answer(&words, COMPOSITION_PATIENCE)?;
        if answer.succeeded {
            return Ok(());
        }
        Err(io::Error::other(format!("the services were not removed: {}", answer.said.trim())))
    }

    /// Runs the client to its end.
    fn answer(&self, words: &[&str], patience: Duration) -> io::Result<Answer> {
        let mut process = Process::new(&self.program);
        process.args(&self.arguments).args(words);
        process.env_clear().envs(&self.environment).current_dir("/");
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn()?;
        let end = Instant::now() + patience;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > end {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the container engine does not answer"));
            }
            thread::sleep(Duration::from_millis(5));
        };
        let read = |stream: Option<&mut dyn io::Read>| {
            let mut text = String::new();
            // What it says is a few words, and they only explain.
            drop(stream.map(|stream| stream.take(4096).read_to_string(&mut text)));
            text
        };
        let printed = read(child.stdout.as_mut().map(|stream| stream as &mut dyn io::Read));
        let said = read(child.stderr.as_mut().map(|stream| stream as &mut dyn io::Read));
        Ok(Answer { succeeded: status.success(), printed, said })
    }
}

/// What the client of an engine answered.
struct Answer {
    succeeded: bool,
    /// Its standard output.
    printed: String,
    /// Its standard error.
    said: String,
}

/// The words of a client of compositions: which one, then what is to be done with it. `docker compose`,
/// `docker-compose` and `podman-compose` take the same (Compose CLI reference, "docker compose"; podman-compose,
/// README).
pub fn composition_words<'a>(project: &'a str, file: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    ["--project-name", project, "--file", file].into_iter().chain(words.iter().copied()).collect()
}

/// What the answer of `rm --force` means: whether the container was there. Engines differ in whether a missing one
/// is an error (docker since 20.10 and podman with `--force`: none), but all print the names of what they removed.
fn is_removed(succeeded: bool, printed: &str, said: &str) -> io::Result<bool> {
    let said = said.trim();
    let is_unknown = ["no such container", "no container with name"];
    if is_unknown.iter().any(|text| said.to_lowercase().contains(text)) {
        Ok(false)
    } else if succeeded {
        Ok(!printed.trim().is_empty())
    } else {
        Err(io::Error::other(format!("the container engine refused: {said}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_is_gone_is_no_failure_and_an_engine_that_is_away_is_one() {
        let check = |answer: (bool, &str, &str), expected: Option<bool>| {
            assert_eq!(is_removed(answer.0, answer.1, answer.2).ok(), expected, "{answer:?}");
        };
        check((true, "pumice-1\n", ""), Some(true));
        check((true, "", ""), Some(false));
        check((true, "", "Error response from daemon: No such container: pumice-1\n"), Some(false));
        check((false, "", "Error: no container with name or ID \"pumice-1\" found\n"), Some(false));
        check((false, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n"), None);
    }

    #[test]
    fn removing_waits_for_the_client_and_believes_it() {
        let engine = |script: &str| EngineCall {
            program: "/bin/sh".into(),
            arguments: ["-c", script, "engine"].map(str::to_owned).into(),
            environment: BTreeMap::new(),
        };
        assert!(engine("[ \"$*\" = 'rm --force --volumes x' ] && echo x").remove("x").is_ok());
        let error = engine("echo 'permission denied' >&2; exit 1").remove("x").unwrap_err();
        assert_eq!(error.to_string(), "the container engine refused: permission denied");
    }

    #[test]
    fn a_composition_is_taken_down_with_its_volumes() {
        let words = "--project-name p --file /f.yaml down --volumes --timeout 10";
        let compose = EngineCall {
            program: "/bin/sh".into(),
            arguments: [
                "-c",
                &format!("[ \"$*\" = '{words}' ] || {{ echo \"$*\" >&2; exit 1; }}"),
                "compose",
            ]
            .map(str::to_owned)
            .into(),
            environment: BTreeMap::new(),
        };
        compose.remove_composition("p", Path::new("/f.yaml")).unwrap();
        let error = compose.remove_composition("q", Path::new("/f.yaml")).unwrap_err();
        assert!(error.to_string().starts_with("the services were not removed: --project-name q"), "{error}");
    }
}
