//! TLS by rustls: the certificate's files, and a listener whose connections are encrypted.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use axum::serve::Listener;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};

/// How long a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes at once; further connections wait in the kernel's queue.
const HANDSHAKES: usize = 256;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// The pause after the kernel refused a connection, for want of file descriptors for example.
const REFUSED: Duration = Duration::from_secs(1);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read, or holds nothing of its kind in PEM's form.
    #[error("`{path}` has no {wanted}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What it should hold.
        wanted: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("the certificate and the key cannot be used: {0}")]
    Unusable(String),
}

/// A certificate with its chain, and its key. Files that change, as when a certificate is renewed, are read again
/// within a minute.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    loaded: RwLock<Loaded>,
}

#[derive(Clone, Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    changed: Option<SystemTime>,
    looked: Instant,
}

impl Tls {
    /// Reads both files, which are PEM: the server's certificate before those that signed it, and its key (PKCS #8,
    /// PKCS #1 or SEC 1).
    pub fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let config = Arc::new(load(&certificate, &key)?);
        let loaded = Loaded { config, changed: changed(&certificate, &key), looked: Instant::now() };
        Ok(Self { certificate, key, loaded: RwLock::new(loaded) })
    }

    fn config(&self) -> Arc<ServerConfig> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone();
        if loaded.looked.elapsed() < LOOK {
            return loaded.config;
        }
        let now_changed = changed(&self.certificate, &self.key);
        let mut new = Loaded { looked: Instant::now(), ..loaded.clone() };
        if now_changed != loaded.changed {
            match load(&self.certificate, &self.key) {
                Ok(config) => new = Loaded { config: Arc::new(config), changed: now_changed, ..new },
                // A file that is half written is read again at the next look.
                Err(error) => {
                    tracing::error!(error = error.to_string(), "the old certificate stays in use");
                }
            }
        }
        let config = Arc::clone(&new.config);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = new;
        config
    }
}

/// When either file changed last.
fn changed(certificate: &Path, key: &Path) -> Option<SystemTime> {
    let time = |path: &Path| fs_err::metadata(path).and_then(|known| known.modified()).ok();
    time(certificate).max(time(key))
}

fn load(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let refuse = |path: &Path, wanted: &'static str, reason: String| TlsError::File {
        path: path.display().to_string(),
        wanted,
        reason,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(certificate, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(refuse(certificate, "certificate", "there is none in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| refuse(key, "key", error.to_string()))?;
    let unusable = |error: tokio_rustls::rustls::Error| TlsError::Unusable(error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Hands out connections whose handshake is over. A client that is slow at it keeps nobody else waiting.
pub(crate) struct TlsListener {
    listener: TcpListener,
    tls: Tls,
    handshakes: JoinSet<io::Result<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub(crate) fn new(listener: TcpListener, tls: Tls) -> Self {
        Self { listener, tls, handshakes: JoinSet::new() }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let has_room = self.handshakes.len() < HANDSHAKES;
            tokio::select! {
                accepted = self.listener.accept(), if has_room => match accepted {
                    Ok((stream, from)) => {
                        let acceptor = TlsAcceptor::from(self.tls.config());
                        self.handshakes.spawn(async move {
                            let agreed = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
                            Ok((agreed.map_err(|_| io::ErrorKind::TimedOut)??, from))
                        });
                    }
                    Err(error) => {
                        tracing::error!(error = error.to_string(), "a connection was not accepted");
                        tokio::time::sleep(REFUSED).await;
                    }
                },
                Some(ended) = self.handshakes.join_next() => match ended {
                    Ok(Ok(agreed)) => return agreed,
                    Ok(Err(error)) => tracing::debug!(error = error.to_string(), "a handshake failed"),
                    Err(error) => tracing::error!(error = error.to_string(), "a handshake broke"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
