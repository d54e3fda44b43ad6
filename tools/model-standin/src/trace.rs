//! `TarmacTrace.so`: a file of made-up instruction lines that grows at a chosen rate (reference 6.3).

use crate::journal;
use crate::model::Model;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

/// Lines are written this often.
const BEAT: Duration = Duration::from_millis(50);

/// Starts writing if the plug-in is loaded and a file is named.
pub(crate) fn start(model: &Model, bytes_per_second: u64) {
    let path = model.parameters.text("TRACE.TarmacTrace.trace-file").to_owned();
    if path.is_empty() {
        return;
    }
    std::thread::spawn(move || {
        if let Err(error) = write(&path, bytes_per_second) {
            journal::note(&format!("{path}: {error}"));
        }
    });
}

fn write(path: &str, bytes_per_second: u64) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut clock: u64 = 0;
    loop {
        let (mut written, wanted) = (0, bytes_per_second / 20);
        while written < wanted {
            let line =
                format!("{clock} clk IT ({clock}) {:08x} d503201f O EL1h_n : NOP\n", 0x8008_0000 + clock * 4);
            file.write_all(line.as_bytes())?;
            written += line.len() as u64;
            clock += 1;
        }
        file.flush()?;
        std::thread::sleep(BEAT);
    }
}
