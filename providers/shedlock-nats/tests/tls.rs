//! TLS with a real server, whose certificate is the test's own.

use std::path::PathBuf;

use shedlock_nats::{NatsLockProvider, async_nats};
use shedlock_runtime::{ErrorKind, LockError};
use shedlock_testkit::requests::{WORKS, once};
use shedlock_testkit::servers::Nats;
use shedlock_testkit::{Certificates, server_or_skip};

const NAMES: [&str; 1] = ["127.0.0.1"];

async fn connect(url: &str, authority: Option<PathBuf>) -> Result<NatsLockProvider, LockError> {
    let builder = NatsLockProvider::builder_from_url(url).node_name("tls");
    let builder = match authority {
        Some(file) => builder.root_certificates(file),
        None => builder,
    };
    let provider = builder.connect().await?;
    provider.ensure_bucket().await?;
    Ok(provider)
}

#[tokio::test]
async fn an_authority_that_is_named_is_trusted() {
    let certificates = Certificates::signed_for(&NAMES).expect("certificates can be made");
    let server = server_or_skip!(Nats::start_with_tls(&certificates).await);
    // A server that wants TLS gets it in both cases.
    for url in [server.url().replace("nats://", "tls://"), server.url()] {
        let provider = connect(&url, Some(certificates.authority())).await;
        let provider = provider.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        assert_eq!(once(&provider, "a").await, WORKS, "{url}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told() {
    let certificates = Certificates::signed_for(&NAMES).expect("certificates can be made");
    let server = server_or_skip!(Nats::start_with_tls(&certificates).await);
    let elsewhere = Certificates::signed_for(&["nats.example"]).expect("they can be made");
    let misnamed = server_or_skip!(Nats::start_with_tls(&elsewhere).await);
    for (server, authority, what) in [
        (&server, None, "an authority that the system does not know"),
        (
            &server,
            Some(certificates.another_authority()),
            "another authority",
        ),
        (&misnamed, Some(elsewhere.authority()), "another name"),
    ] {
        let url = server.url_of("app", "correct-horse");
        let url = url.replace("nats://", "tls://");
        let error = connect(&url, authority).await.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{what}: {error:?}");
        let said = error.to_string();
        assert!(said.contains("does not trust"), "{what}: {said}");
        assert!(said.contains("SSL_CERT_FILE"), "{what}: {said}");
        assert!(!format!("{error:?}").contains("horse"), "{what}: {error:?}");
    }
}

#[tokio::test]
async fn a_url_with_tls_never_goes_without() {
    let server = server_or_skip!(Nats::shared().await);
    let url = server.url().replace("nats://", "tls://");
    let error = connect(&url, None).await.expect_err("it has no TLS");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    assert!(error.to_string().contains("TLS with NATS"), "{error}");
}

#[tokio::test]
async fn files_of_no_use_are_told() {
    let directory = Certificates::signed_for(&NAMES).expect("certificates can be made");
    let missing = directory.directory().join("missing.pem");
    for file in [missing, directory.key()] {
        let error = connect("tls://127.0.0.1:1", Some(file.clone())).await;
        let error = error.expect_err("nothing to trust");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&file.display().to_string()), "{said}");
    }
    let server = server_or_skip!(Nats::shared().await);
    let client = async_nats::connect(server.url()).await.expect("it runs");
    let builder = NatsLockProvider::builder(client).root_certificates(directory.authority());
    let error = builder.build().expect_err("a client has its own");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
}
