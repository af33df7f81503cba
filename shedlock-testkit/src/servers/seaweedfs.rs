//! `SeaweedFS`, an object store that speaks the protocol of S3, as a server for tests.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::cache::cached;
use super::{Kind, Server, Signal, Site, Standalone, Unavailable, http, ports, tools};

/// A `SeaweedFS` server. Requests without a signature may do everything; so may [`ACCESS_KEY`] with [`SECRET_KEY`], while [`READER`] with
/// the same secret may only read and list.
pub type SeaweedFs = Server<SeaweedFsKind>;

/// The key id of an account with all rights.
pub const ACCESS_KEY: &str = "app";
/// The key id of an account that may only read and list.
pub const READER: &str = "reader";
/// The secret of both accounts.
pub const SECRET_KEY: &str = "correct-horse";

/// The [`Kind`] of a [`SeaweedFs`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct SeaweedFsKind {
    program: PathBuf,
    /// In the order of [`PORT_OPTIONS`].
    ports: [u16; PORT_OPTIONS.len()],
}

impl SeaweedFsKind {
    /// The sockets by which the server's parts talk to each other. No option changes their paths.
    fn sockets(&self) -> Vec<PathBuf> {
        let ports = PORT_OPTIONS.iter().zip(self.ports);
        ports
            .filter_map(|(option, port)| {
                let part = option.strip_suffix(".port.grpc")?;
                Some(format!("/tmp/seaweedfs-{part}-grpc-{port}.sock").into())
            })
            .collect()
    }
}

const INSTALL: &str = "cargo xtask servers install SeaweedFS";

/// The options for the ports of the server's parts, beside the port that clients use.
const PORT_OPTIONS: [&str; 7] = [
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
];

const ACCOUNTS: &str = r#"{ "identities": [
    { "name": "anonymous", "actions": ["Admin", "Read", "Write", "List", "Tagging"] },
    { "name": "app", "credentials": [{ "accessKey": "app", "secretKey": "correct-horse" }],
      "actions": ["Admin", "Read", "Write", "List", "Tagging"] },
    { "name": "reader", "credentials": [{ "accessKey": "reader", "secretKey": "correct-horse" }],
      "actions": ["Read", "List"] }
] }"#;

/// Each bucket gets one volume at a time. By default it gets seven, and tests make hundreds of buckets.
const GROWTH: &str = "[master.volume_growth]\ncopy_1 = 1\n";

impl Kind for SeaweedFsKind {
    const NAME: &'static str = "SeaweedFS";
    /// The server may run as root.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        std::fs::create_dir(site.directory().join("data"))?;
        site.write(&accounts(site), ACCOUNTS)?;
        // Read from the working directory.
        site.write(&site.directory().join("master.toml"), GROWTH)?;
        site.write_leftovers(&self.sockets())
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let directory = site.directory();
        let mut command: Vec<OsString> = vec![self.program.clone().into()];
        // By default it writes files of its own below `/tmp`.
        command.extend(["-logtostderr".into(), "server".into()]);
        let mut set = |option: &str, value: &dyn std::fmt::Display| {
            command.push(format!("-{option}={value}").into());
        };
        set("dir", &directory.join("data").display());
        set("s3.config", &accounts(site).display());
        set("s3.localSocket", &directory.join("s3.sock").display());
        set("filer.localSocket", &directory.join("filer.sock").display());
        // By this, the server is told from another one on the same ports.
        set("dataCenter", &name(site));
        set("s3", &true);
        set("s3.port", &site.port());
        for (option, port) in PORT_OPTIONS.iter().zip(self.ports) {
            set(option, &port);
        }
        for (option, value) in [
            ("ip", "127.0.0.1"),
            ("ip.bind", "127.0.0.1"),
            ("s3.port.iceberg", "0"),
            ("s3.port.lance", "0"),
            ("master.telemetry", "false"),
            ("master.volumeSizeLimitMB", "64"),
            ("volume.max", "2000"),
        ] {
            set(option, &value);
        }
        command.extend(site.arguments().iter().map(OsString::from));
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        let [_, master, ..] = self.ports;
        let name = name(site);
        let knows = http::request(master, "GET", "/dir/status");
        // The data centre is listed once its volumes can be written.
        knows.is_ok_and(|answer| answer.text.contains(&name))
            && http::request(site.port(), "GET", "/").is_ok_and(|answer| answer.status == 200)
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for SeaweedFsKind {
    fn locate() -> Result<Self, Unavailable> {
        let program = cached("seaweedfs", "bin/weed").or_else(|| tools::find("weed", &[]));
        let program = program.ok_or_else(|| Self::unavailable("there is no `weed`".to_owned()))?;
        let mut ports = [0; PORT_OPTIONS.len()];
        for port in &mut ports {
            *port = ports::free_port().map_err(|error| Self::unavailable(error.to_string()))?;
        }
        Ok(Self { program, ports })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<SeaweedFs, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl Server<SeaweedFsKind> {
    /// The URL of the server. A bucket is the first part of the path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Creates a bucket that no other test uses, and returns its name.
    ///
    /// # Panics
    ///
    /// If the server does not create it.
    pub async fn fresh_bucket(&self) -> String {
        let bucket = format!("test-{:016x}", fastrand::u64(..));
        self.create_bucket(&bucket).await;
        bucket
    }

    /// Creates a bucket.
    ///
    /// # Panics
    ///
    /// If the server does not create it.
    pub async fn create_bucket(&self, bucket: &str) {
        self.request("PUT", format!("/{bucket}")).await;
    }

    /// Removes a bucket, with or without objects.
    ///
    /// # Panics
    ///
    /// If the server does not remove it.
    pub async fn remove_bucket(&self, bucket: &str) {
        self.request("DELETE", format!("/{bucket}")).await;
    }

    async fn request(&self, method: &'static str, target: String) {
        let port = self.port();
        let done = super::blocking(move || http::must(port, method, &target)).await;
        done.unwrap_or_else(|error| panic!("SeaweedFS refused: {error}"));
    }
}

fn accounts(site: &Site) -> PathBuf {
    site.directory().join("accounts.json")
}

/// The name of a server's directory is unique.
fn name(site: &Site) -> String {
    let name = site.directory().file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
