//! `pumice backup` and `pumice restore`: a lab as one file.
//!
//! The archive holds what the state directory holds, under the same names, but for the worker's part and the address. The
//! database is copied as it is at one moment, and before the logs: what came later may be in a log and not yet in the
//! database, never the other way round.

use std::{
    fs, io,
    io::Read as _,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use pumice_db::{Database, Engine};
use pumice_types::{Cause, Failure};

use crate::{
    cli::lab::BackupArgs,
    exit::Exit,
    lab::{self, LabDirectory, host_refused},
    terminal::print_error,
};

pub(crate) fn backup(args: &BackupArgs) -> Exit {
    lab::exit(write(args))
}

pub(crate) fn restore(args: &BackupArgs) -> Exit {
    lab::exit(read(args))
}

fn write(args: &BackupArgs) -> Result<Exit, Failure> {
    let directory = LabDirectory::named(&args.state);
    let refused = |error: io::Error| host_refused(&format!("cannot write `{}`", args.file.display()), &error);
    if !directory.server().is_dir() {
        let message = format!("there is no lab in `{}`", directory.path().display());
        return Err(Failure::new(Cause::HostRefused, message));
    }
    let scratch = tempfile::tempdir_in(directory.path()).map_err(refused)?;
    let copy = scratch.path().join("lab.db");
    let has_database = directory.database_file().is_file();
    if has_database {
        copy_database(&directory, &copy)?;
    }
    let unfinished = args.file.with_extension("unfinished");
    let written = || -> io::Result<()> {
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        let mut archive = tar::Builder::new(io::BufWriter::new(file));
        if has_database {
            append(&mut archive, &copy, Path::new("lab.db"))?;
        }
        let token = directory.admin_token();
        if token.is_file() {
            append(&mut archive, &token, Path::new("admin.token"))?;
        }
        append_tree(&mut archive, &directory.server(), Path::new("server"))?;
        let file = archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&unfinished, &args.file)
    };
    written().map_err(refused)?;
    if !has_database {
        print_error("the database is elsewhere and not in this file: copy it with `pg_dump`");
    }
    print_error(&format!(
        "the lab is saved in {}, with its keys: protect the file as you protect those",
        args.file.display()
    ));
    Ok(Exit::Success)
}

fn copy_database(directory: &LabDirectory, copy: &Path) -> Result<(), Failure> {
    let refused = |error: &dyn std::error::Error| host_refused("cannot copy the lab's database", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| refused(&error))?.block_on(async {
        let database = Database::open(&directory.database_url()).await.map_err(|error| refused(&error))?;
        debug_assert_eq!(database.engine(), Engine::Sqlite, "it is the file in the state directory");
        let copied = database.copy_to(&copy.display().to_string()).await;
        database.close().await;
        copied.map_err(|error| refused(&error))
    })
}

type Archive = tar::Builder<io::BufWriter<fs::File>>;

/// Adds a directory with all below it. What is removed meanwhile is left out.
fn append_tree(archive: &mut Archive, directory: &Path, name: &Path) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(directory)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = name.join(entry.file_name());
        let added = match entry.file_type() {
            Ok(kind) if kind.is_dir() => append_tree(archive, &entry.path(), &name),
            Ok(kind) if kind.is_file() => append(archive, &entry.path(), &name),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        match added {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            added => added?,
        }
    }
    Ok(())
}

/// Adds a file as long as it is now: a log may grow meanwhile.
fn append(archive: &mut Archive, path: &Path, name: &Path) -> io::Result<()> {
    let file = fs::File::open(path)?;
    let known = file.metadata()?;
    let mut header = tar::Header::new_gnu();
    header.set_size(known.len());
    header.set_mode(known.permissions().mode());
    header.set_mtime(u64::try_from(known.mtime()).unwrap_or(0));
    archive.append_data(&mut header, name, file.take(known.len()))
}

fn read(args: &BackupArgs) -> Result<Exit, Failure> {
    let directory = LabDirectory::named(&args.state);
    let refused =
        |error: io::Error| host_refused(&format!("cannot restore from `{}`", args.file.display()), &error);
    if fs::read_dir(directory.path()).is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!("there is something in `{}` already", directory.path().display());
        let mut failure = Failure::new(Cause::HostRefused, message);
        failure.hint = Some("name a directory that is not there yet with --state".to_owned());
        return Err(failure);
    }
    let file = fs::File::open(&args.file).map_err(refused)?;
    lab::private_directory(directory.path())?;
    // Beside it first: there is all of the lab or none of it, also when the archive is cut short.
    let whole = fs::canonicalize(directory.path()).map_err(refused)?;
    let mut beside = whole.clone().into_os_string();
    beside.push(".restoring");
    let beside = PathBuf::from(beside);
    let unpack = || {
        match fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::DirBuilder::new().mode(0o700).create(&beside)?,
        }
        // The archive's names cannot lead out of the directory: `unpack` leaves those out.
        tar::Archive::new(io::BufReader::new(file)).unpack(&beside)?;
        fs::rename(&beside, whole)
    };
    unpack().map_err(|error| {
        drop(fs::remove_dir_all(&beside));
        refused(error).hint("is it whole, and an archive that `pumice backup` made?")
    })?;
    print_error(&format!("the lab is in {}; start its server with --state", directory.path().display()));
    Ok(Exit::Success)
}
