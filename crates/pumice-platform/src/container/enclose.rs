//! From a launch on this host to the same launch in a container. Pure.

use std::{collections::BTreeMap, path::PathBuf};

use pumice_process::{Command, EngineCall};
use pumice_types::Cause;

use super::Enclosure;
use crate::{Find, Launch, OutputRule, Stdio, StopHow};

/// A container, all but what runs in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The image. It is on this host already: to fetch it is a step of its own.
    pub image: String,
    /// Its name, unique in the engine.
    pub name: String,
    /// What marks it as the run's, `NAME=VALUE`.
    pub labels: Vec<String>,
    /// The name of the host inside.
    pub hostname: Option<String>,
    /// Directories and files of this host that it sees.
    pub mounts: Vec<Mount>,
    /// More of them, in the engine's own form `SOURCE:TARGET[:OPTIONS]`, as the operator wrote them.
    pub volumes: Vec<String>,
    /// Devices of this host that it may use.
    pub devices: Vec<String>,
    /// Networks it is on; empty for the engine's default.
    pub networks: Vec<String>,
    /// How many processors it may use.
    pub cpus: Option<String>,
    /// How much memory it may use, in the engine's form: `512m`.
    pub memory: Option<String>,
    /// Whether it may do everything on this host.
    pub privileged: bool,
    /// Single capabilities it has.
    pub capabilities: Vec<String>,
    /// Variables inside. They are shown.
    pub environment: BTreeMap<String, String>,
    /// The directory it starts in; the image's own when not given.
    pub directory: Option<PathBuf>,
    /// More words for `run`, as the operator wrote them.
    pub extra: Vec<String>,
}

/// A file or directory of this host that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is on this host.
    pub source: PathBuf,
    /// Where it is inside.
    pub target: PathBuf,
    /// Whether it can only be read.
    pub read_only: bool,
}

impl Mount {
    /// At the same place inside and outside.
    pub fn same(path: impl Into<PathBuf>, read_only: bool) -> Self {
        let source = path.into();
        Self { target: source.clone(), source, read_only }
    }

    /// The value of `--mount`: fields of a CSV line, so a field with a comma or a quote is quoted (docker: "Bind
    /// mounts", `--mount`; RFC 4180).
    fn word(&self) -> String {
        let field = |text: String| {
            if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let mut word = format!(
            "type=bind,{},{}",
            field(format!("source={}", self.source.display())),
            field(format!("target={}", self.target.display()))
        );
        if self.read_only {
            word.push_str(",readonly");
        }
        word
    }
}

impl Container {
    /// The words from `run` to the image. An init process is the first inside, so that a signal reaches the program
    /// and nothing stays undead (fastmodels 8, complaint 22).
    fn words(&self, is_interactive: bool, has_terminal: bool, secrets: &[String]) -> Vec<String> {
        let mut words: Vec<String> = ["run", "--rm", "--init", "--pull=never"].map(str::to_owned).into();
        let mut option = |name: &str, values: &[String]| {
            for value in values {
                words.extend([name.to_owned(), value.clone()]);
            }
        };
        let mounts: Vec<_> = self.mounts.iter().map(Mount::word).collect();
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let directory = self.directory.as_ref().map(|path| path.to_string_lossy().into_owned());
        option("--name", std::slice::from_ref(&self.name));
        option("--label", &self.labels);
        option("--hostname", self.hostname.as_slice());
        option("--mount", &mounts);
        option("--volume", &self.volumes);
        option("--device", &self.devices);
        option("--network", &self.networks);
        option("--cpus", self.cpus.as_slice());
        option("--memory", self.memory.as_slice());
        option("--cap-add", &self.capabilities);
        option("--env", &environment);
        // Only the names: the client takes the values from its own environment, where no process list shows them.
        option("--env", secrets);
        option("--workdir", directory.as_slice());
        for (word, wanted) in
            [("--privileged", self.privileged), ("--interactive", is_interactive), ("--tty", has_terminal)]
        {
            words.extend(wanted.then(|| word.to_owned()));
        }
        words.extend(self.extra.iter().cloned());
        words.push(self.image.clone());
        words
    }
}

/// The same launch in a container, which must see the files that the launch names where they are on this host. The client of the engine gets the environment it needs and the launch's secrets;
/// everything else that the launch sets is set inside. The program's own path, as the platform names it, is one in
/// the image.
pub fn enclosed(launch: Launch, container: &Container, engine: &EngineCall) -> Launch {
    let mut container = container.clone();
    let removed = |name: &String| launch.env_remove.contains(name);
    container.environment.extend(launch.env.iter().filter(|(name, _)| !removed(name)).map(owned));
    container.devices.extend(launch.devices.iter().map(|device| device.to_string_lossy().into_owned()));
    let has_terminal = launch.stdio == Stdio::Pty;
    let is_console = launch.consoles.iter().any(|console| console.find == Find::Stdio);
    let secrets: Vec<_> = launch.secret_env.0.keys().cloned().collect();
    let mut args = engine.arguments.clone();
    args.extend(container.words(has_terminal || is_console, has_terminal, &secrets));
    args.push(launch.program);
    args.extend(launch.args);
    Launch {
        program: engine.program.to_string_lossy().into_owned(),
        args,
        env: engine.environment.clone(),
        rules: rules().into_iter().chain(launch.rules).collect(),
        // An engine that does not pass signals on would leave the rungs without effect, each for its whole time;
        // removing the container ends it for certain.
        stop: launch.stop.into_iter().filter(|rung| rung.how != StopHow::Terminate).collect(),
        container: Some(Enclosure { engine: engine.clone(), name: container.name }),
        ..launch
    }
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// A command in a container, run to its end with nothing to read.
pub fn command(container: &Container, engine: &EngineCall, words: &[String]) -> Command {
    engine.command(container.words(false, false, &[]).into_iter().chain(words.iter().cloned()))
}

/// What engines, their runtimes and the first process inside print when nothing was started there (docker CLI, podman;
/// runc, crun; tini, catatonit). A line
/// of the program's own could say the same, so they explain an end and cause none.
fn rules() -> Vec<OutputRule> {
    vec![
        OutputRule::explains(
            "container-init binary not found",
            Cause::ContainerFailed,
            "podman needs an init process for containers; on Debian: apt-get install catatonit",
        ),
        OutputRule::explains(
            r"executable file .*not found|exec: .*: (no such file or directory|permission denied)|stat .*: no such file or directory|open executable: |attempted to invoke a command that was not found|FATAL tini .*exec .* failed|catatonit.*failed to exec",
            Cause::CommandFailed,
            "the image has no such program; name one that it has, with its whole path",
        ),
        OutputRule::explains(
            r"(?i)cannot connect to (the docker daemon|podman)|error during connect",
            Cause::ContainerFailed,
            "`pumice doctor` says which container engine works on this host",
        ),
        OutputRule::explains(
            r"^(docker: |podman: )?Error( response from daemon)?: |^docker: ",
            Cause::ContainerFailed,
            "the container engine refused what was asked; the log shows its command line",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConsoleRole, ConsoleSource, Meaning, SecretVariables, StopRung};

    fn engine() -> EngineCall {
        EngineCall {
            program: "/usr/bin/docker".into(),
            arguments: vec!["--host".to_owned(), "unix:///run/other.sock".to_owned()],
            environment: [("HOME".to_owned(), "/home/lab".to_owned())].into(),
        }
    }

    fn launch() -> Launch {
        let mut launch = Launch::new("test", "/opt/model", "/tmp/run/m2.1");
        launch.args = ["-C", "file=/tmp/run/d1/x y"].map(str::to_owned).into();
        launch.env = [("MODEL", "a b"), ("DISPLAY", ":0")].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        launch.env_remove = vec!["DISPLAY".to_owned()];
        launch.secret_env = SecretVariables([("LICENCE".to_owned(), "1@secret".to_owned())].into());
        launch.stdio = Stdio::Pty;
        launch
    }

    #[test]
    fn a_launch_in_a_container_is_the_client_with_the_same_words_behind_the_image() {
        let container = Container {
            image: "registry.example/fvp:11.31".to_owned(),
            name: "pumice-1-2".to_owned(),
            labels: vec!["pumice.run=1".to_owned()],
            hostname: Some("lava".to_owned()),
            mounts: vec![Mount::same("/tmp/run", false), Mount::same("/var/cache/pumice/store", true)],
            directory: Some("/tmp/run/m2.1".into()),
            volumes: vec!["/srv/licences:/licences:ro".to_owned()],
            devices: vec!["/dev/kvm".to_owned()],
            networks: vec!["host".to_owned()],
            cpus: Some("2.5".to_owned()),
            memory: Some("4g".to_owned()),
            privileged: true,
            capabilities: vec!["NET_ADMIN".to_owned()],
            extra: vec!["--ulimit=core=0".to_owned()],
            ..Container::default()
        };
        let launch = enclosed(launch(), &container, &engine());
        let expected = "/usr/bin/docker --host unix:///run/other.sock run --rm --init --pull=never \
            --name pumice-1-2 --label pumice.run=1 --hostname lava \
            --mount type=bind,source=/tmp/run,target=/tmp/run \
            --mount type=bind,source=/var/cache/pumice/store,target=/var/cache/pumice/store,readonly \
            --volume /srv/licences:/licences:ro --device /dev/kvm --network host --cpus 2.5 --memory 4g \
            --cap-add NET_ADMIN --env 'MODEL=a b' --env LICENCE --workdir /tmp/run/m2.1 \
            --privileged --interactive --tty --ulimit=core=0 registry.example/fvp:11.31 \
            /opt/model -C 'file=/tmp/run/d1/x y'";
        assert_eq!(launch.command_line(), expected);
        assert_eq!(launch.env, engine().environment, "the client's own, and none of the job's");
        assert_eq!(launch.container.map(|container| container.name).as_deref(), Some("pumice-1-2"));
        assert!(!format!("{:?}", launch.args).contains("secret"));
    }

    #[test]
    fn the_streams_are_what_the_launch_says_they_are() {
        let check = |stdio, is_console: bool, expected: &[&str]| {
            let mut launch = Launch { stdio, ..launch() };
            let (name, role, find) = ("main".to_owned(), ConsoleRole::Main, Find::Stdio);
            let pacing = std::time::Duration::ZERO;
            launch.consoles.extend(is_console.then_some(ConsoleSource { name, role, find, pacing }));
            let launch = enclosed(launch, &Container::default(), &engine());
            let words: Vec<_> =
                launch.args.iter().filter(|word| *word == "--interactive" || *word == "--tty").collect();
            assert_eq!(words, expected);
        };
        check(Stdio::Pipes, false, &[]);
        check(Stdio::Pipes, true, &["--interactive"]);
        check(Stdio::Pty, true, &["--interactive", "--tty"]);
    }

    #[test]
    fn a_model_is_still_asked_to_stop_but_the_engine_is_not_waited_for() {
        let mut launch = launch();
        let rung = |how| StopRung { how, grace: std::time::Duration::from_secs(5) };
        launch.stop = vec![rung(StopHow::Interrupt), rung(StopHow::Terminate)];
        let launch = enclosed(launch, &Container::default(), &engine());
        assert_eq!(launch.stop, [rung(StopHow::Interrupt)]);
    }

    #[test]
    fn a_path_with_a_comma_stays_one_field() {
        let word = |path: &str| Mount::same(path, false).word();
        assert_eq!(word("/a"), "type=bind,source=/a,target=/a");
        assert_eq!(word("/a,b"), r#"type=bind,"source=/a,b","target=/a,b""#);
    }

    #[test]
    fn what_engines_print_says_whose_failure_it_was() {
        let cause = |line: &str| {
            let found = rules()
                .into_iter()
                .find(|rule| regex_automata::meta::Regex::new(&rule.pattern).unwrap().is_match(line));
            match found?.means {
                Meaning::Explains(cause) => Some(cause),
                _ => None,
            }
        };
        let check = |line: &str, expected| assert_eq!(cause(line), expected, "{line}");
        check(
            "docker: Error response from daemon: failed to create task for container: failed to create shim task: \
             OCI runtime create failed: runc create failed: unable to start container process: exec: \"nothing\": \
             executable file not found in $PATH: unknown.",
            Some(Cause::CommandFailed),
        );
        check(
            "Error: crun: executable file `nothing` not found in $PATH: No such file or directory: OCI runtime \
             attempted to invoke a command that was not found",
            Some(Cause::CommandFailed),
        );
        check(
            "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?.",
            Some(Cause::ContainerFailed),
        );
        check("docker: Error response from daemon: No such image: x.", Some(Cause::ContainerFailed));
        check(
            "Error: crun: open executable: Permission denied: OCI permission denied",
            Some(Cause::CommandFailed),
        );
        check(
            "Error: crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied",
            Some(Cause::ContainerFailed),
        );
        check("[FATAL tini (7)] exec nothing failed: No such file or directory", Some(Cause::CommandFailed));
        check(
            "ERROR (catatonit:6): failed to exec pid1: No such file or directory",
            Some(Cause::CommandFailed),
        );
        check(
            "Error: container-init binary not found on the host: stat: /usr/libexec/podman/catatonit: no such file or \
             directory",
            Some(Cause::ContainerFailed),
        );
        check("Booting Linux on physical CPU 0x0", None);
    }
}
