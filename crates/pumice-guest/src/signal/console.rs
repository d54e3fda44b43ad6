//! Signals in the text of a console, between anything else that is printed there.

use super::{Received, SignalError, grammar};

/// What every signal begins with.
const MARK: &[u8] = b"<LAVA_";

/// The longest signal that is read, in bytes; LAVA's own search window is about as long (lava-compat 9, row 15).
const LIMIT: usize = 4096;

/// Finds signals byte by byte.
#[derive(Clone, Debug, Default)]
pub(super) struct Console {
    /// How many bytes of [`MARK`] were just seen.
    matched: usize,
    /// The text after the mark, while one is read.
    text: Option<Vec<u8>>,
    /// Whether `<LAVA_MULTI_NODE>` was seen on this line: the next signal is its request.
    multi_node: bool,
    /// Bytes read so far.
    position: u64,
}

impl Console {
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut Vec<Received>) {
        for &byte in bytes {
            self.position += 1;
            if let Some(received) = self.byte(byte) {
                found.push(received);
            }
        }
    }

    fn byte(&mut self, byte: u8) -> Option<Received> {
        self.matched =
            if byte == MARK[self.matched] { self.matched + 1 } else { usize::from(byte == MARK[0]) };
        if self.matched == MARK.len() {
            self.matched = 0;
            let before = self.text.replace(Vec::new());
            // The beginning of the mark was taken for a part of the signal before.
            return before.map(|mut text| {
                text.truncate(text.len().saturating_sub(MARK.len() - 1));
                self.broken(&text)
            });
        }
        if byte == b'\n' {
            self.multi_node = false;
        }
        let text = self.text.as_mut()?;
        match byte {
            b'>' => {
                let whole = String::from_utf8_lossy(text).into_owned();
                let signal = self.parse(&whole);
                if matches!(signal, Some(Err(_))) && printk_stamp(whole.as_bytes()).is_some() {
                    // The `>` is a kernel message's; its line is cut out at its end.
                    self.text.as_mut()?.push(byte);
                    return None;
                }
                self.text = None;
                Some(Received { signal: signal?, text: format!("<LAVA_{whole}>"), end: self.position })
            }
            b'\n' => {
                if let Some(start) = printk_stamp(text) {
                    text.truncate(start);
                    return None;
                }
                let text = self.text.take()?;
                Some(self.broken(&text))
            }
            _ if text.len() == LIMIT => {
                let text = self.text.take()?;
                Some(self.broken(&text))
            }
            _ => {
                text.push(byte);
                None
            }
        }
    }

    fn parse(&mut self, text: &str) -> Option<Result<super::Signal, SignalError>> {
        if text == "MULTI_NODE" {
            self.multi_node = true;
            return None;
        }
        if std::mem::take(&mut self.multi_node) {
            return Some(grammar::parse(&format!("MULTI_NODE LAVA_{text}")));
        }
        grammar::parse_console(text)
    }

    fn broken(&self, text: &[u8]) -> Received {
        let shown: String = String::from_utf8_lossy(text).trim_end().chars().take(200).collect();
        let text = format!("<LAVA_{shown}");
        Received { signal: Err(SignalError::Broken { text: text.clone() }), text, end: self.position }
    }
}

/// Where a kernel message begins in `text`: at its time stamp, `[   12.345678]` (the kernel's `printk.time`).
fn printk_stamp(text: &[u8]) -> Option<usize> {
    (0..text.len()).find(|&start| {
        let Some(rest) = text[start..].strip_prefix(b"[") else { return false };
        let rest = rest.trim_ascii_start();
        let seconds = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let Some((micros, end)) = rest[seconds..].split_at_checked(7) else { return false };
        seconds > 0
            && micros[0] == b'.'
            && micros[1..].iter().all(u8::is_ascii_digit)
            && end.first() == Some(&b']')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut console = Console::default();
        let mut found = Vec::new();
        console.push(text.as_bytes(), &mut found);
        let shown: Vec<_> = found
            .iter()
            .map(|received| match &received.signal {
                Ok(signal) => format!("{signal:?}"),
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_signal_is_found_in_the_middle_of_a_line() {
        check("# x <LAVA_SIGNAL_STARTTC a b>y <LAVA_TEST_RUNNER EXIT>", &["StartTc(\"a\")", "RunnerExit"]);
        check(
            "<<LAVA_<LAVA_SIGNAL_STARTTC a>",
            &["a signal on the console was broken by other output: `<LAVA_`", "StartTc(\"a\")"],
        );
    }

    #[test]
    fn a_name_without_arguments_and_answers_to_multi_node_are_no_signals() {
        check("<LAVA_SIGNAL_STARTTC> <LAVA_WAIT_COMPLETE 1:a=b> <LAVA_SYNC_COMPLETE>", &[]);
    }

    #[test]
    fn a_multi_node_request_is_two_brackets_on_one_line() {
        check("<LAVA_MULTI_NODE> <LAVA_SYNC a>", &["MultiNode(Sync { id: \"a\" })"]);
        check("<LAVA_MULTI_NODE>\n<LAVA_SYNC a>", &[]);
    }

    #[test]
    fn a_kernel_message_inside_a_signal_is_cut_out() {
        let passed = "TestCase(TestCase { id: \"x\", result: Pass, measurement: None, units: None })";
        check("<LAVA_SIGNAL_TESTCASE TEST_CA[   12.345678] random: init\r\nSE_ID=x RESULT=pass>", &[passed]);
        check(
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x [    1.000000] a -> b\n[    1.000001] c\nRESULT=pass>",
            &[passed],
        );
        check("<LAVA_SIGNAL_TESTRAISE [    1.000000] Oops>\n", &["TestRaise(\"[    1.000000] Oops\")"]);
    }

    #[test]
    fn what_cannot_be_mended_is_said_to_be_broken() {
        check(
            "<LAVA_SIGNAL_TESTCASE TEST_Cplymouth\r\nASE_ID=x RESULT=pass>\n<LAVA_SIGNAL_STARTTC a>",
            &[
                "a signal on the console was broken by other output: `<LAVA_SIGNAL_TESTCASE TEST_Cplymouth`",
                "StartTc(\"a\")",
            ],
        );
        let endless = format!("<LAVA_{}<LAVA_SIGNAL_STARTTC a>", "x".repeat(LIMIT + 1));
        let mut console = Console::default();
        let mut found = Vec::new();
        console.push(endless.as_bytes(), &mut found);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].end, endless.len() as u64);
    }
}
