//! The application: what every handler shares, and how it is put together.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, serve::Listener};
use pumice_db::{ClaimError, Database, DbError, NewUser};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{
    Config,
    access::{AtOnce, Limiter},
    claim,
    clock::Clock,
    events::EventBus,
    front,
    groups::Groups,
    lab, notify, pages, purge,
    refusal::{Refusal, with_sources},
    results::LogBook,
    scheduler::{self, Scheduler},
    secrets::{self, ServerKey},
    serve, settle,
    storage::{Directory, Storage},
    tls::{Tls, TlsListener},
    worker_api,
};

/// What every handler shares.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) key: ServerKey,
    pub(crate) events: EventBus,
    pub(crate) scheduler: Scheduler,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) logs: LogBook,
    pub(crate) pages: pages::Templates,
    /// Held while bytes of an upload come in, and alone while bytes are removed: whoever sends a file again never meets the
    /// removal of it.
    pub(crate) uploads: tokio::sync::RwLock<()>,
    /// People's ways to their machines.
    pub(crate) channels: worker_api::Channels,
    /// Workers as the database knew them last.
    pub(crate) known_workers: worker_api::KnownWorkers,
    /// The MultiNode groups that run.
    pub(crate) groups: Groups,
    /// What machines of each device type take.
    pub(crate) needs: lab::needs::OfTypes,
    /// Requests from each address.
    pub(crate) requests: Limiter,
    /// Failed log-ins from each address.
    pub(crate) failures: Limiter,
    /// Those who listen to events.
    pub(crate) listeners: AtOnce,
    /// Rings when a callback was added.
    pub(crate) callbacks_wait: Notify,
    stop: watch::Sender<bool>,
}

impl Shared {
    /// Lets the server go down.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Returns when the server goes down.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error("failed to read the lab from the database")]
    Database(#[from] DbError),
    /// Another server has the database.
    #[error("failed to take the database")]
    Claim(#[from] ClaimError),
    /// The state directory.
    #[error("failed to use the state directory")]
    State(#[from] io::Error),
}

/// A lab's server: its state, its routes and its background tasks.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = pumice_server::Config::in_directory("/var/lib/pumice");
/// let database = pumice_db::Database::open("sqlite:/var/lib/pumice/lab.db").await?;
/// let app = pumice_server::App::new(config, database).await?;
/// let token = app.first_admin("admin").await?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
/// app.serve(listener).await;
/// # Ok(()) }
/// ```
pub struct App {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl App {
    /// A server with artifacts in the state directory. The scheduler runs from here on.
    pub async fn new(config: Config, database: Database) -> Result<Self, StartError> {
        fs_err::create_dir_all(&config.state)?;
        let storage = Directory::open(&config.state)?;
        Self::with_storage(config, database, Arc::new(storage)).await
    }

    /// A server with artifacts in another store.
    pub async fn with_storage(
        config: Config,
        database: Database,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, StartError> {
        fs_err::create_dir_all(&config.state)?;
        let key = ServerKey::open(&config.state.join("server.key"))?;
        let clock = Clock::new();
        let claim = database.claim().await?;
        lab::library::fill(&database, &config.library).await?;
        let mut writer = database.write().await?;
        writer.remove_words_of_ended_groups().await?;
        writer.commit().await?;
        let (scheduler, unstarted) = scheduler::start(&database, config.policy.clone(), clock).await?;
        let second = Duration::from_secs(1);
        let shared = Arc::new(Shared {
            requests: Limiter::new(
                config.requests_per_second.saturating_mul(10),
                second,
                config.requests_per_second,
            ),
            failures: Limiter::new(config.failures_per_minute, second * 60, config.failures_per_minute),
            listeners: AtOnce::new(config.listeners.unwrap_or_else(|| serve::most_connections() / 4)),
            events: EventBus::new(),
            logs: LogBook::new(),
            channels: worker_api::Channels::default(),
            known_workers: worker_api::KnownWorkers::default(),
            groups: Groups::default(),
            uploads: tokio::sync::RwLock::default(),
            needs: lab::needs::OfTypes::default(),
            pages: pages::Templates::new(),
            callbacks_wait: Notify::new(),
            stop: watch::Sender::new(false),
            config,
            database,
            clock,
            key,
            scheduler,
            storage,
        });
        let tasks = vec![
            unstarted.run(Arc::clone(&shared)),
            notify::spawn_delivery(Arc::clone(&shared)),
            purge::spawn(Arc::clone(&shared)),
            settle::spawn(Arc::clone(&shared)),
            claim::spawn(Arc::clone(&shared), claim),
        ];
        Ok(Self { shared, tasks })
    }

    /// Makes the first administrator and a token that may do everything; `None` when there is a user already.
    pub async fn first_admin(&self, username: &str) -> Result<Option<String>, StartError> {
        let mut writer = self.shared.database.write().await?;
        let any = writer.users(&[], &[], pumice_db::Page { limit: 1, offset: 0 }).await?;
        if any.rows.iter().any(|user| user.username != lab::HEALTH_USER) || any.total > 1 {
            return Ok(None);
        }
        let now = self.shared.clock.now();
        let user = NewUser {
            username: username.to_owned(),
            is_active: true,
            is_staff: true,
            is_superuser: true,
            ..NewUser::default()
        };
        let id = writer.insert_user(&user, now).await?;
        let token = secrets::new_token()?;
        writer.insert_token(id, &secrets::hash(&token), "first administrator", "", now, None).await?;
        writer.commit().await?;
        Ok(Some(token))
    }

    /// Makes a token for a user, for example for the worker of `pumice up`; `None` when there is no such user.
    pub async fn new_token(&self, username: &str, description: &str) -> Result<Option<String>, StartError> {
        let mut writer = self.shared.database.write().await?;
        let Some(user) = writer.user(username).await? else { return Ok(None) };
        let token = secrets::new_token()?;
        let now = self.shared.clock.now();
        writer.insert_token(user.id, &secrets::hash(&token), description, "", now, None).await?;
        writer.commit().await?;
        Ok(Some(token))
    }

    /// Makes a worker known, if it is not, and answers its token for `/api/worker/v1/`: how `pumice up` joins its own.
    pub async fn join_worker(&self, hostname: &str) -> Result<String, StartError> {
        let token = lab::workers::join(&self.shared, hostname).await.map_err(|refusal| match refusal {
            Refusal::Internal(cause) => StartError::State(io::Error::other(cause)),
            other => StartError::State(io::Error::other(other.to_string())),
        })?;
        Ok(format!("{hostname}.{token}"))
    }

    /// Says how many may use a licence at once, in the whole lab.
    pub async fn set_licence(&self, name: &str, seats: u32) -> Result<(), StartError> {
        let mut writer = self.shared.database.write().await?;
        writer.set_licence(name, i64::from(seats)).await?;
        writer.commit().await?;
        let told = self.shared.scheduler.tell(pumice_sched::Event::PutLicence(name.to_owned(), seats)).await;
        told.map(drop).map_err(|stopped| StartError::State(io::Error::other(stopped)))
    }

    /// Every route, for tests without a socket.
    pub fn router(&self) -> Router {
        front::router(&self.shared)
    }

    /// A handle that ends [`App::serve`].
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Serves until [`Stopper::stop`], then lets requests in flight end, but not for long, and writes what is to be written.
    pub async fn serve(self, listener: TcpListener) {
        self.serve_on(listener, false).await;
    }

    /// As [`App::serve`], with every connection encrypted.
    pub async fn serve_tls(self, listener: TcpListener, tls: Tls) {
        self.serve_on(TlsListener::new(listener, tls), true).await;
    }

    async fn serve_on<L>(self, listener: L, is_encrypted: bool)
    where
        L: Listener<Addr = SocketAddr>,
    {
        serve::serve(&self.shared, listener, is_encrypted).await;
        self.stop().await;
    }

    /// Ends the background tasks.
    pub async fn stop(self) {
        Stopper(Arc::clone(&self.shared)).stop();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(error = with_sources(&error), "a background task failed");
            }
        }
    }
}

/// Ends a server.
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Asks the server to go down; requests in flight are answered.
    pub fn stop(&self) {
        self.0.stop();
    }
}
