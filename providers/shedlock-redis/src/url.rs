//! The URL of a server, of a cluster, or of sentinels that know the server: which clients it means.

use redis::{Client, RedisResult};

/// Where the server for a lock is found.
pub(crate) enum Origin {
    Server(Client),
    /// The primary with this name, whose address the sentinels know. `primary` has its login and database, and the address of a sentinel.
    Sentinels {
        sentinels: Vec<Client>,
        name: String,
        primary: Client,
    },
    /// Some servers of a cluster, which know the others.
    Cluster(Vec<Client>),
}

/// The URL split up: `redis+cluster://login@host,host/path?options`.
struct Parts<'a> {
    scheme: &'a str,
    /// With the `@` behind it; empty if there is none.
    login: &'a str,
    hosts: &'a str,
    path: &'a str,
    options: &'a str,
}

const SENTINEL_PORT: u16 = 26_379;

/// Parses a URL; `None` if it is not valid.
pub(crate) fn parse(url: &str) -> Option<Origin> {
    let (scheme, rest) = url.split_once("://")?;
    let parts = |scheme| split(scheme, rest);
    match scheme {
        "redis+cluster" => cluster(&parts("redis")),
        "rediss+cluster" => cluster(&parts("rediss")),
        "redis+sentinel" => sentinels(&parts("redis")),
        "rediss+sentinel" => sentinels(&parts("rediss")),
        _ => Client::open(url).ok().map(Origin::Server),
    }
}

fn split<'a>(scheme: &'a str, rest: &'a str) -> Parts<'a> {
    let (rest, options) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    Parts {
        scheme,
        login,
        hosts,
        path,
        options,
    }
}

fn cluster(parts: &Parts<'_>) -> Option<Origin> {
    // A cluster has one database.
    if !matches!(parts.path, "" | "0") {
        return None;
    }
    let hosts = parts.hosts.split(',');
    let nodes = hosts.map(|host| parts.client(parts.login, host, ""));
    nodes.collect::<RedisResult<_>>().ok().map(Origin::Cluster)
}

fn sentinels(parts: &Parts<'_>) -> Option<Origin> {
    let (name, database) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    if name.is_empty() {
        return None;
    }
    let first = parts.hosts.split(',').next()?;
    let primary = parts.client(parts.login, first, database).ok()?;
    let sentinels = parts.hosts.split(',').map(|host| {
        if has_port(host) {
            parts.client("", host, "")
        } else {
            parts.client("", &format!("{host}:{SENTINEL_PORT}"), "")
        }
    });
    Some(Origin::Sentinels {
        sentinels: sentinels.collect::<RedisResult<_>>().ok()?,
        name: name.to_owned(),
        primary,
    })
}

impl Parts<'_> {
    fn client(&self, login: &str, host: &str, database: &str) -> RedisResult<Client> {
        let (scheme, options) = (self.scheme, self.options);
        Client::open(format!("{scheme}://{login}{host}/{database}{options}"))
    }
}

fn has_port(host: &str) -> bool {
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(clients: &[Client]) -> Vec<String> {
        let address = |client: &Client| client.get_connection_info().addr().to_string();
        clients.iter().map(address).collect()
    }

    #[test]
    fn a_cluster_is_some_of_its_servers() {
        let Some(Origin::Cluster(nodes)) =
            parse("redis+cluster://jobs:p%40ss@n1:7001,n2,[::1]:7003/?protocol=resp3")
        else {
            panic!("a cluster");
        };
        assert_eq!(addresses(&nodes), ["n1:7001", "n2:6379", "::1:7003"]);
        for node in &nodes {
            let settings = node.get_connection_info().redis_settings();
            assert_eq!(settings.username(), Some("jobs"));
            assert_eq!(settings.password(), Some("p@ss"));
        }
    }

    #[test]
    fn the_login_is_the_primarys_and_not_the_sentinels() {
        let Some(Origin::Sentinels {
            sentinels,
            name,
            primary,
        }) = parse("redis+sentinel://jobs:secret@s1,s2:5000,[::1]/cache/3")
        else {
            panic!("sentinels");
        };
        assert_eq!(addresses(&sentinels), ["s1:26379", "s2:5000", "::1:26379"]);
        let login = sentinels[0].get_connection_info().redis_settings();
        assert_eq!((login.username(), login.password()), (None, None));
        let settings = primary.get_connection_info().redis_settings();
        assert_eq!(settings.password(), Some("secret"));
        assert_eq!((&*name, settings.db()), ("cache", 3));
    }

    #[test]
    fn what_names_no_server_is_not_valid() {
        for url in [
            "",
            "cache:6379",
            "http://cache",
            "redis+cluster://",
            "redis+cluster://n1,,n2",
            "redis+cluster://n1/3",
            "redis+sentinel://s1",
            "redis+sentinel://s1/",
            "redis+sentinel:///cache",
            "redis+sentinel://s1/cache/first",
        ] {
            assert!(parse(url).is_none(), "{url}");
        }
        assert!(matches!(parse("redis://cache"), Some(Origin::Server(_))));
    }
}
