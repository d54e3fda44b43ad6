//! The bytes of one file over HTTP, through broken connections.

use std::io::Read;

use ureq::{
    Body, BodyReader,
    http::{HeaderMap, HeaderName, Response, header},
};

use super::{
    attempts::{Attempts, Transient},
    client::{Client, GetError},
    ingest::Input,
    url::Url,
};
use crate::{Control, FetchError};

/// What identifies this version of the file, as the server wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

impl Validators {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
        Self { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
    }

    /// Asks for the file only if it changed (RFC 9110, 13.1).
    pub(super) fn if_changed(&self) -> Vec<(HeaderName, String)> {
        let pairs = [
            (header::IF_NONE_MATCH, self.etag.clone()),
            (header::IF_MODIFIED_SINCE, self.last_modified.clone()),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// What may stand in `If-Range`: a weak validator may not (RFC 9110, 13.1.5).
    fn for_range(&self) -> Option<String> {
        let strong = self.etag.clone().filter(|etag| !etag.starts_with("W/"));
        strong.or_else(|| self.last_modified.clone())
    }
}

/// A file being downloaded. When the connection breaks it asks for the rest, if the server can give it.
pub(super) struct Download<'a, 'c> {
    client: &'c mut Client<'a>,
    attempts: &'c mut Attempts,
    url: &'c Url,
    body: BodyReader<'static>,
    validators: Validators,
    received: u64,
    total: Option<u64>,
    broken: Option<Transient>,
}

impl<'a, 'c> Download<'a, 'c> {
    /// The body of an answer with the status 200.
    pub(super) fn new(
        client: &'c mut Client<'a>,
        attempts: &'c mut Attempts,
        url: &'c Url,
        response: Response<Body>,
    ) -> Self {
        let validators = Validators::of(response.headers());
        // Where the body was unpacked on the way there is no length, and no place to go on from.
        let total = number(response.headers(), &header::CONTENT_LENGTH);
        Self { client, attempts, url, body: reader(response), validators, received: 0, total, broken: None }
    }

    /// Why it has to begin again from the first byte, if that is why it ended.
    pub(super) fn take_broken(&mut self) -> Option<Transient> {
        self.broken.take()
    }

    pub(super) fn validators(&self) -> &Validators {
        &self.validators
    }

    /// One read of the body as it is; `Ok(0)` only at the true end.
    fn read_body(&mut self, buffer: &mut [u8], control: &Control<'_>) -> Result<usize, GetError> {
        let interrupt = self.client.interrupt();
        let on_cancel = control.cancel.on_cancel(interrupt);
        let result = self.body.read(buffer);
        drop(on_cancel);
        match (result, self.total) {
            (Ok(0), Some(total)) if self.received < total => {
                let reason = format!("the connection was closed after {} of {total} bytes", self.received);
                Err(GetError::Transient(Transient::new(reason)))
            }
            (Ok(count), _) => Ok(count),
            (Err(error), total) => {
                let error = match error.downcast::<ureq::Error>() {
                    Ok(error) => error,
                    Err(error) => ureq::Error::Io(error),
                };
                let explained = self.client.explain(&error, self.url, control);
                Err(match (explained, total) {
                    (GetError::Transient(transient), Some(total)) => {
                        let (received, reason) = (self.received, transient.reason);
                        let reason = format!("{reason}, after {received} of {total} bytes");
                        GetError::Transient(Transient { reason, ..transient })
                    }
                    (other, _) => other,
                })
            }
        }
    }

    /// Whether there is something to go on from, and a way to say that the file must be the same.
    fn can_resume(&self) -> bool {
        self.received > 0 && self.total.is_some() && self.validators.for_range().is_some()
    }

    /// Asks for the bytes that are missing. `false` when the server begins again from the first byte.
    fn resume(&mut self, control: &mut Control<'_>) -> Result<bool, GetError> {
        let (Some(total), Some(validator)) = (self.total, self.validators.for_range()) else {
            return Ok(false);
        };
        let extra = [(header::RANGE, format!("bytes={}-", self.received)), (header::IF_RANGE, validator)];
        let response = self.client.get(self.url, &extra, control)?;
        let expected = format!("bytes {}-{}/{total}", self.received, total.saturating_sub(1));
        let is_rest = response.status() == 206
            && response.headers().get(header::CONTENT_RANGE).is_some_and(|range| range == expected.as_str());
        if is_rest {
            self.body = reader(response);
        }
        Ok(is_rest)
    }
}

impl Input for Download<'_, '_> {
    fn read(&mut self, buffer: &mut [u8], control: &mut Control<'_>) -> Result<usize, FetchError> {
        let mut transient = match self.read_body(buffer, control) {
            Ok(count) => {
                self.received += count as u64;
                self.attempts.reached(self.received);
                return Ok(count);
            }
            Err(GetError::Final(error)) => return Err(error),
            Err(GetError::Transient(transient)) => transient,
        };
        if self.can_resume() {
            loop {
                self.attempts.pause(self.client.fetch(), transient, control)?;
                match self.resume(control) {
                    Ok(true) => return Input::read(self, buffer, control),
                    Ok(false) => {
                        transient = Transient::new("the server began again from the first byte");
                        break;
                    }
                    Err(GetError::Final(error)) => return Err(error),
                    Err(GetError::Transient(next)) => transient = next,
                }
            }
        }
        let (url, reason) = (self.url.to_string(), transient.reason.clone());
        self.broken = Some(transient);
        Err(FetchError::Failed { url, attempts: 1, reason })
    }

    fn total(&self) -> Option<u64> {
        self.total
    }
}

fn reader(response: Response<Body>) -> BodyReader<'static> {
    response.into_body().into_with_config().limit(u64::MAX).reader()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}
