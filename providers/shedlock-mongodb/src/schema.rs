//! The collection's index, and what could be wrong with the collection.

use mongodb::IndexModel;
use mongodb::bson::doc;
use mongodb::options::IndexOptions;
use shedlock_runtime::{LockError, Operation};

use crate::error;
use crate::provider::MongoLockProvider;

const TTL_INDEX: &str = "shedlock_ttl";

impl MongoLockProvider {
    /// Creates the index that [`with_ttl_index`](crate::MongoLockProviderBuilder::with_ttl_index) asks for, if there is none. Without that
    /// option there is nothing to create: MongoDB creates the collection with the first lock, and a lock needs no index but the one of
    /// `_id`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) if the field has another index, or one with another time. Any other error
    /// means that the server could not be asked.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the server may create the index all the same. Call it again: an index that is there stays.
    pub async fn ensure_indexes(&self) -> Result<(), LockError> {
        let Some(unused_for) = self.ttl else {
            return Ok(());
        };
        let options = IndexOptions::builder()
            .name(TTL_INDEX.to_owned())
            .expire_after(unused_for)
            .build();
        let end = &self.documents().fields.lock_until;
        let index = IndexModel::builder()
            .keys(doc! { end: 1 })
            .options(options)
            .build();
        let created = async {
            let collection = self.documents().connection.collection().await?;
            let created = collection.create_index(index).await;
            created.map(drop).map_err(|error| error::failed(&error))
        };
        created
            .await
            .map_err(|error| self.in_context(Operation::EnsureSchema, error))
    }

    /// Checks that the collection compares names and owners byte by byte: a collection with a collation of its own takes two names for one.
    /// A collection that does not exist yet passes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) if the collection has a collation, is capped, or is a view or a time
    /// series. Any other error means that the server could not be asked.
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing, so it may be dropped at any time.
    pub async fn check_schema(&self) -> Result<(), LockError> {
        let checked = self.check_collection().await;
        checked.map_err(|error| self.in_context(Operation::CheckSchema, error))
    }

    async fn check_collection(&self) -> Result<(), LockError> {
        let connection = &self.documents().connection;
        let database = connection.database().await?;
        let named = doc! { "name": connection.collection_name() };
        let mut found = database
            .list_collections()
            .filter(named)
            .await
            .map_err(|error| error::failed(&error))?;
        while found
            .advance()
            .await
            .map_err(|error| error::failed(&error))?
        {
            let found = found
                .deserialize_current()
                .map_err(|error| error::failed(&error))?;
            let options = found.options;
            let is_plain = options.view_on.is_none() && options.timeseries.is_none();
            if !is_plain || options.capped == Some(true) {
                return Err(error::unsuitable("no plain collection"));
            }
            if options.collation.is_some_and(|it| it.locale != "simple") {
                return Err(error::unsuitable("a collection with a collation"));
            }
        }
        Ok(())
    }
}
