//! What is printed instead of running, and the banner.

use crate::knobs::Knobs;
use crate::model::{Model, Parameter, Value};
use std::fmt::Write as _;

/// The banner of `--version` and of some runs (reference 4.2). Returned as bytes, since one knob makes it cp1252.
pub(crate) fn banner(model: &Model, knobs: &Knobs, shell: bool) -> Vec<u8> {
    let version = knobs.version.as_ref().unwrap_or(&model.version);
    let built = knobs.built.as_ref().unwrap_or(&model.built);
    let year = built.split_whitespace().last().unwrap_or_default();
    let mark: &[u8] = if knobs.cp1252 { b" \xa9" } else { b"" };
    let mut text = Vec::new();
    if model.name.family == "foundation" {
        let which = if model.name.name == "Foundation_v8" { "Model" } else { "Platform" };
        text.extend(format!("ARM V8 Foundation {which}r0p0 (platform build {version})\nCopyright").bytes());
        text.extend(mark);
        text.extend(format!(" {year} ARM Limited.\nAll Rights Reserved.\n\n").bytes());
        return text;
    }
    if shell {
        text.extend(format!("Model Shell {version}\n").bytes());
    } else {
        text.extend(format!("Fast Models [{version} ({built})]\n").bytes());
    }
    text.extend(b"Copyright");
    text.extend(mark);
    text.extend(format!(" 2000-{year} ARM Limited.\nAll Rights Reserved.\n\n\n").bytes());
    text
}

/// `--list-params`: one assignment a line that `-f` takes back, with type, default and meaning behind `#`. The layout
/// is from memory of real lists, not from a public text.
pub(crate) fn parameters(model: &Model) -> String {
    let widest = model.parameters.rows().iter().map(|row| assignment(row).len()).max().unwrap_or(0).min(72);
    let rule = format!("#{}\n", "-".repeat(94));
    let mut text = String::from(
        "# Parameters:\n# instance.parameter=value      #(type, mode) default = 'def value' : description : [min..max]\n",
    );
    text.push_str(&rule);
    let mut rows: Vec<_> = model.parameters.rows().iter().collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    for row in rows {
        let range = match row.range {
            Some((least, most)) => {
                format!(" : [{}..{}]", Value::Int(least), Value::Int(most))
            }
            None => String::new(),
        };
        let default = format!("'{}'", row.default);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:widest$}  # ({:6}, init-time) default = {default:<10} : {}{range}",
            assignment(row),
            row.default.type_word(),
            row.about,
        );
    }
    text.push_str(&rule);
    text
}

fn assignment(row: &Parameter) -> String {
    match &row.value {
        Value::Text(text) if text.contains(' ') => format!("{}=\"{text}\"", row.name),
        value => format!("{}={value}", row.name),
    }
}

/// `--list-instances`: the tree, one instance a line with its component. The layout is ours.
pub(crate) fn instances(model: &Model) -> String {
    let mut text = String::from("Instances:\n");
    for (path, component) in &model.instances {
        let _ = writeln!(text, "  {path} ({component})");
    }
    text
}

/// `--list-memory`. The layout is ours.
pub(crate) fn memory(model: &Model) -> String {
    let mut text = String::from("Memory spaces:\n");
    for core in &model.cores {
        for space in ["Secure", "Normal"] {
            let _ = writeln!(text, "  {core}: {space}");
        }
    }
    text
}

/// `--list-regs`. The layout is ours.
pub(crate) fn registers(model: &Model) -> String {
    let mut text = String::from("Registers:\n");
    let (prefix, count) = if model.is_arm64() { ("X", 31) } else { ("R", 15) };
    for core in &model.cores {
        let names: Vec<String> = (0..count).map(|number| format!("{prefix}{number}")).collect();
        let _ = writeln!(text, "  {core}: {} PC", names.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelName;

    fn model(name: &str) -> Model {
        Model::new(ModelName::parse(name).unwrap()).unwrap()
    }

    #[test]
    fn banners_have_the_public_form() {
        let knobs = Knobs::default();
        let text = |name: &str| String::from_utf8(banner(&model(name), &knobs, false)).unwrap();
        assert_eq!(
            text("FVP_VE_Cortex-A15x1"),
            "Fast Models [11.24.12 (Dec  4 2023)]\nCopyright 2000-2023 ARM Limited.\nAll Rights Reserved.\n\n\n"
        );
        assert_eq!(
            text("Foundation_Platform"),
            "ARM V8 Foundation Platformr0p0 (platform build 11.2.33)\nCopyright 2017 ARM Limited.\n\
             All Rights Reserved.\n\n"
        );
        let odd = Knobs { cp1252: true, ..Knobs::default() };
        assert!(std::str::from_utf8(&banner(&model("FVP_Morello"), &odd, false)).is_err());
    }

    #[test]
    fn a_list_of_parameters_can_be_given_back() {
        let text = parameters(&model("FVP_Base_RevC-2xAEMvA"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let words = ["-f".to_owned(), file.path().display().to_string()];
        let found = crate::cli::Grammar::Standard { vintage: false }.parse(&words).unwrap();
        let mut model = model("FVP_Base_RevC-2xAEMvA");
        assert_eq!(found.parameters.len(), model.parameters.rows().len());
        for (name, value) in &found.parameters {
            model.parameters.set(name, value).unwrap_or_else(|error| panic!("{name}={value}: {error:?}"));
            assert!(!model.parameters.is_changed(name), "{name}={value}");
        }
    }
}
