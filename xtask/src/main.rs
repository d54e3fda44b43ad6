//! The tasks of this repository: `cargo xtask TASK`. Each does its own set-up and can be run again at once.

#![expect(clippy::print_stdout, reason = "a task talks to the person who started it")]

mod apt;
mod bench;
mod deb;
mod demo;
mod fuzz;
mod guests;
mod lava;
mod library_tests;
mod program;
mod s3;
mod setup;
mod test;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo         set up, build, boot Linux on two virtual platforms, test it, show the results
cargo xtask test         set up, then everything CI checks; the test runner's summary comes last
cargo xtask bench [NAME] the measurements of SPECIFICATION.md; without a name all, with --list their names
cargo xtask fuzz [SECONDS] [TARGET]
                         the fuzz targets of fuzz/, a minute each if not told otherwise; without a name all
cargo xtask s3           the tests of the feature `s3`, against a server that speaks S3
cargo xtask tests        only build the tests for guests in target/tests, with Debian's cross compilers
cargo xtask deb [PROGRAM] a Debian package in target/debian, of a program that was built or of one that is built now
cargo xtask setup        only install what is missing
cargo xtask guests       only make the Linux guests in target/guests (--update asks for newer packages)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["setup"] => setup::run(),
        ["guests"] => setup::programs().and_then(|()| guests::run(guests::Freshness::AsTheyAre)),
        ["guests", "--update"] => setup::programs().and_then(|()| guests::run(guests::Freshness::Newest)),
        ["tests"] => setup::programs().and_then(|()| library_tests::run()),
        ["test"] => test::run(),
        ["demo"] => demo::run(),
        ["s3"] => s3::run(),
        ["deb"] => deb::run(None),
        ["deb", built] => deb::run(Some(built)),
        ["fuzz", rest @ ..] => fuzz(rest),
        ["bench", names @ ..] => bench::run(names),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(anyhow::anyhow!("usage:\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            workspace::complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// `[SECONDS] [TARGET…]`.
fn fuzz(arguments: &[&str]) -> anyhow::Result<()> {
    setup::run()?;
    match arguments.split_first().map(|(first, names)| (first.parse(), names)) {
        Some((Ok(seconds), names)) => fuzz::run(seconds, names),
        _ => fuzz::run(60, arguments),
    }
}
