//! Timeouts (lava-compat 1.2).

use pumice_types::{Diagnostic, Severity};
use pumice_yaml::{Map, Node, Value};

use super::{
    Checker, Codes, MISSING_KEY, Place, UNKNOWN_KEY, WRONG_TYPE, anchor, describe, diagnostic, place_of,
};
use crate::{
    codes,
    language::{ACTION_NAMES, Shape},
};

const UNITS: [&str; 4] = ["days", "hours", "minutes", "seconds"];
/// All keys of a timeout; `soft` is ours.
const KEYS: [&str; 6] = ["days", "hours", "minutes", "seconds", "skip", "soft"];

impl Checker<'_> {
    pub(super) fn timeout(&mut self, map: &Map, node: &Node, place: Place<'_>) {
        let mut units = Vec::new();
        let mut unknown = false;
        for entry in map {
            match entry.key.as_str() {
                "skip" | "soft" => self.value(&entry.value, Shape::Boolean, place_of(entry, place)),
                unit if UNITS.contains(&unit) => {
                    units.push(entry);
                    self.amount(&entry.value, place_of(entry, place));
                }
                key => {
                    unknown = true;
                    let likely = describe::likely(key, KEYS.into_iter().filter(|key| map.get(key).is_none()));
                    let message = format!("unknown key `{}` in a timeout", describe::short(key));
                    let help = match likely {
                        Some(likely) => format!("did you mean `{likely}`?"),
                        None => "a timeout is one of `days`, `hours`, `minutes`, `seconds`".to_owned(),
                    };
                    self.push(
                        diagnostic(place.cap, UNKNOWN_KEY, entry.key_span, message)
                            .suggest(likely)
                            .help(help),
                    );
                }
            }
        }
        if let [first, second, ..] = units[..] {
            let message = "a timeout has one unit, and this has two";
            self.push(
                diagnostic(place.cap, UNITS_CODES, second.key_span, message.to_owned())
                    .related(first.key_span, "the first one")
                    .help("add them up in the smaller unit"),
            );
        }
        if units.is_empty() && !unknown && self.complete {
            let place = place.capped(Severity::Warning);
            let message =
                format!("the timeout `{}` has no unit and means 30 seconds", describe::short(place.name));
            self.push(
                diagnostic(place.cap, MISSING_KEY, anchor(node, place), message)
                    .help("write for example `minutes: 5`"),
            );
        }
    }

    /// How many of a unit: any whole number for submission, one from 1 for the strict schema.
    fn amount(&mut self, node: &Node, place: Place<'_>) {
        match node.value {
            Value::Int(number) if number < 1 => {
                let message = format!("`{}: {number}` means 30 seconds to LAVA", place.name);
                self.push(
                    Diagnostic::warning(codes::TIMEOUT_UNITS, node.span, message)
                        .help("write a whole number from 1"),
                );
            }
            Value::Int(_) | Value::Bool(_) => {}
            Value::Float(number) if number.fract() == 0.0 => {
                let message = format!("`{}` is more time than can be counted", place.name);
                self.push(
                    diagnostic(place.cap, WRONG_TYPE, node.span, message).help("write a whole number from 1"),
                );
            }
            Value::Float(_) => {
                let span = node.span;
                let message = format!("`{}` must be a whole number", place.name);
                self.push(
                    diagnostic(place.cap, WRONG_TYPE, span, message)
                        .label("this is a fraction")
                        .help("write it in the next smaller unit"),
                );
            }
            _ => self.value(node, Shape::Whole(1, i64::MAX), place),
        }
    }

    pub(super) fn named_timeouts(&mut self, map: &Map, place: Place<'_>) {
        for entry in map {
            if self.told.is_full() && self.told.has_errors {
                return;
            }
            let name = &entry.key;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
                let mended = name.to_lowercase().replace(['_', ' '], "-");
                let likely = describe::likely(&mended, ACTION_NAMES.iter().copied());
                let message = format!("`{}` cannot be the name of an action", describe::short(name));
                self.push(
                    diagnostic(
                        place.cap,
                        Codes(codes::ACTION_NAME, codes::ACTION_NAME),
                        entry.key_span,
                        message,
                    )
                    .suggest(likely)
                    .help("names of actions have lower-case letters and `-` only"),
                );
            } else if !ACTION_NAMES.contains(&name.as_str()) && !self.told.is_full() {
                let likely = describe::likely(name, ACTION_NAMES.iter().copied());
                let message =
                    format!("no action is called `{}`, so this timeout has no effect", describe::short(name));
                let mut diagnostic =
                    Diagnostic::warning(codes::UNKNOWN_ACTION_NAME, entry.key_span, message).suggest(likely);
                if let Some(likely) = likely {
                    diagnostic = diagnostic.help(format!("did you mean `{likely}`?"));
                }
                self.push(diagnostic);
            }
            self.value(&entry.value, Shape::Timeout, place_of(entry, place));
        }
    }
}

const UNITS_CODES: Codes = Codes(codes::TIMEOUT_UNITS, codes::TIMEOUT_UNITS);
