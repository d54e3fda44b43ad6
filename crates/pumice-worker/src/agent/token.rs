//! The worker's own token, kept beside its jobs.

use std::{
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use pumice_api::worker::Registration;
use pumice_client::WorkerClient;
use pumice_types::WorkerName;

use super::AgentError;

/// The token in `STATE/token`, or else the one that `joining`, a client with a joining token, brings; that is then kept
/// there, for the worker's eyes only.
pub fn worker_token(
    state: &Path,
    name: &WorkerName,
    joining: Option<&WorkerClient>,
) -> Result<String, AgentError> {
    let path = state.join("token");
    match std::fs::read_to_string(&path) {
        Ok(token) => return Ok(token.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(AgentError::state(&path, error));
        }
        Err(_) => {}
    }
    let joining = joining.ok_or_else(|| AgentError::NoToken { path: path.clone() })?;
    let registered = joining.register(&Registration { name: name.clone() }).map_err(AgentError::Server)?;
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(state)?;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(registered.token.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| AgentError::state(&path, error))?;
    Ok(registered.token)
}
