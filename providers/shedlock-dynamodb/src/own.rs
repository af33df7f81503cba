//! A client of the provider's own, and the URL that it is made of.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use shedlock_runtime::LockError;
use tokio::sync::OnceCell;
use url::Url;

use crate::error;

/// Firewalls forget connections that are idle for longer than this.
const IDLE_FOR: Duration = Duration::from_secs(30);
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    region: Option<String>,
    endpoint: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) is_observed: bool,
}

impl Target {
    /// Reads `dynamodb://<region>/<table>?endpoint=<URL>&expiry=observation`, each part of which may be left out.
    pub(crate) fn parse(url: &str) -> Result<Self, LockError> {
        let url = Url::parse(url).map_err(|_quotes| error::not_a_url())?;
        let path = url.path().trim_start_matches('/');
        let has_more = url.port().is_some() || url.fragment().is_some() || path.contains('/');
        if url.scheme() != "dynamodb" || has_more {
            return Err(error::not_a_url());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(error::credentials_in_url());
        }
        let (mut endpoint, mut is_observed) = (None, false);
        for (key, value) in url.query_pairs() {
            match &*key {
                "endpoint" if Url::parse(&value).is_ok_and(|it| it.has_host()) => {
                    endpoint = Some(value.into_owned());
                }
                "expiry" if value == "observation" => is_observed = true,
                _ => return Err(error::not_a_url()),
            }
        }
        let region = url.host_str().filter(|host| !host.is_empty());
        Ok(Self {
            region: region.map(str::to_owned),
            endpoint,
            table: Some(path).filter(|it| !it.is_empty()).map(str::to_owned),
            is_observed,
        })
    }
}

/// A client that is made at the first question, and whose connections are replaced if one of them says nothing.
pub(crate) struct Own {
    target: Target,
    credentials: Option<SharedCredentialsProvider>,
    /// Region and credentials, as the AWS CLI finds them.
    found: OnceCell<SdkConfig>,
    client: Mutex<Option<Client>>,
}

impl Own {
    pub(crate) fn new(target: Target, credentials: Option<SharedCredentialsProvider>) -> Self {
        Self {
            target,
            credentials,
            found: OnceCell::new(),
            client: Mutex::new(None),
        }
    }

    pub(crate) async fn client(&self) -> Result<Client, LockError> {
        if let Some(client) = &*self.lock() {
            return Ok(client.clone());
        }
        let found = self.found.get_or_init(|| self.find()).await;
        if found.region().is_none() {
            return Err(error::no_region());
        }
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECTED_WITHIN);
        let config = Builder::from(found)
            .http_client(http_client())
            // A provider has to know that it has asked before.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .build();
        Ok(self.lock().get_or_insert(Client::from_conf(config)).clone())
    }

    /// The next question gets a new client, and so a new connection.
    pub(crate) fn replace(&self) {
        *self.lock() = None;
    }

    async fn find(&self) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client());
        if let Some(region) = &self.target.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = &self.target.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(credentials) = &self.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        loader.load().await
    }

    fn lock(&self) -> MutexGuard<'_, Option<Client>> {
        // Nothing panics while it is locked.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(IDLE_FOR)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

// Written by hand, because a configuration has credentials.
impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Own").field(&self.target).finish()
    }
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::ErrorKind;

    use super::*;

    #[test]
    fn every_part_of_a_url_may_be_left_out() {
        let target = |region: Option<&str>, table: Option<&str>, endpoint: Option<&str>| Target {
            region: region.map(str::to_owned),
            endpoint: endpoint.map(str::to_owned),
            table: table.map(str::to_owned),
            is_observed: false,
        };
        let region = Some("eu-central-1");
        for (url, expected) in [
            (
                "dynamodb://eu-central-1/locks",
                target(region, Some("locks"), None),
            ),
            ("dynamodb://eu-central-1", target(region, None, None)),
            ("dynamodb:///locks", target(None, Some("locks"), None)),
            (
                "dynamodb://eu-central-1/locks?endpoint=http://127.0.0.1:8000",
                target(region, Some("locks"), Some("http://127.0.0.1:8000")),
            ),
        ] {
            assert_eq!(Target::parse(url).ok(), Some(expected), "{url}");
        }
        let observed = Target::parse("dynamodb:///locks?expiry=observation");
        assert!(observed.is_ok_and(|it| it.is_observed));
    }

    #[test]
    fn other_urls_are_refused_without_a_secret() {
        for url in [
            "",
            "eu-central-1/locks",
            "redis://eu-central-1/locks",
            "dynamodb://eu-central-1:8000/locks",
            "dynamodb://eu-central-1/locks/mail",
            "dynamodb://eu-central-1/locks?endpoint=nowhere",
            "dynamodb://eu-central-1/locks?table=locks",
            "dynamodb://eu-central-1/locks?expiry=never",
            "dynamodb://AKIA:s3cret@eu-central-1/locks",
        ] {
            let error = Target::parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            assert!(
                !format!("{error:?} {error}").contains("s3cret"),
                "{error:?}"
            );
        }
    }
}
