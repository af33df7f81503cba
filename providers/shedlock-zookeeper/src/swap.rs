//! Conditional writes of the nodes of a lock, by one transaction each.

use shedlock_runtime::LockError;
use zookeeper_client::{Acls, CreateMode, Error, MultiWriteError, MultiWriteResult};

use crate::connection::Answer;
use crate::entry::{NO_RECORD, Version};
use crate::error::{self, Right};
use crate::transaction::Transaction;
use crate::tree::Tree;

/// How often a write is sent if its parents are missing, or if deletions of other locks come between.
const MOST_SENT: usize = 16;

/// How a transaction ended that ZooKeeper did not refuse for want of a right or of room.
pub(crate) struct Swap {
    pub(crate) end: End,
    /// The version that the transaction replaced, or was to replace.
    pub(crate) expected: Version,
    /// Whether an earlier copy of the transaction may have been carried out.
    pub(crate) in_doubt: bool,
}

pub(crate) enum End {
    Done(Vec<MultiWriteResult>),
    /// A node did not have the version that was expected.
    Conflict,
    /// The node cannot be deleted, because it has children.
    NotEmpty,
}

impl Tree {
    /// Commits a transaction on the nodes of the lock `name`. `transaction` makes it from the version that the nodes must have, and begins
    /// with the step about the shard.
    pub(crate) async fn swap(
        &self,
        name: &str,
        expected: Version,
        transaction: impl Fn(&Version) -> Transaction,
    ) -> Result<Swap, LockError> {
        let (end, in_doubt) = (End::Conflict, false);
        let mut swap = Swap {
            end,
            expected,
            in_doubt,
        };
        match self.carry_out(name, &mut swap, transaction).await {
            Ok(()) => Ok(swap),
            Err(error) if swap.in_doubt => Err(error::in_doubt(error)),
            Err(error) => Err(error),
        }
    }

    async fn carry_out(
        &self,
        name: &str,
        swap: &mut Swap,
        transaction: impl Fn(&Version) -> Transaction,
    ) -> Result<(), LockError> {
        for _ in 0..MOST_SENT {
            let transaction = transaction(&swap.expected);
            let answer = self.commit(&transaction).await?;
            swap.in_doubt |= answer.is_repeated;
            let (index, error) = match answer.result {
                Ok(results) => {
                    swap.end = End::Done(results);
                    return Ok(());
                }
                Err(MultiWriteError::OperationFailed { index, source }) => (index, source),
                Err(MultiWriteError::RequestFailed { source }) => (0, source),
            };
            let is_shard = index == 0;
            match error {
                Error::NoNode if is_shard || swap.expected.lock.is_none() => {
                    self.make_parents(name).await?;
                }
                Error::BadVersion if is_shard => {
                    let found = self.find(name).await?.version();
                    if !found.has_same_nodes(&swap.expected) {
                        return Ok(());
                    }
                    swap.expected = found;
                }
                Error::NoNode | Error::NodeExists | Error::BadVersion => return Ok(()),
                Error::NotEmpty => {
                    swap.end = End::NotEmpty;
                    return Ok(());
                }
                error => {
                    let (right, path) = transaction.needs(index);
                    return Err(error::refused(right, path, error));
                }
            }
        }
        Err(error::raced())
    }

    async fn commit(
        &self,
        transaction: &Transaction,
    ) -> Result<Answer<Vec<MultiWriteResult>>, LockError> {
        let committed = self.connection.ask(|client| {
            let (transaction, acl) = (transaction.clone(), self.acl.clone());
            async move { transaction.commit(&client, &acl).await }
        });
        committed.await
    }

    /// Creates the parents of the nodes of the lock `name`.
    async fn make_parents(&self, name: &str) -> Result<(), LockError> {
        let folders = self.paths.folders(name);
        let ancestors = self.paths.ancestors(name);
        let made = self.connection.ask(|client| {
            let (folders, ancestors, acl) = (folders.clone(), ancestors.clone(), self.acl.clone());
            async move {
                let options = CreateMode::Persistent.with_acls(Acls::from(&*acl));
                for folder in &folders {
                    client.mkdir(folder, &options).await?;
                }
                for ancestor in &ancestors {
                    match client
                        .create(ancestor, NO_RECORD.as_bytes(), &options)
                        .await
                    {
                        Ok(_) | Err(Error::NodeExists) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(())
            }
        });
        let refused = |error: MultiWriteError| {
            error::refused(Right::Create, &self.paths.hidden(), error.into())
        };
        made.await?.result.map_err(refused)
    }
}
