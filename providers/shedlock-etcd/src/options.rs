//! The options of a provider.

use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};
use shedlock_runtime::{Clock, LockError, Operation, ProviderInfo};

use crate::error;
use crate::gateway::Gateway;
use crate::keys::Keys;
use crate::login::Login;
use crate::provider::EtcdLockProvider;

const PROVIDER: &str = "etcd";
const PREFIX: &str = "shedlock";
const ENVIRONMENT: &str = "default";
/// A connection that was idle for longer may be broken without a sign. The questions of one call follow each other more closely.
const IDLE: Duration = Duration::from_secs(1);

/// The options of an [`EtcdLockProvider`]. Begin with [`EtcdLockProvider::builder`] or [`EtcdLockProvider::builder_from_url`].
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_etcd::EtcdLockProvider;
///
/// let provider = EtcdLockProvider::builder_from_url("http://etcd-1:2379,http://etcd-2:2379")
///     .environment("prod")
///     .connect()
///     .await?;
/// # let _ = provider;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct EtcdLockProviderBuilder {
    url: String,
    client: Option<Client>,
    prefix: String,
    environment: String,
    info: ProviderInfo,
}

impl EtcdLockProviderBuilder {
    pub(crate) fn new(url: &str, client: Option<Client>) -> Self {
        Self {
            url: url.to_owned(),
            client,
            prefix: PREFIX.to_owned(),
            environment: ENVIRONMENT.to_owned(),
            info: ProviderInfo::new(PROVIDER),
        }
    }

    /// Sets the prefix with which every lock's key begins. The default is `shedlock`, as on JVM nodes. The keys of positions begin with the
    /// prefix and `-position`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the part of each key between the prefix and the lock's name. The default is `default`, as on JVM nodes.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = environment.into();
        self
    }

    /// Sets the name of this node. The default is the name of the host.
    pub fn node_name(mut self, name: &str) -> Self {
        self.info = self.info.with_node_name(name);
        self
    }

    /// Sets the clock that measures the holder's deadline, dates the records, and tells the slot of a run that asks for one. The default is
    /// the clock of this machine. The end of a lease in the store is measured by etcd.
    pub fn time_source(mut self, time: impl Clock) -> Self {
        self.info = self.info.with_clock(time);
        self
    }

    /// Creates the provider. The provider connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid.
    pub fn build(self) -> Result<EtcdLockProvider, LockError> {
        let gateway = gateway(&self.url, self.client);
        let gateway =
            gateway.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))?;
        let keys = Keys::new(&self.prefix, &self.environment);
        Ok(EtcdLockProvider::assemble(self.info, keys, gateway))
    }

    /// Creates the provider, and asks etcd for a first answer.
    ///
    /// # Errors
    ///
    /// As [`EtcdLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(self) -> Result<EtcdLockProvider, LockError> {
        let built = self.build()?;
        let connected = built.warm_up().await;
        connected.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))?;
        Ok(built)
    }
}

/// The gateway at `url`, asked by the caller's `client` or by clients of the provider's own.
fn gateway(url: &str, client: Option<Client>) -> Result<Gateway, LockError> {
    let (members, login) = members(url)?;
    let (kept, fresh) = if let Some(client) = client {
        (client.clone(), client)
    } else {
        let kept = own_client().pool_idle_timeout(IDLE).build();
        let fresh = own_client().pool_max_idle_per_host(0).build();
        (
            kept.map_err(error::no_client)?,
            fresh.map_err(error::no_client)?,
        )
    };
    Ok(Gateway::new(members, kept, fresh, login))
}

/// A client that talks to the members alone: a proxy of the environment is for the web, and a redirection is not from etcd.
fn own_client() -> ClientBuilder {
    Client::builder().no_proxy().redirect(Policy::none())
}

/// The members that `url` names, separated by commas, and the login of the first URL that has one.
fn members(url: &str) -> Result<(Vec<Url>, Option<Login>), LockError> {
    let (mut members, mut login) = (Vec::new(), None);
    for url in url.split(',') {
        // The parser's message is left out, because it may quote the password.
        let mut member = Url::parse(url.trim()).map_err(|_quotes| error::not_as_configured())?;
        if !["http", "https"].contains(&member.scheme()) || !member.has_host() {
            return Err(error::not_as_configured());
        }
        if login.is_none() && !member.username().is_empty() {
            let password = decoded(member.password().unwrap_or_default());
            login = Some(Login::new(decoded(member.username()), password));
        }
        // A URL with a host can do without a login, so neither call fails.
        let _infallible = (member.set_username(""), member.set_password(None));
        member.set_query(None);
        member.set_fragment(None);
        if !member.path().ends_with('/') {
            member.set_path(&format!("{}/", member.path()));
        }
        members.push(member);
    }
    Ok((members, login))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

// Written by hand, because the URL may contain a password.
impl fmt::Debug for EtcdLockProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdLockProviderBuilder")
            .field("prefix", &self.prefix)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::ErrorKind;

    use super::*;

    #[test]
    fn a_url_names_members_and_a_login() {
        let (members, login) =
            members("http://web:p%40s%2Fs@a:2379, https://web:other@b/etcd?x#y").unwrap();
        let members: Vec<&str> = members.iter().map(Url::as_str).collect();
        assert_eq!(members, ["http://a:2379/", "https://b/etcd/"]);
        let login = login.unwrap();
        assert_eq!((&*login.user, &*login.password), ("web", "p@s/s"));
        assert_eq!(format!("{login:?}"), "Login(web)");
    }

    #[test]
    fn a_url_of_no_use_is_refused_without_its_password() {
        for url in [
            "",
            "a:2379",
            "ftp://a",
            "http://web:s3cret@",
            "http://a,",
            "http://web:s3cret@a:port",
        ] {
            let error = EtcdLockProviderBuilder::new(url, None).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            assert!(
                !format!("{error} {error:?}").contains("s3cret"),
                "{error:?}"
            );
        }
    }
}
