//! Enters a namespace, then becomes another program.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{Command, ExitCode},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The body of `enter KEEPER user|network|user,network PROGRAM ARGUMENT...`: enters these namespaces of the process
/// KEEPER and becomes PROGRAM, with the same process id, streams and environment. The program calls it before it starts a thread: a user
/// namespace can only be entered by a process that has one (setns(2)).
pub fn enter_main(words: &[OsString]) -> ExitCode {
    let [keeper, namespaces, program, arguments @ ..] = words else { return ExitCode::FAILURE };
    let (keeper, namespaces) = (keeper.to_string_lossy(), namespaces.to_string_lossy());
    let entered = || -> io::Result<()> {
        let opened = |name: &str, file: &str| {
            let is_wanted = namespaces.split(',').any(|namespace| namespace == name);
            is_wanted.then(|| File::open(format!("/proc/{keeper}/ns/{file}"))).transpose()
        };
        let (user, network) = (opened("user", "user")?, opened("network", "net")?);
        // The user namespace first: it is what gives the right to enter the other.
        for (namespace, kind) in [(user, LinkNameSpaceType::User), (network, LinkNameSpaceType::Network)] {
            if let Some(namespace) = namespace {
                move_into_link_name_space(namespace.as_fd(), Some(kind))?;
            }
        }
        Ok(())
    };
    let error = match entered() {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    };
    eprint(&format!("cannot run {} in its network: {error}\n", program.to_string_lossy()));
    ExitCode::FAILURE
}

/// The simulator's own output: the machine's log shows it.
fn eprint(text: &str) {
    drop(io::Write::write_all(&mut io::stderr(), text.as_bytes()));
}
