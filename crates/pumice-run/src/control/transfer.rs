//! Command lines and files by way of the guest's shell. It needs nothing of the guest but a POSIX shell with `printf`, `dd`,
//! `od` and `sha256sum`, and no network. Where the guest has `base64`, files come three times as fast.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use base64::Engine as _;
use pumice_api::control::{Refused, Said};
use pumice_console::{Console, Match, Pattern, Patterns};
use pumice_types::{Blame as _, Cause, Deadline, Failure};
use tokio::sync::mpsc;

use crate::{boot::Booted, cx::StepCx};

/// How long a shell may take to show its prompt.
const PROMPT: Duration = Duration::from_secs(10);
/// How long one of our own lines may take in the guest.
const LINE: Duration = Duration::from_secs(60);
/// The longest line that is typed, in bytes: terminals take 4,095 (termios(3), canonical mode).
const LONGEST_LINE: usize = 3_000;
/// How much of a file is read at once, in bytes.
const PIECE: usize = 3_072;
/// How often a piece is read that arrives damaged: kernel messages come in between.
const TRIES: u32 = 5;

/// Interrupts what runs in the foreground.
const INTERRUPT: &[u8] = b"\x03\n";

/// Brings the shell to its prompt, ending what still runs there.
async fn at_prompt(booted: &mut Booted) -> Result<(), Failure> {
    let prompts = booted.prompts.clone().ok_or_else(|| {
        Failure::new(Cause::NoPrompt, "no shell of the guest is known")
            .hint("give the boot block `prompts`, or use the console")
    })?;
    for wake in [b"\n".as_slice(), INTERRUPT] {
        booted.console.skip();
        let deadline = Deadline::after(Instant::now(), PROMPT, "the guest's shell");
        let seen = booted
            .with_console(async |console| {
                console.send(wake, &deadline).await.map_err(|error| error.failure())?;
                console.expect(&prompts, &deadline).await.map_err(|error| error.failure())
            })
            .await;
        match seen {
            Ok(_) => {
                // The prompt may come more than once for one line.
                booted.console.settle(Duration::from_millis(50), &deadline).await;
                booted.console.skip();
                return Ok(());
            }
            Err(failure) if failure.cause == Cause::ConsoleLost => return Err(failure),
            Err(_) => {}
        }
    }
    Err(Failure::new(Cause::NoPrompt, "the guest's shell does not answer")
        .evidence(booted.console.name(), booted.console.tail(400))
        .hint("look at the console"))
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What a guest says of a line: `before`, then what the line prints, then its status. Both marks are split where they are
/// typed, so that the echo is not taken for them.
fn marked(line: &str) -> String {
    format!(r"printf '<pumice-''out>\n';{line};printf '<pumice-''status %s>\n' $?")
}

struct Marks {
    begin: Patterns,
    line_or_status: Patterns,
}

impl Marks {
    fn new() -> Result<Self, Failure> {
        let pattern =
            |text: &str| Pattern::python(text).map_err(|error| Failure::new(Cause::Bug, error.to_string()));
        let both = vec![pattern(r"<pumice-status (\d{1,3})>\r*\n")?, pattern(r"\r*\n")?];
        Ok(Self {
            begin: Patterns::from(pattern(r"<pumice-out>\r*\n")?),
            line_or_status: Patterns::new(both)
                .map_err(|error| Failure::new(Cause::Bug, error.to_string()))?,
        })
    }
}

/// Types a line and gives each line it prints to `each`; answers with its status.
async fn run(
    booted: &mut Booted,
    line: &str,
    deadline: &Deadline,
    mut each: impl FnMut(String),
) -> Result<u32, Failure> {
    let marks = Marks::new()?;
    let typed = marked(line);
    let failed = |error: &dyn pumice_types::Blame| error.failure();
    booted
        .with_console(async |console: &mut Console| {
            console.send_line(&typed, deadline).await.map_err(|error| failed(&error))?;
            console.expect(&marks.begin, deadline).await.map_err(|error| failed(&error))?;
            loop {
                let found: Match =
                    console.expect(&marks.line_or_status, deadline).await.map_err(|error| failed(&error))?;
                let said = String::from_utf8_lossy(found.before()).into_owned();
                if found.index() == 1 {
                    each(said);
                    continue;
                }
                // The last line has no end of its own.
                if !said.is_empty() {
                    each(said);
                }
                let digits = found.group(1).unwrap_or_default();
                return Ok(std::str::from_utf8(digits)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(255));
            }
        })
        .await
}

/// Runs a line of a person's in a shell of its own, with nothing to read.
pub(crate) async fn exec(
    booted: &mut Booted,
    line: &str,
    seconds: u64,
    said: &mpsc::UnboundedSender<Said>,
) -> Result<(), Failure> {
    let own = format!("sh -c {} </dev/null", quoted(line));
    if own.len() > LONGEST_LINE || own.contains(['\n', '\r']) {
        let message = format!("a command line is one line of at most {LONGEST_LINE} bytes");
        return Err(Failure::new(Cause::CommandFailed, message).hint("push a script and run that"));
    }
    at_prompt(booted).await?;
    let deadline = Deadline::after(Instant::now(), Duration::from_secs(seconds.max(1)), "the command");
    let outcome = run(booted, &own, &deadline, |line| {
        // Who asked may be gone; the line runs to its end all the same.
        drop(said.send(Said::Out(line)));
    })
    .await;
    match outcome {
        Ok(status) => {
            drop(said.send(Said::Status(status)));
            Ok(())
        }
        Err(failure) => {
            // It must not go on in the foreground.
            drop(at_prompt(booted).await);
            Err(failure)
        }
    }
}

/// Runs one of our own lines; answers with what it printed.
async fn ask(booted: &mut Booted, line: &str) -> Result<(u32, Vec<String>), Failure> {
    let deadline = Deadline::after(Instant::now(), LINE, "a line in the guest");
    let mut lines = Vec::new();
    let status = run(booted, line, &deadline, |line| lines.push(line)).await?;
    Ok((status, lines))
}

/// The SHA-256 of a file of the guest, in hexadecimal.
async fn digest(booted: &mut Booted, path: &str) -> Result<String, Failure> {
    let (status, lines) = ask(booted, &format!("sha256sum {}", quoted(path))).await?;
    let is_digest = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digest = lines.iter().flat_map(|line| line.split_ascii_whitespace()).find(is_digest);
    match digest {
        Some(digest) if status == 0 => Ok(digest.to_owned()),
        _ => {
            let message = format!("the guest cannot read `{path}`");
            Err(Failure::new(Cause::CommandFailed, message).evidence(booted.console.name(), lines.join("\n")))
        }
    }
}

/// How bytes travel as text.
#[derive(Clone, Copy)]
enum Encoding {
    /// RFC 4648 section 4; every line for itself.
    Base64,
    /// The escapes of `printf`.
    Escapes,
}

impl Encoding {
    /// What the loop in the guest does with a line, and where its output goes.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Base64 => (r#"printf '%s\n' "$l""#, "|base64 -d "),
            Self::Escapes => (r#"printf "$l""#, " "),
        }
    }

    /// How many bytes fit in a line. For base64 a multiple of 3, so that only the last line is filled up.
    fn piece_bytes(self) -> usize {
        match self {
            Self::Base64 => LONGEST_LINE / 4 * 3,
            Self::Escapes => LONGEST_LINE / 4,
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Base64 => base64::engine::general_purpose::STANDARD.encode(bytes),
            Self::Escapes => printable(bytes),
        }
    }
}

/// Text for the format of `printf` that prints these bytes: POSIX gives it octal escapes.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b',' | b'/' | b'_' | b':' | b'=' | b'+' => {
                text.push(char::from(byte));
            }
            // Among them what the shell, the format, the terminal, or our own end of a file would take for theirs.
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(text, r"\{byte:03o}");
            }
        }
    }
    text
}

/// Brings a file of this host to the guest: beside its place, checked, then renamed.
pub(crate) async fn push(
    booted: &mut Booted,
    file: &Path,
    sha256: &str,
    path: &str,
    is_executable: bool,
    cx: &StepCx,
) -> Result<(), Failure> {
    at_prompt(booted).await?;
    let part = format!("{path}.pumice-part");
    let mut source = std::fs::File::open(file).map_err(|error| {
        Failure::new(Cause::HostRefused, format!("cannot read `{}`: {error}", file.display()))
    })?;
    let sent = type_file(booted, &mut source, &part).await?;
    let arrived = digest(booted, &part).await?;
    if arrived != sha256 {
        drop(ask(booted, &format!("rm -f {}", quoted(&part))).await);
        let message = format!("`{path}` arrived damaged: kernel messages or a lossy console got between");
        return Err(Failure::new(Cause::ConsoleLost, message).hint("push it again"));
    }
    let mode = if is_executable { "chmod 755" } else { "chmod 644" };
    let (part, place) = (quoted(&part), quoted(path));
    must(booted, &format!("{mode} {part} && mv -f {part} {place}")).await?;
    cx.report().info(format!("`{path}` was brought to the guest: {sent} bytes"));
    Ok(())
}

/// Types a file into a loop of the guest's shell, line by line: the shell's own editing of lines would be slow. Each
/// line is answered before the next is typed, because a terminal has no room for more. Returns the bytes typed.
async fn type_file(booted: &mut Booted, source: &mut impl std::io::Read, path: &str) -> Result<u64, Failure> {
    let (has_base64, _) = ask(booted, "command -v base64 >/dev/null").await?;
    let encoding = if has_base64 == 0 { Encoding::Base64 } else { Encoding::Escapes };
    let (print, into) = encoding.words();
    let line = format!(
        r#"stty -echo;{{ while IFS= read -r l&&[ "$l" != . ];do {print}&&printf '<pumice-''ok>\n'>&3;done{into}>{};}} 3>&1;stty echo"#,
        quoted(path)
    );
    let pattern =
        |text: &str| Pattern::python(text).map_err(|error| Failure::new(Cause::Bug, error.to_string()));
    let taken = vec![pattern(r"<pumice-ok>\r*\n")?, pattern(r"<pumice-status (\d{1,3})>\r*\n")?];
    let taken = Patterns::new(taken).map_err(|error| Failure::new(Cause::Bug, error.to_string()))?;
    let begin = Patterns::from(pattern(r"<pumice-out>\r*\n")?);
    let deadline = || Deadline::after(Instant::now(), LINE, "a line in the guest");
    booted
        .with_console(async |console: &mut Console| {
            let typed = marked(&line);
            console.send_line(&typed, &deadline()).await.map_err(|error| error.failure())?;
            console.expect(&begin, &deadline()).await.map_err(|error| error.failure())?;
            let mut sent = 0;
            let mut piece = vec![0; encoding.piece_bytes()];
            loop {
                let count = source
                    .read(&mut piece)
                    .map_err(|error| Failure::new(Cause::HostRefused, format!("cannot read: {error}")))?;
                // A lone dot is the end. No piece is one.
                let text = if count == 0 { ".".to_owned() } else { encoding.encode(&piece[..count]) };
                console.send_line(&text, &deadline()).await.map_err(|error| error.failure())?;
                let found = console.expect(&taken, &deadline()).await.map_err(|error| error.failure())?;
                sent += count as u64;
                match (found.index(), count) {
                    (0, _) => {}
                    (_, 0) => return Ok(sent),
                    _ => {
                        let message = "the guest stopped taking the file: its disk may be full";
                        return Err(Failure::new(Cause::CommandFailed, message)
                            .evidence(console.name(), console.tail(400)));
                    }
                }
            }
        })
        .await
}

async fn must(booted: &mut Booted, line: &str) -> Result<(), Failure> {
    let (status, said) = ask(booted, line).await?;
    if status == 0 {
        return Ok(());
    }
    let said = said.join("\n");
    let message = format!("the guest refused: {}", said.lines().last().unwrap_or("it says nothing"));
    Err(Failure::new(Cause::CommandFailed, message).evidence(booted.console.name(), said))
}

/// Fetches a file of the guest to this host. Returns its size in bytes and its SHA-256, which is that of the guest's.
pub(crate) async fn pull(
    booted: &mut Booted,
    path: &str,
    file: &Path,
    cx: &StepCx,
) -> Result<(u64, String), Failure> {
    at_prompt(booted).await?;
    let wanted = digest(booted, path).await?;
    let unwritten = |error: std::io::Error| {
        Failure::new(Cause::HostRefused, format!("cannot write `{}`: {error}", file.display()))
    };
    let mut target = std::fs::File::create(file).map_err(unwritten)?;
    let mut size = 0;
    for number in 0_u64.. {
        let bytes = piece(booted, path, number).await?;
        target.write_all(&bytes).map_err(unwritten)?;
        size += bytes.len() as u64;
        if bytes.len() < PIECE {
            break;
        }
    }
    drop(target);
    let read = std::fs::File::open(file).and_then(pumice_store::Digest::of_reader).map_err(unwritten)?;
    if read.to_string() != wanted {
        let message = format!("`{path}` changed while it was read, or arrived damaged");
        return Err(Failure::new(Cause::ConsoleLost, message).hint("pull it again"));
    }
    cx.report().info(format!("`{path}` was fetched from the guest"));
    Ok((size, wanted))
}

/// The bytes of one piece of a file; fewer than [`PIECE`] at its end. It is asked for until it comes twice the same, or once
/// whole: what got between is no hexadecimal, or changes the number of bytes that the guest says.
async fn piece(booted: &mut Booted, path: &str, number: u64) -> Result<Vec<u8>, Failure> {
    let from = quoted(path);
    let line = format!("dd if={from} bs={PIECE} skip={number} count=1 2>/dev/null | od -An -v -tx1");
    let mut before: Option<Vec<u8>> = None;
    for _ in 0..TRIES {
        let (_, lines) = ask(booted, &line).await?;
        let Some(bytes) = bytes_of(&lines) else { continue };
        if bytes.len() == PIECE || before.as_ref() == Some(&bytes) {
            return Ok(bytes);
        }
        before = Some(bytes);
    }
    let message = format!("a piece of `{path}` arrived damaged {TRIES} times");
    Err(Failure::new(Cause::ConsoleLost, message).evidence(booted.console.name(), booted.console.tail(400)))
}

/// The bytes that `od -tx1` printed; `None` when there is something else among them.
fn bytes_of(lines: &[String]) -> Option<Vec<u8>> {
    let words = lines.iter().flat_map(|line| line.split_ascii_whitespace());
    let is_byte = |word: &str| word.len() == 2 && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    words.map(|word| is_byte(word).then(|| u8::from_str_radix(word, 16).ok()).flatten()).collect()
}

/// What a person is told of a failure.
pub(crate) fn refused(failure: &Failure) -> Refused {
    let said = failure
        .evidence
        .as_ref()
        .map(|evidence| format!("\n{} said: {}", evidence.from, evidence.text.trim_end()));
    Refused {
        message: format!("{}{}", failure.message, said.unwrap_or_default()),
        hint: failure.hint.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_printed_by_printf() {
        let all: Vec<u8> = (0..=255).collect();
        for shell in ["sh", "bash", "busybox"] {
            let mut command = std::process::Command::new(shell);
            if shell == "busybox" {
                command.arg("sh");
            }
            let Ok(output) = command.arg("-c").arg(format!("printf '{}'", printable(&all))).output() else {
                println!("skipped: {shell} is not installed");
                continue;
            };
            assert_eq!(output.stdout, all, "{shell}");
        }
    }

    #[test]
    fn what_is_no_hexadecimal_damages_a_piece() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(bytes_of(&lines(" 00 ff\n 0a")), Some(vec![0, 255, 10]));
        assert_eq!(bytes_of(&[]), Some(Vec::new()));
        assert_eq!(bytes_of(&lines(" 00 [   1.2] eth0: up ff")), None);
        assert_eq!(bytes_of(&lines(" 00 +f")), None);
    }
}
