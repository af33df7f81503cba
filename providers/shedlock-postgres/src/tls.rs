//! TLS, as the parameters of a connection URL ask for it.

#[cfg(feature = "rustls")]
mod certificates;
#[cfg(feature = "rustls")]
mod verify;

use shedlock_runtime::{ErrorKind, LockError};
use tokio_postgres::config::SslMode;

use crate::error::Error;

/// How much TLS is asked for; libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Disable,
    /// If the server has it; also libpq's `allow`.
    Prefer,
    /// Without a look at the server's certificate, unless the URL names the authority.
    Require,
    VerifyCa,
    VerifyFull,
}

/// What a URL asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    mode: Mode,
    /// The file with the certificates of the authorities, or `system`.
    root: Option<String>,
    /// The files with the certificate of this client and with its key.
    certificate: Option<String>,
    key: Option<String>,
}

/// What encrypts a connection.
pub(crate) enum Connector {
    Off,
    #[cfg(feature = "rustls")]
    Rustls(tokio_postgres_rustls::MakeRustlsConnect),
}

/// Takes the parameters of TLS out of the URL, most of which the driver does not know.
pub(crate) fn from_url(url: &str) -> Result<(String, Tls), LockError> {
    let mut tls = Tls {
        mode: Mode::Prefer,
        root: None,
        certificate: None,
        key: None,
    };
    let Some((before, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), tls));
    };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => tls.mode = mode(value)?,
            Some(("sslrootcert", value)) => tls.root = Some(decoded(value)),
            Some(("sslcert", value)) => tls.certificate = Some(decoded(value)),
            Some(("sslkey", value)) => tls.key = Some(decoded(value)),
            _ => kept.push(pair),
        }
    }
    tls.check()?;
    let url = if kept.is_empty() {
        before.to_owned()
    } else {
        format!("{before}?{}", kept.join("&"))
    };
    Ok((url, tls))
}

fn mode(value: &str) -> Result<Mode, LockError> {
    Ok(match value {
        "disable" => Mode::Disable,
        "allow" | "prefer" => Mode::Prefer,
        "require" => Mode::Require,
        "verify-ca" => Mode::VerifyCa,
        "verify-full" => Mode::VerifyFull,
        _ => {
            let problem = "the connection URL asks for an unknown `sslmode`";
            let known = "expected `disable`, `prefer`, `require`, `verify-ca` or `verify-full`";
            return Err(LockError::new(ErrorKind::Configuration, problem).with_remedy(known));
        }
    })
}

impl Tls {
    pub(crate) fn ssl_mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }
}

#[cfg(feature = "rustls")]
impl Tls {
    fn check(&self) -> Result<(), LockError> {
        if self.certificate.is_some() != self.key.is_some() {
            let problem = "the connection URL names only one of `sslcert` and `sslkey`";
            return Err(LockError::new(ErrorKind::Configuration, problem)
                .with_remedy("name the file of the client's certificate and that of its key"));
        }
        Ok(())
    }

    /// Reads the certificates anew for each connection, so that new ones are used without a restart.
    pub(crate) async fn connector(&self) -> Result<Connector, Error> {
        if self.mode == Mode::Disable {
            return Ok(Connector::Off);
        }
        let tls = self.clone();
        let read = tokio::task::spawn_blocking(move || certificates::client_config(&tls));
        let config = match read.await {
            Ok(config) => config.map_err(Error::Certificates)?,
            Err(ended) => return Err(Error::Certificates(ended.to_string())),
        };
        let connector = tokio_postgres_rustls::MakeRustlsConnect::new(config);
        Ok(Connector::Rustls(connector))
    }
}

#[cfg(not(feature = "rustls"))]
impl Tls {
    fn check(&self) -> Result<(), LockError> {
        let asks = self.mode >= Mode::Require || self.root.is_some() || self.certificate.is_some();
        if asks || self.key.is_some() {
            let why = "the URL asks for it, and `shedlock-postgres` was built without its feature `rustls`";
            return Err(shedlock_sql::explain::no_tls(&why).with_remedy(
                "switch that feature on, or hand over a client or a pool that has TLS",
            ));
        }
        Ok(())
    }

    #[expect(
        clippy::unused_async,
        reason = "with the feature `rustls`, it reads files"
    )]
    pub(crate) async fn connector(&self) -> Result<Connector, Error> {
        Ok(Connector::Off)
    }
}

#[cfg(feature = "rustls")]
fn decoded(value: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(value);
    decoded.decode_utf8_lossy().into_owned()
}

#[cfg(not(feature = "rustls"))]
fn decoded(value: &str) -> String {
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "rustls")]
    #[test]
    fn parameters_are_taken_out_of_the_url() {
        let url = "postgres://one/db?sslmode=verify-full&a=b&sslrootcert=%2Ftmp%2Fa%20b.pem";
        let (rest, tls) = from_url(url).expect("a valid URL");
        assert_eq!(rest, "postgres://one/db?a=b");
        assert_eq!(tls.mode, Mode::VerifyFull);
        assert_eq!(tls.root.as_deref(), Some("/tmp/a b.pem"));
        let (rest, tls) = from_url("postgres://one/db").expect("a valid URL");
        assert_eq!(
            (rest.as_str(), tls.mode),
            ("postgres://one/db", Mode::Prefer)
        );
        let half = from_url("postgres://one/db?sslcert=a").expect_err("there is no key");
        assert!(half.to_string().contains("`sslkey`"), "{half}");
    }

    #[cfg(not(feature = "rustls"))]
    #[test]
    fn what_is_not_built_in_is_refused_before_any_io() {
        for asks in [
            "sslmode=require",
            "sslmode=verify-full",
            "sslrootcert=x",
            "sslcert=x",
        ] {
            let error = from_url(&format!("postgres://one/db?{asks}")).expect_err("no TLS");
            assert_eq!(error.kind(), ErrorKind::Configuration, "{asks}");
            assert!(error.to_string().contains("feature `rustls`"), "{error}");
        }
        assert!(from_url("postgres://one/db?sslmode=prefer").is_ok());
        assert!(from_url("postgres://one/db?sslmode=disable").is_ok());
    }
}
