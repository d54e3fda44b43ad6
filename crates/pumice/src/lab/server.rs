//! A lab's server in its state directory.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use pumice_db::Database;
use pumice_server::{App, Config, Mail, storage::Storage};
use pumice_types::{Failure, Sources};
use tokio::net::TcpListener;

use super::{LabDirectory, host_refused, private_directory, private_file, write_private};
use crate::{cli::lab::ServerArgs, library::SHIPPED, models, terminal::print};

/// The first administrator.
const ADMIN: &str = "admin";

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A server that is ready to serve.
pub(crate) struct Server {
    /// It.
    pub(crate) app: App,
    /// Where it listens.
    pub(crate) listener: TcpListener,
    /// How people reach it.
    url: String,
    /// How this host reaches it.
    pub(crate) own_url: String,
}

impl Server {
    /// Opens the database, takes hold of the address, and makes the first administrator where there is none.
    pub(crate) async fn open(
        directory: &LabDirectory,
        args: &ServerArgs,
        scheme: Scheme,
    ) -> Result<Self, Failure> {
        let listener =
            TcpListener::bind(args.listen).await.map_err(|error| cannot_listen(args.listen, &error))?;
        let bound = listener.local_addr().map_err(|error| host_refused("cannot listen", &error))?;
        let (url, own_url) = urls(scheme, bound, args.public_url.as_deref());
        let library = directory.device_types();
        private_directory(&library)?;
        for (name, text) in SHIPPED {
            write_private(&library.join(name), text)?;
        }
        private_directory(&directory.server())?;
        if args.database.is_none() {
            private_file(&directory.database_file())?;
        }
        // The address of another one may have a password in it.
        let which = match &args.database {
            Some(_) => "cannot open the lab's database".to_owned(),
            None => format!("cannot open the lab's database `{}`", directory.database_file().display()),
        };
        let database = args.database.clone().unwrap_or_else(|| directory.database_url());
        let database = Database::open(&database).await.map_err(|error| host_refused(&which, &error))?;
        let mut config = Config::in_directory(directory.server());
        config.library = vec![library];
        config.public_url.clone_from(&args.public_url);
        let mail = args.smtp.clone().zip(args.mail_from.clone());
        config.mail = mail.map(|(relay, from)| Mail { relay, from });
        let day = Duration::from_secs(24 * 3600);
        config.keep_jobs = args.keep_days.map(|days| day * days);
        config.upload_limit = args.upload_limit;
        config.upload_quota = args.upload_quota;
        config.keep_uploads = day * args.keep_uploads;
        config.callback_hosts.clone_from(&args.callback_hosts);
        config.private_callbacks = args.private_callbacks;
        config.worker_networks.clone_from(&args.worker_networks);
        config.extra_context_variables.clone_from(&args.context_variables);
        config.requests_per_second = args.requests_per_second;
        config.require_login = args.require_login;
        config.secure_cookies = url.starts_with("https://");
        let own = crate::config::Config::read(None)?;
        config.lend_for(Duration::from_secs(args.lease.into()));
        config.models = models::read(&own.models, &mut Sources::default()).0;
        let app = match &args.storage {
            None => App::new(config, database).await,
            Some(address) => {
                let storage = store(address, &config)?;
                App::with_storage(config, database, storage).await
            }
        };
        let app = app.map_err(|error| host_refused("cannot start the server", &error))?;
        for (name, stock) in own.licences() {
            if let Some(seats) = stock.seats {
                let set = app.set_licence(&name, seats).await;
                set.map_err(|error| host_refused(&format!("cannot count the licence {name}"), &error))?;
            }
        }
        admit_admin(&app, directory).await?;
        Ok(Self { app, listener, url, own_url })
    }

    /// Tells this host's clients, and whoever reads standard output, where the lab is.
    pub(crate) fn announce(&self, directory: &LabDirectory) -> Result<(), Failure> {
        write_private(&directory.address(), &self.own_url)?;
        print(&format!("the lab is at {}", self.url));
        Ok(())
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let refused = host_refused(&format!("cannot listen on {address}"), error);
    match error.kind() {
        io::ErrorKind::AddrInUse => refused
            .hint("another program listens there: give another port to --listen, or 0 for any that is free"),
        io::ErrorKind::AddrNotAvailable => {
            refused.hint("it is no address of this host: 0.0.0.0 or [::] listens on all there are")
        }
        io::ErrorKind::PermissionDenied => {
            refused.hint("ports below 1024 are for root: give another to --listen")
        }
        _ => refused,
    }
}

/// The store at an address; what still grows is in the server's state.
#[cfg(feature = "s3")]
fn store(address: &str, config: &Config) -> Result<Arc<dyn Storage>, Failure> {
    use pumice_server::storage::{Bucket, Directory, open_s3};
    let (far, prefix) = open_s3(address, std::env::vars()).map_err(|error| {
        let hint = "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and AWS_ENDPOINT where it is not Amazon's";
        host_refused("cannot use the store", &error).hint(hint)
    })?;
    let near =
        Directory::open(&config.state).map_err(|error| host_refused("cannot use the state", &error))?;
    Ok(Arc::new(Bucket::new(near, far, &prefix)))
}

/// This program knows no other store than the directory.
#[cfg(not(feature = "s3"))]
fn store(address: &str, _: &Config) -> Result<Arc<dyn Storage>, Failure> {
    use pumice_types::Cause;
    let message = format!("this program was built without S3, so that it cannot use `{address}`");
    Err(Failure::new(Cause::HostRefused, message)
        .hint("build it with `cargo build --profile dist -p pumice --features s3`"))
}

/// The first administrator's token is shown once, and kept. One whose file was lost gets another.
async fn admit_admin(app: &App, directory: &LabDirectory) -> Result<(), Failure> {
    let refused = |error| host_refused("cannot make the first administrator", &error);
    let path = directory.admin_token();
    let mut token = app.first_admin(ADMIN).await.map_err(refused)?;
    if token.is_none() && !fs::exists(&path).unwrap_or(true) {
        token = app.new_token(ADMIN, "first administrator, again").await.map_err(refused)?;
    }
    if let Some(token) = token {
        write_private(&path, &token)?;
        print(&format!("the token of {ADMIN}: {token}"));
        print(&format!("it is kept in {}", path.display()));
    }
    Ok(())
}

/// How people reach a server that is bound there, and how this host does. A certificate is made out to the public name; without one
/// this host needs no proxy, which may not even be there yet.
fn urls(scheme: Scheme, bound: SocketAddr, public: Option<&str>) -> (String, String) {
    let bound = format!("{}://{}", scheme.as_str(), reachable(bound));
    match (public, scheme) {
        (None, _) => (bound.clone(), bound),
        (Some(public), Scheme::Https) => (public.to_owned(), public.to_owned()),
        (Some(public), Scheme::Http) => (public.to_owned(), bound),
    }
}

/// An address that listens everywhere is reached on the loopback.
fn reachable(mut bound: SocketAddr) -> SocketAddr {
    if bound.ip().is_unspecified() {
        bound.set_ip(if bound.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bound: &str, expected: &str) {
        assert_eq!(reachable(bound.parse().unwrap()).to_string(), expected);
    }

    #[test]
    fn a_server_that_listens_everywhere_is_reached_on_the_loopback() {
        check("0.0.0.0:8000", "127.0.0.1:8000");
        check("[::]:8000", "[::1]:8000");
        check("192.0.2.1:80", "192.0.2.1:80");
    }

    #[test]
    fn behind_a_proxy_this_host_goes_to_the_server_itself() {
        let urls = |scheme, public| urls(scheme, "0.0.0.0:8000".parse().unwrap(), public);
        let both = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        let public = "https://lab.example";
        assert_eq!(urls(Scheme::Http, None), both("http://127.0.0.1:8000", "http://127.0.0.1:8000"));
        assert_eq!(urls(Scheme::Http, Some(public)), both(public, "http://127.0.0.1:8000"));
        assert_eq!(urls(Scheme::Https, Some(public)), both(public, public));
    }
}
