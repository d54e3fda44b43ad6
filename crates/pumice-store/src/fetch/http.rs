//! A file on a web server.

use super::{
    Fetch,
    attempts::Attempts,
    client::{Client, GetError},
    download::{Download, Validators},
    url::Url,
};
use crate::{
    Artifact, Control, Digest, FetchError, Origin,
    index::{self, FromUrl},
};

impl Fetch<'_> {
    /// Fetches a file over HTTP, or learns that the one in the store is still the one there.
    pub(super) fn http(&self, url: &Url, control: &mut Control<'_>) -> Result<Artifact, FetchError> {
        let key = self.url_key(url);
        let _lock = self.lock(key, control)?;
        // Another job may have fetched it while this one waited.
        if let Some(artifact) = self.known()? {
            return Ok(artifact);
        }
        let hint_path = self.layout.url(key);
        let hint = self.request.use_cache.then(|| index::read::<FromUrl>(&hint_path)).flatten();
        let mut recalled = None;
        let mut validators = Validators::default();
        if let Some(hint) = hint {
            recalled = self.recall(hint.source, Origin::Unchanged)?;
            validators = Validators { etag: hint.etag, last_modified: hint.last_modified };
        }
        let if_changed = if recalled.is_some() { validators.if_changed() } else { Vec::new() };

        let mut client = Client::new(self);
        let mut attempts = Attempts::default();
        loop {
            let response = match client.get(url, &if_changed, control) {
                Ok(response) => response,
                Err(GetError::Final(error)) => return Err(error),
                Err(GetError::Transient(transient)) => {
                    attempts.pause(self, transient, control)?;
                    continue;
                }
            };
            match (response.status().as_u16(), &recalled) {
                (304, Some((artifact, digests))) => {
                    self.verify(digests)?;
                    return Ok(artifact.clone());
                }
                (200, _) => {}
                (status, _) => return Err(FetchError::Refused { url: self.shown.clone(), status }),
            }
            let may_keep = !forbids_keeping(&response);
            let mut download = Download::new(&mut client, &mut attempts, url, response);
            match self.ingest(&mut download, control) {
                Ok(artifact) => {
                    let Validators { etag, last_modified } = download.validators().clone();
                    if may_keep && (etag.is_some() || last_modified.is_some()) {
                        let hint = FromUrl { source: artifact.source_sha256, etag, last_modified };
                        index::write(self.layout, &hint_path, hint)?;
                    }
                    return Ok(artifact);
                }
                Err(error) => match download.take_broken() {
                    Some(transient) => attempts.pause(self, transient, control)?,
                    None => return Err(error),
                },
            }
        }
    }

    /// What a hint is filed under: the URL with all that decides what it gives, none of which can be read
    /// back from the store.
    fn url_key(&self, url: &Url) -> Digest {
        let mut text = url.to_request();
        if let Some(user) = url.authorization() {
            text.extend(["\n", &user]);
        }
        for (name, value) in &self.request.headers {
            text.extend(["\n", &name.to_ascii_lowercase(), ": ", value]);
        }
        Digest::of(text.as_bytes())
    }
}

/// Whether the server wants the file to be forgotten (RFC 9111, 5.2.2.5).
fn forbids_keeping(response: &ureq::http::Response<ureq::Body>) -> bool {
    let values = response.headers().get_all(ureq::http::header::CACHE_CONTROL);
    values.iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains("no-store"))
}
