//! Mail about a job, through the operator's relay (RFC 5321, RFC 5322).

use std::{fmt::Write as _, io, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use pumice_db::{DbError, Job, JobHealthWord, JobStateWord, NewCallback, Timestamp, Writer};
use pumice_job::{Compare, Notify, Verbosity};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::others::previous;
use crate::{app::Shared, config::Mail, lab::definition, refusal::Refusal, results};

/// The method of what is kept among the callbacks and goes out as mail.
pub(super) const METHOD: &str = "MAIL";

/// How long the relay may take for each answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest line that a relay must take, without its end (RFC 5321, 4.5.3.1.6).
const LINE: usize = 998;

/// Whom a job wants mail to be sent to: an address, or a user's. One that is no plain address is left out.
pub(super) async fn addresses(
    writer: &mut Writer,
    job: &Job,
    notify: &Notify,
) -> Result<Vec<String>, DbError> {
    let mut found = Vec::new();
    for recipient in notify.recipients.iter().filter(|recipient| recipient.method.value == "email") {
        let address = match (&recipient.email, &recipient.user) {
            (Some(address), _) => Some(address.value.clone()),
            (None, Some(user)) => writer.user(&user.value).await?.map(|user| user.email),
            (None, None) => writer.user_by_id(job.submitter_id).await?.map(|user| user.email),
        };
        found.extend(address.filter(|address| is_plain(address)));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Whether a text is an address and nothing else: no blank, bracket or line break that could become a command.
fn is_plain(address: &str) -> bool {
    let letters = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
    };
    address.len() <= 254
        && address.split_once('@').is_some_and(|(local, host)| letters(local) && letters(host))
}

/// What is kept until it is sent.
pub(super) fn described(job: &Job, notify: &Notify, address: &str) -> NewCallback {
    NewCallback {
        job_id: job.id,
        url: address.to_owned(),
        method: METHOD.to_owned(),
        content_type: "text/plain".to_owned(),
        header_name: String::new(),
        header_value: None,
        dataset: match notify.verbosity {
            Verbosity::Verbose => "verbose",
            Verbosity::Quiet => "quiet",
            Verbosity::StatusOnly => "status-only",
        }
        .to_owned(),
    }
}

/// The mail: headers and body.
pub(super) async fn text(shared: &Shared, job: &Job, what: &NewCallback) -> Result<String, Refusal> {
    let state = JobStateWord::from(job.state);
    let health = JobHealthWord::from(job.state);
    let word = if job.is_finished() { health.as_str() } else { state.as_str() };
    let mut body = format!("Job {} is {word}: {}\n", job.display_id(), job.description);
    if what.dataset != "status-only" {
        let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), Timestamp::rest);
        let base = shared.config.public_url.as_deref().unwrap_or_default();
        let _ = write!(
            body,
            "\ndevice type  {}\ndevice       {}\nsubmitted    {}\nstarted      {}\nended        {}\n{base}/scheduler/job/{}\n",
            job.requested_device_type.as_deref().unwrap_or("-"),
            job.actual_device.as_deref().unwrap_or("-"),
            time(Some(job.submit_time)),
            time(job.start_time),
            time(job.end_time),
            job.display_id(),
        );
        if let Some(message) = &job.error_msg {
            let _ = write!(body, "\n{}: {message}\n", job.error_type.as_deref().unwrap_or("Error"));
        }
    }
    if what.dataset == "verbose" {
        compared(shared, job, &mut body).await?;
    }
    let from = shared.config.mail.as_ref().map_or("", |mail| mail.from.as_str());
    let subject = encoded_word(&format!("[{word}] job {} {}", job.display_id(), job.description));
    Ok(format!(
        "From: Pumice <{from}>\nTo: <{}>\nSubject: {subject}\nMIME-Version: 1.0\nAuto-Submitted: auto-generated\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{}",
        what.url,
        in_lines(&BASE64_STANDARD.encode(body)),
    ))
}

/// The results that are not those of the job before it.
async fn compared(shared: &Shared, job: &Job, body: &mut String) -> Result<(), Refusal> {
    let mut reader = shared.database.read().await?;
    let text = reader.job_text(job.id).await?;
    let read = text.and_then(|text| definition::read(&text.definition, &shared.config.rules()).ok());
    let compare = read.and_then(|checked| checked.job.notify?.compare);
    let Some(before) = previous(&mut reader, job, compare.as_ref()).await? else { return Ok(()) };
    let found = results::compare(&mut reader, &before, job).await?;
    let _ = writeln!(body, "\nagainst job {}: {} results are the same", before.display_id(), found.same);
    for change in found.changes.iter().filter(|change| !is_left_out(compare.as_ref(), change)) {
        let side = |result: Option<&'static str>| result.unwrap_or("absent");
        let (before, after) = (side(change.before), side(change.after));
        let _ = writeln!(body, "{}/{}: {before} -> {after}", change.suite, change.name);
    }
    Ok(())
}

/// Whether the job wants nothing to be said of a case: by its name, or by its suite's and its own.
fn is_left_out(compare: Option<&Compare>, change: &results::Change) -> bool {
    let names = compare.map(|compare| compare.blacklist.as_slice()).unwrap_or_default();
    let whole = format!("{}/{}", change.suite, change.name);
    names.iter().any(|name| name.value == change.name || name.value == whole)
}

/// A header's text as letters that every relay takes (RFC 2047).
fn encoded_word(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
    if text.is_ascii() {
        return text;
    }
    // Words of at most 75 letters: 45 bytes become 60.
    let mut words = vec![String::new()];
    for letter in text.chars() {
        let is_full = words.last().is_none_or(|word| word.len() + letter.len_utf8() > 45);
        if is_full {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter);
        }
    }
    let one = |word: &String| format!("=?utf-8?B?{}?=", BASE64_STANDARD.encode(word));
    words.iter().map(one).collect::<Vec<_>>().join("\n ")
}

fn in_lines(encoded: &str) -> String {
    let mut lines = String::new();
    for (index, letter) in encoded.chars().enumerate() {
        if index > 0 && index % 76 == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines
}

/// Hands a mail to the relay.
pub(super) async fn send(mail: Option<&Mail>, to: &str, text: &str) -> io::Result<()> {
    let mail = mail.ok_or_else(|| io::Error::other("no relay is set"))?;
    let talked = tokio::time::timeout(4 * PATIENCE, async {
        let mut relay = Relay(BufReader::new(TcpStream::connect(&mail.relay).await?));
        relay.expect(220).await?;
        relay.say("EHLO pumice", 250).await?;
        relay.say(&format!("MAIL FROM:<{}>", mail.from), 250).await?;
        relay.say(&format!("RCPT TO:<{to}>"), 250).await?;
        relay.say("DATA", 354).await?;
        let mut body = String::with_capacity(text.len() + 64);
        for line in text.lines() {
            // A line that begins with a dot would end the mail (RFC 5321, 4.5.2).
            let dot = if line.starts_with('.') { "." } else { "" };
            let _ = write!(body, "{dot}{}\r\n", line.get(..LINE).unwrap_or(line));
        }
        relay.say(&format!("{body}."), 250).await?;
        relay.say("QUIT", 221).await
    });
    talked.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// A relay that is being talked to.
struct Relay(BufReader<TcpStream>);

impl Relay {
    async fn say(&mut self, line: &str, wanted: u16) -> io::Result<()> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
        self.expect(wanted).await
    }

    /// Reads an answer, which may have several lines, and refuses another code than the wanted one.
    async fn expect(&mut self, wanted: u16) -> io::Result<()> {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await;
            if read.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            if code != Some(wanted) {
                return Err(io::Error::other(format!("the relay said `{}`", line.trim_end())));
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_are_written_to() {
        for (address, expected) in [
            ("ann@example.org", true),
            ("a.b+c@example.org", true),
            ("ann", false),
            ("ann@", false),
            ("a b@example.org", false),
            ("ann@example.org>\r\nDATA", false),
            ("<ann@example.org", false),
        ] {
            assert_eq!(is_plain(address), expected, "{address}");
        }
    }

    #[test]
    fn a_subject_is_one_header_whatever_the_job_is_called() {
        assert_eq!(encoded_word("[Complete] job 1 plain"), "[Complete] job 1 plain");
        assert_eq!(encoded_word("a\r\nBcc: x"), "a  Bcc: x");
        assert_eq!(encoded_word("é"), "=?utf-8?B?w6k=?=");
        let long = encoded_word(&"é".repeat(60));
        assert!(long.lines().all(|line| line.len() <= 76), "{long}");
    }
}
