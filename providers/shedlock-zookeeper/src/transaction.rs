//! Several changes of nodes that ZooKeeper makes all or none of.

use std::sync::Arc;

use zookeeper_client::{Acl, Acls, Client, CreateMode, MultiWriteError, MultiWriteResult};

use crate::error::Right;

/// One step of a transaction: the path of a node, and the version that the node must have.
#[derive(Debug)]
pub(crate) enum Step {
    Check(String, i32),
    Create(String, String),
    Set(String, String, i32),
    Delete(String, i32),
}

impl Step {
    /// Writes `data` to a node that has this version, or does not exist.
    pub(crate) fn write(path: String, data: &str, version: Option<i32>) -> Self {
        match version {
            Some(version) => Self::Set(path, data.to_owned(), version),
            None => Self::Create(path, data.to_owned()),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Transaction(Arc<[Step]>);

impl Transaction {
    pub(crate) fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().collect())
    }

    /// The right that this step needs, and the node that it is about.
    pub(crate) fn needs(&self, index: usize) -> (Right, &str) {
        match self.0.get(index) {
            Some(Step::Create(path, _)) => (Right::Create, path),
            Some(Step::Set(path, ..)) => (Right::Write, path),
            Some(Step::Delete(path, _)) => (Right::Delete, path),
            Some(Step::Check(path, _)) => (Right::Read, path),
            None => (Right::Write, "/"),
        }
    }

    pub(crate) async fn commit(
        &self,
        client: &Client,
        acl: &[Acl],
    ) -> Result<Vec<MultiWriteResult>, MultiWriteError> {
        let options = CreateMode::Persistent.with_acls(Acls::from(acl));
        let mut writer = client.new_multi_writer();
        for step in &*self.0 {
            match step {
                Step::Check(path, version) => writer.add_check_version(path, *version)?,
                Step::Create(path, data) => writer.add_create(path, data.as_bytes(), &options)?,
                Step::Set(path, data, version) => {
                    writer.add_set_data(path, data.as_bytes(), Some(*version))?;
                }
                Step::Delete(path, version) => writer.add_delete(path, Some(*version))?,
            }
        }
        writer.commit().await
    }
}
