//! TLS with certificates of the test's own.

#![cfg(feature = "rustls")]

#[path = "support/asking.rs"]
mod asking;
#[path = "support/place.rs"]
mod place;

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{ErrorKind, LockError};
use shedlock_testkit::servers::Postgres;
use shedlock_testkit::{Certificates, Unavailable, server_or_skip};

use asking::{WORKS, once};

/// A server with a certificate for `localhost`.
struct Encrypted {
    server: Postgres,
    certificates: Certificates,
}

impl Encrypted {
    async fn start() -> Result<Self, Unavailable> {
        let certificates = Certificates::signed_for(&["localhost"]);
        let certificates = certificates.expect("certificates can be made");
        let server = Postgres::start_with_tls(&certificates).await?;
        Ok(Self {
            server,
            certificates,
        })
    }

    async fn connect(
        &self,
        host: &str,
        parameters: &str,
    ) -> Result<PostgresLockProvider, LockError> {
        let port = self.server.port();
        let url = format!("postgres://shedlock@{host}:{port}/shedlock?{parameters}");
        PostgresLockProvider::connect(&url).await
    }
}

/// Whether the provider's session is encrypted.
async fn is_encrypted(server: &Postgres) -> bool {
    let query = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE application_name = 'shedlock'";
    server.execute(&server.url(), query).await.trim() == "t"
}

#[tokio::test]
async fn modes() {
    let tls = server_or_skip!(Encrypted::start().await);
    let maker = PostgresLockProvider::connect(&tls.server.url()).await;
    maker.expect("there").ensure_schema().await.expect("made");
    let certificates = &tls.certificates;
    let [ours, another] = [certificates.authority(), certificates.another_authority()]
        .map(|file| file.display().to_string());
    let with = |mode: &str, root: &str| format!("sslmode={mode}&sslrootcert={root}");
    for (host, parameters, is_safe) in [
        ("localhost", String::new(), true),
        ("localhost", "sslmode=disable".to_owned(), false),
        ("localhost", "sslmode=allow".to_owned(), true),
        ("localhost", "sslmode=require".to_owned(), true),
        ("127.0.0.1", with("require", &ours), true),
        ("127.0.0.1", with("verify-ca", &ours), true),
        ("localhost", with("verify-full", &ours), true),
        (
            "localhost",
            format!("{}&sslnegotiation=postgres", with("verify-full", &ours)),
            true,
        ),
    ] {
        let node = tls.connect(host, &parameters).await;
        let node = node.unwrap_or_else(|error| panic!("{host}, {parameters}: {error:?}"));
        assert_eq!(once(&node, "a").await, WORKS, "{host}, {parameters}");
        assert_eq!(
            is_encrypted(&tls.server).await,
            is_safe,
            "{host}, {parameters}"
        );
        drop(node);
        let gone = async || {
            let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shedlock'";
            tls.server.execute(&tls.server.url(), count).await.trim() == "0"
        };
        asking::until("the connection is closed", gone).await;
    }
    for (host, parameters, words) in [
        ("127.0.0.1", with("verify-full", &ours), "`sslrootcert`"),
        ("localhost", with("verify-full", &another), "`sslrootcert`"),
        ("localhost", with("verify-ca", &another), "`sslrootcert`"),
        ("localhost", with("require", &another), "`sslrootcert`"),
        ("localhost", "sslmode=verify-full".to_owned(), "no TLS"),
        (
            "localhost",
            with("verify-full", "/nowhere.pem"),
            "`sslrootcert` cannot be read",
        ),
        (
            "localhost",
            format!("sslmode=require&sslcert={ours}&sslkey={ours}"),
            "`sslkey` cannot be read",
        ),
    ] {
        let error = tls.connect(host, &parameters).await;
        let error = error.expect_err("it is not to be trusted");
        assert_eq!(
            error.kind(),
            ErrorKind::Configuration,
            "{parameters}: {error:?}"
        );
        assert!(error.to_string().contains(words), "{parameters}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls() {
    let server = server_or_skip!(Postgres::shared().await);
    let url = server.fresh_database().await;
    assert!(
        PostgresLockProvider::connect(&format!("{url}?sslmode=prefer"))
            .await
            .is_ok()
    );
    let error = PostgresLockProvider::connect(&format!("{url}?sslmode=require")).await;
    let error = error.expect_err("the server has no TLS");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    assert!(
        error.to_string().contains("no TLS with the database"),
        "{error}"
    );
}
