//! `pumice model`: the model library.

use std::fmt::Write as _;

use pumice_device::{Model, ModelLibrary};
use pumice_types::{Failure, Sources};

use super::model_program;
use crate::{
    cli::{LibraryArgs, ModelCommand, ModelCommandArgs},
    config::Config,
    diagnostics,
    exit::Exit,
    host::find_program,
    models,
    terminal::{print, print_error, show_failure},
};

pub(crate) fn main(args: &ModelCommandArgs) -> Exit {
    let library = match &args.command {
        ModelCommand::List(library) | ModelCommand::Show { library, .. } => library,
        ModelCommand::Add { subject, name, to, print } => {
            return model_program::add(subject, name.as_deref(), to.as_deref(), *print);
        }
        ModelCommand::Check { subject, report } => return model_program::check(subject, report.as_deref()),
    };
    let (library, config) = match read(library) {
        Ok(read) => read,
        Err(failure) => {
            show_failure(&failure);
            return Exit::of_fault(failure.fault);
        }
    };
    match &args.command {
        ModelCommand::List(_) => {
            print(list(&library, &config).trim_end());
            Exit::Success
        }
        ModelCommand::Show { name, .. } => match library.get(name) {
            Ok(model) => {
                print(shown(model, &config).trim_end());
                Exit::Success
            }
            Err(unknown) => {
                let meant =
                    unknown.nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                print_error(&format!("there is no model `{name}`{meant}"));
                Exit::BadDefinition
            }
        },
        // Done above: they look at a program, not at the library.
        ModelCommand::Add { .. } | ModelCommand::Check { .. } => Exit::Success,
    }
}

/// The library and the configuration; mistakes in the operator's own entries are shown.
pub(crate) fn read(args: &LibraryArgs) -> Result<(ModelLibrary, Config), Failure> {
    let config = Config::read(args.config.as_deref())?;
    let mut directories = config.models.clone();
    directories.extend(args.models.iter().cloned());
    let mut sources = Sources::default();
    let (library, found) = models::read(&directories, &mut sources);
    diagnostics::show(&found, &sources);
    Ok((library, config))
}

/// Where a model's program is, by the first of its names that is found. Where the operator names one of them, there or
/// nowhere.
pub(crate) fn program(model: &Model, config: &Config) -> Option<std::path::PathBuf> {
    let names = || std::iter::once(model.name.as_str()).chain(model.binaries.iter().map(String::as_str));
    match names().find(|name| config.programs.contains_key(*name)) {
        Some(name) => find_program(name, config),
        None => names().find_map(|name| find_program(name, config)),
    }
}

fn list(library: &ModelLibrary, config: &Config) -> String {
    let mut out = String::new();
    let widest =
        |of: fn(&Model) -> &str| library.iter().map(|model| of(model).chars().count()).max().unwrap_or(0);
    let (names, texts) = (widest(|model| model.name.as_str()), widest(|model| &model.description));
    for model in library.iter() {
        let place = program(model, config);
        let place = place.map_or_else(|| "-".to_owned(), |path| path.display().to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:<names$} {:<texts$} {place}", model.name.as_str(), model.description);
    }
    out
}

fn shown(model: &Model, config: &Config) -> String {
    let mut out = format!("{}: {}\n", model.name, model.description);
    let mut line = |key: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "{key:<12} {value}");
        }
    };
    let joined = |names: &[pumice_types::Name]| {
        names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>().join(", ")
    };
    line("platform", model.platform.clone());
    line("also called", joined(&model.aliases));
    line("extends", joined(&model.ancestors));
    line("programs", model.binaries.join(", "));
    let place = program(model, config);
    line("found at", place.map_or_else(|| "not on this host".to_owned(), |path| path.display().to_string()));
    let licence = model.licence.as_ref().map(|licence| format!("a seat of `{}`", licence.feature));
    line("licence", licence.unwrap_or_else(|| "none".to_owned()));
    for (role, console) in &model.consoles {
        let device = console.guest_device.as_ref().map(|device| format!(", /dev/{device} in the guest"));
        line("console", format!("{role}: {}{}", console.announced_as, device.unwrap_or_default()));
    }
    let images = model.node.at(&["machine", "images"]).and_then(pumice_yaml::Node::as_map);
    line("images", images.map(|map| map.keys().collect::<Vec<_>>().join(", ")).unwrap_or_default());
    if model.node.at(&["machine", "boot_wrapper"]).is_some() {
        line(
            "by axf",
            "kernel, dtb, initrd and the kernel's arguments, where `axf` is a boot-wrapper".to_owned(),
        );
    }
    for (name, value) in &model.parameters {
        line("parameter", format!("{name}={value}"));
    }
    out
}
