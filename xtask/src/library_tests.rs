//! The tests of `library/tests`, made ready for guests in `target/tests`: their files, and what is compiled.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;

use crate::{
    program::{self, command},
    workspace::{root, say, target},
};

/// Architectures of guests: what a program's name ends in, and the compiler.
const ARCHITECTURES: [(&str, &str); 2] =
    [("armhf", "arm-linux-gnueabihf-gcc"), ("arm64", "aarch64-linux-gnu-gcc")];

/// Copies every test and compiles each `NAME/NAME.c` for every architecture, statically: a guest has no libraries of
/// ours.
pub(crate) fn run() -> Result<()> {
    say("building the tests for guests");
    let from = root().join("library/tests");
    let to = target().join("tests");
    for entry in fs::read_dir(&from)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let directory = to.join(&name);
        fs::create_dir_all(&directory)?;
        for file in fs::read_dir(entry.path())? {
            let file = file?;
            fs::copy(file.path(), directory.join(file.file_name()))?;
        }
        let source = entry.path().join(&name).with_extension("c");
        if source.exists() {
            compile(&source, &directory, &name)?;
        }
        // What a job names as the repository of the test.
        let mut pack = command("tar", ["--create", "--file"]);
        program::read(pack.arg(directory.with_extension("tar")).arg("--directory").arg(&directory).arg("."))?;
    }
    Ok(())
}

fn compile(source: &Path, directory: &Path, name: &str) -> Result<()> {
    for (architecture, compiler) in ARCHITECTURES {
        let program = directory.join(format!("{name}-{architecture}"));
        let options = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-static", "-s", "-o"];
        let mut compile = command(compiler, options);
        program::run(compile.arg(program).arg(source).arg("-lm"))?;
    }
    Ok(())
}
