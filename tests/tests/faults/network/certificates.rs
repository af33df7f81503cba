//! Certificates: whom a node believes to be its store.
//!
//! sqlx checks them when a user switches on one of its features for TLS and asks for it in the URL, as these tests do.

mod files;

use std::time::{Duration, SystemTime};

use rcgen::CertificateParams;
use shedlock::{ErrorKind, LockProviderExt as _};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::{MariaDb, Postgres};

use self::files::{Authority, Files, certificate};
use super::addresses::{Forwarder, is_told_once, lazy};
use crate::support::{Place, cases, config, connect, is_free, until};

cases! {
    of crate::network::certificates::Secure:
    g10_certificates_that_are_refused on postgres mariadb;
    g10_certificate_that_expires_while_connected on postgres mariadb;
}

const HOST: &str = "127.0.0.1";
const MINUTE: Duration = Duration::from_mins(1);
const HALF_A_DAY: Duration = Duration::from_hours(12);

/// A server of the test's own that speaks TLS.
#[derive(Debug)]
struct Secure {
    place: Place,
    files: Files,
}

impl Secure {
    async fn postgres() -> Result<Self, Unavailable> {
        let server = Postgres::start().await?;
        // It believes in no key that others may read, or have.
        let files = Files::of_the_owner(server.site().directory());
        files.write(&certificate(HOST), files.authority());
        let place = Place::on_postgres(server).await;
        let settings = "ALTER SYSTEM SET ssl_cert_file = '../server.crt';
                        ALTER SYSTEM SET ssl_key_file = '../server.key';
                        ALTER SYSTEM SET ssl = on;";
        place.execute(settings).await;
        place.restart().await;
        Ok(Self { place, files })
    }

    async fn mariadb() -> Result<Self, Unavailable> {
        // It does not start without.
        let files = Files::of_anybody();
        files.write(&certificate(HOST), files.authority());
        let folder = files.folder().display();
        let certificate = format!("--ssl-cert={folder}/server.crt");
        let key = format!("--ssl-key={folder}/server.key");
        let server = MariaDb::start_with(&[&certificate, &key]).await?;
        let place = Place::on_mariadb(server).await;
        Ok(Self { place, files })
    }

    /// Gives the server another certificate for its connections to come; those that there are stay.
    async fn present(&self, wanted: &CertificateParams, by: &Authority) {
        self.files.write(wanted, by);
        if self.place.is_mariadb() {
            self.place.execute("FLUSH SSL").await;
            return;
        }
        // It only sends a signal. What a new process of the server goes by is what its parent has read.
        let before = self.place.execute("SELECT clock_timestamp()").await;
        self.place.execute("SELECT pg_reload_conf()").await;
        let done = format!("SELECT pg_conf_load_time() > '{before}'");
        until(async || (self.place.execute(&done).await == "t").then_some(())).await;
    }

    /// The URL for who reaches the server at `address`, and wants it to be the one.
    fn url_at(&self, address: &str) -> String {
        let (url, authority) = (self.place.url_at(address), self.files.authority_file());
        let authority = authority.display();
        if self.place.is_mariadb() {
            format!("{url}?ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}")
        } else {
            format!("{url}?sslmode=verify-full&sslrootcert={authority}")
        }
    }

    fn url(&self) -> String {
        self.url_at(&self.place.address().to_string())
    }
}

/// Each is an error that names the certificate; none is a lock that is held, and nobody asks again.
async fn g10_certificates_that_are_refused(secure: Secure) {
    let node = lazy(&secure.url());
    let now = SystemTime::now();
    let (mut expired, mut early) = (certificate(HOST), certificate(HOST));
    expired.not_after = (now - HALF_A_DAY).into();
    early.not_before = (now + HALF_A_DAY).into();
    let (own, other) = (secure.files.authority(), &Authority::new("stranger.test"));
    for (what, wanted, by) in [
        ("expired", &expired, own),
        ("not valid yet", &early, own),
        ("not valid for name", &certificate("other.test"), own),
        ("UnknownIssuer", &certificate(HOST), other),
    ] {
        secure.present(wanted, by).await;
        let forwarder = Forwarder::listen("127.0.0.1:0", &secure.place).await;
        let forwarder = forwarder.expect("a port");
        let url = secure.url_at(&format!("{HOST}:{}", forwarder.port));
        let told = is_told_once(&url, &forwarder.accepted).await.to_string();
        assert!(told.contains("certificate"), "{told}");
        assert!(told.contains(what), "{what}: {told}");
        let refused = node.try_lock(config("job", MINUTE)).await.err();
        assert_eq!(
            refused.map(|error| error.kind()),
            Some(ErrorKind::Configuration)
        );
    }
    // With the right one all is well, for the node too that has been refused.
    secure.present(&certificate(HOST), own).await;
    assert!(is_free(&node, "job").await);
}

/// Who is connected stays so; who comes later is refused until the server has another.
async fn g10_certificate_that_expires_while_connected(secure: Secure) {
    let own = secure.files.authority();
    let mut brief = certificate(HOST);
    brief.not_after = (SystemTime::now() + Duration::from_secs(6)).into();
    secure.present(&brief, own).await;
    let early = connect(&secure.url()).await;
    let late = lazy(&secure.url());
    let error = until(async || {
        let another = lazy(&secure.url());
        another.try_lock(config("job", MINUTE)).await.err()
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(is_free(&early, "job").await, "it is connected");
    let refused = late.try_lock(config("job", MINUTE)).await.err();
    assert_eq!(
        refused.map(|error| error.kind()),
        Some(ErrorKind::Configuration)
    );
    secure.present(&certificate(HOST), own).await;
    assert!(is_free(&late, "job").await);
}
