//! Every reader of bytes from outside gets samples that are damaged at random, from seeds that a failure prints: none
//! may panic, and the runner's limit of time ends one that hangs. What each makes of sound input its own crate tests.

use std::io::Read as _;

use pumice_console::{Patterns, telnet::Codec};
use pumice_guest::SignalReader;
use pumice_image::{Limits, tar::LinkPolicy};
use pumice_types::SourceId;

/// Damaged samples each reader gets.
const ROUNDS: u64 = 2000;

const JOB: &str = include_str!("../../../../demo/arm64-virt.yaml");
const ANCHORS: &str = include_str!("../../../../fixtures/jobs/anchors.yaml");

/// Bytes that mean something to one of the readers.
const MEANINGFUL: &[u8] = b"\0\n\t:-&*!{[\"'|<>%@\xff\x7f09";

/// Numbers that look random and follow from the seed (Marsaglia, Xorshift RNGs, 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % limit.max(1)
    }
}

/// A sample with some bytes changed, taken out, doubled, or cut off.
fn damaged(sample: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len());
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => bytes.insert(at, MEANINGFUL[random.below(MEANINGFUL.len())]),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

/// Hands damaged samples to a reader.
fn meet(samples: &[&[u8]], read: impl Fn(&[u8], &mut Random)) {
    for seed in 1..=ROUNDS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let sample = samples[random.below(samples.len())];
        let bytes = damaged(sample, &mut random);
        let met = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&bytes, &mut random)));
        assert!(met.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn yaml() {
    meet(&[JOB.as_bytes(), ANCHORS.as_bytes()], |bytes, _| {
        drop(pumice_yaml::parse_bytes(bytes, SourceId::default()));
    });
}

#[test]
fn job_definitions() {
    meet(&[JOB.as_bytes(), ANCHORS.as_bytes()], |bytes, _| {
        drop(pumice_job::parse(&String::from_utf8_lossy(bytes), SourceId::default()));
    });
}

#[test]
fn console_streams_without_an_end_in_the_patterns_match_the_same_in_any_pieces() {
    let patterns = Patterns::python(["login:", r"panic - (.*)\n", r"root@\w+:"]).expect("patterns");
    let log: &[u8] =
        b"[ 0.1] boot\r\nguest login: root\r\nroot@guest:~# Kernel panic - not syncing\n\xff\x00root@x:/# ";
    meet(&[log], |bytes, random| {
        let pieces: Vec<&[u8]> = bytes.chunks(1 + random.below(9)).collect();
        let found = pumice_console::matches_in(&patterns, pieces);
        assert_eq!(found, pumice_console::matches_in(&patterns, [bytes]));
    });
}

#[test]
fn signals() {
    let console: &[u8] = b"<LAVA_SIGNAL_STARTTC a>\r\n<LAVA_SIGNAL_ENDTC a>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n";
    let frames: &[u8] = b"~PMC 7 32580604 CASE memory pass\n~PMC 8 57e1067c ENDRUN 0_five 1_1.1.1.1\n";
    meet(&[console, frames], |bytes, random| {
        for mut reader in [SignalReader::console(), SignalReader::channel()] {
            let mut found = Vec::new();
            for piece in bytes.chunks(1 + random.below(9)) {
                reader.push(piece, &mut found);
            }
        }
    });
}

#[test]
fn cpio_archives() {
    // `newc`, one member (kernel, Documentation/driver-api/early-userspace/buffer-format.rst).
    let member = |name: &str, size: usize| {
        let fields = [1, 0o100_644, 0, 0, 1, 0, size, 0, 0, 0, 0, name.len() + 1, 0];
        let mut bytes = b"070701".to_vec();
        for field in fields {
            bytes.extend(format!("{field:08x}").bytes());
        }
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.resize(bytes.len() + size.next_multiple_of(4), b'x');
        bytes
    };
    let archive = [member("etc/file", 21), member("TRAILER!!!", 0)].concat();
    meet(&[&archive], |bytes, _| {
        let mut reader = pumice_image::cpio::Reader::new(bytes, Limits::default());
        while let Ok(Some(_)) = reader.next_entry() {
            let mut contents = Vec::new();
            drop(reader.read_to_end(&mut contents));
        }
    });
}

#[test]
fn tar_archives() {
    // One block of a header (POSIX.1-2008, pax, ustar) with its checksum, then contents, then the end.
    let mut header = [0_u8; 512];
    header[..8].copy_from_slice(b"etc/file");
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(b"00000000025\0");
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let archive = [header.as_slice(), &[b'x'; 512], &[0; 1024]].concat();
    meet(&[&archive], |bytes, _| {
        for links in [LinkPolicy::Inside, LinkPolicy::GuestRoot] {
            drop(pumice_image::tar::read(bytes, links, Limits::default()));
        }
    });
}

#[test]
fn telnet_streams_do_not_depend_on_the_pieces() {
    let stream: &[u8] = b"\xff\xfb\x01\xff\xfb\x03login: \xff\xff\r\0\xff\xfa\x18\x01\xff\xf0root\r\n";
    meet(&[stream], |bytes, random| {
        let decode = |pieces: &[&[u8]]| {
            let (mut codec, mut plain, mut reply) = (Codec::default(), Vec::new(), Vec::new());
            for piece in pieces {
                codec.decode(piece, &mut plain, &mut reply);
            }
            (plain, reply)
        };
        let pieces: Vec<&[u8]> = bytes.chunks(1 + random.below(5)).collect();
        assert_eq!(decode(&pieces), decode(&[bytes]));
    });
}

#[test]
fn log_records() {
    let line = br#"- {"dt": "2026-11-22T14:00:00.000000", "lvl": "target", "msg": "boot \"x\" \u00e9", "ns": "common"}"#;
    meet(&[line], |bytes, _| {
        drop(pumice_record::read_line(&String::from_utf8_lossy(bytes)));
    });
}
