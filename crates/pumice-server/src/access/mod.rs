//! Who asks, and what that person may do.

mod at_once;
mod identity;
mod limit;
mod login;
mod password;
mod scope;

pub(crate) use at_once::{AtOnce, Place};
pub(crate) use identity::Identity;
pub(crate) use limit::Limiter;
pub(crate) use login::{Credentials, LoginError, SESSION_COOKIE, cookie};
pub(crate) use password::{hash_password, verify_password};
pub(crate) use scope::{Scope, Scopes};
