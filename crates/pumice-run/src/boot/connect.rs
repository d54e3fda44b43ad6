//! Machines that run already, reached by a program that leads to them: SSH, or a connection of the device.
//!
//! The program is run as a machine of its own whose standard streams, a terminal, are its console: what drains,
//! records, matches and ends a simulator does so here too. The end of the program is the end of the connection and
//! not of the machine behind it.

use std::{fs::File, path::Path, time::Duration};

use pumice_multinode::Request;
use pumice_plan::{
    Scope,
    boot::{AddressMessage, Boot, BootKind, SshTarget},
};
use pumice_platform::{
    ConsoleRole, ConsoleSource, Find, Launch, Meaning, OutputRule, Stdio, StopHow, StopRung,
};
use pumice_process::{Command, Stdio as ProcessStdio};
use pumice_types::{Blame as _, Cause, Failure};
use serde_json::json;

use super::{BootFacts, Booted, start};
use crate::{
    cx::StepCx,
    deploy::{Deployed, cannot_make, unplanned},
    host::RunHost,
};

/// What the launches are called in logs.
const CONNECTION: &str = "connection";

/// How long the program has to end once it is told to.
const GRACE: Duration = Duration::from_secs(2);

/// How much of a program's words is kept.
const OUTPUT_BYTES: usize = 16 << 10;

/// Connects as the plan says.
pub(super) async fn run(
    plan: &Boot,
    deployed: &Deployed,
    host: &RunHost,
    facts: &BootFacts,
    cx: &StepCx,
) -> Result<Booted, Failure> {
    let place = Place { scope: &plan.scope, host, facts };
    match &plan.kind {
        BootKind::NewConnection { name, command } => {
            let Some((program, words)) = command.split_first() else {
                let message = format!("the device's connection `{}` has no command", name.value);
                return Err(Failure::new(Cause::DeviceInvalid, message));
            };
            let booted = place.connect(program, words.to_vec(), cx).await?;
            cx.record(json!({ "connection": name.value }));
            Ok(booted)
        }
        BootKind::Ssh { target, copy, connect } => {
            let target = &located(target, cx).await?;
            let words = ssh_words(target, &host.work_dir.join("known_hosts"));
            if let (Some(scope), Some(archive)) = (copy, &deployed.overlay_archive) {
                cx.step(scope, Cause::StepTimeout, async |cx| copy_over(archive, &words, host, cx).await)
                    .await?;
            }
            cx.step(connect, Cause::ConsoleLost, async |cx| {
                let words = ["-tt".to_owned()].into_iter().chain(words).collect();
                let booted = place.connect("ssh", words, cx).await?;
                cx.record(json!({ "host": target.host }));
                Ok(booted)
            })
            .await
        }
        _ => Err(unplanned(&plan.scope.name)),
    }
}

/// The target with the address that another node has told, where it is for another node to tell.
async fn located(target: &SshTarget, cx: &StepCx) -> Result<SshTarget, Failure> {
    let Some(AddressMessage { id, key }) = &target.address else { return Ok(target.clone()) };
    let (peers, limit) = cx.peers()?;
    let messages = peers.exchange(Request::Wait { id: id.clone() }, limit, cx.deadline()).await?;
    let told = messages.into_values().find_map(|mut values| values.remove(key));
    let Some(host) = told.or_else(|| peers.received(key)) else {
        return Err(Failure::new(Cause::SignalInvalid, format!("the message `{id}` brought no `{key}`"))
            .hint(format!("let the other node send it: `lava-send {id} {key}=ADDRESS`")));
    };
    if !is_address(&host) {
        return Err(Failure::new(
            Cause::SignalInvalid,
            format!("`{key}` of the message `{id}` is no address: `{host}`"),
        ));
    }
    cx.report().info(format!("the machine is at {host}"));
    Ok(SshTarget { host, ..target.clone() })
}

/// Whether a text can be the name or address of a machine, and not be taken for an option: it comes from a guest.
fn is_address(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".:-_%".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(allowed)
}

/// The words behind `ssh` that lead to the machine (ssh(1), `ssh_config(5)`). It never asks: nobody would answer.
/// A machine that was not met before is trusted, for this run only, unless the device says otherwise: test
/// machines are installed anew all the time. The first value of an option is the one that counts.
fn ssh_words(target: &SshTarget, known_hosts: &Path) -> Vec<String> {
    let mut words = target.options.clone();
    let mut option = |text: String| words.extend(["-o".to_owned(), text]);
    option("BatchMode=yes".to_owned());
    if !target.options.iter().any(|word| word.to_ascii_lowercase().contains("hostkey")) {
        option("StrictHostKeyChecking=accept-new".to_owned());
        option(format!("UserKnownHostsFile={}", known_hosts.display()));
    }
    words.extend(["-p".to_owned(), target.port.to_string()]);
    if let Some(file) = &target.identity_file {
        words.extend(["-i".to_owned(), file.clone()]);
    }
    words.extend(["-l".to_owned(), target.user.clone(), target.host.clone()]);
    words
}

/// Unpacks the archive in the root directory of the machine, on its way: nothing but a shell and `tar` is needed
/// there, and no file is left over.
async fn copy_over(archive: &Path, words: &[String], host: &RunHost, cx: &StepCx) -> Result<(), Failure> {
    let file = File::open(archive).map_err(|error| cannot_make(archive, &error))?;
    let command = Command::new("ssh")
        .args(words.iter().cloned().chain(["tar -xzf - -C /".to_owned()]))
        .stdin(ProcessStdio::Descriptor(file.into()))
        .directory(&host.work_dir)
        .envs([("PATH", host.search_path.as_str()), ("LC_ALL", "C")]);
    let output =
        host.guard.output(command, OUTPUT_BYTES, cx.deadline()).await.map_err(|error| error.failure())?;
    if output.exit.status.is_success() {
        cx.record(json!({ "success": "the overlay is unpacked" }));
        return Ok(());
    }
    let said = cx.report().masked(&String::from_utf8_lossy(&output.stderr));
    // What ssh itself exits with when it fails (ssh(1), "EXIT STATUS").
    let failure = if output.exit.status == pumice_process::Status::Code(255) {
        Failure::new(Cause::ConsoleLost, "the machine cannot be reached over SSH")
            .hint("see what `ssh` says, and try the same by hand: host, port, user and key are the device's")
    } else {
        let message = format!("the overlay could not be unpacked on the machine: it {}", output.exit.status);
        Failure::new(Cause::CommandFailed, message).hint("the machine needs `tar` and `gzip`")
    };
    Err(failure.evidence("ssh", said))
}

/// Where a connection is made.
struct Place<'a> {
    scope: &'a Scope,
    host: &'a RunHost,
    facts: &'a BootFacts,
}

impl Place<'_> {
    /// Starts the program as a machine.
    async fn connect(&self, program: &str, words: Vec<String>, cx: &StepCx) -> Result<Booted, Failure> {
        let work_dir = self.host.work_dir.join(format!("m{}", self.scope.level));
        let mut launch = Launch::new(CONNECTION, program, work_dir);
        launch.args = words;
        launch.env.insert("TERM".to_owned(), "dumb".to_owned());
        launch.stdio = Stdio::Pty;
        launch.consoles = vec![ConsoleSource {
            name: CONNECTION.to_owned(),
            role: ConsoleRole::Main,
            find: Find::Stdio,
            pacing: Duration::ZERO,
        }];
        launch.stop = vec![StopRung { how: StopHow::Terminate, grace: GRACE }];
        launch.rules = vec![OutputRule {
            // As OpenSSH, telnet and busybox say it.
            pattern: "^ssh: |Permission denied \\(|Host key verification failed|Connection refused|\
                      closed by foreign host|[Uu]nable to connect|can't connect"
                .to_owned(),
            means: Meaning::Explains(Cause::ConsoleLost),
            hint: Some("try the same by hand: host, port, user and key are the device's".to_owned()),
        }];
        cx.report().info(format!("connecting with {}", launch.command_line()));
        start::start(None, launch, &self.scope.namespace, self.host, self.facts, &[], cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(options: &[&str], identity_file: Option<&str>) -> SshTarget {
        SshTarget {
            host: "board".to_owned(),
            address: None,
            port: 2222,
            user: "root".to_owned(),
            identity_file: identity_file.map(str::to_owned),
            options: options.iter().map(|&word| word.to_owned()).collect(),
        }
    }

    #[test]
    fn what_a_guest_tells_is_an_address_and_no_option() {
        let check = |text: &str, expected| assert_eq!(is_address(text), expected, "{text}");
        for text in ["172.20.76.2", "fe80::1%eth0", "board-7.example"] {
            check(text, true);
        }
        for text in ["", "-oProxyCommand=x", "a b", "$(x)", "root@board"] {
            check(text, false);
        }
    }

    #[test]
    fn the_device_decides_about_keys_of_hosts_where_it_says_something() {
        let check = |target: &SshTarget, expected: &str| {
            assert_eq!(ssh_words(target, Path::new("/run/known")).join(" "), expected);
        };
        check(
            &target(&[], None),
            "-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/run/known -p 2222 -l root \
             board",
        );
        check(
            &target(&["-o", "StrictHostKeyChecking=yes"], Some("/etc/key")),
            "-o StrictHostKeyChecking=yes -o BatchMode=yes -p 2222 -i /etc/key -l root board",
        );
    }
}
