//! `S3Proxy`, a gateway that speaks the protocol of S3 and ignores the conditions of writes: a store that a provider must refuse.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::cache::cached;
use super::{Kind, Server, Signal, Site, Standalone, Unavailable, http, tools};

/// An `S3Proxy` server with its objects in memory. It asks nobody for a signature.
pub type S3Proxy = Server<S3ProxyKind>;

/// The [`Kind`] of an [`S3Proxy`].
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct S3ProxyKind {
    java: PathBuf,
    jars: PathBuf,
}

const INSTALL: &str = "cargo xtask servers install S3Proxy";

impl Kind for S3ProxyKind {
    const NAME: &'static str = "S3Proxy";
    /// The server may run as root.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        let options = format!(
            "s3proxy.endpoint=http://127.0.0.1:{}\ns3proxy.authorization=none\njclouds.provider=transient\njclouds.identity=none\njclouds.credential=none\n",
            site.port()
        );
        site.write(&options_file(site), &options)
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut class_path = self.jars.clone().into_os_string();
        class_path.push("/*");
        let mut command: Vec<OsString> = vec![self.java.clone().into()];
        command.extend(
            [
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
            ]
            .map(OsString::from),
        );
        command.extend([class_path, "org.gaul.s3proxy.Main".into()]);
        command.extend(["--properties".into(), options_file(site).into()]);
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        http::request(site.port(), "GET", "/").is_ok_and(|answer| answer.status == 200)
    }

    fn provision(&self, site: &Site) -> io::Result<()> {
        http::must(site.port(), "PUT", "/locks")
    }
}

impl Standalone for S3ProxyKind {
    fn locate() -> Result<Self, Unavailable> {
        let missing = |what: &str| Self::unavailable(format!("there is no {what}"));
        Ok(Self {
            java: tools::find("java", &[]).ok_or_else(|| missing("`java`"))?,
            jars: cached("s3proxy", "jars").ok_or_else(|| missing("S3Proxy in the cache"))?,
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<S3Proxy, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl Server<S3ProxyKind> {
    /// The URL of the server, which has the bucket `locks`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

fn options_file(site: &Site) -> PathBuf {
    site.directory().join("s3proxy.conf")
}
