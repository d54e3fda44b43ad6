//! Files into the guest and out of it, whole and right or not at all.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use pumice_api::control::{Answer, Request};
use pumice_types::{Cause, Failure};
use sha2::{Digest as _, Sha256};

use super::{machine, unexpected};
use crate::{
    cli::lab::OfJob,
    lab::{self, ask, host_refused},
};

/// Puts a file into the guest.
pub(super) fn push(of: &OfJob, file: &Path, path: &str) -> Result<(), Failure> {
    let cannot = |error: io::Error| host_refused(&format!("cannot read `{}`", file.display()), &error);
    let mut opened = fs::File::open(file).map_err(cannot)?;
    let size = opened.metadata().map_err(cannot)?.len();
    let sha256 = digest(&mut opened).map_err(cannot)?;
    let request = Request::Push { machine: machine(of), path: path.to_owned(), size, sha256 };
    let (mut link, Answer::Ready { offset }) = ask(of, &request)? else { return Err(unexpected()) };
    opened.seek(SeekFrom::Start(offset)).map_err(cannot)?;
    io::copy(&mut opened.take(size - offset.min(size)), &mut link.to).map_err(|error| lab::broken(&error))?;
    match link.answer()? {
        Answer::Done => Ok(()),
        _ => Err(unexpected()),
    }
}

/// Gets a file from the guest, by way of a file beside it that a later pull goes on with.
pub(super) fn pull(of: &OfJob, path: &str, file: Option<&Path>) -> Result<(), Failure> {
    let name = Path::new(path).file_name().map(Path::new);
    let Some(file) = file.or(name) else {
        return Err(Failure::new(Cause::InvalidDefinition, format!("`{path}` names no file")));
    };
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let cannot = |error: io::Error| host_refused(&format!("cannot write `{}`", part.display()), &error);
    let mut options = fs::OpenOptions::new();
    let mut kept = options.read(true).append(true).create(true).open(part).map_err(cannot)?;
    let offset = kept.metadata().map_err(cannot)?.len();
    let request = Request::Pull { machine: machine(of), path: path.to_owned(), offset };
    let (mut link, Answer::File { size, sha256 }) = ask(of, &request)? else { return Err(unexpected()) };
    io::copy(&mut link.from, &mut kept).map_err(|error| lab::broken(&error))?;
    kept.flush().map_err(cannot)?;
    let have = kept.metadata().map_err(cannot)?.len();
    if have < size {
        let message = format!("{have} of {size} bytes of `{path}` came");
        return Err(Failure::new(Cause::CommandFailed, message).hint("pull it again: it goes on there"));
    }
    kept.seek(SeekFrom::Start(0)).map_err(cannot)?;
    let found = digest(&mut kept).map_err(cannot)?;
    if have > size || found != sha256 {
        fs::remove_file(part).map_err(cannot)?;
        let message =
            format!("`{path}` arrived damaged, or changed meanwhile: its SHA-256 is {found}, not {sha256}");
        return Err(Failure::new(Cause::CommandFailed, message).hint("pull it again: it begins anew"));
    }
    fs::rename(part, file).map_err(cannot)
}

fn digest(file: &mut impl io::Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => hasher.update(&piece[..count]),
        }
    }
    let mut text = String::new();
    for byte in hasher.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
