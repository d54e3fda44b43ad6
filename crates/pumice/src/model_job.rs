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

use crate::{cli::ModelArgs, file_uri::file_uri};

/// Minutes for whatever nobody gives a time to.
const MINUTES: u32 = 15;

/// Makes the job. Tests are packed into `tests_dir`.
pub(crate) fn text(args: &ModelArgs, model: &str, tests_dir: &Path) -> Result<String, Failure> {
    let minutes = args.minutes.unwrap_or(MINUTES);
    let mut job = format!(
        "job_name: {}\ndevice_type: fvp\nvisibility: public\npriority: medium\ntimeouts:\n  job: {{minutes: {}}}\n  \
         action: {{minutes: {}}}\n  connection: {{minutes: 5}}\n\nactions:\n- deploy:\n    to: fvp\n    images:\n",
        quoted(&format!("{model} from the command line")),
        // Deploy, boot and tests, each to its whole time.
        minutes.saturating_mul(3),
        minutes,
    );
    let images = images(args, tests_dir)?;
    if images.is_empty() {
        return Err(bad(
            "a model needs something to run: give --axf, --kernel, --rootfs or --image LABEL=FILE",
        ));
    }
    for image in &images {
        line(
            &mut job,
            &format!("      {}:\n        url: {}", quoted(&image.label), quoted(&url(&image.path)?)),
        );
        for more in &image.lines {
            line(&mut job, &format!("        {more}"));
        }
    }
    line(&mut job, &format!("\n- boot:\n    method: fvp\n    model: {}", quoted(model)));
    if let Some(minutes) = args.minutes {
        line(&mut job, &format!("    timeout: {{minutes: {minutes}}}"));
    }
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
        line(&mut job, &format!("\n- test:\n    timeout: {{minutes: {minutes}}}\n    definitions:"));
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

/// A file of the deploy block.
struct Image {
    label: String,
    path: PathBuf,
    /// What else is said of it.
    lines: Vec<String>,
}

/// The files in the order in which they are usually named.
fn images(args: &ModelArgs, scratch: &Path) -> Result<Vec<Image>, Failure> {
    let plain = |label: &str, path: &Path| Image {
        label: label.to_owned(),
        path: path.to_owned(),
        lines: Vec::new(),
    };
    let named = [("axf", &args.axf), ("kernel", &args.kernel), ("dtb", &args.dtb), ("initrd", &args.initrd)];
    let named = named.into_iter().filter_map(|(label, path)| Some(plain(label, path.as_ref()?)));
    let mut images: Vec<_> = named.collect();
    images.extend(args.rootfs.as_ref().map(|path| rootfs(args, path, scratch)).transpose()?);
    for image in &args.image {
        let (label, path) = pair(image, '=', "--image", "LABEL=FILE")?;
        images.push(plain(label, Path::new(path)));
    }
    for data in &args.data {
        let (path, address) = data.rsplit_once('@').ok_or_else(|| {
            bad(&format!("`--data {data}`: FILE@ADDRESS is wanted, such as x.bin@0x84000000"))
        })?;
        images.push(plain(&format!("data@{address}"), Path::new(path)));
    }
    Ok(images)
}

fn pair<'a>(text: &'a str, between: char, option: &str, form: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once(between).ok_or_else(|| bad(&format!("`{option} {text}`: {form} is wanted")))
}

/// How a file is compressed, by its name.
const COMPRESSED: [(&str, &str); 5] =
    [(".gz", "gz"), (".tgz", "gz"), (".xz", "xz"), (".bz2", "bz2"), (".zst", "zstd")];

/// The root file system: an image as it is, or one that is made of an archive or a directory.
fn rootfs(args: &ModelArgs, path: &Path, scratch: &Path) -> Result<Image, Failure> {
    let mut lines = Vec::new();
    let mut file = path.to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let compressed = COMPRESSED.iter().find(|(end, _)| name.ends_with(end));
    let bare = compressed.map_or(name.as_str(), |(end, _)| name.trim_end_matches(end));
    let is_directory = path.is_dir();
    if is_directory {
        file = archived(path, &name, scratch)?;
    } else if let Some((_, compression)) = compressed {
        lines.push(format!("compression: {compression}"));
    }
    let ends = |name: &str, wanted| Path::new(name).extension().is_some_and(|end| end == wanted);
    let is_archive = ends(bare, "tar") || ends(&name, "tgz");
    if is_directory || is_archive {
        lines.extend(["archive: tar".to_owned(), "filesystem: ext4".to_owned()]);
    }
    let has_initrd = args.initrd.is_some() || args.extract.iter().any(|one| one.starts_with("initrd="));
    if !args.test.is_empty() && !has_initrd {
        lines.extend(["format: ext4".to_owned(), "overlays: {lava: true}".to_owned()]);
    }
    lines.extend(args.partition.map(|number| format!("partition: {number}")));
    if !args.extract.is_empty() {
        lines.push("extract:".to_owned());
    }
    for one in &args.extract {
        let (label, pattern) = pair(one, '=', "--extract", "LABEL=PATTERN")?;
        lines.push(format!("  {}: {}", quoted(label), quoted(pattern)));
    }
    Ok(Image { label: "rootfs".to_owned(), path: file, lines })
}

/// Packs a directory as an archive that a job can name.
fn archived(directory: &Path, name: &str, to: &Path) -> Result<PathBuf, Failure> {
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
    Ok(archive)
}

/// A `file:` URL of a path, which must be there; what is a URL already stays as it is.
fn url(path: &Path) -> Result<String, Failure> {
    if let Some(url) = path.to_str().filter(|text| text.contains("://")) {
        return Ok(url.to_owned());
    }
    let path =
        fs::canonicalize(path).map_err(|error| bad(&format!("cannot read `{}`: {error}", path.display())))?;
    Ok(file_uri(&path))
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
    let archive = archived(directory, &name, to)?;
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
            initrd: Some("https://files.example.org/initrd?x=1".into()),
            append: Some("console=ttyAMA0 root=\"x\"".to_owned()),
            set: vec!["a.b=1".to_owned()],
            test: vec![test.display().to_string()],
            login: Some("root".to_owned()),
            prompt: "# ".to_owned(),
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
        assert!(text.contains("url: \"https://files.example.org/initrd?x=1\""), "{text}");
        assert!(directory.path().join("tests/own.tar").is_file());
        // The model's own time, unless the command line says another.
        assert!(text.contains("model: \"A15x1\"\n    append"), "{text}");
        let timed = ModelArgs { minutes: Some(7), ..args };
        let text = super::text(&timed, "A15x1", &directory.path().join("tests")).unwrap();
        assert!(text.contains("model: \"A15x1\"\n    timeout: {minutes: 7}\n"), "{text}");
    }

    #[test]
    fn a_root_file_system_may_be_an_archive_a_directory_or_an_image_with_files_to_take_out() {
        let directory = tempfile::tempdir().unwrap();
        let check = |name: &str, extract: &[&str], tests: bool, expected: &[&str]| {
            let path = directory.path().join(name);
            if name == "tree" {
                fs::create_dir_all(path.join("etc")).unwrap();
            } else {
                fs::write(&path, "x").unwrap();
            }
            let args = ModelArgs {
                extract: extract.iter().map(|one| (*one).to_owned()).collect(),
                test: if tests { vec!["smoke".to_owned()] } else { Vec::new() },
                ..ModelArgs::default()
            };
            assert_eq!(
                rootfs(&args, &path, &directory.path().join("made")).unwrap().lines,
                expected,
                "{name}"
            );
        };
        check("r.tar.gz", &[], false, &["compression: gz", "archive: tar", "filesystem: ext4"]);
        check("r.tgz", &[], false, &["compression: gz", "archive: tar", "filesystem: ext4"]);
        check("tree", &[], false, &["archive: tar", "filesystem: ext4"]);
        check("r.img.xz", &[], true, &["compression: xz", "format: ext4", "overlays: {lava: true}"]);
        check(
            "disk.img",
            &["axf=*.axf", "initrd=/boot/initrd*"],
            true,
            &["extract:", "  \"axf\": \"*.axf\"", "  \"initrd\": \"/boot/initrd*\""],
        );
    }

    #[test]
    fn what_is_not_there_is_said_before_anything_is_made() {
        let args = ModelArgs { axf: Some("/no/such".into()), ..ModelArgs::default() };
        let failure = text(&args, "A15x1", Path::new("/nowhere")).unwrap_err();
        assert!(failure.message.starts_with("cannot read `/no/such`"), "{failure}");
    }
}
