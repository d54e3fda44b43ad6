//! The store behind S3: its tests, against a server that speaks it. Apart from the suite, because the feature is off there and
//! building with it builds most of the server again.

use anyhow::Result;

use crate::{
    program::{self, command},
    setup,
    workspace::{self, say},
};

/// A server that speaks S3, as `pip` knows it.
const SERVER: &str = "moto[s3,server]==5.2.5";

/// Installs the server into `target/s3` and runs the tests.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    let directory = workspace::target().join("s3");
    if !directory.join("bin/moto_server").is_file() {
        say("s3: installing moto_server into target/s3");
        setup::python_environment(&directory, &[SERVER])?;
    }
    let words = ["test", "--locked", "-p", "pumice-server", "--features", "s3", "--", "bucket", "s3::"];
    program::run(command("cargo", words).current_dir(workspace::root()))
}
