//! MariaDB, as a server for tests.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::galera::Member;
use super::{Kind, Server, Signal, Site, Standalone, Unavailable, galera, tools};

/// A MariaDB server. Only the user of [`password_url`](Server::password_url) needs a password.
pub type MariaDb = Server<MariaDbKind>;

/// The [`Kind`] of a [`MariaDb`] server.
///
/// See [`Server`] for an example.
#[derive(Debug, Clone)]
pub struct MariaDbKind {
    install_db: PathBuf,
    server: PathBuf,
    client: PathBuf,
    /// What the server knows about its Galera cluster, if the server belongs to one.
    pub(super) member: Option<Member>,
}

const INSTALL: &str = "apt-get install -y mariadb-server";
const DIRECTORIES: &[&str] = &["/usr/sbin", "/usr/libexec"];

const ADMIN: &str = "root";
/// The user of the tests, with all privileges in the test databases and none elsewhere.
const USER: &str = "shedlock";
const PASSWORD_USER: &str = "shedlock_password";
const PASSWORD: &str = "s3cret";
const READ_ONLY_USER: &str = "shedlock_read_only";

impl Kind for MariaDbKind {
    const NAME: &'static str = "MariaDB";
    const ACCOUNT: &'static str = "mysql";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        let mut install = Command::new(&self.install_db);
        install.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        install.arg(data_argument(site));
        // Two servers that are initialized at the same time would use the same names for temporary tables.
        install.env("TMPDIR", site.directory());
        tools::run_in(site, &mut install)?;
        self.member
            .as_ref()
            .map_or(Ok(()), |member| member.initialize(site))
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![
            self.server.clone().into(),
            "--no-defaults".into(),
            data_argument(site),
        ];
        command.push(format!("--port={}", site.port()).into());
        let mut temporary = OsString::from("--tmpdir=");
        temporary.push(site.directory());
        command.push(temporary);
        command.extend(
            [
                "--bind-address=127.0.0.1",
                // Inside the data directory and relative, since an absolute path may be too long for a socket.
                "--socket=mariadb.sock",
                "--skip-name-resolve",
                "--default-time-zone=+00:00",
                // Durability after a power failure is not needed: a killed server keeps its committed data.
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=32M",
            ]
            .map(OsString::from),
        );
        command.extend(self.member.iter().flat_map(Member::arguments));
        command.extend(site.arguments().iter().map(OsString::from));
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        let directory = self.run(site, "", "SELECT @@datadir");
        let is_ours = directory.is_ok_and(|directory| {
            directory.trim().trim_end_matches('/')
                == site.directory().join("data").to_string_lossy()
        });
        is_ours && (self.member.is_none() || galera::works(self, site).unwrap_or(false))
    }

    fn provision(&self, site: &Site) -> io::Result<()> {
        if self
            .member
            .as_ref()
            .is_some_and(|member| !member.is_first())
        {
            return Ok(());
        }
        let users = format!(
            "CREATE USER {USER}@'%';
             CREATE USER {PASSWORD_USER}@'%' IDENTIFIED BY '{PASSWORD}';
             CREATE USER {READ_ONLY_USER}@'%';
             GRANT ALL ON `shedlock%`.* TO {USER}@'%', {PASSWORD_USER}@'%';
             CREATE DATABASE shedlock;"
        );
        self.run(site, "", &users).map(drop)
    }
}

fn data_argument(site: &Site) -> OsString {
    let mut argument = OsString::from("--datadir=");
    argument.push(site.directory().join("data"));
    argument
}

impl Standalone for MariaDbKind {
    fn locate() -> Result<Self, Unavailable> {
        let find = |program: &str| {
            tools::find(program, DIRECTORIES)
                .ok_or_else(|| Self::unavailable(format!("there is no `{program}`")))
        };
        Ok(Self {
            install_db: find("mariadb-install-db")?,
            server: find("mariadbd")?,
            client: find("mariadb")?,
            member: None,
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<MariaDb, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl MariaDbKind {
    /// Runs statements as root.
    pub(super) fn run(&self, site: &Site, database: &str, statements: &str) -> io::Result<String> {
        let mut client = Command::new(&self.client);
        client.args([
            "--no-defaults",
            "--protocol=tcp",
            "--host=127.0.0.1",
            "--batch",
            "--skip-column-names",
            "--user",
            ADMIN,
        ]);
        client
            .arg(format!("--port={}", site.port()))
            .arg(format!("--database={database}"));
        client.env_remove("MYSQL_PWD");
        tools::run(&mut client, statements)
    }
}

impl Server<MariaDbKind> {
    /// A URL of a database that all callers share, with an ordinary user; see [`fresh_database`](Self::fresh_database).
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(USER, "shedlock")
    }

    /// A URL with the user root.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.url_of(ADMIN, "mysql")
    }

    /// Creates an empty database and returns its URL, with a user that has all privileges in the database.
    ///
    /// # Panics
    ///
    /// If the server does not create the database.
    pub async fn fresh_database(&self) -> String {
        // The user has privileges in all databases whose names begin this way.
        let name = format!("shedlock_{:016x}", fastrand::u64(..));
        self.execute(
            &self.url_of(ADMIN, "mysql"),
            &format!("CREATE DATABASE {name}"),
        )
        .await;
        self.url_of(USER, &name)
    }

    /// A URL of the database of `url` for a user with the same privileges that needs a password.
    #[must_use]
    pub fn password_url(&self, url: &str) -> String {
        self.url_of(
            &format!("{PASSWORD_USER}:{PASSWORD}"),
            super::database_of(url),
        )
    }

    /// A URL of the database of `url` for a user that may only read.
    ///
    /// # Panics
    ///
    /// If the server does not create the user.
    pub async fn read_only_url(&self, url: &str) -> String {
        let database = super::database_of(url);
        self.execute(
            url,
            &format!("GRANT SELECT ON `{database}`.* TO {READ_ONLY_USER}@'%'"),
        )
        .await;
        self.url_of(READ_ONLY_USER, database)
    }

    /// Runs SQL as root in the database of `url` and returns the output: one line per row, columns separated by tabs.
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

    /// Kills the connection with this id to the database of `url`. The connection may already have ended.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn kill_connection(&self, url: &str, id: &str) {
        let (kind, site) = (self.kind().clone(), self.site().clone());
        let (database, kill) = (super::database_of(url).to_owned(), format!("KILL {id}"));
        let done = super::blocking(move || kind.run(&site, &database, &kill)).await;
        if let Err(error) = done {
            let has_ended = error.to_string().contains("Unknown thread id");
            assert!(has_ended, "failed to kill a connection: {error}");
        }
    }

    fn url_of(&self, user: &str, database: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/{database}", self.port())
    }
}
