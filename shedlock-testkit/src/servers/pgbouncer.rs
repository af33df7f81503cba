//! PgBouncer, as a connection pooler in front of a PostgreSQL server for tests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::postgres::{self, Postgres};
use super::{Kind, Server, Signal, Site, Unavailable, tools};

/// A PgBouncer in front of a [`Postgres`] server. The PgBouncer keeps the PostgreSQL server running. No user needs a password.
pub type PgBouncer = Server<PgBouncerKind>;

/// The [`Kind`] of a [`PgBouncer`] server.
///
/// See [`PgBouncerOptions`] for an example.
#[derive(Debug, Clone)]
pub struct PgBouncerKind {
    program: PathBuf,
    postgres: Postgres,
    options: PgBouncerOptions,
}

/// When PgBouncer returns a client's server connection to the pool.
///
/// See [`PgBouncerOptions`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// When the client disconnects.
    Session,
    /// At the end of each transaction.
    Transaction,
    /// At the end of each statement. Transactions of several statements are forbidden.
    Statement,
}

/// The configuration of a [`PgBouncer`].
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::server_or_skip;
/// use shedlock_testkit::servers::{PgBouncer, PgBouncerOptions, PoolMode, Postgres};
///
/// # async fn test() {
/// let postgres = server_or_skip!(Postgres::start().await);
/// let url = postgres.fresh_database().await;
/// let options = PgBouncerOptions::new(PoolMode::Transaction).pool_size(2);
/// let pooler = server_or_skip!(PgBouncer::start_before(&postgres, options).await);
/// let url = pooler.url(&url);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PgBouncerOptions {
    upstream: Option<SocketAddr>,
    settings: BTreeMap<&'static str, String>,
}

const INSTALL: &str = "apt-get install -y pgbouncer";
const DIRECTORIES: &[&str] = &["/usr/sbin"];
/// The database to which a client connects to give PgBouncer commands.
const CONSOLE: &str = "pgbouncer";

impl PgBouncerOptions {
    /// Options with at most twenty server connections for each database and user. PgBouncer ignores the startup parameter
    /// `extra_float_digits`, which some drivers send and which PgBouncer refuses by default.
    #[must_use]
    pub fn new(mode: PoolMode) -> Self {
        let options = Self {
            upstream: None,
            settings: BTreeMap::new(),
        };
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
            PoolMode::Statement => "statement",
        };
        options
            .setting("pool_mode", mode)
            .pool_size(20)
            .setting("ignore_startup_parameters", "extra_float_digits")
    }

    /// Sets the largest number of server connections for each database and user.
    #[must_use]
    pub fn pool_size(self, connections: u32) -> Self {
        self.setting("default_pool_size", &connections.to_string())
    }

    /// Makes PgBouncer refuse all startup parameters that it does not know, which is PgBouncer's default.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.settings.remove("ignore_startup_parameters");
        self
    }

    /// Adds a setting to PgBouncer's configuration, such as `query_wait_timeout`.
    #[must_use]
    pub fn setting(mut self, name: &'static str, value: &str) -> Self {
        self.settings.insert(name, value.to_owned());
        self
    }

    /// Makes PgBouncer connect to this address instead of the server's address, such as a [`Proxy`](crate::Proxy)'s address.
    #[must_use]
    pub fn connect_through(mut self, address: SocketAddr) -> Self {
        self.upstream = Some(address);
        self
    }
}

impl Kind for PgBouncerKind {
    const NAME: &'static str = "PgBouncer";
    const ACCOUNT: &'static str = "postgres";
    /// Shuts down at once, even if clients are connected.
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        std::fs::write(users_file(site), postgres::passwords())?;
        std::fs::write(configuration_file(site), self.configuration(site))
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.program.clone().into()];
        command.extend(site.arguments().iter().map(OsString::from));
        command.push(configuration_file(site).into());
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        let file = configuration_file(site);
        let shown = self
            .postgres
            .kind()
            .run_pooled(site, CONSOLE, "SHOW CONFIG");
        shown.is_ok_and(|shown| shown.contains(&*file.to_string_lossy()))
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl PgBouncerKind {
    fn configuration(&self, site: &Site) -> String {
        let upstream = self
            .options
            .upstream
            .unwrap_or_else(|| self.postgres.address());
        let mut text = format!(
            "[databases]\n\
             * = host={} port={}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {}\n\
             unix_socket_dir =\n\
             auth_type = trust\n\
             auth_file = {}\n\
             admin_users = {}\n",
            upstream.ip(),
            upstream.port(),
            site.port(),
            users_file(site).display(),
            postgres::ADMIN,
        );
        for (name, value) in &self.options.settings {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "{name} = {value}");
        }
        text
    }
}

impl Server<PgBouncerKind> {
    /// Starts a PgBouncer in front of `postgres`. Only the caller uses this PgBouncer.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the program is missing or does not work. The error names the cause and the command that installs the program.
    pub async fn start_before(
        postgres: &Postgres,
        options: PgBouncerOptions,
    ) -> Result<Self, Unavailable> {
        let postgres = postgres.clone();
        super::blocking(move || {
            let program = tools::find("pgbouncer", DIRECTORIES);
            let kind = PgBouncerKind {
                program: program.ok_or_else(|| {
                    PgBouncerKind::unavailable("there is no `pgbouncer`".to_owned())
                })?,
                postgres,
                options,
            };
            Self::start_as(kind, Vec::new(), Vec::new())
        })
        .await
    }

    /// Returns `url`, a URL of the PostgreSQL server, with the address of this PgBouncer: the same role and the same database.
    ///
    /// # Panics
    ///
    /// If `url` does not contain the address of the PostgreSQL server.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let server = self.kind().postgres.address().to_string();
        assert!(url.contains(&server), "there is no `{server}` in the URL");
        url.replacen(&server, &self.address().to_string(), 1)
    }

    /// Runs a command of the admin console, such as `RECONNECT` or `SHOW SERVERS`, and returns the output: one line per row, columns
    /// separated by `|`.
    ///
    /// # Panics
    ///
    /// If the command fails.
    pub async fn console(&self, command: &str) -> String {
        let (kind, site, command) = (
            self.kind().postgres.kind().clone(),
            self.site().clone(),
            command.to_owned(),
        );
        let done = super::blocking(move || kind.run_pooled(&site, CONSOLE, &command)).await;
        done.unwrap_or_else(|error| panic!("PgBouncer did not do it: {error}"))
    }
}

fn configuration_file(site: &Site) -> PathBuf {
    site.directory().join("pgbouncer.ini")
}

fn users_file(site: &Site) -> PathBuf {
    site.directory().join("users.txt")
}
