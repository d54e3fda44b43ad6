//! Finding a container engine that works.

use std::time::{Duration, Instant};

use pumice_process::EngineCall;
use pumice_types::{Blame, Cause, Deadline, Evidence};

use crate::Host;

/// How long an engine may take to say its version: the first call may start it.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine, and what makes it answer with its version. A client without its engine answers with an error: that is
/// the proof that is asked for.
struct Known {
    name: &'static str,
    proof: &'static [&'static str],
}

/// The first that works is taken.
const KNOWN: [Known; 2] = [
    Known { name: "docker", proof: &["version", "--format", "{{.Server.Version}}"] },
    Known { name: "podman", proof: &["info", "--format", "{{.Version.Version}}"] },
];

/// An engine that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its name: `docker` or `podman`.
    pub name: &'static str,
    /// How it is called.
    pub call: EngineCall,
    /// Its version.
    pub version: String,
}

/// No engine works on this host.
#[derive(Debug, thiserror::Error)]
#[error("no container engine works on this host")]
pub struct EngineError {
    /// Each that was tried, with the reason.
    pub tried: Vec<(&'static str, String)>,
}

impl Blame for EngineError {
    fn root_cause(&self) -> Cause {
        Cause::ContainerFailed
    }

    fn hint(&self) -> Option<String> {
        Some(
            "install podman, or start docker and give this user access to it; `pumice doctor` looks again"
                .to_owned(),
        )
    }

    fn evidence(&self) -> Option<Evidence> {
        let lines: Vec<_> = self.tried.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        Some(Evidence { from: "the look for a container engine".to_owned(), text: lines.join("\n") })
    }
}

/// The first engine that is on the search path and answers. `remote` is where its engine is, when that is another
/// host's.
pub async fn find_engine(host: &Host, remote: Option<&str>) -> Result<Engine, EngineError> {
    let mut tried = Vec::new();
    for known in &KNOWN {
        let Some(program) = host.find(known.name) else {
            tried.push((known.name, "not on PATH".to_owned()));
            continue;
        };
        // docker: --host; podman: --url, which implies --remote.
        let option = if known.name == "docker" { "--host" } else { "--url" };
        let place = remote.map(|remote| [option.to_owned(), remote.to_owned()]);
        let call = EngineCall {
            program,
            arguments: place.into_iter().flatten().collect(),
            environment: host.engine_environment.clone(),
        };
        match version(host, &call, known.proof).await {
            Ok(version) => return Ok(Engine { name: known.name, call, version }),
            Err(why) => tried.push((known.name, why)),
        }
    }
    Err(EngineError { tried })
}

pub(super) async fn version(host: &Host, call: &EngineCall, proof: &[&str]) -> Result<String, String> {
    let deadline = Deadline::after(Instant::now(), PATIENCE, "the look for a container engine");
    let output = host.guard.output(call.command(proof.iter().copied()), 4096, &deadline).await;
    let output = output.map_err(|error| error.to_string())?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.exit.status.is_success() && !version.is_empty() {
        return Ok(version);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(if said.is_empty() { format!("it {}", output.exit.status) } else { said })
}
