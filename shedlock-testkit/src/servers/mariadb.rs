//! MariaDB.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::galera::Member;
use super::{Kind, Server, Signal, Site, Standalone, Unavailable, galera, tools};

/// A MariaDB server. Nobody needs a password but [`password_url`](Server::password_url)'s user.
pub type MariaDb = Server<MariaDbKind>;

/// The kind of server that [`MariaDb`] is.
///
/// See [`Server`] for an example.
#[derive(Debug, Clone)]
pub struct MariaDbKind {
    install_db: PathBuf,
    server: PathBuf,
    client: PathBuf,
    /// The cluster it belongs to, if it does.
    pub(super) member: Option<Member>,
}

const INSTALL: &str = "apt-get install -y mariadb-server";
const DIRECTORIES: &[&str] = &["/usr/sbin", "/usr/libexec"];

const ADMIN: &str = "root";
/// The user of the tests: may do everything in the databases made for tests, nothing outside.
const USER: &str = "shedlock";
const PASSWORD_USER: &str = "shedlock_password";
const PASSWORD: &str = "s3cret";
const READ_ONLY_USER: &str = "shedlock_read_only";

impl Kind for MariaDbKind {
    const NAME: &'static str = "MariaDB";
    const ACCOUNT: &'static str = "mysql";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::obtainable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        let mut install = Command::new(&self.install_db);
        install.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        install.arg(data_argument(site));
        // Two that begin at once name their temporary tables alike.
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
                // In the data directory, so that it is relative: the whole path may be too long for a socket.
                "--socket=mariadb.sock",
                "--skip-name-resolve",
                "--default-time-zone=+00:00",
                // The machine does not lose power during a test; a killed server keeps what it has committed.
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

    fn furnish(&self, site: &Site) -> io::Result<()> {
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
    /// A database with an ordinary user. Shared by all who ask; see [`fresh_database`](Self::fresh_database).
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(USER, "shedlock")
    }

    /// Root's way in.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.url_of(ADMIN, "mysql")
    }

    /// Creates an empty database and gives its URL, with a user who may do everything in it.
    ///
    /// # Panics
    ///
    /// When the server does not do it.
    pub async fn fresh_database(&self) -> String {
        // The name's beginning is what the user has been granted.
        let name = format!("shedlock_{:016x}", fastrand::u64(..));
        self.execute(
            &self.url_of(ADMIN, "mysql"),
            &format!("CREATE DATABASE {name}"),
        )
        .await;
        self.url_of(USER, &name)
    }

    /// The database of `url` for a user who must give a password, and has the same rights.
    #[must_use]
    pub fn password_url(&self, url: &str) -> String {
        self.url_of(
            &format!("{PASSWORD_USER}:{PASSWORD}"),
            super::database_of(url),
        )
    }

    /// The database of `url` for a user who may read it, and nothing else.
    ///
    /// # Panics
    ///
    /// When the server does not do it.
    pub async fn read_only_url(&self, url: &str) -> String {
        let database = super::database_of(url);
        self.execute(
            url,
            &format!("GRANT SELECT ON `{database}`.* TO {READ_ONLY_USER}@'%'"),
        )
        .await;
        self.url_of(READ_ONLY_USER, database)
    }

    /// Runs SQL as root in the database of `url`, and gives what it printed: a line per row, columns parted by tabs.
    ///
    /// # Panics
    ///
    /// When the server does not do it.
    pub async fn execute(&self, url: &str, statements: &str) -> String {
        let (kind, site) = (self.kind().clone(), self.site().clone());
        let (database, statements) = (super::database_of(url).to_owned(), statements.to_owned());
        let done = super::blocking(move || kind.run(&site, &database, &statements)).await;
        done.unwrap_or_else(|error| panic!("failed to execute SQL: {error}"))
    }

    /// Kills a connection of the database of `url`, by its id. It may have ended meanwhile.
    ///
    /// # Panics
    ///
    /// When the server cannot be asked.
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
