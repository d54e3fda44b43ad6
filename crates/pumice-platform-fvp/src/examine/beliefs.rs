//! What we believe of models, each belief tried on a real one.
//!
//! The list is that of the reference sheet's section 11, "wanted but not found in public", and of every text, code and
//! order that the driver leans on. A belief that a public source states is held against what is found; where no
//! source says anything, what is found is learnt.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use pumice_platform::Meaning;
use pumice_process::{OutputError, Signal, Status};
use pumice_types::{Blame as _, Failure};
use regex_automata::meta::Regex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    Description, Finding, Subject,
    session::{Ended, Session},
};
use crate::{options::Dialect, output};

/// Tries every belief on a program. Takes a minute or more: each limit and each signal ends a run of its own.
pub async fn examine(subject: &Subject, description: &Description) -> Result<Vec<Finding>, Failure> {
    let dialect = Dialect::of(&subject.program.to_string_lossy());
    let mut findings = Vec::new();
    let done = async {
        informing(subject, dialect, description, &mut findings).await?;
        refusing(subject, dialect, description, &mut findings).await?;
        Ok::<_, OutputError>(())
    };
    done.await.map_err(|error| error.failure())?;
    let words = quiet_words(description);
    consoles(subject, &words, &mut findings).await?;
    signals(subject, &words, &mut findings).await?;
    if dialect != Dialect::Foundation {
        limits(subject, &words, &mut findings).await?;
    }
    for (what, why) in [
        ("what happens when the licence server dies during a run", "stop the server while a job runs"),
        (
            "the addresses that user networking's DHCP gives",
            "boot a guest with networking and look at `ip addr`",
        ),
    ] {
        findings.push(Finding::untried(what, "11", why));
    }
    Ok(findings)
}

const CODE_0: Status = Status::Code(0);
const CODE_1: Status = Status::Code(1);

fn ends(what: &str, source: &'static str, ended: &Ended, expected: Status) -> Finding {
    let finding = Finding::held(what, source, ended.shown(), expected.to_string());
    if ended.status == Some(expected) { finding } else { finding.saying(&ended.text) }
}

/// Whether a pattern is found, as `yes` and `no`.
fn has(what: &str, source: &'static str, text: &str, pattern: &str) -> Finding {
    let found = Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
    let finding = Finding::held(what, source, if found { "yes" } else { "no" }, "yes");
    if found { finding } else { finding.saying(text) }
}

/// Options that print something and end (fastmodels 2.1, 4.2).
async fn informing(
    subject: &Subject,
    dialect: Dialect,
    description: &Description,
    findings: &mut Vec<Finding>,
) -> Result<(), OutputError> {
    let version = subject.run(&["--version"]).await?;
    findings.push(ends("`--version`", "2.5", &version, CODE_0));
    findings.push(Finding::held(
        "the version is found in what `--version` prints",
        "4.2",
        if description.version.is_some() { "yes" } else { "no" },
        "yes",
    ));
    if dialect == Dialect::Parameters {
        let stopped = "Simulation stopped by user";
        findings.push(has("`--version` ends with the line of a stop", "4.2", &version.text, stopped));
    }
    let help = subject.run(&["--help"]).await?;
    findings.push(ends("`--help`", "2.5", &help, CODE_0));
    let needed: &[&str] = if dialect == Dialect::Foundation {
        &["image", "data", "cores", "block-device", "uart-start-port"]
    } else {
        &["parameter", "application", "data", "stat", "list-params", "timelimit", "plugin"]
    };
    for option in needed {
        findings.push(has(
            &format!("`--help` has `--{option}`"),
            "2.1",
            &help.text,
            &format!(r"--{option}\b"),
        ));
    }
    for option in ["list-regs", "iris-port-range", "iris-connect", "iris-log", "disable-analytics", "save"] {
        let found = help.text.contains(&format!("--{option}"));
        let what = format!("whether there is `--{option}`");
        findings.push(Finding::learnt(&what, "11", if found { "yes" } else { "no" }));
    }
    findings.push(Finding::learnt("the whole of `--help`", "11", "see below").saying_all(&help.text));
    if dialect != Dialect::Foundation {
        let listed = subject.run(&["--list-params"]).await?;
        findings.push(ends("`--list-params`", "2.5", &listed, CODE_0));
        findings.push(
            Finding::learnt(
                "the form of `--list-params`",
                "11",
                format!("{} parameters were read", description.parameters.len()),
            )
            .saying(&listed.text),
        );
        let instances = subject.run(&["--list-instances"]).await?;
        findings.push(ends("`--list-instances`", "2.5", &instances, CODE_0));
        findings.push(
            Finding::learnt("the form of `--list-instances`", "11", "see below").saying(&instances.text),
        );
    }
    Ok(())
}

/// Command lines that a model refuses: with which code, in which words, and whether our rules understand them
/// (fastmodels 2.5, 4.7).
async fn refusing(
    subject: &Subject,
    dialect: Dialect,
    description: &Description,
    findings: &mut Vec<Finding>,
) -> Result<(), OutputError> {
    const NOWHERE: &str = "/nonexistent/pumice-check";
    let nowhere = format!("={NOWHERE}");
    let mut tried: Vec<(&str, Vec<String>)> =
        vec![("an unknown option", vec!["--no-such-option".to_owned()])];
    if dialect == Dialect::Foundation {
        tried.push(("an image that is not there", vec![format!("--image{nowhere}")]));
    } else {
        let set = |parameter: &str, value: &str| vec!["-C".to_owned(), format!("{parameter}={value}")];
        tried.push(("an unknown parameter", set("no.such.parameter", "1")));
        tried.push(("an application that is not there", vec!["-a".to_owned(), NOWHERE.to_owned()]));
        tried.push(("an option without its value", vec!["-Q".to_owned()]));
        for (what, end) in [
            ("a flash image that is not there", "flashloader0.fname"),
            ("a disk image that is not there", "virtioblockdevice.image_path"),
        ] {
            if let Some(parameter) = description.parameters.keys().find(|name| name.ends_with(end)) {
                let mut words = quiet_words(description);
                words.extend(set(parameter, NOWHERE));
                // So that one that starts all the same ends by itself.
                words.extend(["--timelimit".to_owned(), "2".to_owned()]);
                tried.push((what, words));
            }
        }
    }
    for (what, words) in tried {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = subject.run(&words).await?;
        let listens = ended.text.contains("Listening for serial connection");
        let stated = !what.contains("image") || dialect == Dialect::Foundation;
        if stated {
            findings.push(ends(what, "2.5", &ended, CODE_1));
            let found = if listens { "yes" } else { "no" };
            findings.push(Finding::held(
                &format!("{what}: consoles are announced first"),
                "2.5",
                found,
                "no",
            ));
        } else {
            let found =
                format!("{}, consoles were {}announced", ended.shown(), if listens { "" } else { "not " });
            findings.push(Finding::learnt(what, "11", found));
        }
        findings.push(
            Finding::learnt(&format!("the words for {what}"), "11", understood(&ended.text))
                .saying(&ended.text),
        );
    }
    Ok(())
}

/// What our rules make of a text.
fn understood(text: &str) -> String {
    let rules = output::rules();
    let meaning = text.lines().find_map(|line| {
        let fits = |rule: &&pumice_platform::OutputRule| {
            Regex::new(&rule.pattern).is_ok_and(|regex| regex.is_match(line))
        };
        rules.iter().find(fits).map(|rule| rule.means)
    });
    match meaning {
        Some(Meaning::Fails(cause) | Meaning::Explains(cause)) => format!("understood as {}", cause.code()),
        Some(Meaning::Ends) => "understood as a good end".to_owned(),
        None => "no rule of ours understands them".to_owned(),
    }
}

/// No window, no client of its own; statistics where there are any.
fn quiet_words(description: &Description) -> Vec<String> {
    let ends = [".start_telnet", ".disable_visualisation", ".disable-visualisation"];
    let mut words = Vec::new();
    for name in description.parameters.keys() {
        if let Some(end) = ends.iter().find(|end| name.ends_with(**end)) {
            let value = u8::from(*end != ".start_telnet");
            words.extend(["-C".to_owned(), format!("{name}={value}")]);
        }
    }
    if !description.parameters.is_empty() {
        words.push("--stat".to_owned());
    }
    words
}

async fn start(subject: &Subject, words: &[String]) -> Result<Session, Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let session = subject.start(&words).await.map_err(|error| error.failure())?;
    if session.ports.is_empty() {
        let failure = Failure::new(pumice_types::Cause::ConsoleLost, "the model announces no console");
        let tail: String = session.text.lines().rev().take(20).collect::<Vec<_>>().join("\n");
        return Err(failure.evidence("simulator", tail).hint(
            "without a licence it ends before: set its variables, or add `licence = …` to the configuration",
        ));
    }
    Ok(session)
}

/// How consoles are announced, and what their ports do (fastmodels 4.1, 4.4).
async fn consoles(subject: &Subject, words: &[String], findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let session = start(subject, words).await?;
    let lines: Vec<_> = session.ports.iter().map(|(line, ..)| line.as_str()).collect();
    findings.push(
        Finding::learnt("how consoles are announced", "4.1", format!("{} consoles", lines.len()))
            .saying(&lines.join("\n")),
    );
    let Some((_, name, port)) = session.ports.first().cloned() else { return Ok(()) };
    let reached = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    let shown = if reached.is_ok() { "yes" } else { "no" };
    findings.push(Finding::held("a console is reached at 127.0.0.1", "4.1", shown, "yes"));
    let by_six = TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, port)).await.is_ok();
    findings.push(Finding::held(
        "a console is reached at ::1",
        "4.1",
        if by_six { "yes" } else { "no" },
        "no",
    ));
    if let Ok(mut first) = reached {
        let bytes = hear(&mut first).await;
        let found = bytes.map_or_else(|| "closed".to_owned(), |bytes| hexadecimal(&bytes));
        findings.push(Finding::learnt(&format!("the first bytes of {name}, in telnet mode"), "11", found));
        let second = match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Err(_) => "refused".to_owned(),
            Ok(mut second) => match hear(&mut second).await {
                None => "turned away".to_owned(),
                Some(bytes) if bytes.is_empty() => "waits in silence".to_owned(),
                Some(bytes) => format!("is served as well: {}", hexadecimal(&bytes)),
            },
        };
        findings.push(Finding::learnt("a second client at a console", "4.4", second));
        drop(first.shutdown().await);
        drop(first);
        let again = reopens(port).await;
        findings.push(Finding::held("a console is there again after its client left", "4.4", again, "yes"));
    }
    let (ended, took) = session.end(Signal::INT).await;
    findings.push(ends("SIGINT", "2.5", &ended, CODE_0));
    findings.push(Finding::learnt("how long SIGINT takes", "4.5", seconds(took)).saying(&ended.text));
    findings.push(has(
        "SIGINT: the line of a stop",
        "4.5",
        &ended.text,
        "(?i)simulation stopped|stopping simulation",
    ));
    if words.iter().any(|word| word == "--stat") {
        for measure in ["Simulated time", "Wall time", "MIPS"] {
            findings.push(has(&format!("SIGINT: statistics have `{measure}`"), "4.6", &ended.text, measure));
        }
        let understood = output::measures().iter().any(|measure| {
            let regex = Regex::new(&measure.pattern);
            regex.is_ok_and(|regex| ended.text.lines().any(|line| regex.is_match(line)))
        });
        let shown = if understood { "yes" } else { "no" };
        findings.push(Finding::held("our patterns find numbers in the statistics", "4.6", shown, "yes"));
    }
    Ok(())
}

/// What a client hears within a moment; `None` when it is turned away.
async fn hear(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 256];
    match tokio::time::timeout(Duration::from_millis(700), stream.read(&mut bytes)).await {
        Ok(Ok(0) | Err(_)) => None,
        Ok(Ok(count)) => Some(bytes[..count].to_vec()),
        Err(_) => Some(Vec::new()),
    }
}

async fn reopens(port: u16) -> String {
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
            && hear(&mut stream).await.is_some()
        {
            return "yes".to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    "no".to_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "none".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// SIGTERM, which may be answered as SIGINT is (fastmodels 4.5).
async fn signals(subject: &Subject, words: &[String], findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let (ended, took) = start(subject, words).await?.end(Signal::TERM).await;
    findings.push(Finding::learnt("SIGTERM", "11", format!("{} after {}", ended.shown(), seconds(took))));
    let statistics = ended.text.contains("Simulated time");
    findings.push(
        Finding::learnt("SIGTERM: statistics", "4.5", if statistics { "yes" } else { "no" })
            .saying(&ended.text),
    );
    Ok(())
}

/// How many seconds of wall time a limit of another kind gets to be reached.
const AT_MOST: &str = "10";

/// Limits, which end a run with code 0 and a reason (fastmodels 2.5, 4.5).
async fn limits(subject: &Subject, words: &[String], findings: &mut Vec<Finding>) -> Result<(), Failure> {
    for (option, value, text) in [
        ("--timelimit", "1", None),
        ("--simlimit", "0.01", Some("Simulated time has been exceeded")),
        ("--cpulimit", "1", Some("CPU time has been exceeded")),
        ("--cyclelimit", "1000", Some("Cycle limit has been exceeded")),
    ] {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.extend([option, value]);
        if option != "--timelimit" {
            // A model with nothing to run may use neither time nor cycles.
            words.extend(["--timelimit", AT_MOST]);
        }
        let ended = subject.start(&words).await.map_err(|error| error.failure())?.wait().await;
        let idle = ended.text.contains("ime limit has been exceeded") && option != "--timelimit";
        if idle {
            let why = format!("the model, with nothing to run, did not reach it in {AT_MOST} s");
            findings.push(Finding::untried(&format!("`{option} {value}`"), "2.5", why));
            continue;
        }
        findings.push(ends(&format!("`{option} {value}`"), "2.5", &ended, CODE_0));
        let reason = Regex::new("Reason: [^\r\n]+").ok().and_then(|regex| regex.find(&ended.text));
        let reason = reason.map_or("none", |found| &ended.text[found.range()]).trim_start_matches("Reason: ");
        findings.push(match text {
            Some(text) => {
                Finding::held(&format!("`{option}`: its reason"), "4.5", reason.trim_end_matches('.'), text)
            }
            None => Finding::learnt(&format!("`{option}`: its reason"), "11", reason),
        });
    }
    Ok(())
}

impl Finding {
    /// With all that was said: a `--help` is what nobody could read yet.
    fn saying_all(mut self, said: &str) -> Self {
        said.trim().clone_into(&mut self.said);
        self
    }
}
