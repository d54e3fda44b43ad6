//! How far something is.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use pumice_types::ByteSize;

/// How far something is that takes time, on a terminal: a bar, and how fast it goes. Elsewhere nothing is shown.
pub(crate) struct Meter {
    label: String,
    total: u64,
    is_shown: bool,
    started: Instant,
    /// How far it was at the start.
    first: Option<u64>,
    last: Option<Instant>,
}

impl Meter {
    /// Width of the bar, in columns.
    const BAR: usize = 24;
    /// How often it is drawn.
    const PAUSE: Duration = Duration::from_millis(100);

    /// One for `total` bytes.
    pub(crate) fn new(label: &str, total: u64, is_shown: bool) -> Self {
        let is_shown = is_shown && std::io::stderr().is_terminal();
        Self { label: label.to_owned(), total, is_shown, started: Instant::now(), first: None, last: None }
    }

    /// So much is done.
    pub(crate) fn show(&mut self, done: u64) {
        let first = *self.first.get_or_insert(done);
        let since = self.last.unwrap_or(self.started).elapsed();
        if !self.is_shown || since < Self::PAUSE {
            return;
        }
        self.last = Some(Instant::now());
        let rate =
            (u128::from(done.saturating_sub(first)) * 1000) / self.started.elapsed().as_millis().max(1);
        let rate = ByteSize(u64::try_from(rate).unwrap_or(u64::MAX));
        let line = bar(&self.label, done, self.total, Self::BAR);
        let mut out = std::io::stderr().lock();
        drop(write!(out, "\r\x1b[K{line}  {rate}/s"));
        drop(out.flush());
    }

    /// `input`, what is read of it being shown.
    pub(crate) fn reading<'m>(&'m mut self, input: impl std::io::Read + 'm) -> impl std::io::Read + 'm {
        Metered { input, meter: self, done: 0 }
    }
}

/// The line goes with it.
impl Drop for Meter {
    fn drop(&mut self) {
        if self.last.is_some() {
            let mut out = std::io::stderr().lock();
            drop(write!(out, "\r\x1b[K"));
            drop(out.flush());
        }
    }
}

/// `label [####....]  41 %  4.2 MiB of 10.1 MiB`
fn bar(label: &str, done: u64, total: u64, width: usize) -> String {
    let part =
        |of: u64| u64::try_from(u128::from(done.min(total)) * u128::from(of) / u128::from(total.max(1)));
    let filled = part(width as u64).ok().and_then(|filled| usize::try_from(filled).ok()).unwrap_or(0);
    let percent = part(100).unwrap_or(0);
    let (full, empty) = ("#".repeat(filled), ".".repeat(width.saturating_sub(filled)));
    format!("{label} [{full}{empty}] {percent:3} %  {} of {}", ByteSize(done), ByteSize(total))
}

struct Metered<'m, R> {
    input: R,
    meter: &'m mut Meter,
    done: u64,
}

impl<R: std::io::Read> std::io::Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.done += count as u64;
        self.meter.show(self.done);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_what_is_done() {
        let check = |done, total, expected: &str| assert_eq!(bar("x", done, total, 4), expected);
        check(0, 4096, "x [....]   0 %  0 B of 4 KiB");
        check(1024, 4096, "x [#...]  25 %  1 KiB of 4 KiB");
        check(4096, 4096, "x [####] 100 %  4 KiB of 4 KiB");
        check(0, 0, "x [....]   0 %  0 B of 0 B");
    }
}
