//! A table of a test's own, and what other programs do to it.

use std::collections::HashMap;

use shedlock_dynamodb::aws_sdk_dynamodb::Client;
use shedlock_dynamodb::aws_sdk_dynamodb::config::retry::RetryConfig;
use shedlock_dynamodb::aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use shedlock_dynamodb::aws_sdk_dynamodb::types::AttributeValue;
use shedlock_dynamodb::{DynamoDbLockProvider, DynamoDbLockProviderBuilder};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::{Dynalite, Dynoxide};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Which server. Only Dynoxide tells the item that stood in the way of an update, as DynamoDB does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Dynoxide,
    Dynalite,
}

#[derive(Debug, Clone)]
pub(crate) enum Server {
    Dynoxide(Dynoxide),
    Dynalite(Dynalite),
}

/// Calls a method of whichever server.
macro_rules! of {
    ($server:expr, $it:ident => $call:expr) => {
        match $server {
            Server::Dynoxide($it) => $call,
            Server::Dynalite($it) => $call,
        }
    };
}

impl Server {
    pub(crate) fn endpoint(&self) -> String {
        of!(self, it => it.endpoint())
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        of!(self, it => it.address())
    }

    pub(crate) async fn kill(&self) {
        of!(self, it => it.kill().await).expect("signals can be sent");
    }

    pub(crate) async fn restart(&self) {
        of!(self, it => it.restart().await).expect("it comes back");
    }

    pub(crate) async fn pause(&self) {
        of!(self, it => it.pause().await).expect("signals can be sent");
    }

    pub(crate) async fn resume(&self) {
        of!(self, it => it.resume().await).expect("signals can be sent");
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) table: String,
    pub(crate) client: Client,
}

impl Place {
    /// In a server that all tests of the program share.
    pub(crate) async fn new(which: Which) -> Result<Self, Unavailable> {
        let server = match which {
            Which::Dynoxide => Server::Dynoxide(Dynoxide::shared().await?.clone()),
            Which::Dynalite => Server::Dynalite(Dynalite::shared().await?.clone()),
        };
        Ok(Self::on(server).await)
    }

    /// In a server of its own.
    pub(crate) async fn alone(which: Which) -> Result<Self, Unavailable> {
        let server = match which {
            Which::Dynoxide => Server::Dynoxide(Dynoxide::start().await?),
            Which::Dynalite => Server::Dynalite(Dynalite::start().await?),
        };
        Ok(Self::on(server).await)
    }

    async fn on(server: Server) -> Self {
        let client = client_of(&server.endpoint());
        let table = format!("case-{:016x}", fastrand::u64(..));
        let place = Self {
            server,
            table,
            client,
        };
        place.node().ensure_schema().await.expect("can be created");
        place
    }

    pub(crate) fn builder(&self) -> DynamoDbLockProviderBuilder {
        DynamoDbLockProvider::builder(self.client.clone()).table(&self.table)
    }

    /// A node with a client of its own, for the server at `endpoint`.
    pub(crate) fn builder_at(&self, endpoint: &str) -> DynamoDbLockProviderBuilder {
        builder_for(endpoint, &self.table)
    }

    pub(crate) fn node(&self) -> DynamoDbLockProvider {
        self.builder().build().expect("the options are valid")
    }

    pub(crate) async fn get(&self, lock: &str) -> Option<Item> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.key("_id", text(lock)).consistent_read(true);
        get.send().await.expect("the server answers").item
    }

    pub(crate) async fn put(&self, item: Item) {
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(item)).send().await;
        put.expect("the server answers");
    }

    pub(crate) async fn delete(&self, lock: &str) {
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.key("_id", text(lock)).send().await;
        deleted.expect("the server answers");
    }

    pub(crate) async fn delete_table(&self) {
        let deleted = self.client.delete_table().table_name(&self.table);
        deleted.send().await.expect("the server answers");
        let is_there = || async {
            let describe = self.client.describe_table().table_name(&self.table);
            describe.send().await.is_ok()
        };
        while is_there().await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn builder_for(endpoint: &str, table: &str) -> DynamoDbLockProviderBuilder {
    let url = format!("dynamodb://eu-central-1/{table}?endpoint={endpoint}");
    DynamoDbLockProvider::builder_from_url(&url).credentials_provider(credentials())
}

fn credentials() -> Credentials {
    Credentials::new("AKIATEST", "s3cret", None, None, "test")
}

/// A client of the program.
pub(crate) fn client_of(endpoint: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials())
        .retry_config(RetryConfig::standard())
        .http_client(http)
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(crate) fn string_in(item: &Item, attribute: &str) -> String {
    let value = item.get(attribute).and_then(|it| it.as_s().ok());
    value.expect("a string").to_owned()
}
