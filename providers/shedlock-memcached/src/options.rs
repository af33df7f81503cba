//! The options of a provider, and the URL of the server.

use std::fmt;

use percent_encoding::percent_decode_str;
use shedlock_runtime::{Clock, LockError, Operation, ProviderInfo};
use url::{Host, Url};

use crate::error;
use crate::keys::Keys;
use crate::provider::MemcachedLockProvider;
use crate::server::{Address, Login, Server};

const PROVIDER: &str = "memcached";
const SCHEME: &str = "memcached";
const PORT: u16 = 11_211;
const ENVIRONMENT: &str = "default";

/// The options of a [`MemcachedLockProvider`]. Begin with [`MemcachedLockProvider::builder`].
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_memcached::MemcachedLockProvider;
///
/// let provider = MemcachedLockProvider::builder("memcached://localhost")
///     // As the JVM nodes' `environment`.
///     .environment("production")
///     .node_name("web-2")
///     .connect()
///     .await?;
/// # let _ = provider;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct MemcachedLockProviderBuilder {
    address: Option<Address>,
    environment: String,
    info: ProviderInfo,
}

impl MemcachedLockProviderBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            address: address(url),
            environment: ENVIRONMENT.to_owned(),
            info: ProviderInfo::new(PROVIDER),
        }
    }

    /// Sets the part of each key between `shedlock` and the lock's name. The default is `default`, as on JVM nodes. The longer it is, the
    /// shorter are the names that locks can have: a key has at most 250 bytes.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = environment.into();
        self
    }

    /// Sets the name of this node. The default is the name of the host.
    pub fn node_name(mut self, name: &str) -> Self {
        self.info = self.info.with_node_name(name);
        self
    }

    /// Sets the clock that measures the holder's deadline and dates the records. The default is the clock of this machine. The end of a
    /// lease in the store is measured by the server.
    pub fn time_source(mut self, time: impl Clock) -> Self {
        self.info = self.info.with_clock(time);
        self
    }

    /// Creates the provider. The provider connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid, or an environment that cannot be
    /// in a key.
    pub fn build(self) -> Result<MemcachedLockProvider, LockError> {
        let built = self.try_build();
        built.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))
    }

    /// Creates the provider and opens a connection.
    ///
    /// # Errors
    ///
    /// As [`MemcachedLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(self) -> Result<MemcachedLockProvider, LockError> {
        let built = self.build()?;
        let connected = built.server.look().await;
        connected.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))?;
        Ok(built)
    }

    fn try_build(self) -> Result<MemcachedLockProvider, LockError> {
        let address = self.address.ok_or_else(error::not_as_configured)?;
        let keys = Keys::new(&self.environment)?;
        Ok(MemcachedLockProvider::assemble(
            self.info,
            keys,
            Server::new(address),
        ))
    }
}

impl fmt::Debug for MemcachedLockProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedLockProviderBuilder")
            .field("environment", &self.environment)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// The address in a URL; `None` if the URL is not valid.
fn address(url: &str) -> Option<Address> {
    let url = Url::parse(url).ok()?;
    let is_bare =
        matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if url.scheme() != SCHEME || !is_bare {
        return None;
    }
    let host = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let login = match (decoded(url.username())?, url.password()) {
        (user, None) if user.is_empty() => None,
        (user, password) => Some(Login {
            user,
            password: decoded(password?)?,
        }),
    };
    let is_missing = |login: &Login| login.user.is_empty() || login.password.is_empty();
    // One server alone: which of several has a lock, each client finds out in its own way.
    if host.is_empty() || host.contains(',') || login.as_ref().is_some_and(is_missing) {
        return None;
    }
    Some(Address {
        host,
        port: url.port().unwrap_or(PORT),
        login,
    })
}

/// `None` if it is no text, or cannot be part of a login: the server ends the user at the first blank, and both at the end of the line.
fn decoded(part: &str) -> Option<String> {
    let part = percent_decode_str(part).decode_utf8().ok()?.into_owned();
    let is_legal = |c: char| c != ' ' && !c.is_control();
    part.chars().all(is_legal).then_some(part)
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::ErrorKind;

    use super::*;

    #[test]
    fn a_url_is_an_address_and_a_login() {
        let of = |url| {
            let Address { host, port, login } = address(url).expect(url);
            let login = login.map(|login| format!("{} {}", login.user, login.password));
            (host, port, login)
        };
        let at = |host: &str, port| (host.to_owned(), port, None);
        assert_eq!(of("memcached://cache"), at("cache", 11_211));
        assert_eq!(of("memcached://10.0.0.1:1/"), at("10.0.0.1", 1));
        assert_eq!(of("memcached://[::1]:1"), at("::1", 1));
        let (_, _, login) = of("memcached://jobs:p%40ss@cache");
        assert_eq!(login.as_deref(), Some("jobs p@ss"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_the_password() {
        for url in [
            "",
            "cache:11211",
            "http://cache",
            "memcached://",
            "memcached://cache:x",
            "memcached://cache/0",
            "memcached://cache?tls",
            "memcached://jobs@cache",
            "memcached://jobs:@cache",
            "memcached://:open-sesame@cache",
            "memcached://jobs:open-sesame%0d%0aflush_all@cache",
            "memcached://a%20b:open-sesame@cache",
            "memcached://one,two",
        ] {
            let builder = MemcachedLockProvider::builder(url);
            assert!(!format!("{builder:?}").contains("sesame"));
            let refused = builder.build().expect_err(url);
            assert_eq!(refused.kind(), ErrorKind::Configuration, "{url}");
            assert!(!format!("{refused:?}").contains("sesame"), "{refused:?}");
        }
        let builder = MemcachedLockProvider::builder("memcached://cache").environment("a b");
        assert_eq!(
            builder.build().unwrap_err().kind(),
            ErrorKind::Configuration
        );
    }
}
