//! Sending the files of this host that a job names, and naming them as the server knows them.
//!
//! The rule: an address that begins with `file:` is a file of this host, and one without a scheme is a path from the directory of
//! the job. Everything else stays as it is.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use pumice_api::upload::UploadUrl;
use pumice_client::{LabClient, NewUpload, Sent};
use pumice_job::{NamedFile, NamedFileKind, named_files, replace_addresses};
use pumice_store::Digest;
use pumice_types::{Blame as _, ByteSize, Cause, Failure, SourceId};
use pumice_yaml::Node;

use crate::{
    cli::Format,
    terminal::{Meter, print_error},
};

/// Sends each file that `text` names, and answers the text with what the server calls them.
pub(crate) fn send_named(
    client: &LabClient,
    text: &str,
    directory: &Path,
    format: Format,
) -> Result<String, Failure> {
    let mut replacements = Vec::new();
    let mut sent: BTreeMap<PathBuf, UploadUrl> = BTreeMap::new();
    let own = own_files(text, directory)?;
    for (file, path) in &own {
        let url = match sent.get(path) {
            Some(url) => url.clone(),
            None => send(client, path, format)?,
        };
        replacements.push((file.span, url.to_string()));
        sent.insert(path.clone(), url);
    }
    Ok(replace_addresses(text, &replacements))
}

/// Refuses a text that names a file by its path, which means nothing to a lab; `hint` is what to do instead.
pub(crate) fn refuse_paths(text: &str, hint: &str) -> Result<(), Failure> {
    match named(text).into_iter().find(|file| place(&file.address) == Place::Path) {
        None => Ok(()),
        Some(file) => Err(refused(format!("`{}` is a path, not a URL", file.address)).hint(hint)),
    }
}

/// What a job says in the place of URLs that is the path of a file, from `directory`, with its URL (RFC 8089).
pub(crate) fn files_beside(job: &Node, directory: &Path) -> BTreeMap<String, String> {
    let url = |file: NamedFile| {
        let path = match (file.kind, place(&file.address)) {
            (NamedFileKind::Image | NamedFileKind::Archive, Place::Path) => directory.join(&file.address),
            (NamedFileKind::Image | NamedFileKind::Archive, Place::File(path)) if path.is_relative() => {
                directory.join(path)
            }
            _ => return None,
        };
        let path = std::path::absolute(path).ok().filter(|path| path.is_file())?;
        let path = path.to_str()?.replace('%', "%25");
        Some((file.address, format!("file://{path}")))
    };
    named_files(job).into_iter().filter_map(url).collect()
}

fn refused(message: String) -> Failure {
    Failure::new(Cause::InvalidDefinition, message)
}

fn named(text: &str) -> Vec<NamedFile> {
    let (node, _) = pumice_yaml::parse_within(text, SourceId::default(), pumice_job::LIMITS);
    node.as_ref().map(named_files).unwrap_or_default()
}

/// The files of this host that a job names, with their paths; everything that is wrong with them at once.
fn own_files(text: &str, directory: &Path) -> Result<Vec<(NamedFile, PathBuf)>, Failure> {
    let mut own = Vec::new();
    let mut mistakes = Vec::new();
    for file in named(text) {
        let path = match place(&file.address) {
            Place::Elsewhere => continue,
            // A repository is a name that git knows, unless it says that it is here.
            Place::Path
                if file.kind == NamedFileKind::Repository && !file.address.starts_with(['.', '/']) =>
            {
                continue;
            }
            Place::Path => directory.join(&file.address),
            Place::File(path) => directory.join(path),
            Place::OtherHost => {
                mistakes.push(format!("`{}` names another host", file.address));
                continue;
            }
        };
        let found = fs::metadata(&path);
        match (file.kind, &found) {
            (NamedFileKind::Repository, _) => mistakes.push(format!(
                "`{}` is a git repository, which is not sent: pack the test as a tar archive and name it with `from: url`",
                file.address
            )),
            (_, Err(error)) => mistakes.push(format!("cannot read `{}`: {error}", path.display())),
            (_, Ok(found)) if !found.is_file() => {
                mistakes.push(format!("`{}` is not a file", path.display()));
            }
            _ => own.push((file, path)),
        }
    }
    if mistakes.is_empty() { Ok(own) } else { Err(refused(mistakes.join("; "))) }
}

/// What an address says of where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// `file:`, with this path.
    File(PathBuf),
    /// No scheme: the address is a path.
    Path,
    /// Another scheme, or what a device fills in.
    Elsewhere,
    /// `file:` and a host that is not this one.
    OtherHost,
}

fn place(address: &str) -> Place {
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    match address.split_once(':') {
        // `{KEY}` stands for what the device says.
        _ if address.starts_with('{') => Place::Elsewhere,
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
            let path = match rest.strip_prefix("//") {
                None => rest,
                Some(rest) => {
                    let path =
                        rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest);
                    if !path.starts_with('/') {
                        return Place::OtherHost;
                    }
                    path
                }
            };
            Place::File(PathBuf::from(OsString::from_vec(percent_decode_str(path).collect())))
        }
        Some((scheme, _)) if is_scheme(scheme) => Place::Elsewhere,
        _ => Place::Path,
    }
}

/// Sends one file.
fn send(client: &LabClient, path: &Path, format: Format) -> Result<UploadUrl, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let cannot = |error: std::io::Error| refused(format!("cannot read `{}`: {error}", path.display()));
    let mut file = fs::File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    let is_shown = format == Format::Text;
    let sha256 = {
        let mut meter = Meter::new(&format!("reading {name}"), size, is_shown);
        Digest::of_reader(meter.reading(&mut file)).map_err(cannot)?.to_string()
    };
    let url = UploadUrl::new(&sha256, &name)
        .ok_or_else(|| Failure::new(Cause::Bug, format!("`{name}` has no name that a URL can hold")))?;
    let new = NewUpload { name: url.name().to_string(), size, sha256 };
    let mut meter = Meter::new(&format!("sending {name}"), size, is_shown);
    let sent = client.send_file(&new, &mut file, &mut |done| meter.show(done));
    drop(meter);
    let sent = sent.map_err(|error| {
        let failure = error.failure();
        Failure { message: format!("`{name}`: {}", failure.message), ..failure }
    })?;
    if is_shown {
        let size = ByteSize(size);
        print_error(&match sent {
            Sent::Known => format!("{name}: {size}, on the server already"),
            Sent::From(0) => format!("{name}: {size} sent"),
            Sent::From(first) => format!("{name}: {size} sent, the first {} earlier", ByteSize(first)),
        });
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_this_host_when_it_says_so_or_has_no_scheme() {
        let check = |address: &str, expected: &Place| assert_eq!(&place(address), expected, "{address}");
        check("file:///a/b%20c", &Place::File("/a/b c".into()));
        check("file://localhost/a", &Place::File("/a".into()));
        check("file:/a", &Place::File("/a".into()));
        check("file:../zImage", &Place::File("../zImage".into()));
        check("FILE:x", &Place::File("x".into()));
        check("file://lab/a", &Place::OtherHost);
        check("./zImage", &Place::Path);
        check("zImage", &Place::Path);
        check("a:b/zImage", &Place::Elsewhere);
        check("odd name: x", &Place::Path);
        check("https://h/x", &Place::Elsewhere);
        check("downloads://x", &Place::Elsewhere);
        check("upload://00/x", &Place::Elsewhere);
        check("{KERNEL_URL}/x", &Place::Elsewhere);
    }

    fn job(addresses: &[&str]) -> String {
        let images: Vec<_> =
            addresses.iter().enumerate().map(|(n, url)| format!("i{n}: {{url: '{url}'}}")).collect();
        format!("actions: [{{deploy: {{images: {{{}}}}}}}]\n", images.join(", "))
    }

    #[test]
    fn paths_begin_at_the_job_and_every_missing_file_is_named_at_once() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("zImage"), "x").unwrap();
        let found = own_files(&job(&["./zImage", "http://h/x", "file:zImage"]), directory.path()).unwrap();
        let paths: Vec<_> =
            found.iter().map(|(_, path)| path.strip_prefix(directory.path()).unwrap()).collect();
        assert_eq!(paths, [Path::new("zImage"), Path::new("zImage")]);
        let missing = own_files(&job(&["a", "file:///no/b", "."]), directory.path()).unwrap_err().message;
        assert!(
            missing.contains("/a`: ") && missing.contains("`/no/b`: ") && missing.contains("is not a file")
        );
    }

    #[test]
    fn a_path_has_a_url_when_it_leads_to_a_file() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a 5%.img"), "x").unwrap();
        let own = directory.path().join("a 5%.img").display().to_string();
        let addresses =
            ["./a 5%.img", &own, "file:a 5%.img", "missing", ".", "file:///a", "http://h/a", "{B}/a"];
        let (node, _) = pumice_yaml::parse(&job(&addresses), SourceId::default());
        let found = files_beside(&node.unwrap(), directory.path());
        let url = format!("file://{}/a 5%25.img", directory.path().display());
        let expected = addresses[..3].iter().map(|address| ((*address).to_owned(), url.clone()));
        assert_eq!(found, expected.collect());
    }

    #[test]
    fn a_repository_of_this_host_is_not_sent_and_said_so() {
        let text = "actions: [{test: {definitions: [{from: git, repository: 'REPO', name: x, path: x}]}}]\n";
        let found = |repository: &str| own_files(&text.replace("REPO", repository), Path::new("/"));
        assert!(found("file:///srv/tests").unwrap_err().message.contains("is a git repository"));
        assert!(found("./tests").is_err());
        assert!(found("https://h/tests").unwrap().is_empty());
    }

    #[test]
    fn a_path_that_is_not_sent_is_refused_with_advice() {
        assert!(refuse_paths(&job(&["file:///a", "http://h/x"]), "").is_ok());
        let failure = refuse_paths(&job(&["zImage"]), "send it").unwrap_err();
        assert!(failure.message.contains("`zImage`"), "{failure}");
        assert_eq!(failure.hint.as_deref(), Some("send it"));
    }
}
