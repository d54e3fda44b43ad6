//! Everything between the command line and the first instruction: checks, and the lines a model prints on the way
//! (reference, sections 4.1 to 4.3).

use crate::boot::BootPlan;
use crate::cli::Invocation;
use crate::environment::Environment;
use crate::knobs::Knobs;
use crate::media::{Card, Media, loaded_size};
use crate::model::{Model, Parameter, SetError, Value, plugin_parameters};
use crate::terminal::{Terminals, announcement};
use std::path::Path;

/// Why nothing is started. All of these end with exit code 1 before anything listens; the wording is ours where the
/// reference gives none (section 11).
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartupError {
    #[error("{program}: unknown parameter '{name}'")]
    UnknownParameter { program: String, name: String },
    #[error("{program}: parameter '{name}' wants a value of type {wanted}, not '{value}'")]
    ParameterType { program: String, name: String, value: String, wanted: &'static str },
    #[error("{program}: parameter '{name}' wants a value from {least} to {most}, not '{value}'")]
    ParameterRange { program: String, name: String, value: String, least: i64, most: i64 },
    #[error("{program}: cannot open {what} '{file}'")]
    NoFile { program: String, what: &'static str, file: String },
    #[error("{program}: '{file}' is not an executable image")]
    NotElf { program: String, file: String },
    #[error("{program}: there is no instance '{pattern}'")]
    NoInstance { program: String, pattern: String },
    #[error("{program}: checkpoints are not supported by this model")]
    Checkpoint { program: String },
    #[error("{program}: {reason}")]
    Other { program: String, reason: String },
}

/// Adds what plug-ins and the knob bring, then sets `-C` values; the first mistake ends it.
pub(crate) fn set_parameters(
    model: &mut Model,
    invocation: &Invocation,
    knobs: &Knobs,
    program: &str,
) -> Result<(), StartupError> {
    let program = || program.to_owned();
    for plugin in &invocation.plugins {
        let stem = plugin.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let parameters = plugin_parameters(&stem)
            .map_err(|error| StartupError::Other { program: program(), reason: error.to_string() })?;
        for parameter in parameters {
            model.parameters.add(parameter);
        }
    }
    if let Some(path) = &knobs.extra_params {
        let text = std::fs::read_to_string(path).map_err(|error| StartupError::Other {
            program: program(),
            reason: format!("{}: {error}", path.display()),
        })?;
        for parameter in text.lines().filter_map(extra_parameter) {
            model.parameters.add(parameter);
        }
    }
    for (name, value) in &invocation.parameters {
        let (program, name, value) = (program(), name.clone(), value.clone());
        model.parameters.set(&name, &value).map_err(|error| match error {
            SetError::Unknown => StartupError::UnknownParameter { program, name },
            SetError::Type { wanted } => StartupError::ParameterType { program, name, value, wanted },
            SetError::Range { range: (least, most) } => {
                StartupError::ParameterRange { program, name, value, least, most }
            }
        })?;
    }
    Ok(())
}

/// `NAME=DEFAULT`, whose type is that of the default.
fn extra_parameter(line: &str) -> Option<Parameter> {
    let (name, default) = line.trim().split_once('=').filter(|(name, _)| !name.starts_with('#'))?;
    let default = match default {
        "true" | "false" => Value::Bool(default == "true"),
        text => crate::model::read_int(text).map_or_else(|| Value::Text(text.to_owned()), Value::Int),
    };
    let about = "given by the user".to_owned();
    Some(Parameter { name: name.trim().to_owned(), value: default.clone(), default, about, range: None })
}

/// Looks for every file and instance that the command line names.
pub(crate) fn check_files(model: &Model, invocation: &Invocation, program: &str) -> Result<(), StartupError> {
    let no_file = |what, file: &Path| StartupError::NoFile {
        program: program.to_owned(),
        what,
        file: file.display().to_string(),
    };
    if invocation.checkpoint {
        return Err(StartupError::Checkpoint { program: program.to_owned() });
    }
    for plugin in &invocation.plugins {
        if !plugin.is_file() {
            return Err(no_file("plug-in", plugin));
        }
    }
    for application in &invocation.applications {
        let bytes =
            std::fs::read(&application.file).map_err(|_| no_file("application", &application.file))?;
        if !bytes.starts_with(b"\x7fELF") {
            return Err(StartupError::NotElf {
                program: program.to_owned(),
                file: application.file.display().to_string(),
            });
        }
    }
    let applications = invocation.applications.iter().filter_map(|application| application.instance.as_ref());
    let data = invocation.data.iter().filter_map(|load| load.instance.as_ref());
    for pattern in applications.chain(data) {
        if model.matching(pattern).is_empty() {
            return Err(StartupError::NoInstance { program: program.to_owned(), pattern: pattern.clone() });
        }
    }
    for load in &invocation.data {
        if !load.file.is_file() {
            return Err(no_file("data file", &load.file));
        }
    }
    for (_, file) in loaded_images(model) {
        if !Path::new(file).is_file() {
            return Err(no_file("image", Path::new(file)));
        }
    }
    Ok(())
}

/// Instances that load an image at the start, with its file.
fn loaded_images(model: &Model) -> impl Iterator<Item = (&str, &str)> {
    let rows = model.parameters.rows().iter();
    rows.filter_map(|row| {
        let instance = row.name.strip_suffix(".fname").or_else(|| row.name.strip_suffix(".raw_image"))?;
        match &row.value {
            Value::Text(file) if !file.is_empty() => Some((instance, file.as_str())),
            _ => None,
        }
    })
}

/// The announcements of all terminals, with what some models print between them.
pub(crate) fn announcements(model: &Model, terminals: &Terminals, knobs: &Knobs) -> String {
    let form = knobs.announce.unwrap_or(model.announce);
    let announced = terminals.announced();
    let first = announced.first().map_or("", |(name, _)| *name);
    let mut lines = Vec::new();
    for (number, (name, port)) in announced.iter().enumerate() {
        if model.cmn && number == announced.len() / 2 {
            lines.push(format!(
                "INFO: {}.css.cmn700: CMN-700 r1p0 model, periphbase=0x0000000140000000, \
                 mesh_config_file='cmn700_rd_n2.yml'\n",
                model.instance
            ));
        }
        let name = if knobs.duplicate { first } else { name };
        lines.push(announcement(form, &model.instance, name, *port));
    }
    if knobs.glue {
        // Captured logs show two of them with no line break between (reference 4.1).
        let glued: String = lines.iter().map(|line| line.trim_matches('\n')).collect();
        return glued + "\n";
    }
    lines.concat()
}

/// The lines after the announcements: media, images, devices, the window that cannot be opened.
pub(crate) fn device_lines(model: &Model, media: &Media, environment: &Environment) -> String {
    let instance = &model.instance;
    let mut lines = Vec::new();
    if model.roles.mmc.is_some() && media.card.is_none() {
        lines.push("INFO: mmc: no image file connected\n".to_owned());
    }
    for (path, file) in loaded_images(model) {
        let size = loaded_size(std::fs::metadata(file).map_or(0, |metadata| metadata.len()));
        lines.push(format!(
            "\nInfo: {instance}: {instance}.{path}: FlashLoader: Loaded {size} from file '{file}'\n"
        ));
    }
    if model.ethos {
        lines.push(format!("\nInfo: {instance}: Creating Ethos-U55 with config H128\n"));
    }
    if let Some(rng) = model.roles.rng.as_ref().filter(|rng| model.parameters.flag(&format!("{rng}.enabled")))
    {
        let seed = match model.parameters.int(&format!("{rng}.seed")) {
            None | Some(0) => (i64::from(std::process::id()) * 0x9e37) & 0xffff_ffff,
            Some(seed) => seed,
        };
        lines.push(format!(
            "INFO: {rng}: Selected Random Generator Device: XORSHIFT DEVICE\n\
             INFO: {rng}: Using seed value: {seed:#x}\n"
        ));
    }
    let window = model.roles.visualisation.as_ref().is_some_and(|name| !model.parameters.flag(name));
    if window && environment.get("DISPLAY").is_none() {
        lines.push(format!(
            "\nWarning: {instance}: vis: Visualisation setup failed - the model will run with the Visualisation window \
             disabled\nIn file: (unknown):0\nIn process: {instance}.thread_p_130 @ 0 ps\n"
        ));
    }
    lines.concat()
}

/// A word for the log about what is going to run.
pub(crate) fn summary(model: &Model, plan: &BootPlan, media: &Media) -> String {
    let card = match &media.card {
        None => "no card".to_owned(),
        Some(Card::InPlace(path) | Card::Copied { original: path, .. }) => path.display().to_string(),
    };
    format!("{}: {:?}; SD: {card}", model.name.name, plan.program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelName;

    #[test]
    fn images_that_are_loaded_are_told_with_their_size() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![0; 30 * 1024 + 5]).unwrap();
        let path = file.path().display().to_string();
        let mut model = Model::new(ModelName::parse("FVP_Base_RevC-2xAEMvA").unwrap()).unwrap();
        model.parameters.set("bp.secureflashloader.fname", &path).unwrap();
        model.parameters.set("bp.vis.disable_visualisation", "1").unwrap();
        let text = device_lines(&model, &Media::default(), &Environment::default());
        assert_eq!(
            text,
            format!(
                "INFO: mmc: no image file connected\n\nInfo: FVP_Base_RevC_2xAEMvA: \
                 FVP_Base_RevC_2xAEMvA.bp.secureflashloader: FlashLoader: Loaded 30 kB from file '{path}'\n"
            )
        );
    }
}
