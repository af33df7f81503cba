//! Stores over TLS, with certificates of the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Postgres;

use crate::support::{Site, ended};

/// Makes a certificate for `localhost`, and returns the ones of its authority, of the server, and the server's key.
fn certificates() -> [(&'static str, String); 3] {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("it can be signed");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let server = server
        .signed_by(&key, &authority)
        .expect("it can be signed");
    [
        ("authority.pem", authority.pem()),
        ("server.pem", server.pem()),
        ("server.key", key.serialize_pem()),
    ]
}

/// Switches TLS on.
async fn encrypt(server: &Postgres, certificate: &str, key: &str) {
    let url = server.admin_url();
    let data = server.execute(&url, "SHOW data_directory").await;
    let data = Path::new(data.trim());
    for (name, text) in [("server.pem", certificate), ("server.key", key)] {
        // The server's account owns what the server writes, and may read no key that others can.
        let lines = format!("SELECT unnest(string_to_array('{}', E'\\n'))", text.trim());
        let copy = format!("COPY ({lines}) TO '{}';", data.join(name).display());
        server.execute(&url, &copy).await;
    }
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(data.join("server.key"), private).expect("the key is there");
    for set in [
        "ssl_cert_file = 'server.pem'",
        "ssl_key_file = 'server.key'",
        "ssl = on",
    ] {
        server
            .execute(&url, &format!("ALTER SYSTEM SET {set};"))
            .await;
    }
    server.restart().await.expect("it comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_checked_against_those_of_the_system_or_of_the_url() {
    let server = server_or_skip!(Postgres::start().await);
    let library = server
        .execute(&server.admin_url(), "SHOW ssl_library")
        .await;
    assert!(
        !library.trim().is_empty(),
        "PostgreSQL is built with TLS everywhere"
    );
    let made = certificates();
    encrypt(&server, &made[1].1, &made[2].1).await;

    let url = |host: &str, more: &str| {
        let port = server.port();
        format!("postgres://shedlock@{host}:{port}/shedlock?sslmode=verify-full{more}")
    };
    let site = Site::new();
    fs::write(site.path("authority.pem"), &made[0].1).expect("it can be written");
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
