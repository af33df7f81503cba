//! An etcd server that clients reach with TLS as well.

use std::ffi::OsString;

use super::{Etcd, EtcdKind};
use crate::Certificates;
use crate::servers::{Kind as _, Server, Standalone as _, Unavailable, blocking, ports};

/// A second port for clients, with TLS.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    port: u16,
    certificates: Certificates,
}

impl Tls {
    /// The options of a server whose other URL for clients is `clients`. The last one of an option counts.
    pub(super) fn options(&self, clients: &str) -> [OsString; 6] {
        let both = format!("{clients},https://127.0.0.1:{}", self.port);
        let (certificate, key) = (self.certificates.server(), self.certificates.key());
        [
            "--listen-client-urls".into(),
            both.into(),
            "--cert-file".into(),
            certificate.into(),
            "--key-file".into(),
            key.into(),
        ]
    }
}

impl Server<EtcdKind> {
    /// Starts a server that only the caller uses, which has a second port for clients with TLS.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with_tls(certificates: &Certificates) -> Result<Self, Unavailable> {
        let certificates = certificates.clone();
        blocking(move || {
            let mut kind = EtcdKind::locate()?;
            let port = ports::free_port();
            let port = port.map_err(|error| EtcdKind::unavailable(error.to_string()))?;
            kind.tls = Some(Tls { port, certificates });
            Etcd::start_as(kind, Vec::new(), Vec::new())
        })
        .await
    }

    /// The URL of the port with TLS.
    ///
    /// # Panics
    ///
    /// If the server was started without TLS.
    #[must_use]
    pub fn https_url(&self) -> String {
        let tls = self.kind().tls.as_ref();
        let tls = tls.unwrap_or_else(|| panic!("the server was started without TLS"));
        format!("https://127.0.0.1:{}", tls.port)
    }
}
