//! Transcripts: what consoles said and were told, with times, whole and replayable.
//!
//! The format, version 1. A file begins with the line `pumice transcript 1`. Then come records. A record is a
//! line of four fields, each followed by a space but the last,
//!
//! ```text
//! MICROSECONDS DIRECTION LENGTH CONSOLE
//! ```
//!
//! and, after its `\n`, `LENGTH` bytes exactly as they were, and one more `\n`. `MICROSECONDS` count from the start of
//! the transcript on a clock that never goes back. `DIRECTION` is `<` for what the console said, `>` for what was typed,
//! `!` for its end (the bytes are the reason, or none), `~` for bytes of `CONSOLE` that were left out because the
//! transcript has reached its limit (the bytes are their number so far, in decimal). `CONSOLE` is a name and may hold
//! spaces. The file may end in the middle of a record when its writer was killed; the records before are whole.

use std::{
    fmt,
    io::{self, BufRead, Read as _, Write},
    time::{Duration, Instant},
};

use crate::recorder::Recorder;

/// The first line of a transcript.
const HEADER: &str = "pumice transcript 1\n";

/// A record longer than this is not one of ours.
const RECORD_LIMIT_BYTES: u64 = 16 << 20;

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the console said.
    Output,
    /// What was typed.
    Input,
    /// Its end.
    Closed,
    /// Bytes were left out.
    Omitted,
}

impl Direction {
    fn sign(self) -> char {
        match self {
            Self::Output => '<',
            Self::Input => '>',
            Self::Closed => '!',
            Self::Omitted => '~',
        }
    }

    fn from_sign(sign: &str) -> Option<Self> {
        [Self::Output, Self::Input, Self::Closed, Self::Omitted]
            .into_iter()
            .find(|direction| sign.chars().eq([direction.sign()]))
    }
}

/// Writes a transcript. A record is one write, so that a killed writer leaves whole records.
pub struct Writer<W> {
    file: W,
    start: Instant,
    room_bytes: u64,
    omitted_bytes: u64,
    record: Vec<u8>,
    error: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    /// Begins a transcript whose times count from `start`, and which keeps at most `limit_bytes` of bytes.
    pub fn new(mut file: W, start: Instant, limit_bytes: u64) -> io::Result<Self> {
        file.write_all(HEADER.as_bytes())?;
        Ok(Self { file, start, room_bytes: limit_bytes, omitted_bytes: 0, record: Vec::new(), error: None })
    }

    /// The first error there was. After one, nothing more is written.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    fn write(&mut self, console: &str, at: Instant, direction: Direction, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        let microseconds = at.saturating_duration_since(self.start).as_micros();
        let console = console.replace(['\n', '\r'], " ");
        let (sign, length) = (direction.sign(), bytes.len());
        self.record.clear();
        // Writing into memory does not fail.
        let _ = writeln!(self.record, "{microseconds} {sign} {length} {console}");
        self.record.extend_from_slice(bytes);
        self.record.push(b'\n');
        self.error = self.file.write_all(&self.record).err();
    }

    /// Writes what there is room for; the rest is counted.
    fn write_bounded(&mut self, console: &str, at: Instant, direction: Direction, bytes: &[u8]) {
        let room = usize::try_from(self.room_bytes).unwrap_or(usize::MAX);
        let (kept, omitted) = bytes.split_at(bytes.len().min(room));
        self.room_bytes -= kept.len() as u64;
        if !kept.is_empty() {
            self.write(console, at, direction, kept);
        }
        if !omitted.is_empty() {
            let is_first = self.omitted_bytes == 0;
            self.omitted_bytes += omitted.len() as u64;
            if is_first {
                self.write(console, at, Direction::Omitted, self.omitted_bytes.to_string().as_bytes());
            }
        }
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("room_bytes", &self.room_bytes).finish_non_exhaustive()
    }
}

impl<W: Write + Send> Recorder for Writer<W> {
    fn bytes(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        self.write_bounded(console, at, Direction::Output, bytes);
    }

    fn sent(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        self.write_bounded(console, at, Direction::Input, bytes);
    }

    fn closed(&mut self, console: &str, at: Instant, reason: Option<&str>) {
        if self.omitted_bytes > 0 {
            self.write(console, at, Direction::Omitted, self.omitted_bytes.to_string().as_bytes());
        }
        self.write(console, at, Direction::Closed, reason.unwrap_or_default().as_bytes());
    }
}

/// One record of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, since the start of the transcript.
    pub at: Duration,
    /// What it tells.
    pub direction: Direction,
    /// Of which console.
    pub console: String,
    /// The bytes as they were.
    pub bytes: Vec<u8>,
}

/// Reads a transcript record by record. Ends at the first that is cut short.
#[derive(Debug)]
pub struct Reader<R> {
    file: R,
}

impl<R: BufRead> Reader<R> {
    /// Fails when this is no transcript of version 1.
    pub fn new(mut file: R) -> io::Result<Self> {
        let mut header = vec![0; HEADER.len()];
        file.read_exact(&mut header)?;
        if header != HEADER.as_bytes() {
            return Err(invalid("this is no transcript of version 1"));
        }
        Ok(Self { file })
    }

    fn record(&mut self) -> io::Result<Option<Record>> {
        let mut line = Vec::new();
        (&mut self.file).take(4096).read_until(b'\n', &mut line)?;
        let Some(line) = line.strip_suffix(b"\n") else { return Ok(None) };
        let line = std::str::from_utf8(line).map_err(|_| invalid("a record does not begin with its head"))?;
        let mut fields = line.splitn(4, ' ');
        let mut field = || fields.next().unwrap_or_default();
        let (microseconds, sign, length, console) = (field(), field(), field(), field());
        let record = || {
            let length = length.parse::<u64>().ok().filter(|&length| length <= RECORD_LIMIT_BYTES)?;
            let at = Duration::from_micros(microseconds.parse().ok()?);
            Some((at, Direction::from_sign(sign)?, length))
        };
        let Some((at, direction, length)) = record() else {
            return Err(invalid("a record does not begin with its head"));
        };
        let mut bytes = Vec::new();
        (&mut self.file).take(length + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= length {
            return Ok(None);
        }
        bytes.pop();
        Ok(Some(Record { at, direction, console: console.to_owned(), bytes }))
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.record().transpose()
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limit: u64, cut: usize) -> Vec<Record> {
        let start = Instant::now();
        let mut writer = Writer::new(Vec::new(), start, limit).unwrap();
        let later = |ms| start + Duration::from_millis(ms);
        writer.bytes("main", later(1), b"login: \xff\n<");
        writer.sent("main", later(2), b"root\n");
        writer.bytes("secure world", later(3), b"12345");
        writer.closed("main", later(4), Some("reset"));
        let mut file = writer.file;
        file.truncate(file.len() - cut);
        Reader::new(file.as_slice()).unwrap().map(Result::unwrap).collect()
    }

    fn record(ms: u64, direction: Direction, console: &str, bytes: &[u8]) -> Record {
        Record { at: Duration::from_millis(ms), direction, console: console.into(), bytes: bytes.into() }
    }

    #[test]
    fn what_is_written_is_read_byte_for_byte() {
        let expected = [
            record(1, Direction::Output, "main", b"login: \xff\n<"),
            record(2, Direction::Input, "main", b"root\n"),
            record(3, Direction::Output, "secure world", b"12345"),
            record(4, Direction::Closed, "main", b"reset"),
        ];
        assert_eq!(written(1000, 0), expected);
        for cut in 1..20 {
            assert_eq!(written(1000, cut), expected[..3], "{cut} bytes cut off");
        }
    }

    #[test]
    fn past_the_limit_bytes_are_counted() {
        let expected = [
            record(1, Direction::Output, "main", b"login: \xff\n<"),
            record(2, Direction::Input, "main", b"ro"),
            record(2, Direction::Omitted, "main", b"3"),
            record(4, Direction::Omitted, "main", b"8"),
            record(4, Direction::Closed, "main", b"reset"),
        ];
        assert_eq!(written(12, 0), expected);
    }

    #[test]
    fn something_else_is_refused() {
        assert!(Reader::new(&b"pumice transcript 2\n"[..]).is_err());
        assert!(Reader::new(&b""[..]).is_err());
        let mut reader = Reader::new(&b"pumice transcript 1\n1 < many main\nx\n"[..]).unwrap();
        assert!(reader.next().unwrap().is_err());
    }
}
