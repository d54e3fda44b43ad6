//! Lines of LAVA's log: what is read is written and read again the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_record::{read_line, read_log, write_line};
use pumice_types::Mask;

fuzz_target!(|text: &str| {
    for record in read_log(text).flatten() {
        let mut line = String::new();
        write_line(&record, &Mask::default(), &mut line);
        assert_eq!(read_line(line.trim_end_matches('\n')).as_ref(), Ok(&record), "{line}");
    }
});
