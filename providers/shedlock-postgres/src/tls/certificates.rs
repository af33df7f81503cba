//! Reads the certificates of a connection.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::verify::Lenient;
use super::{Mode, Tls};

/// The protocol's name, which a server needs for TLS without a request in clear text before it.
const PROTOCOL: &[u8] = b"postgresql";

/// What the URL asks for; the error is a message.
pub(super) fn client_config(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let verifier = match (tls.mode, &tls.root) {
        (Mode::VerifyCa | Mode::VerifyFull, _) | (Mode::Require, Some(_)) => {
            let roots = Arc::new(roots(tls.root.as_deref())?);
            let verifier =
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
            Some(verifier.build().map_err(|error| error.to_string())?)
        }
        _ => None,
    };
    let builder = match (tls.mode, verifier) {
        (Mode::VerifyFull, Some(full)) => builder.with_webpki_verifier(full),
        (_, verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Lenient::new(verifier, provider))),
    };
    let mut config = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| format!("the key of `sslkey` cannot be read: {error}"))?;
            let chain = certificates(certificate, "sslcert")?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("`sslcert` and `sslkey` do not fit: {error}"))?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

/// The authorities of the file, or those of the system.
fn roots(file: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match file {
        None | Some("system") => {
            let system = rustls_native_certs::load_native_certs();
            // Systems have certificates that rustls does not read, such as those of old versions.
            let (_added, _ignored) = roots.add_parsable_certificates(system.certs);
        }
        Some(file) => {
            for certificate in certificates(file, "sslrootcert")? {
                let added = roots.add(certificate);
                added.map_err(|error| {
                    format!("a certificate of `sslrootcert` cannot be used: {error}")
                })?;
            }
        }
    }
    if roots.is_empty() {
        return Err(
            "there is no certificate of an authority; name a file of them in `sslrootcert`"
                .to_owned(),
        );
    }
    Ok(roots)
}

fn certificates(file: &str, parameter: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| format!("the certificates of `{parameter}` cannot be read: {error}");
    let certificates = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    certificates.collect::<Result<_, _>>().map_err(unreadable)
}
