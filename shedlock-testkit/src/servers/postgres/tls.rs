//! A PostgreSQL server that clients reach with TLS as well.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Postgres, PostgresKind};
use crate::Certificates;
use crate::servers::{Server, Unavailable};

impl Server<PostgresKind> {
    /// Starts a server that only the caller uses, which takes connections with TLS and without.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); and [`Unavailable`] if the server was built without TLS.
    ///
    /// # Panics
    ///
    /// If the certificates cannot be read, or the server does not start with them.
    pub async fn start_with_tls(certificates: &Certificates) -> Result<Self, Unavailable> {
        let server = Postgres::start().await?;
        let url = server.admin_url();
        let library = server.execute(&url, "SHOW ssl_library").await;
        if library.trim().is_empty() {
            return Err(Unavailable::manual(
                "PostgreSQL with TLS",
                "this PostgreSQL was built without TLS".to_owned(),
                "use a build with OpenSSL",
            ));
        }
        let data = server.execute(&url, "SHOW data_directory").await;
        let data = Path::new(data.trim());
        for (name, file) in [
            ("server.pem", certificates.server()),
            ("server.key", certificates.key()),
        ] {
            let text = fs::read_to_string(file)
                .unwrap_or_else(|error| panic!("failed to read a certificate: {error}"));
            // The server's account owns what the server writes, and may read no key that others can.
            let (text, file) = (text.trim(), data.join(name));
            let lines = format!("SELECT unnest(string_to_array('{text}', E'\\n'))");
            let copy = format!("COPY ({lines}) TO '{}';", file.display());
            server.execute(&url, &copy).await;
        }
        fs::set_permissions(data.join("server.key"), Permissions::from_mode(0o600))
            .unwrap_or_else(|error| panic!("failed to hide the server's key: {error}"));
        for setting in [
            "ssl_cert_file = 'server.pem'",
            "ssl_key_file = 'server.key'",
            "ssl = on",
        ] {
            let set = format!("ALTER SYSTEM SET {setting};");
            server.execute(&url, &set).await;
        }
        let restarted = server.restart().await;
        restarted.unwrap_or_else(|error| panic!("the server does not start with TLS: {error}"));
        Ok(server)
    }
}
