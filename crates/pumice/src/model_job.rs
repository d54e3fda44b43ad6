//! Makes a job of a command line: `pumice run --model A15x1 --axf x.axf --kernel zImage --test stream`.
//!
//! What comes out is the job a person would write, in LAVA's language with our words for a model of the library;
//! `--print-job` shows it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use pumice_image::{Tree, tar};
use pumice_types::{Blame as _, Cause, Failure};

use crate::cli::ModelArgs;

/// Makes the job. Tests are packed into `tests_dir`.
pub(crate) fn text(args: &ModelArgs, model: &str, tests_dir: &Path) -> Result<String, Failure> {
    let mut job = format!(
        "job_name: {}\ndevice_type: fvp\nvisibility: public\npriority: medium\ntimeouts:\n  job: {{minutes: {}}}\n  \
         action: {{minutes: {}}}\n  connection: {{minutes: 5}}\n\nactions:\n- deploy:\n    to: fvp\n    images:\n",
        quoted(&format!("{model} from the command line")),
        args.minutes.saturating_mul(2),
        args.minutes,
    );
    let images = images(args)?;
    if images.is_empty() {
        return Err(bad("a model needs something to run: give --axf, --kernel or --image LABEL=FILE"));
    }
    for (label, path) in &images {
        let format = match args.rootfs.as_ref().filter(|_| label == "rootfs") {
            Some(_) if !args.test.is_empty() && args.initrd.is_none() => {
                "\n        format: ext4\n        overlays: {lava: true}"
            }
            _ => "",
        };
        line(&mut job, &format!("      {label}:\n        url: {}{format}", quoted(&url(path)?)));
    }
    line(&mut job, &format!("\n- boot:\n    method: fvp\n    model: {}", quoted(model)));
    line(&mut job, &format!("    timeout: {{minutes: {}}}", args.minutes));
    if let Some(append) = &args.append {
        line(&mut job, &format!("    append: {}", quoted(append)));
    }
    if !args.set.is_empty() {
        line(&mut job, "    model_parameters:");
        for setting in &args.set {
            let (name, value) = setting
                .split_once('=')
                .ok_or_else(|| bad(&format!("`--set {setting}`: NAME=VALUE is wanted")))?;
            line(&mut job, &format!("      {}: {}", quoted(name), quoted(value)));
        }
    }
    if let Some(user) = args.login.as_deref().filter(|user| !user.is_empty()) {
        line(&mut job, &format!("    auto_login: {{login_prompt: 'login: ', username: {}}}", quoted(user)));
    }
    line(&mut job, &format!("    prompts: [{}]", quoted(&args.prompt)));
    if !args.test.is_empty() {
        line(&mut job, &format!("\n- test:\n    timeout: {{minutes: {}}}\n    definitions:", args.minutes));
    }
    for test in &args.test {
        let (name, archive) = packed(test, &args.tests, tests_dir)?;
        line(
            &mut job,
            &format!(
                "    - repository: {}\n      from: url\n      path: {}\n      name: {}",
                quoted(&url(&archive)?),
                quoted(&format!("{name}.yaml")),
                quoted(&name)
            ),
        );
    }
    Ok(job)
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

/// The files by label, in the order in which they are usually named.
fn images(args: &ModelArgs) -> Result<Vec<(String, PathBuf)>, Failure> {
    let named = [
        ("axf", &args.axf),
        ("kernel", &args.kernel),
        ("dtb", &args.dtb),
        ("initrd", &args.initrd),
        ("rootfs", &args.rootfs),
    ];
    let named = named.into_iter().filter_map(|(label, path)| Some((label.to_owned(), path.clone()?)));
    let mut images: Vec<_> = named.collect();
    for image in &args.image {
        let (label, path) =
            image.split_once('=').ok_or_else(|| bad(&format!("`--image {image}`: LABEL=FILE is wanted")))?;
        images.push((label.to_owned(), PathBuf::from(path)));
    }
    Ok(images)
}

/// A `file:` URL of a path, which must be there.
fn url(path: &Path) -> Result<String, Failure> {
    let path =
        fs::canonicalize(path).map_err(|error| bad(&format!("cannot read `{}`: {error}", path.display())))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let mut url = String::from("file://");
    for byte in path.to_string_lossy().bytes() {
        if plain(byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    Ok(url)
}

/// A test by name or directory, packed as an archive that a job can name: its name and the archive.
fn packed(test: &str, directories: &[PathBuf], to: &Path) -> Result<(String, PathBuf), Failure> {
    let mut candidates = vec![PathBuf::from(test)];
    let shipped = crate::host::test_directories();
    candidates.extend(directories.iter().chain(&shipped).map(|directory| directory.join(test)));
    let name = Path::new(test).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(directory) = candidates.iter().find(|path| path.join(format!("{name}.yaml")).is_file()) else {
        let looked: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        return Err(bad(&format!(
            "there is no test `{test}`: looked for {name}.yaml in {}",
            looked.join(", ")
        ))
        .hint(
            "`cargo xtask tests` builds those that ship with pumice; --tests DIR names another directory",
        ));
    };
    let tree = Tree::from_directory(directory).map_err(|error| error.failure())?;
    let archive = to.join(format!("{name}.tar"));
    let cannot = |error: std::io::Error| {
        Failure::new(Cause::HostRefused, format!("cannot write `{}`: {error}", archive.display()))
    };
    fs::create_dir_all(to).map_err(cannot)?;
    let temporary = archive.with_extension(format!("{}.new", std::process::id()));
    let file = fs::File::create(&temporary).map_err(cannot)?;
    tar::write(&tree, std::io::BufWriter::new(file)).map_err(|error| error.failure())?;
    fs::rename(&temporary, &archive).map_err(cannot)?;
    Ok((name, archive))
}

/// A scalar that YAML reads as exactly this text: JSON is YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn bad(message: &str) -> Failure {
    Failure::new(Cause::InvalidDefinition, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_becomes_a_job_that_names_every_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = directory.path().join(name);
            fs::write(&path, "x").unwrap();
            path
        };
        let test = directory.path().join("own");
        fs::create_dir(&test).unwrap();
        fs::write(test.join("own.yaml"), "run: {steps: [true]}").unwrap();
        let args = ModelArgs {
            axf: Some(file("boot.axf")),
            kernel: Some(file("a kernel")),
            append: Some("console=ttyAMA0 root=\"x\"".to_owned()),
            set: vec!["a.b=1".to_owned()],
            test: vec![test.display().to_string()],
            login: Some("root".to_owned()),
            prompt: "# ".to_owned(),
            minutes: 15,
            ..ModelArgs::default()
        };
        let text = text(&args, "A15x1", &directory.path().join("tests")).unwrap();
        let (job, found) = pumice_job::parse(&text, pumice_types::SourceId::default());
        let said: Vec<_> = found.iter().map(|one| one.message.clone()).collect();
        assert_eq!(said, Vec::<String>::new(), "{text}");
        assert_eq!(job.unwrap().actions.len(), 3);
        assert!(
            text.contains("/a%20kernel\"") && text.contains("\"console=ttyAMA0 root=\\\"x\\\"\""),
            "{text}"
        );
        assert!(directory.path().join("tests/own.tar").is_file());
    }

    #[test]
    fn what_is_not_there_is_said_before_anything_is_made() {
        let args = ModelArgs { axf: Some("/no/such".into()), ..ModelArgs::default() };
        let failure = text(&args, "A15x1", Path::new("/nowhere")).unwrap_err();
        assert!(failure.message.starts_with("cannot read `/no/such`"), "{failure}");
    }
}
