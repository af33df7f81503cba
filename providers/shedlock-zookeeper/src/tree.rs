//! The part of ZooKeeper's tree that has the locks, and how it is read.

use shedlock_runtime::LockError;
use zookeeper_client::{Acl, Error, MultiReadResult};

use crate::connection::Connection;
use crate::entry::{Entry, Node};
use crate::error::{self, Right};
use crate::paths::{self, Paths};

/// How many locks are read by one request when all are listed.
const READ_AT_ONCE: usize = 50;

/// The store of a provider, which is the part of ZooKeeper's tree below one node.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) connection: Connection,
    pub(crate) paths: Paths,
    /// Who has which rights on the nodes that this crate creates.
    pub(crate) acl: Vec<Acl>,
}

/// The names of locks with what ZooKeeper has of them. An entry that cannot be read must not hide the others.
pub(crate) type Entries = Vec<(String, Result<Entry, LockError>)>;

impl Tree {
    pub(crate) async fn find(&self, name: &str) -> Result<Entry, LockError> {
        let mut found = self.find_all(&[name.to_owned()]).await?;
        found.pop().unwrap_or_else(|| Err(error::illegible()))
    }

    /// Reads the entries of these locks, all as of one moment.
    async fn find_all(&self, names: &[String]) -> Result<Vec<Result<Entry, LockError>>, LockError> {
        let nodes = |name: &String| {
            [
                self.paths.lock(name),
                self.paths.owner(name),
                self.paths.shard(name),
            ]
        };
        let paths: Vec<_> = names.iter().flat_map(nodes).collect();
        let read = self.connection.ask(|client| {
            let paths = paths.clone();
            async move {
                let mut reader = client.new_multi_reader();
                for path in &paths {
                    reader.add_get_data(path)?;
                }
                Ok(reader.commit().await?)
            }
        });
        let refused = |error| error::refused(Right::Read, &paths[0], error);
        let mut answers = read
            .await?
            .result
            .map_err(|it| refused(it.into()))?
            .into_iter();
        let mut paths = paths.iter();
        let mut next = || match (answers.next(), paths.next()) {
            (Some(MultiReadResult::Data { data, stat }), _) => Ok(Some(Node { data, stat })),
            (Some(MultiReadResult::Error { err: Error::NoNode }), _) => Ok(None),
            (Some(MultiReadResult::Error { err }), Some(path)) => {
                Err(error::refused(Right::Read, path, err))
            }
            _ => Err(error::illegible()),
        };
        let entries = names.iter().map(|_| {
            let (lock, owner, shard) = (next(), next(), next());
            Ok(Entry {
                lock: lock?,
                owner: owner?,
                shard: shard?.map(|node| node.stat.version),
            })
        });
        Ok(entries.collect())
    }

    /// The children of a node, of which there are none if the node does not exist.
    async fn children(&self, path: String) -> Result<Vec<String>, LockError> {
        let listed = self.connection.ask(|client| {
            let path = path.clone();
            async move { Ok(client.list_children(&path).await?) }
        });
        match listed.await?.result.map_err(Error::from) {
            Err(Error::NoNode) => Ok(Vec::new()),
            listed => listed.map_err(|error| error::refused(Right::Read, &path, error)),
        }
    }

    /// Reads the entries of these locks.
    async fn read_all(&self, names: impl Iterator<Item = String>) -> Result<Entries, LockError> {
        let names: Vec<_> = names.collect();
        let mut read = Vec::with_capacity(names.len());
        for some in names.chunks(READ_AT_ONCE) {
            let entries = self.find_all(some).await?;
            read.extend(some.iter().cloned().zip(entries));
        }
        Ok(read)
    }

    /// Reads the entries of all locks whose names begin with `prefix`.
    pub(crate) async fn find_below(&self, prefix: &str) -> Result<Entries, LockError> {
        let begins = |name: &String| name.starts_with(prefix);
        let may_lead_there =
            |name: &String| begins(name) || prefix.starts_with(&format!("{name}/"));
        let mut found = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let children = self.children(self.paths.folder(&folder)).await?;
            let names = children
                .iter()
                .filter_map(|child| paths::name_in(&folder, child));
            let read = self.read_all(names.filter(may_lead_there)).await?;
            let has_children =
                |entry: &Result<Entry, _>| entry.as_ref().is_ok_and(Entry::has_children);
            let parents = read.iter().filter(|(_, entry)| has_children(entry));
            folders.extend(parents.map(|(name, _)| format!("{name}/")));
            found.extend(read.into_iter().filter(|(name, _)| begins(name)));
        }
        let escaped = self.children(self.paths.escaped()).await?;
        let names = escaped.iter().filter_map(|child| paths::unescaped(child));
        found.extend(self.read_all(names.filter(begins)).await?);
        Ok(found)
    }
}
