//! PostgreSQL, as a server for tests.

#[cfg(feature = "certificates")]
mod tls;

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Kind, Server, Signal, Site, Standalone, Unavailable, memory, replica, tools};

/// A PostgreSQL server. Only the role of [`password_url`](Server::password_url) needs a password.
pub type Postgres = Server<PostgresKind>;

/// The [`Kind`] of a [`Postgres`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct PostgresKind {
    initdb: PathBuf,
    postgres: PathBuf,
    psql: PathBuf,
    /// The primary of this server, if this server is a replica.
    pub(super) primary: Option<SocketAddr>,
    /// Databases that nobody uses any more.
    discarded: Arc<Mutex<Vec<String>>>,
}

const INSTALL: &str = "apt-get install -y postgresql";
/// The directory of the programs of another PostgreSQL, to be tested instead of the installed one.
const OTHER_PROGRAMS: &str = "SHEDLOCK_TEST_POSTGRES_BIN";
/// Debian installs the server's programs outside the path. Homebrew and Fedora install them on the path.
pub(super) const DIRECTORIES: &[&str] = &["/usr/lib/postgresql/*/bin", "/usr/pgsql/bin"];

/// The superuser, which owns nothing that a test uses.
pub(super) const ADMIN: &str = "postgres";
/// The role of the tests, which may create tables in its own databases and nothing more.
const USER: &str = "shedlock";
const PASSWORD_USER: &str = "shedlock_password";
const PASSWORD: &str = "s3cret";
const READ_ONLY_USER: &str = "shedlock_read_only";

/// The first matching line decides. The last line is for nodes behind a [cable](crate::cable), if the server listens on the cable.
const ACCESS_RULES: &str = "\
host all shedlock_password 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
host all all 198.18.0.0/15 trust
";

/// The roles and their passwords in PgBouncer's format: one line `"role" "password"` for each role.
pub(super) fn passwords() -> String {
    let roles = [
        (ADMIN, ""),
        (USER, ""),
        (PASSWORD_USER, PASSWORD),
        (READ_ONLY_USER, ""),
    ];
    roles
        .map(|(role, password)| format!("\"{role}\" \"{password}\"\n"))
        .concat()
}

impl Kind for PostgresKind {
    const NAME: &'static str = "PostgreSQL";
    const ACCOUNT: &'static str = "postgres";
    /// Fast shutdown: the server ends all open connections.
    const STOP_SIGNAL: Signal = Signal::INT;
    /// A database is 300 files.
    const IN_MEMORY: bool = true;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        if let Some(primary) = self.primary {
            return replica::copy(site, primary);
        }
        let data = site.directory().join("data");
        let mut initdb = Command::new(&self.initdb);
        initdb
            .args([
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--username",
                ADMIN,
                "-D",
            ])
            .arg(&data);
        tools::run_in(site, &mut initdb)?;
        // Truncates the file that initdb created, so that the server's account stays the owner.
        std::fs::write(data.join("pg_hba.conf"), ACCESS_RULES)
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![
            self.postgres.clone().into(),
            "-D".into(),
            site.directory().join("data").into(),
        ];
        command.extend(["-p".into(), site.port().to_string().into()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            // The path of a socket in a temporary directory may be too long.
            "unix_socket_directories=",
            // Durability after a power failure is not needed: a killed server keeps its committed data.
            "fsync=off",
            "timezone=UTC",
            "log_timezone=UTC",
            // In the data directory, which is removed with the server: POSIX shared memory would outlive a killed server.
            "dynamic_shared_memory_type=mmap",
        ] {
            command.extend(["-c".into(), setting.into()]);
        }
        command.extend(site.arguments().iter().map(OsString::from));
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        let directory = self.run(site, "postgres", "SHOW data_directory");
        directory.is_ok_and(|directory| {
            directory.trim() == site.directory().join("data").to_string_lossy()
        })
    }

    fn provision(&self, site: &Site) -> io::Result<()> {
        if self.primary.is_some() {
            return Ok(());
        }
        let roles = format!(
            "CREATE ROLE {USER} LOGIN;
             CREATE ROLE {PASSWORD_USER} LOGIN PASSWORD '{PASSWORD}' IN ROLE {USER};
             CREATE ROLE {READ_ONLY_USER} LOGIN;"
        );
        self.run(site, "postgres", &roles)?;
        self.create_database(site, "shedlock")
    }
}

impl Standalone for PostgresKind {
    fn locate() -> Result<Self, Unavailable> {
        let other = std::env::var(OTHER_PROGRAMS).ok();
        let find = |program: &str| {
            let found = match &other {
                Some(directory) => tools::find(program, &[directory]),
                None => tools::find(program, DIRECTORIES),
            };
            found.ok_or_else(|| Self::unavailable(format!("there is no `{program}`")))
        };
        Ok(Self {
            initdb: find("initdb")?,
            postgres: find("postgres")?,
            psql: find("psql")?,
            primary: None,
            discarded: Arc::default(),
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Postgres, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl PostgresKind {
    /// Creates a database, and removes the discarded ones: one client does both, because its start costs as much.
    fn create_database(&self, site: &Site, name: &str) -> io::Result<()> {
        let removal = |name: String| format!("DROP DATABASE IF EXISTS {name} WITH (FORCE);\n");
        let discarded: Vec<String> = self.discarded().drain(..).map(removal).collect();
        let discarded = discarded.concat();
        // By default, PostgreSQL 15 and newer write the whole database to their log as well. A copy of template0 does not wait until clients
        // have disconnected from template1.
        let script = format!(
            "\\set ON_ERROR_STOP off
             {discarded}
             \\set ON_ERROR_STOP on
             SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN 'STRATEGY file_copy' ELSE '' END AS strategy
             \\gset
             CREATE DATABASE {name} OWNER {USER} TEMPLATE template0 :strategy;"
        );
        self.run(site, "postgres", &script).map(drop)
    }

    fn discarded(&self) -> MutexGuard<'_, Vec<String>> {
        self.discarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs statements as the superuser, each in its own transaction.
    pub(super) fn run(&self, site: &Site, database: &str, statements: &str) -> io::Result<String> {
        let mut psql = self.psql(site, database);
        // A database may be set to end idle sessions at once, and this one may be slow to begin.
        psql.env("PGOPTIONS", "-c idle_session_timeout=0");
        tools::run(&mut psql, statements)
    }

    /// Runs statements through a connection pooler at `site`, which refuses a client that sends options for its session.
    pub(super) fn run_pooled(
        &self,
        site: &Site,
        database: &str,
        statements: &str,
    ) -> io::Result<String> {
        tools::run(&mut self.psql(site, database), statements)
    }

    fn psql(&self, site: &Site, database: &str) -> Command {
        let mut psql = Command::new(&self.psql);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG"))
        {
            psql.env_remove(name);
        }
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "--set=ON_ERROR_STOP=1",
            "--file=-",
        ]);
        psql.arg(format!(
            "--dbname=postgres://{ADMIN}@127.0.0.1:{}/{database}",
            site.port()
        ));
        psql
    }
}

impl Server<PostgresKind> {
    /// A URL of a database that all callers share, with an ordinary role that owns it; see [`fresh_database`](Self::fresh_database).
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(USER, "shedlock")
    }

    /// A URL with the role of the superuser.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.url_of(ADMIN, "postgres")
    }

    /// Creates an empty database and returns its URL, with the role that owns the database.
    ///
    /// # Panics
    ///
    /// If the server does not create the database.
    pub async fn fresh_database(&self) -> String {
        let name = format!("test_{:016x}", fastrand::u64(..));
        let (kind, site, created) = (self.kind().clone(), self.site().clone(), name.clone());
        let done = super::blocking(move || kind.create_database(&site, &created)).await;
        done.unwrap_or_else(|error| panic!("failed to create a database: {error}"));
        self.url_of(USER, &name)
    }

    /// Removes a database that [`fresh_database`](Self::fresh_database) has made and that nobody uses any more, for tests with hundreds of
    /// databases of 7 MB each. The database is gone when the next one is made. A server whose directory is on a disk keeps the database, because
    /// the removal of many files makes the file system slow.
    pub fn discard_database(&self, url: &str) {
        if memory::contains(self.site().directory()) {
            let name = super::database_of(url).to_owned();
            self.kind().discarded().push(name);
        }
    }

    /// A URL of the database of `url` for a role with the same privileges that needs a password.
    #[must_use]
    pub fn password_url(&self, url: &str) -> String {
        self.url_of(
            &format!("{PASSWORD_USER}:{PASSWORD}"),
            super::database_of(url),
        )
    }

    /// A URL of the database of `url` for a role that may only read the tables that exist now.
    ///
    /// # Panics
    ///
    /// If the server does not create the role.
    pub async fn read_only_url(&self, url: &str) -> String {
        self.execute(
            url,
            &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READ_ONLY_USER}"),
        )
        .await;
        self.url_of(READ_ONLY_USER, super::database_of(url))
    }

    /// Runs SQL as the superuser in the database of `url` and returns the output: one line per row, columns separated by `|`.
    ///
    /// # Panics
    ///
    /// If a statement fails.
    pub async fn execute(&self, url: &str, statements: &str) -> String {
        let (kind, site) = (self.kind().clone(), self.site().clone());
        let (database, statements) = (super::database_of(url).to_owned(), statements.to_owned());
        let done = super::blocking(move || kind.run(&site, &database, &statements)).await;
        done.unwrap_or_else(|error| panic!("failed to execute SQL: {error}"))
    }

    fn url_of(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port())
    }
}
