//! Certificates for servers with TLS, signed by an authority of the test's own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// A server's certificate and its key, with the certificate of the authority that signed it. All are PEM files in a temporary directory,
/// which is removed when the last clone is dropped.
///
/// # Examples
///
/// ```
/// use shedlock_testkit::Certificates;
///
/// # fn main() -> std::io::Result<()> {
/// let certificates = Certificates::signed_for(&["localhost", "127.0.0.1"])?;
/// assert!(certificates.authority().is_file());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Certificates {
    directory: Arc<TempDir>,
}

impl Certificates {
    /// Makes an authority, and a certificate for a server that is reached under these names and IP addresses.
    ///
    /// # Errors
    ///
    /// If the files cannot be written, or a name is not valid.
    pub fn signed_for(names: &[&str]) -> io::Result<Self> {
        let made = Self {
            directory: Arc::new(tempfile::tempdir()?),
        };
        let ours = new_authority().map_err(io::Error::other)?;
        let another = new_authority().map_err(io::Error::other)?;
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let server = CertificateParams::new(names).map_err(io::Error::other)?;
        let server = server.signed_by(&key, &ours).map_err(io::Error::other)?;
        for (file, text) in [
            (made.authority(), ours.pem()),
            (made.another_authority(), another.pem()),
            (made.server(), server.pem()),
            (made.key(), key.serialize_pem()),
        ] {
            std::fs::write(file, text)?;
        }
        Ok(made)
    }

    /// The certificate of the authority that signed the server's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// The certificate of an authority that signed nothing.
    #[must_use]
    pub fn another_authority(&self) -> PathBuf {
        self.file("another.pem")
    }

    /// The server's certificate.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.file("server.pem")
    }

    /// The key of the server's certificate.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.file("server.key")
    }

    /// The directory of the files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn new_authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}
