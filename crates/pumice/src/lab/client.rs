//! Asking a lab.

use std::{fs, time::Duration};

use pumice_client::{Address, Connection, Credentials, Job, LabClient, Options, PlainHttp};
use pumice_types::{Cause, Failure, JobId};

use super::{LabDirectory, asked, asked_of};
use crate::cli::lab::LabArgs;

/// How long one request waits for news.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of the lab that is named, or of this host's own.
pub(crate) fn connect(args: &LabArgs) -> Result<LabClient, Failure> {
    let directory = LabDirectory::named(&args.state);
    let kept = |path: &std::path::Path| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    // What the server of this very host wrote down leads to this host, whatever the address looks like.
    let plain = if args.url.is_some() { PlainHttp::Loopback } else { PlainHttp::Anywhere };
    let url = args.url.clone().or_else(|| kept(&directory.address())).ok_or_else(|| {
        let message = format!("no lab was named, and there is none in `{}`", directory.address().display());
        let mut failure = Failure::new(Cause::HostRefused, message);
        failure.hint = Some("start one with `pumice up`, or give --url and --token".to_owned());
        failure
    })?;
    // The token of this host's lab is for no other.
    let own = || args.url.is_none().then(|| kept(&directory.admin_token())).flatten();
    let token = args.token.clone().or_else(own);
    let address = asked(Address::parse(&url, plain))?;
    let credentials = token.map_or(Credentials::None, Credentials::Token);
    let mut options = Options::new(address, credentials);
    options.certificates.clone_from(&args.ca_cert);
    Ok(LabClient::new(asked(Connection::new(options))?))
}

/// Waits until a job is over, telling `piece` each piece of its log.
pub(crate) fn wait_for_end(
    client: &LabClient,
    id: JobId,
    mut piece: impl FnMut(&[u8]),
) -> Result<Job, Failure> {
    let mut offset = 0;
    loop {
        let log = asked_of(id, client.log(id, offset, PATIENCE))?;
        offset += log.bytes.len() as u64;
        piece(&log.bytes);
        if log.ended {
            return asked_of(id, client.job(id));
        }
    }
}
