//! Compositions: containers that are started together from one file (the Compose specification).

use pumice_process::{Command, EngineCall, composition_words};
use pumice_types::{Blame, Cause, Evidence};

use super::{Engine, engine::version};
use crate::Host;

/// A client of compositions, and the words before each of its subcommands.
struct Known {
    engine: &'static str,
    program: &'static str,
    words: &'static [&'static str],
}

/// The first of an engine that works is taken: docker's plug-in, then the programs of their own.
const KNOWN: [Known; 4] = [
    Known { engine: "docker", program: "docker", words: &["compose"] },
    Known { engine: "docker", program: "docker-compose", words: &[] },
    Known { engine: "podman", program: "podman-compose", words: &[] },
    Known { engine: "podman", program: "podman", words: &["compose"] },
];

/// What makes every one of them answer. The flag for a short answer is not known to all.
const PROOF: [&str; 1] = ["version"];

/// What starts and ends containers together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compose {
    /// Its name, `docker compose`.
    pub name: String,
    /// How it is called.
    pub call: EngineCall,
}

/// The engine works, and nothing on this host starts compositions in it.
#[derive(Debug, thiserror::Error)]
#[error("nothing on this host starts services from a file in {engine}")]
pub struct ComposeError {
    /// The engine.
    pub engine: &'static str,
    /// Each that was tried, with the reason.
    pub tried: Vec<(String, String)>,
}

impl Blame for ComposeError {
    fn root_cause(&self) -> Cause {
        Cause::ContainerFailed
    }

    fn hint(&self) -> Option<String> {
        let package = if self.engine == "docker" { "docker-compose" } else { "podman-compose" };
        Some(format!("on Debian: apt-get install {package}"))
    }

    fn evidence(&self) -> Option<Evidence> {
        let lines: Vec<_> = self.tried.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        Some(Evidence { from: "the look for a client of compositions".to_owned(), text: lines.join("\n") })
    }
}

/// The client of compositions that goes with an engine.
///
/// # Errors
/// None is on the search path and answers.
pub async fn find_compose(host: &Host, engine: &Engine) -> Result<Compose, ComposeError> {
    let mut tried = Vec::new();
    for known in KNOWN.iter().filter(|known| known.engine == engine.name) {
        let name = [&[known.program], known.words].concat().join(" ");
        let (program, mut arguments) = if known.program == engine.name {
            (engine.call.program.clone(), engine.call.arguments.clone())
        } else {
            let Some(program) = host.find(known.program) else {
                tried.push((name, "not on PATH".to_owned()));
                continue;
            };
            (program, Vec::new())
        };
        arguments.extend(known.words.iter().map(|&word| word.to_owned()));
        let call = EngineCall { program, arguments, environment: engine.call.environment.clone() };
        match version(host, &call, &PROOF).await {
            Ok(_) => return Ok(Compose { name, call }),
            Err(why) => tried.push((name, why)),
        }
    }
    Err(ComposeError { engine: engine.name, tried })
}

impl Compose {
    /// Starts what `file` describes, or the `service` of it that is named with all it needs, and returns once it is
    /// started.
    pub fn up(&self, project: &str, file: &str, service: Option<&str>) -> Command {
        let words: Vec<_> = ["up", "--detach"].into_iter().chain(service).collect();
        self.call.command(composition_words(project, file, &words))
    }

    /// What it has printed so far.
    pub fn logs(&self, project: &str, file: &str) -> Command {
        self.call.command(composition_words(project, file, &["logs"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_every_client_takes() {
        let call = EngineCall {
            program: "/usr/bin/docker".into(),
            arguments: vec!["compose".to_owned()],
            ..EngineCall::default()
        };
        let compose = Compose { name: "docker compose".to_owned(), call };
        let check = |command: &Command, expected: &str| assert_eq!(command.to_string(), expected);
        check(
            &compose.up("pumice-t-1", "/run/s0/compose.yaml", Some("web")),
            "/usr/bin/docker compose --project-name pumice-t-1 --file /run/s0/compose.yaml up --detach web",
        );
        check(
            &compose.up("pumice-t-1", "/run/s0/a b.yaml", None),
            "/usr/bin/docker compose --project-name pumice-t-1 --file '/run/s0/a b.yaml' up --detach",
        );
        check(
            &compose.logs("pumice-t-1", "/run/s0/compose.yaml"),
            "/usr/bin/docker compose --project-name pumice-t-1 --file /run/s0/compose.yaml logs",
        );
    }
}
