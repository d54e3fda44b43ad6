//! Clocks that jump. No deadline of a lab is kept on the wall clock: leases, timeouts and queues go on as if nothing had happened.
//! What a person gave a date, a token's end, is of the wall clock, and follows it.

use std::{path::PathBuf, process::Command};

use e2e::{Missing, Sandbox, need};
use fs_err as fs;
use serde_json::{Value, json};

use super::rig::{LEASE, Lab, waits_for};

/// Debian's `libfaketime`, which shows a program another wall clock. Its monotonic clock stays the kernel's.
fn library() -> Result<PathBuf, Missing> {
    let places = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];
    let paths = places.map(|place| PathBuf::from(place).join("faketime/libfaketimeMT.so.1"));
    paths.into_iter().find(|path| path.is_file()).ok_or_else(|| Missing::set_up("library libfaketime"))
}

/// A lab whose programs read the wall clock that the file `clock` sets off, by `+1d` for example.
struct Jumping {
    lab: Lab,
    clock: PathBuf,
}

impl Jumping {
    fn start() -> Result<Self, Missing> {
        let library = library()?;
        let sandbox = Sandbox::new();
        let clock = sandbox.write("clock", "+0\n");
        let under = {
            let clock = clock.clone();
            move |mut command: Command| {
                command.env("LD_PRELOAD", &library).env("FAKETIME_TIMESTAMP_FILE", &clock);
                command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                command
            }
        };
        let mut lab = Lab::new(sandbox).server_by(under.clone()).worker_by(under);
        lab.start();
        Ok(Self { lab, clock })
    }

    /// The clock jumps, and the server is seen to have noticed.
    fn jump(&self, by: &str) {
        let before = self.date();
        let beside = self.clock.with_extension("new");
        fs::write(&beside, format!("{by}\n")).unwrap();
        fs::rename(beside, &self.clock).unwrap();
        self.lab.wait_until("the jump", || (self.date() - before).abs() > 1800.0);
    }

    /// The server's wall clock, in seconds, by the start of a token's life.
    fn date(&self) -> f64 {
        let made = self.token("86400");
        let listed = self.lab.ask(&["tokens"]);
        let created = listed.as_array().unwrap().iter().rev().find(|token| token["description"] == made);
        seconds(&created.unwrap()["created"])
    }

    /// Makes a token that ends after so many seconds; answers its description.
    fn token(&self, lasts: &str) -> String {
        let name = format!("t{}", self.lab.ask(&["tokens"]).as_array().unwrap().len());
        let body = json!({"description": name, "seconds": lasts.parse::<u64>().unwrap(), "scopes": ["read"]})
            .to_string();
        let (status, said) =
            self.lab.curl("/api/pumice/v1/tokens", &["-H", "Content-Type: application/json", "-d", &body]);
        assert_eq!(status, 200, "{said}");
        name
    }
}

/// A time of the API as seconds of some day long ago: `2026-11-22T10:00:00.123456Z`.
fn seconds(time: &Value) -> f64 {
    let digits: Vec<f64> = time
        .as_str()
        .unwrap()
        .split(|c: char| !c.is_ascii_digit())
        .take(6)
        .map(|number| number.parse().unwrap())
        .collect();
    ((digits[0] * 372.0 + digits[1] * 31.0 + digits[2]) * 24.0 + digits[3]) * 3600.0
        + digits[4] * 60.0
        + digits[5]
}

#[test]
fn a_wall_clock_that_jumps_a_day_ahead_or_an_hour_back_changes_nothing_of_jobs() {
    let jumping = need!(Jumping::start());
    let lab = &jumping.lab;
    for (number, by) in ["+1d", "-1h"].into_iter().enumerate() {
        let go = lab.sandbox.path().join(format!("go{number}"));
        let runs = lab.submit("runs", &waits_for(&go));
        lab.wait_until("its first case", || lab.cases(&runs) == ["case_before"]);
        // It waits for the device with a queue timeout of an hour.
        let waits = lab.submit("waits", &waits_for(&go));
        jumping.jump(by);
        std::thread::sleep(std::time::Duration::from_secs(u64::from(LEASE) * 2));
        assert_eq!(lab.ask(&["show", &runs])["state"], "Running", "after {by}: {}", lab.said());
        assert_eq!(lab.ask(&["show", &waits])["state"], "Submitted", "after {by}: {}", lab.said());
        fs::write(&go, "").unwrap();
        for job in [&runs, &waits] {
            assert_eq!(lab.health(job), "Complete", "after {by}: {}", lab.said());
            assert_eq!(lab.cases(job), ["case_before", "case_after"]);
        }
        // An idle device starts a job at once whatever the clock says.
        let next = lab.submit("next", &waits_for(&go));
        assert_eq!(lab.health(&next), "Complete", "after {by}");
    }
    jumping.lab.end();
}

#[test]
fn a_tokens_end_is_a_date_and_follows_the_wall_clock() {
    let jumping = need!(Jumping::start());
    let lab = &jumping.lab;
    let made = lab.pumice(&["tokens", "create", "ci", "--scope", "read", "--days", "1"]);
    let secret = made.stdout.trim().to_owned();
    let works = || lab.pumice(&["jobs", "--token", &secret]).status.success();
    assert!(works());
    jumping.jump("+2d");
    assert!(!works(), "it has ended");
    jumping.jump("+0");
    assert!(works(), "a clock that was set right makes it good again");
    jumping.lab.end();
}
