//! TLS with NATS: which authorities are trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use shedlock_runtime::LockError;
use tokio::task::spawn_blocking;

use crate::error;

/// The configuration with the authorities of `file`, or those of the system.
pub(crate) async fn client_config(file: Option<PathBuf>) -> Result<ClientConfig, LockError> {
    let read = spawn_blocking(move || from_roots(roots(file.as_deref())?));
    let read = read.await.unwrap_or_else(|ended| Err(ended.to_string()));
    read.map_err(error::no_tls)
}

/// Names the cryptography: where a program has two kinds, `rustls` does not choose one and panics.
fn from_roots(roots: RootCertStore) -> Result<ClientConfig, String> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = builder.with_root_certificates(roots);
    Ok(builder.with_no_client_auth())
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        // A system without certificates may use NATS without TLS, and one with TLS is told that it does not trust the server.
        let system = rustls_native_certs::load_native_certs();
        let (_added, _ignored) = roots.add_parsable_certificates(system.certs);
        return Ok(roots);
    };
    let unreadable = |error: &dyn std::fmt::Display| {
        let file = file.display();
        format!("the certificates in `{file}` cannot be read: {error}")
    };
    let certificates = CertificateDer::pem_file_iter(file);
    for certificate in certificates.map_err(|error| unreadable(&error))? {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if roots.is_empty() {
        return Err(unreadable(&"there is none"));
    }
    Ok(roots)
}
