//! Licences: FlexNet seats from a server, and user-based licences from a cache (reference, section 5).

pub(crate) mod armlm;
mod flexnet;
pub(crate) mod server;
mod user_based;

use crate::environment::{Environment, user_name};
use crate::knobs::Knobs;
use crate::model::Model;

/// Whether a licence is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LicenceKnob {
    /// Licensed models are checked when the environment names a licence; a user without any may still use the
    /// stand-in, unlike a model.
    Auto,
    /// Never.
    Off,
    /// Always, free models too.
    Require,
    /// The check fails with no reason given.
    Refused,
    /// The check never ends.
    Hang,
}

/// A licence that is held for as long as this value lives.
#[derive(Debug)]
pub(crate) enum Held {
    /// None was needed.
    NotNeeded,
    /// A seat: released when the connection closes, however the process ends.
    Seat(
        #[expect(dead_code, reason = "held, not read: the seat is given back when it is dropped")]
        flexnet::Seat,
    ),
    /// A user-based licence, which is not counted.
    UserBased,
}

/// A check that failed: what the model prints before it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) text: String,
}

impl Refusal {
    /// FlexNet's explanation and the line that 2012's models printed (reference 4.7).
    fn flexnet(explanation: &str) -> Self {
        Self { text: format!("{explanation}ERROR: License check failed!\n") }
    }

    /// The form of 11.32 (reference 4.7).
    fn user_based(reason: &str) -> Self {
        Self { text: format!("Fatal: license error: {reason}\n") }
    }
}

/// Gets what `model` needs.
pub(crate) fn check(model: &Model, knobs: &Knobs, environment: &Environment) -> Result<Held, Refusal> {
    match knobs.licence {
        LicenceKnob::Off => return Ok(Held::NotNeeded),
        LicenceKnob::Auto if !model.licensed => return Ok(Held::NotNeeded),
        LicenceKnob::Refused => return Err(Refusal::flexnet("")),
        LicenceKnob::Hang => crate::process::sleep_for_ever(),
        LicenceKnob::Auto | LicenceKnob::Require => {}
    }
    let user = knobs.licence_user.clone().unwrap_or_else(user_name);
    let places = flexnet::search_path(environment);
    if !places.is_empty() {
        return flexnet::check_out(&places, &user).map(Held::Seat).map_err(|error| Refusal::flexnet(&error));
    }
    match user_based::find(environment) {
        Some(licence) => licence.check(&user, user_based::now()).map(|()| Held::UserBased),
        None if knobs.licence == LicenceKnob::Require => Err(Refusal::flexnet(&flexnet::no_licence_file())),
        None => Ok(Held::NotNeeded),
    }
}
