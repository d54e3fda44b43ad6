//! The conformance suite that every platform passes, on a model: the stand-in, whose guest is played from a script.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use e2e::built;
use fs_err as fs;
use pumice_plan::MachineSpec;
use pumice_platform_fvp::Fvp;
use pumice_testkit::{Refusal, Subject, device};
use pumice_types::SourceId;

const MODEL: &str = "FVP_Base_RevC-2xAEMvA";

/// A guest that says something and stays.
const SCRIPT: &str = "say 0 \"model is ready\\r\\n\"\nhalt\n";

/// The model under its name, and the script: files that all tests of the suite share and that never change.
fn files() -> std::io::Result<(PathBuf, PathBuf)> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    fs::create_dir_all(&directory)?;
    let own = |name: &str| directory.join(format!("{name}.{}", std::process::id()));
    let (model, script) = (directory.join(MODEL), directory.join("script"));
    symlink(built("model-standin"), own(MODEL))?;
    fs::rename(own(MODEL), &model)?;
    fs::write(own("script"), SCRIPT)?;
    fs::rename(own("script"), &script)?;
    Ok((model, script))
}

/// A machine in LAVA's form, with one more argument.
fn machine(model: &Path, script: &Path, argument: &str) -> MachineSpec {
    let boot = format!(
        "image: {}\nconsole_string: 'terminal_0: Listening for serial connection on port (?P<PORT>\\d+)'\n\
         feedbacks: ['terminal_1: Listening for serial connection on port (?P<PORT>\\d+)']\n\
         environment: ['MODEL_STANDIN=guest=script:{}']\n\
         arguments: ['-C bp.terminal_0.start_telnet=0', '-C bp.terminal_1.start_telnet=0', \
         '-C bp.terminal_2.start_telnet=0', '-C bp.terminal_3.start_telnet=0', '{argument}']\n",
        model.display(),
        script.display(),
    );
    let (boot, mistakes) = pumice_yaml::parse(&boot, SourceId::default());
    assert!(!mistakes.has_errors(), "{mistakes:?}");
    MachineSpec { boot: boot.unwrap(), wants_channel: false, ..device("fvp", "fvp", "options: {}") }
}

fn subject() -> Result<Subject, String> {
    let (model, script) = files().map_err(|error| error.to_string())?;
    Ok(Subject {
        platform: Box::new(Fvp),
        spec: machine(&model, &script, "--stat"),
        images: [].into(),
        says: "model is ready\r\n",
        refusal: Refusal { spec: machine(&model, &script, "-a /no/such.axf"), words: "/no/such.axf" },
    })
}

pumice_testkit::conformance!(subject);
