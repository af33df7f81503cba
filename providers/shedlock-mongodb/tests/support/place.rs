//! A database of a test's own, and what other programs do to it.

use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection, Database};
use shedlock_mongodb::{MongoLockProvider, MongoLockProviderBuilder, mongodb};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::Mongo;

/// Whose clock decides. Each needs a server of its own kind: only one has updates that are pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deciding {
    Server,
    Client,
}

pub(crate) const BOTH: [Deciding; 2] = [Deciding::Server, Deciding::Client];

#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) server: Mongo,
    pub(crate) deciding: Deciding,
    pub(crate) database: Database,
}

impl Place {
    /// In a server that all tests of the program share.
    pub(crate) async fn new(deciding: Deciding) -> Result<Self, Unavailable> {
        let server = match deciding {
            Deciding::Server => Mongo::shared().await?,
            Deciding::Client => Mongo::shared_without_pipelines().await?,
        };
        Ok(Self::on(server, deciding).await)
    }

    /// In a server of its own.
    pub(crate) async fn alone(deciding: Deciding) -> Result<Self, Unavailable> {
        let server = match deciding {
            Deciding::Server => Mongo::start().await?,
            Deciding::Client => Mongo::start_without_pipelines().await?,
        };
        Ok(Self::on(&server, deciding).await)
    }

    /// Another place in the same server. Requests about this place that are still on their way are none of the other place's.
    pub(crate) async fn beside(&self) -> Self {
        Self::on(&self.server, self.deciding).await
    }

    async fn on(server: &Mongo, deciding: Deciding) -> Self {
        let name = format!("case-{:016x}", fastrand::u64(..));
        let client = Client::with_uri_str(server.url(&name)).await;
        let database = client.expect("a valid URL").database(&name);
        Self {
            server: server.clone(),
            deciding,
            database,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(self.database.name())
    }

    /// A node with a client of its own, for the server at `url`.
    pub(crate) fn builder_at(&self, url: &str) -> MongoLockProviderBuilder {
        decided_by(self.deciding, MongoLockProvider::builder_from_url(url))
    }

    pub(crate) fn node(&self) -> MongoLockProvider {
        let built = self.builder_at(&self.url()).build();
        built.expect("the options are valid")
    }

    pub(crate) fn locks(&self) -> Collection<Document> {
        self.database.collection("shedLock")
    }

    pub(crate) async fn get(&self, lock: &str) -> Option<Document> {
        let found = self.locks().find_one(doc! { "_id": lock }).await;
        found.expect("the server answers")
    }

    pub(crate) async fn put(&self, document: Document) {
        let put = self.locks().insert_one(document).await;
        put.expect("the server answers");
    }

    pub(crate) async fn delete(&self, lock: &str) {
        let deleted = self.locks().delete_one(doc! { "_id": lock }).await;
        deleted.expect("the server answers");
    }

    /// The next `times` commands of this name about this place's locks fail, as `failCommand` of MongoDB lets them. The runtime's
    /// background is among those who send them: it gives back what an acquisition in doubt may have been granted, until the lease ends.
    pub(crate) async fn fail(&self, command: &str, times: i32, failure: Document) {
        let namespace = self.locks().namespace().to_string();
        let mut data = doc! { "failCommands": [command], "namespace": namespace };
        data.extend(failure);
        let point =
            doc! { "configureFailPoint": "failCommand", "mode": { "times": times }, "data": data };
        let admin = self.database.client().database("admin");
        admin.run_command(point).await.expect("the server answers");
    }
}

pub(crate) fn decided_by(
    deciding: Deciding,
    builder: MongoLockProviderBuilder,
) -> MongoLockProviderBuilder {
    match deciding {
        Deciding::Server => builder,
        Deciding::Client => builder.client_clock(),
    }
}
