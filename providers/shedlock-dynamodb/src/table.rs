//! The table: created, and compared with what locks need.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use shedlock_runtime::{LockError, Operation};
use tokio::time::sleep;

use crate::error;
use crate::layout::Layout;
use crate::provider::DynamoDbLockProvider;

/// How often a table that is being created is looked at.
const LOOKS: u32 = 120;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

impl DynamoDbLockProvider {
    /// Creates the table with on-demand capacity if there is none, and waits until it can be used; with
    /// [`with_ttl`](crate::DynamoDbLockProviderBuilder::with_ttl), lets it delete items. A table that is there stays as it is otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) if the table has another key, or deletes by another attribute;
    /// [`ErrorKind::Permission`](shedlock_runtime::ErrorKind::Permission) if this identity may not create it;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if it cannot be used a minute later.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, DynamoDB may create the table all the same. Call it again.
    pub async fn ensure_schema(&self) -> Result<(), LockError> {
        let ensured = self.ensure().await;
        ensured.map_err(|error| self.in_context(Operation::EnsureSchema, error))
    }

    /// Checks that there is a table with the keys that the provider was given and, with
    /// [`with_ttl`](crate::DynamoDbLockProviderBuilder::with_ttl), that the table deletes by that attribute.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) if it is not so. Any other error means that DynamoDB could not be asked.
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing, so it may be dropped at any time.
    pub async fn check_schema(&self) -> Result<(), LockError> {
        let checked = self.check().await;
        checked.map_err(|error| self.in_context(Operation::CheckSchema, error))
    }

    async fn ensure(&self) -> Result<(), LockError> {
        if self.describe().await?.is_none() {
            self.create().await?;
        }
        for _ in 0..LOOKS {
            let Some(table) = self.describe().await? else {
                sleep(BETWEEN_LOOKS).await;
                continue;
            };
            if is_active(&table) {
                check_keys(&table, self.layout())?;
                return self.ensure_ttl().await;
            }
            sleep(BETWEEN_LOOKS).await;
        }
        Err(error::not_active(self.layout()))
    }

    async fn check(&self) -> Result<(), LockError> {
        let table = self.describe().await?;
        let table = table.ok_or_else(|| error::no_table(self.layout()))?;
        check_keys(&table, self.layout())?;
        match &self.layout().ttl {
            Some(ttl) if self.ttl_attribute().await?.as_ref() != Some(&ttl.attribute) => {
                Err(error::no_ttl(self.layout(), &ttl.attribute))
            }
            _ => Ok(()),
        }
    }

    async fn describe(&self) -> Result<Option<TableDescription>, LockError> {
        let request = |client: Client| async move {
            let describe = client.describe_table().table_name(&self.layout().table);
            match describe.send().await {
                Ok(described) => Ok(described.table),
                Err(SdkError::ServiceError(answer)) => match answer.err() {
                    DescribeTableError::ResourceNotFoundException(_) => Ok(None),
                    _ => Err(SdkError::ServiceError(answer)),
                },
                Err(error) => Err(error),
            }
        };
        Ok(self.items().connection.ask(request).await?.value)
    }

    async fn create(&self) -> Result<(), LockError> {
        let request = |client: Client| async move {
            let mut create = client
                .create_table()
                .table_name(&self.layout().table)
                .billing_mode(BillingMode::PayPerRequest);
            for (name, kind) in keys(self.layout()) {
                let key = KeySchemaElement::builder()
                    .attribute_name(name)
                    .key_type(kind);
                let attribute = AttributeDefinition::builder()
                    .attribute_name(name)
                    .attribute_type(ScalarAttributeType::S);
                create = create
                    .key_schema(key.build().map_err(SdkError::construction_failure)?)
                    .attribute_definitions(
                        attribute.build().map_err(SdkError::construction_failure)?,
                    );
            }
            match create.send().await {
                Ok(_) => Ok(()),
                Err(SdkError::ServiceError(answer)) => match answer.err() {
                    // Another node was faster.
                    CreateTableError::ResourceInUseException(_) => Ok(()),
                    _ => Err(SdkError::ServiceError(answer)),
                },
                Err(error) => Err(error),
            }
        };
        self.items().connection.ask(request).await.map(drop)
    }

    async fn ensure_ttl(&self) -> Result<(), LockError> {
        let Some(ttl) = &self.layout().ttl else {
            return Ok(());
        };
        match self.ttl_attribute().await? {
            Some(found) if found == ttl.attribute => return Ok(()),
            Some(_) => return Err(error::no_ttl(self.layout(), &ttl.attribute)),
            None => {}
        }
        let request = |client: Client| async move {
            let specification = TimeToLiveSpecification::builder()
                .enabled(true)
                .attribute_name(&ttl.attribute);
            client
                .update_time_to_live()
                .table_name(&self.layout().table)
                .time_to_live_specification(
                    specification
                        .build()
                        .map_err(SdkError::construction_failure)?,
                )
                .send()
                .await
        };
        self.items().connection.ask(request).await.map(drop)
    }

    /// The attribute by which the table deletes.
    async fn ttl_attribute(&self) -> Result<Option<String>, LockError> {
        let request = |client: Client| async move {
            let describe = client.describe_time_to_live();
            describe.table_name(&self.layout().table).send().await
        };
        let described = self.items().connection.ask(request).await?.value;
        let ttl = described.time_to_live_description;
        let enabled = ttl.filter(|ttl| {
            let status = ttl.time_to_live_status.as_ref();
            matches!(
                status,
                Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
            )
        });
        Ok(enabled.and_then(|ttl| ttl.attribute_name))
    }
}

fn keys(layout: &Layout) -> impl Iterator<Item = (&str, KeyType)> {
    let sort_key = layout.sort_key.iter().map(|key| (&**key, KeyType::Range));
    std::iter::once((&*layout.key, KeyType::Hash)).chain(sort_key)
}

fn is_active(table: &TableDescription) -> bool {
    let status = table.table_status.as_ref();
    matches!(status, Some(TableStatus::Active | TableStatus::Updating))
}

fn check_keys(table: &TableDescription, layout: &Layout) -> Result<(), LockError> {
    let found = table.key_schema();
    let is_string = |name: &str| {
        let mut definitions = table.attribute_definitions().iter();
        definitions
            .any(|it| it.attribute_name() == name && *it.attribute_type() == ScalarAttributeType::S)
    };
    let is_there = |(name, kind): (&str, KeyType)| {
        let mut found = found.iter();
        found.any(|key| key.attribute_name() == name && *key.key_type() == kind) && is_string(name)
    };
    if keys(layout).all(is_there) && found.len() == keys(layout).count() {
        return Ok(());
    }
    Err(error::other_keys(layout))
}
