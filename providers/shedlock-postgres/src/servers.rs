//! The servers that a connection URL names, and how to connect to each.

use std::str::FromStr as _;

use shedlock_runtime::LockError;
use shedlock_sql::{Dialect, url};
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

use crate::tls::{self, Tls};

const DIALECT: Dialect = Dialect::Postgres;

/// One server.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) tls: Tls,
}

/// The servers of the URL, in its order.
pub(crate) fn from_url(url: &str) -> Result<Vec<Server>, LockError> {
    let servers = url::servers(DIALECT, url)?;
    servers.iter().map(|server| one(url, server)).collect()
}

fn one(url: &str, server: &str) -> Result<Server, LockError> {
    if !server.contains("://") {
        return Err(url::invalid(DIALECT, url, &"it has no scheme"));
    }
    let (server, tls) = tls::from_url(server)?;
    let config = Config::from_str(&server);
    let mut config = config.map_err(|error| {
        // The driver's error has the word that it does not know as its cause.
        let why = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        url::invalid(DIALECT, url, &why)
    })?;
    config.ssl_mode(tls.ssl_mode());
    if config.get_application_name().is_none() {
        config.application_name("shedlock");
    }
    // Hosts in a parameter, as in `?host=one,two`.
    if config.get_hosts().len() > 1 {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    Ok(Server { config, tls })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::Host;

    fn error_of(url: &str) -> String {
        match from_url(url) {
            Ok(_) => panic!("`{url}` is accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_host_is_a_server() {
        let url = "postgres://u:p%40w@one:1,[::1]:2/db?target_session_attrs=read-write&application_name=app";
        let servers = from_url(url).expect("a valid URL");
        let hosts: Vec<_> = servers
            .iter()
            .map(|server| {
                (
                    server.config.get_hosts().to_vec(),
                    server.config.get_ports().to_vec(),
                )
            })
            .collect();
        let tcp = |host: &str, port| (vec![Host::Tcp(host.to_owned())], vec![port]);
        assert_eq!(hosts, [tcp("one", 1), tcp("::1", 2)]);
        for server in &servers {
            assert_eq!(server.config.get_password(), Some(&b"p@w"[..]));
            assert_eq!(server.config.get_application_name(), Some("app"));
        }
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused_by_name() {
        assert!(error_of("jdbc:postgresql://one/db").contains("JDBC"));
        assert!(error_of("mysql://one/db").contains("not for this kind of database"));
        assert!(error_of("host=one user=u").contains("it has no scheme"));
        assert!(error_of("postgres://one/db?target_session_attrs=standby").contains("read-write"));
        let unknown = error_of("postgres://one/db?currentSchema=app");
        assert!(unknown.contains("currentSchema"), "{unknown}");
        let secret = error_of("postgres://u:s3cret@one:port/db");
        assert!(!secret.contains("s3cret"), "{secret}");
        assert!(error_of("postgres://one/db?sslmode=on").contains("`sslmode`"));
    }
}
