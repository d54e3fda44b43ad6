//! Enters a namespace, then becomes another program.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{Command, ExitCode},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The body of `enter KEEPER user|plain PROGRAM ARGUMENT...`: enters the namespaces of the process KEEPER and becomes
/// PROGRAM, with the same process id, streams and environment. The program calls it before it starts a thread: a user
/// namespace can only be entered by a process that has one (setns(2)).
pub fn enter_main(words: &[OsString]) -> ExitCode {
    let [keeper, kind, program, arguments @ ..] = words else { return ExitCode::FAILURE };
    let keeper = keeper.to_string_lossy();
    let entered = || -> io::Result<()> {
        let user = File::open(format!("/proc/{keeper}/ns/user"))?;
        let network = File::open(format!("/proc/{keeper}/ns/net"))?;
        if kind == "user" {
            move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
        }
        Ok(move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?)
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
