//! Stores over TLS, with certificates of the test's own.

use std::fs;

use shedlock_testkit::servers::Postgres;
use shedlock_testkit::{Certificates, server_or_skip};

use crate::support::{Site, ended};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_checked_against_those_of_the_system_or_of_the_url() {
    let certificates = Certificates::signed_for(&["localhost"]);
    let certificates = certificates.expect("certificates can be made");
    let server = server_or_skip!(Postgres::start_with_tls(&certificates).await);

    let url = |host: &str, more: &str| {
        let port = server.port();
        format!("postgres://shedlock@{host}:{port}/shedlock?sslmode=verify-full{more}")
    };
    let site = Site::new();
    let authority = site.path("authority.pem");
    fs::copy(certificates.authority(), authority).expect("it can be written");
    let list = |url: String, system: &str| {
        let mut list = site.command(["migrate", "run"]);
        list.env("SHEDLOCK_STORE", url).env("SSL_CERT_FILE", system);
        list.env_remove("SSL_CERT_DIR");
        ended(&mut list)
    };
    let own = "&sslrootcert=authority.pem";
    let trusted = list(url("localhost", own), "/dev/null");
    assert_eq!(trusted.code, 0, "{trusted:?}");
    let trusted = list(url("localhost", ""), "authority.pem");
    assert_eq!(trusted.code, 0, "{trusted:?}");
    let unknown = list(url("localhost", ""), "/dev/null");
    assert!(matches!(unknown.code, 69 | 78), "{unknown:?}");
    let misnamed = list(url("127.0.0.1", own), "/dev/null");
    assert!(matches!(misnamed.code, 69 | 78), "{misnamed:?}");
}
