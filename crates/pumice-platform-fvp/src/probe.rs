//! Looks at a host: where the model is, which version, and which parameters it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use pumice_platform::{Availability, Facts, Host, probe_output};
use regex_automata::meta::Regex;

use crate::{
    entry::Entry,
    options::{self, Dialect},
    parameters,
    request::Request,
};

/// How long one look may take: models start slowly.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a model reads of the environment of whoever runs it: its libraries, its licences (`~/.flexlmrc`, `~/.armlm` and
/// the variables: fastmodels 5.1, 5.2), its own settings (fastmodels 2.1), and what `source_all.sh` of the tools that
/// models are built with sets.
pub(crate) const INHERITED: [&str; 12] = [
    "HOME",
    "LD_LIBRARY_PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "ARMLMD_LICENSE_FILE",
    "LM_LICENSE_FILE",
    "ARMLM_",
    "FASTSIM_",
    "FM_",
    "MAXCORE_",
    "PVLIB_",
    "IRIS_",
];

pub(crate) async fn probe(request: &Request, entry: Option<&Entry>, host: &Host) -> Availability {
    let names = names(request, entry, &host.programs);
    // What the model will run with: its loader and its licence must find the same now.
    let mut environment = host.inherited(&INHERITED);
    environment.extend(entry.map(Entry::environment).unwrap_or_default());
    // Of the job's variables only these: what was seen is kept by the environment it was seen in.
    let own = request.environment.iter().filter(|(name, _)| is_inherited(name));
    environment.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    let host = &host.with_environment(environment);
    if let Some(missing) = wrongly_named(&names, host) {
        return missing;
    }
    let Some(path) = names.iter().find_map(|name| host.find(name)) else {
        return missing(&names);
    };
    let name = path.display().to_string();
    let version = ask(host, &path, &request.version_arguments).await;
    let version = match version {
        Ok(text) => version_in(&text, request.version_pattern.as_deref()),
        Err(error) => {
            return Availability::Missing {
                reason: format!("`{name} {}` failed: {error}", request.version_arguments.join(" ")),
                hint: Some(format!("`ldd {name}` shows whether a library is missing")),
            };
        }
    };
    let listed = match dialect(&names, &name) {
        Dialect::Foundation => String::new(),
        Dialect::Parameters => ask(host, &path, &["--list-params".to_owned()]).await.unwrap_or_default(),
        Dialect::Shell => {
            let words = request.unbound();
            let library = options::shell_library(&words).map(str::to_owned);
            match library.or_else(|| entry.and_then(|entry| entry.words("library").into_iter().next())) {
                Some(library) => {
                    ask(host, &path, &[library, "--list-params".to_owned()]).await.unwrap_or_default()
                }
                None => String::new(),
            }
        }
    };
    Availability::Ready(Facts {
        program: Some(path),
        version,
        parameters: parameters::list(&listed),
        ..Facts::default()
    })
}

/// Whose options the program understands. A script that starts a model may have any name of its own, so that under
/// which it was looked for counts too.
fn dialect(names: &[String], found: &str) -> Dialect {
    let dialects = std::iter::once(found).chain(names.iter().map(String::as_str)).map(Dialect::of);
    dialects.into_iter().find(|dialect| *dialect != Dialect::Parameters).unwrap_or(Dialect::Parameters)
}

/// Whether a variable is one of [`INHERITED`].
fn is_inherited(variable: &str) -> bool {
    INHERITED.iter().any(|name| variable == *name || name.ends_with('_') && variable.starts_with(name))
}

/// The names under which the model may be found on the host, the likeliest first: as the job writes it, its
/// container's image where the operator maps it, the bare name on `PATH`, the entry's programs.
fn names(request: &Request, entry: Option<&Entry>, operator: &BTreeMap<String, PathBuf>) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(image) = &request.image {
        names.push(image.clone());
        names.extend(request.container_image.clone());
        names.extend(image.rsplit('/').next().map(str::to_owned));
    }
    if let Some(entry) = entry {
        // By the entry's name the operator says where the model is; no file is called so.
        names.extend(operator.contains_key(&entry.name).then(|| entry.name.clone()));
        names.extend(entry.binaries.iter().cloned());
    }
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

async fn ask(host: &Host, path: &Path, arguments: &[String]) -> Result<String, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    probe_output(host, path, &words, PATIENCE).await.map_err(|error| error.to_string())
}

/// The version that a model's program prints; `None` when it prints none that is known.
pub async fn version(host: &Host, program: &Path) -> Option<String> {
    let host = host.with_environment(host.inherited(&INHERITED));
    version_in(&ask(&host, program, &["--version".to_owned()]).await.ok()?, None)
}

/// A program that the operator names, and that is not there: another that happens to be on `PATH` is not what was meant.
fn wrongly_named(names: &[String], host: &Host) -> Option<Availability> {
    let (name, path) = names.iter().find_map(|name| host.programs.get_key_value(name))?;
    (host.inside.is_none() && host.find(name).is_none()).then(|| Availability::Missing {
        reason: format!("no program is at {}, where the model `{name}` should be", path.display()),
        hint: Some("`[programs]` in pumice's configuration says so: mend the path there".to_owned()),
    })
}

fn missing(names: &[String]) -> Availability {
    let looked = names.join("`, `");
    Availability::Missing {
        reason: format!("no model `{looked}` is on this host"),
        hint: Some(
            "put its directory on PATH, or into pumice's configuration: `search = [\"/directory/of/the/model\"]`, or \
             `[programs]` with a line `\"NAME\" = \"/path/of/the/model\"` (docs/fast-models.md)"
                .to_owned(),
        ),
    }
}

/// The version in what a model prints: LAVA's pattern or the job's, else the forms of Foundation and Model Shell
/// (fastmodels 4.2).
pub(crate) fn version_in(text: &str, pattern: Option<&str>) -> Option<String> {
    const USUAL: [&str; 3] = [r"Fast Models[^\n]+", r"platform build [^)\n]+", r"Model Shell[^\n]+"];
    let patterns = pattern.into_iter().chain(USUAL);
    let found = patterns.filter_map(|pattern| {
        let regex = Regex::new(pattern).ok()?;
        regex.find(text).map(|found| text[found.range()].trim().to_owned())
    });
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_in_a_models_place_is_asked_as_that_model() {
        let names = ["Foundation_Platform".to_owned()];
        assert_eq!(dialect(&names, "/srv/wrap.sh"), Dialect::Foundation);
        assert_eq!(dialect(&[], "/opt/arm/model_shell64"), Dialect::Shell);
        assert_eq!(dialect(&["base-revc".to_owned()], "/srv/wrap.sh"), Dialect::Parameters);
    }

    #[test]
    fn the_version_is_found_in_every_banner() {
        let check = |text, expected: &str| assert_eq!(version_in(text, None).as_deref(), Some(expected));
        check(
            "Fast Models [11.24.12 (Dec  4 2023)]\r\nCopyright 2000-2023 ARM Limited.\n",
            "Fast Models [11.24.12 (Dec  4 2023)]",
        );
        check(
            "ARM V8 Foundation Platformr0p0 (platform build 11.2.33)\nCopyright 2017 ARM Limited.",
            "platform build 11.2.33",
        );
        check("Model Shell 8.1.7\n", "Model Shell 8.1.7");
        assert_eq!(version_in("hello", None), None);
        assert_eq!(version_in("v 7", Some(r"v \d")).as_deref(), Some("v 7"));
    }
}
