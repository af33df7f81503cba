//! Azurite, Microsoft's emulator of Azure Blob Storage, as a server for tests.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::cache::cached;
use super::{Kind, Server, Signal, Site, Standalone, Unavailable, http, tools};

/// An Azurite server with its blobs in memory, so a restart loses them. It has the account that every emulator of Azure has.
pub type Azurite = Server<AzuriteKind>;

/// The name of the account.
pub const ACCOUNT: &str = "devstoreaccount1";
/// The key of the account, which is public.
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// A signature, made with the key, by which everything is permitted until 2099.
pub const SIGNATURE: &str = "sv=2021-10-04&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&sig=%2BcwPtQ5ayD8ulVPPE73Riv2zfQfAoiRzGYvW5h7l%2FYY%3D";
/// A signature by which only reading and listing are permitted.
pub const READER: &str = "sv=2021-10-04&ss=b&srt=sco&sp=rl&se=2099-01-01T00%3A00%3A00Z&sig=TKy%2BWu5uoEUxMhQr3QUBjQ4t1xkBCHEDx8116RFuFAQ%3D";

/// The [`Kind`] of an [`Azurite`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct AzuriteKind {
    program: PathBuf,
}

const INSTALL: &str = "cargo xtask servers install Azurite";

impl Kind for AzuriteKind {
    const NAME: &'static str = "Azurite";
    /// The server may run as root.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.program.clone().into()];
        command.extend(["--blobHost", "127.0.0.1", "--blobPort"].map(OsString::from));
        command.push(site.port().to_string().into());
        // In memory it answers several times as fast as from files. Without the last option, it tells its maker of its use.
        command.extend(
            [
                "--inMemoryPersistence",
                "--skipApiVersionCheck",
                "--silent",
                "--disableTelemetry",
            ]
            .map(OsString::from),
        );
        command.extend(site.arguments().iter().map(OsString::from));
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        // A server whose port is taken ends.
        let answer = http::request(
            site.port(),
            "GET",
            &format!("/{ACCOUNT}?comp=list&{SIGNATURE}"),
        );
        answer.is_ok_and(|answer| answer.status == 200 && answer.text.contains("Azurite-Blob"))
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for AzuriteKind {
    fn locate() -> Result<Self, Unavailable> {
        let program = cached("azurite", "bin/azurite-blob");
        let program = program.or_else(|| tools::find("azurite-blob", &[]));
        let missing = || Self::unavailable("there is no `azurite-blob`".to_owned());
        Ok(Self {
            program: program.ok_or_else(missing)?,
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Azurite, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl Server<AzuriteKind> {
    /// The URL of the account at the server. A container is the next part of the path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/{ACCOUNT}", self.address())
    }

    /// Creates a container that no other test uses, and returns its name.
    ///
    /// # Panics
    ///
    /// If the server does not create it.
    pub async fn fresh_container(&self) -> String {
        let container = format!("test-{:016x}", fastrand::u64(..));
        self.create_container(&container).await;
        container
    }

    /// Creates a container.
    ///
    /// # Panics
    ///
    /// If the server does not create it.
    pub async fn create_container(&self, container: &str) {
        self.request("PUT", container).await;
    }

    /// Removes a container, with or without blobs.
    ///
    /// # Panics
    ///
    /// If the server does not remove it.
    pub async fn remove_container(&self, container: &str) {
        self.request("DELETE", container).await;
    }

    async fn request(&self, method: &'static str, container: &str) {
        let target = format!("/{ACCOUNT}/{container}?restype=container&{SIGNATURE}");
        let port = self.port();
        let done = super::blocking(move || http::must(port, method, &target)).await;
        done.unwrap_or_else(|error| panic!("Azurite refused: {error}"));
    }
}
