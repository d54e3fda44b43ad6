//! The consoles of a model: found by what it prints, whatever the form and the order (fastmodels 4.1).

use std::time::Duration;

use pumice_platform::{Announcement, ConsoleRole, ConsoleSource, Find, Launch};

use crate::{entry::Entry, options, request::Request};

/// The line that announces a console: every form in the field has this in it (fastmodels 4.1).
pub(crate) const ANNOUNCEMENT: &str = r"(?P<NAME>\S+): Listening for serial connection on port (?P<PORT>\d+)";

/// At most a hundred characters a second: models drop what comes faster (fastmodels 4.4).
const PACING: Duration = Duration::from_millis(10);

/// How long the first console may take to be announced: a model with a licence needs up to 300 s
/// (fastmodels 10, rule 3).
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(300);

/// The console in logs.
const MAIN: &str = "console";
/// The channel for signals in logs.
const CHANNEL: &str = "channel";

/// Adds the consoles of a launch, from LAVA's patterns or the entry's names.
pub(crate) fn attach(launch: &mut Launch, request: &Request, entry: Option<&Entry>, wants_channel: bool) {
    let source = |name: &str, role, find| ConsoleSource { name: name.to_owned(), role, find, pacing: PACING };
    let announced = |pattern: String, required| Find::Announced { pattern, required };
    let named =
        |role: &str| entry.and_then(|entry| entry.consoles.get(role)).map(|(name, _)| announcing(name));
    let main = request.console.clone().or_else(|| named("main"));
    launch.consoles.push(match main.clone().filter(|_| request.use_telnet) {
        Some(pattern) => source(MAIN, ConsoleRole::Main, announced(pattern, true)),
        None => source(MAIN, ConsoleRole::Main, Find::Stdio),
    });
    if let Some(pattern) = named("channel").filter(|_| wants_channel) {
        launch.consoles.push(source(CHANNEL, ConsoleRole::Channel, announced(pattern, true)));
    }
    for (number, pattern) in request.feedbacks.iter().enumerate() {
        // A terminal that never speaks must not fail a boot (fastmodels 8, complaint 23).
        let name = format!("feedback-{number}");
        launch.consoles.push(source(&name, ConsoleRole::Feedback, announced(pattern.clone(), false)));
    }
    // A pattern of another form is all we know of this model's announcements.
    let usual = main.filter(|pattern| !pattern.contains("Listening for serial connection"));
    launch.announcement = Some(Announcement {
        pattern: usual.filter(|_| request.console.is_some()).unwrap_or_else(|| ANNOUNCEMENT.to_owned()),
        telnet: true,
        raw: raw_terminals(&launch.args),
        within: entry.and_then(|entry| entry.timeouts.get("announce").copied()).unwrap_or(ANNOUNCED_WITHIN),
    });
}

/// The announcement of the terminal with this name.
fn announcing(name: &str) -> String {
    format!(r"(?:^|\W)(?:{name}): Listening for serial connection on port (?P<PORT>\d+)")
}

/// The terminals that are told to pass bytes untouched: the component's name is the one that is announced.
fn raw_terminals(words: &[String]) -> Vec<String> {
    let modes = options::parameters(words);
    let raw = modes.into_iter().filter(|(name, value)| options::is_named(name, "mode") && *value == "raw");
    raw.filter_map(|(name, _)| name.rsplit('.').nth(1).map(str::to_owned)).collect()
}

/// What of the terminals in `words` will keep us from their output, for a person.
pub(crate) fn notes(launch: &Launch) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, value) in options::parameters(&launch.args) {
        if options::is_named(name, "start_telnet") && options::is_on(value) {
            notes.push(format!(
                "`{name}={value}`: the model's own telnet may take the only seat at that console"
            ));
        }
        if name.contains("terminal") && options::is_named(name, "quiet") && options::is_on(value) {
            notes.push(format!(
                "`{name}={value}`: that console is not announced, so nobody reads it, and it may hold up the guest"
            ));
        }
    }
    notes
}
