//! `pumice machine` and `pumice attach`: hands on the machines of a run.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
};

use pumice_api::control::{Done, Overview, Place, Said, Wish};
use pumice_store::Digest;
use pumice_types::{Cause, Failure};

use crate::{
    cli::{
        Format,
        machine::{ConsoleArgs, ExecArgs, MachineCommand, PullArgs, PushArgs, TargetArgs},
    },
    exit::Exit,
    hands::{self, Keyboard, Link},
    lab,
    terminal::{print, print_error},
};

/// How much of a file is sent at once, in bytes.
const PIECE_BYTES: usize = 1 << 20;

pub(crate) fn main(command: &MachineCommand) -> Exit {
    lab::exit(match command {
        MachineCommand::List(target) => list(target),
        MachineCommand::Start(target) => plain(target, Wish::Start, "it runs"),
        MachineCommand::Stop(target) => plain(target, Wish::Stop, "it is stopped"),
        MachineCommand::Restart(target) => plain(target, Wish::Restart, "it runs again"),
        MachineCommand::Reset(target) => plain(target, Wish::Reset, "it was reset"),
        MachineCommand::Pause(target) => plain(target, Wish::Pause, "it is paused"),
        MachineCommand::Resume(target) => plain(target, Wish::Resume, "it goes on"),
        MachineCommand::Release(target) => plain(target, Wish::Release, "the job goes on to its end"),
        MachineCommand::Console(args) => console(args),
        MachineCommand::Push(args) => push(args),
        MachineCommand::Pull(args) => pull(args),
        MachineCommand::Exec(args) => exec(args),
    })
}

/// `pumice attach`.
pub(crate) fn attach(args: &ConsoleArgs) -> Exit {
    lab::exit(console(args))
}

fn connect(target: &TargetArgs) -> Result<Link, Failure> {
    hands::connect(&target.target, &target.lab)
}

fn ask(target: &TargetArgs, wish: Wish) -> Result<(Link, Done), Failure> {
    let mut link = connect(target)?;
    let done = link.ask(wish, target.machine.as_deref())?;
    Ok((link, done))
}

fn plain(target: &TargetArgs, wish: Wish, done: &str) -> Result<Exit, Failure> {
    ask(target, wish)?;
    print_error(done);
    Ok(Exit::Success)
}

fn list(target: &TargetArgs) -> Result<Exit, Failure> {
    let (_, Done::Machines(overview)) = ask(target, Wish::List)? else { return Err(unexpected()) };
    if target.lab.format == Format::Json {
        print(&serde_json::to_string(&overview).unwrap_or_default());
    } else {
        show(&overview);
    }
    Ok(Exit::Success)
}

fn show(overview: &Overview) {
    if overview.machines.is_empty() {
        print("no machine runs now");
    }
    for machine in &overview.machines {
        let writer = if machine.has_writer { "  (somebody types)" } else { "" };
        let consoles = machine.consoles.join(", ");
        print(&format!(
            "{:<16} {:<12} {:<12} {consoles}{writer}",
            machine.name, machine.state, machine.platform
        ));
    }
    match (&overview.held, overview.held_seconds) {
        (Some(why), Some(left)) => print(&format!("held for {} more minutes: {why}", left.div_ceil(60))),
        _ => print("the job is using them: only their consoles are open to you"),
    }
}

fn console(args: &ConsoleArgs) -> Result<Exit, Failure> {
    let wish =
        Wish::Console { console: args.console.clone(), write: !args.read_only, history_bytes: args.history };
    let (link, _) = ask(&args.target, wish)?;
    let is_person = hands::is_terminal();
    if is_person {
        print_error("connected; Ctrl-] leaves the console, and the machine goes on");
    }
    let keyboard = Keyboard::take();
    let (mut reader, mut writer) = link.split();
    // It ends with the program: a thread that waits for a key cannot be told to stop.
    thread::spawn(move || {
        while let Some(keys) = Keyboard::typed(is_person) {
            if writer.write_all(&keys).and_then(|()| writer.flush()).is_err() {
                return;
            }
        }
        if is_person {
            writer.hang_up();
        } else {
            // What the typed lines lead to is still to be read.
            drop(writer.finish());
        }
    });
    let mut screen = io::stdout().lock();
    let mut piece = [0; 16 << 10];
    // A link that breaks is an end like any other here.
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        if screen.write_all(&piece[..count]).and_then(|()| screen.flush()).is_err() {
            break;
        }
    }
    drop(keyboard);
    if is_person {
        print_error("\ndisconnected");
    }
    Ok(Exit::Success)
}

fn exec(args: &ExecArgs) -> Result<Exit, Failure> {
    let line = match args.command.as_slice() {
        [line] => line.clone(),
        words => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    };
    let (mut link, _) = ask(&args.target, Wish::Exec { line, seconds: args.timeout })?;
    loop {
        match link.line::<Said>()? {
            Some(Said::Out(line)) => print(&line),
            Some(Said::Status(status)) => return Ok(Exit::OfGuest(u8::try_from(status).unwrap_or(u8::MAX))),
            Some(Said::Error(refused)) => return Err(hands::failure(refused)),
            None => return Err(Failure::new(Cause::HostRefused, "the run hung up before the command ended")),
        }
    }
}

/// A word as the guest's shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.=:,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn push(args: &PushArgs) -> Result<Exit, Failure> {
    let unread = |error: io::Error| {
        Failure::new(Cause::HostRefused, format!("cannot read `{}`: {error}", args.file.display()))
    };
    let mut file = File::open(&args.file).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    let sha256 = Digest::of_reader(&mut file).map_err(unread)?.to_string();
    let to = match (&args.image, &args.to) {
        (Some(label), _) => Place::Image(label.clone()),
        (None, to) => Place::Guest(guest_path(to.as_deref().unwrap_or_default(), &args.file)),
    };
    let size = metadata.len();
    let executable = metadata.permissions().mode() & 0o100 != 0;
    let (mut link, done) = ask(&args.target, Wish::Push { to, size, sha256, executable })?;
    let Done::From(there) = done else { return Err(unexpected()) };
    if there > 0 {
        print_error(&format!("{there} of {size} bytes are there already"));
    }
    file.seek(io::SeekFrom::Start(there)).map_err(unread)?;
    // Not more than was announced: the file may be growing.
    // In large pieces: through a lab each is a request.
    let mut pieces = io::BufWriter::with_capacity(PIECE_BYTES, &mut link.writer);
    let sent = io::copy(&mut file.take(size - there), &mut pieces).and_then(|_| pieces.flush());
    sent.map_err(|error| hands::broken(&error))?;
    drop(pieces);
    link.answer()?;
    print_error(&format!("{size} bytes copied, digest checked"));
    Ok(Exit::Success)
}

/// A path that ends in `/` is a directory.
fn guest_path(to: &str, file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if to.ends_with('/') { format!("{to}{name}") } else { to.to_owned() }
}

fn pull(args: &PullArgs) -> Result<Exit, Failure> {
    let name = Path::new(&args.path).file_name().map(PathBuf::from).unwrap_or_default();
    let to = match &args.to {
        Some(to) if to.is_dir() => to.join(name),
        Some(to) => to.clone(),
        None => name,
    };
    let unwritten = |error: io::Error| {
        Failure::new(Cause::HostRefused, format!("cannot write `{}`: {error}", to.display()))
    };
    let mut extension = to.file_name().unwrap_or_default().to_owned();
    extension.push(".pumice-part");
    let part = to.with_file_name(extension);
    // What an earlier try left, of the file whose digest stands beside it.
    let mark = part.with_extension("pumice-sha256");
    let offset = fs::metadata(&part).map_or(0, |metadata| metadata.len());
    let known = fs::read_to_string(&mark).ok().filter(|_| offset > 0);
    let (link, done) = ask(&args.target, Wish::Pull { path: args.path.clone(), offset, sha256: known })?;
    let Done::File { size, sha256, offset: begin } = done else { return Err(unexpected()) };
    let rest = rest(size, begin, offset).ok_or_else(unexpected)?;
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&part)
        .map_err(unwritten)?;
    file.set_len(begin).map_err(unwritten)?;
    fs::write(&mark, &sha256).map_err(unwritten)?;
    file.seek(io::SeekFrom::End(0)).map_err(unwritten)?;
    let (reader, _writer) = link.split();
    let received = io::copy(&mut reader.take(rest), &mut file).map_err(|error| hands::broken(&error))?;
    if received < rest {
        let message = format!("{} of {size} bytes came", begin + received);
        return Err(Failure::new(Cause::HostRefused, message).hint("pull it again: it goes on there"));
    }
    file.rewind().map_err(unwritten)?;
    let arrived = Digest::of_reader(&mut file).map_err(unwritten)?.to_string();
    drop(fs::remove_file(&mark));
    if arrived != sha256 {
        drop(fs::remove_file(&part));
        return Err(Failure::new(Cause::HostRefused, "the file arrived damaged").hint("pull it again"));
    }
    fs::rename(&part, &to).map_err(unwritten)?;
    print_error(&format!("{}: {size} bytes, digest checked", to.display()));
    Ok(Exit::Success)
}

/// How many bytes are to come of a file of `size` bytes that is sent from `begin` on, when all from `have` on was asked for; `None` when
/// the other side makes that up.
fn rest(size: u64, begin: u64, have: u64) -> Option<u64> {
    size.checked_sub(begin).filter(|_| begin <= have)
}

/// An answer that does not fit the question.
fn unexpected() -> Failure {
    Failure::new(Cause::HostRefused, "the run answered something else than it was asked")
        .hint("it may be of another version of pumice")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(size: u64, begin: u64, have: u64, expected: Option<u64>) {
        assert_eq!(rest(size, begin, have), expected);
    }

    #[test]
    fn a_file_is_sent_from_where_it_is_known_or_before_and_never_from_beyond_its_end() {
        check(10, 0, 0, Some(10));
        check(10, 4, 4, Some(6));
        check(10, 0, 4, Some(10));
        check(10, 10, 10, Some(0));
        check(10, 5, 4, None);
        check(10, 11, 11, None);
        check(10, u64::MAX, 4, None);
    }
}
