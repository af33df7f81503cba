//! TLS with a real server, whose certificate is the test's own.

#![cfg(feature = "rustls")]

use std::path::Path;

use shedlock_etcd::EtcdLockProvider;
use shedlock_etcd::reqwest::{Certificate, Client};
use shedlock_runtime::ErrorKind;
use shedlock_testkit::requests::{WORKS, once, problem};
use shedlock_testkit::servers::Etcd;
use shedlock_testkit::{Certificates, server_or_skip};

/// A client that trusts this authority and no other.
fn client(authority: &Path) -> Client {
    let authority = std::fs::read(authority).expect("the file is there");
    let authority = Certificate::from_pem(&authority).expect("a certificate");
    let client = Client::builder().tls_certs_only([authority]).build();
    client.expect("the options are valid")
}

fn node(client: Client, url: &str) -> EtcdLockProvider {
    let built = EtcdLockProvider::builder(client, url).build();
    built.expect("a valid URL")
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_takes_locks() {
    let certificates = Certificates::signed_for(&["127.0.0.1"]).expect("they can be made");
    let server = server_or_skip!(Etcd::start_with_tls(&certificates).await);
    let node = node(client(&certificates.authority()), &server.https_url());
    assert_eq!(once(&node, "a").await, WORKS);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told() {
    let certificates = Certificates::signed_for(&["127.0.0.1"]).expect("they can be made");
    let server = server_or_skip!(Etcd::start_with_tls(&certificates).await);
    let elsewhere = Certificates::signed_for(&["etcd.example"]).expect("they can be made");
    let misnamed = server_or_skip!(Etcd::start_with_tls(&elsewhere).await);
    let url = server.https_url();
    let with_login = url.replace("https://", "https://jobs:s3cret@");
    let own = EtcdLockProvider::builder_from_url(&with_login).build();
    for (node, what) in [
        (
            own.expect("a valid URL"),
            "a certificate that the system does not trust",
        ),
        (
            node(client(&certificates.another_authority()), &url),
            "another authority",
        ),
        (
            node(client(&elsewhere.authority()), &misnamed.https_url()),
            "another name",
        ),
    ] {
        let error = problem(&node, "a").await;
        assert_eq!(error.kind(), ErrorKind::Configuration, "{what}: {error:?}");
        let said = error.to_string();
        assert!(said.contains("does not trust"), "{what}: {said}");
        assert!(said.contains("SSL_CERT_FILE"), "{what}: {said}");
        assert!(
            !format!("{error:?}").contains("s3cret"),
            "{what}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_member_without_tls_is_not_talked_to() {
    let server = server_or_skip!(Etcd::shared().await);
    let url = server.url().replace("http://", "https://");
    let node = EtcdLockProvider::builder_from_url(&url).build();
    let error = problem(&node.expect("a valid URL"), "a").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let remedy = error.remedy().unwrap_or_default();
    assert!(remedy.contains("with TLS at this port"), "{error}");
}
