//! The items of a table: how an update is sent, and the items as records that operators compare and swap.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use shedlock_runtime::{LockError, LockRecord, RecordStore, Snapshot, Written};

use crate::connection::{Answer, Connection};
use crate::expression::{self, Update};
use crate::item;
use crate::layout::{Item, Layout};
use crate::observe::{Observer, State};

/// The store of a provider, which is one table.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) connection: Connection,
    pub(crate) layout: Layout,
    /// What was seen of locks that are taken, if leases end by observation.
    pub(crate) observer: Option<Observer>,
}

/// What an update found.
pub(crate) enum Decided {
    /// The condition was met, and the update was made. The item is the one before, if there was one.
    Made(Option<Item>),
    /// The condition was not met. The item is the one that stood in the way, if the server tells it.
    Refused(Option<Item>),
}

/// The record as last seen, and the time of day at which an observer looked at its lease.
#[derive(Clone)]
pub(crate) struct Version {
    record: LockRecord,
    read_at: Option<SystemTime>,
}

impl Version {
    fn of(record: LockRecord) -> Self {
        Self {
            record,
            read_at: None,
        }
    }
}

// The owner contains a secret.
impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Version(..)")
    }
}

impl Items {
    pub(crate) async fn update(&self, update: &Update) -> Result<Answer<Decided>, LockError> {
        let request = |client: Client| async move {
            let sent = client
                .update_item()
                .table_name(&self.layout.table)
                .set_key(Some(update.key.clone()))
                .update_expression(&update.expression)
                .condition_expression(&update.condition)
                .set_expression_attribute_names(Some(update.names.clone()))
                .set_expression_attribute_values(Some(update.values.clone()))
                .return_values(ReturnValue::AllOld)
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .send()
                .await;
            match sent {
                Ok(made) => Ok(Decided::Made(made.attributes)),
                Err(SdkError::ServiceError(answer)) => match answer.err() {
                    UpdateItemError::ConditionalCheckFailedException(failed) => {
                        Ok(Decided::Refused(failed.item().cloned()))
                    }
                    _ => Err(SdkError::ServiceError(answer)),
                },
                Err(error) => Err(error),
            }
        };
        let answer = self.connection.ask(request).await?;
        if let (Some(observer), Decided::Made(_)) = (&self.observer, &answer.value)
            && let (Some(name), Some(state)) = (self.layout.name_in(&update.key), update.state())
        {
            observer.saw(name, state, update.lease);
        }
        Ok(answer)
    }

    /// How long this node leaves the lock of an item alone that was found just now, if leases end by observation.
    pub(crate) fn left(&self, name: &str, item: &Item, record: &LockRecord) -> Option<Duration> {
        let (observer, state) = (self.observer.as_ref()?, State::of(item, &self.layout)?);
        Some(observer.saw(name, state, item::lease(item, &self.layout, record)))
    }

    /// The item of a lock, with every write that was made before.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Item>, LockError> {
        let request = |client: Client| async move {
            let key = self.layout.key_of(name);
            let get = client.get_item().table_name(&self.layout.table);
            get.set_key(Some(key)).consistent_read(true).send().await
        };
        Ok(self.connection.ask(request).await?.value.item)
    }

    fn snapshot(&self, name: &str, item: &Item) -> Snapshot<Version> {
        let record = match item::parse(item, &self.layout) {
            Ok(record) => record,
            Err(problem) => return Snapshot::unreadable(problem),
        };
        match (&self.observer, self.left(name, item, &record)) {
            (Some(observer), Some(left)) => {
                let (shown, now) = observer.in_own_time(&record, left);
                let read_at = Some(now);
                Snapshot::record(shown, Version { record, read_at }).at(now)
            }
            _ => Snapshot::record(record.clone(), Version::of(record)),
        }
    }

    async fn page(
        &self,
        prefix: &str,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), LockError> {
        let from = &from;
        let request = |client: Client| async move {
            let scan = client.scan().table_name(&self.layout.table);
            let scan = scan
                .consistent_read(true)
                .set_exclusive_start_key(from.clone());
            let scan = match prefix {
                "" => scan,
                prefix => scan
                    .filter_expression("begins_with(#key, :prefix)")
                    .expression_attribute_names("#key", &self.layout.key)
                    .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned())),
            };
            scan.send().await
        };
        let answer = self.connection.ask(request).await?.value;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }
}

#[async_trait]
impl RecordStore for Items {
    type Version = Version;

    async fn read(&self, name: &str) -> Result<Snapshot<Version>, LockError> {
        let found = self.find(name).await?;
        Ok(found.map_or_else(Snapshot::absent, |item| self.snapshot(name, &item)))
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&Version>,
    ) -> Result<Written<Version>, LockError> {
        let seen = expected.map(|version| &version.record);
        // An operator's write keeps the lock taken from the moment at which the operator looked at the item, if there was one.
        let read_at = expected.and_then(|version| version.read_at);
        let from = record.locked_at.max(read_at.unwrap_or(record.locked_at));
        let length = record.remaining(from);
        let update = expression::swap(&self.layout, name, record, length, seen);
        Ok(match self.update(&update).await?.value {
            Decided::Made(_) => Written::Done(Version::of(record.clone())),
            Decided::Refused(_) => Written::Conflict,
        })
    }

    async fn delete(&self, name: &str, expected: &Version) -> Result<Written<()>, LockError> {
        let deletion = &expression::deletion(&self.layout, name, &expected.record);
        let request = |client: Client| async move {
            let sent = client
                .delete_item()
                .table_name(&self.layout.table)
                .set_key(Some(deletion.key.clone()))
                .condition_expression(&deletion.condition)
                .set_expression_attribute_names(Some(deletion.names.clone()))
                .set_expression_attribute_values(Some(deletion.values.clone()))
                .send()
                .await;
            match sent {
                Ok(_) => Ok(Written::Done(())),
                Err(SdkError::ServiceError(answer)) => match answer.err() {
                    DeleteItemError::ConditionalCheckFailedException(_) => Ok(Written::Conflict),
                    _ => Err(SdkError::ServiceError(answer)),
                },
                Err(error) => Err(error),
            }
        };
        Ok(self.connection.ask(request).await?.value)
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        let all = self.list(prefix).await?;
        Ok(all.into_iter().map(|(name, _)| name).collect())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, Snapshot<Version>)>, LockError> {
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let (items, next) = self.page(prefix, from).await?;
            for item in &items {
                if let Some(name) = self.layout.name_in(item) {
                    all.push((name.to_owned(), self.snapshot(name, item)));
                }
            }
            if next.is_none() {
                return Ok(all);
            }
            from = next;
        }
    }

    fn lists_contents(&self) -> bool {
        true
    }
}
