//! A bucket for one test, in each kind of store, and requests to it past the provider.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use shedlock_object_store::Protocol;
use shedlock_object_store::object_store::path::Path;
use shedlock_object_store::object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode,
    PutOptions, UpdateVersion,
};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::{Azurite, SeaweedFs};

use crate::stand_in::Gcs;

mod access;

/// The name of the only bucket of a stand-in.
const BUCKET: &str = "locks";

/// A bucket that no other test has.
pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) bucket: String,
    protocol: Protocol,
    raw: OnceLock<Arc<dyn ObjectStore>>,
}

#[derive(Clone)]
pub(crate) enum Store {
    S3(SeaweedFs),
    Gcs(Gcs),
    Azure(Azurite),
}

/// An object as it lies in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) body: Vec<u8>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) version: UpdateVersion,
}

impl Entry {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.metadata.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }
}

impl Place {
    pub(crate) async fn s3() -> Result<Self, Unavailable> {
        Ok(Self::in_s3(SeaweedFs::shared().await?).await)
    }

    pub(crate) async fn in_s3(server: &SeaweedFs) -> Self {
        Self {
            bucket: server.fresh_bucket().await,
            protocol: Protocol::S3,
            raw: OnceLock::new(),
            store: Store::S3(server.clone()),
        }
    }

    pub(crate) async fn azure() -> Result<Self, Unavailable> {
        let server = Azurite::shared().await?;
        Ok(Self {
            bucket: server.fresh_container().await,
            protocol: Protocol::Azure,
            raw: OnceLock::new(),
            store: Store::Azure(server.clone()),
        })
    }

    pub(crate) async fn gcs() -> Self {
        Self::in_stand_in(Protocol::Gcs).await
    }

    /// A bucket of the stand-in, with locks as this protocol keeps them. It answers much sooner than a server.
    pub(crate) async fn in_stand_in(protocol: Protocol) -> Self {
        Self {
            store: Store::Gcs(Gcs::start(BUCKET).await),
            bucket: BUCKET.to_owned(),
            protocol,
            raw: OnceLock::new(),
        }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match &self.store {
            Store::S3(server) => server.address(),
            Store::Gcs(server) => server.address,
            Store::Azure(server) => server.address(),
        }
    }

    pub(crate) async fn make(&self) {
        match &self.store {
            Store::S3(server) => server.create_bucket(&self.bucket).await,
            Store::Gcs(server) => server.create_bucket(&self.bucket),
            Store::Azure(server) => server.create_container(&self.bucket).await,
        }
    }

    pub(crate) async fn remove(&self) {
        match &self.store {
            Store::S3(server) => server.remove_bucket(&self.bucket).await,
            Store::Gcs(server) => server.remove_bucket(&self.bucket),
            Store::Azure(server) => server.remove_container(&self.bucket).await,
        }
    }

    /// The object of a lock whose name needs no encoding.
    pub(crate) fn key(&self, lock: &str) -> Path {
        Path::parse(format!("{}{lock}", self.protocol().default_prefix())).expect("a key")
    }

    pub(crate) async fn get(&self, lock: &str) -> Option<Entry> {
        let got = self
            .raw()
            .get_opts(&self.key(lock), GetOptions::default())
            .await;
        let got = match got {
            Err(Error::NotFound { .. }) => return None,
            got => got.expect("the store answers"),
        };
        let version = UpdateVersion {
            e_tag: got.meta.e_tag.clone(),
            version: got.meta.version.clone(),
        };
        let mut metadata: Vec<_> = got
            .attributes
            .iter()
            .filter_map(|(name, value)| match name {
                Attribute::Metadata(name) => Some((name.to_string(), value.to_string())),
                _ => None,
            })
            .collect();
        metadata.sort();
        Some(Entry {
            body: got.bytes().await.expect("a body").to_vec(),
            metadata,
            version,
        })
    }

    /// Puts an object, on condition of a version if there is one; whether it was done.
    pub(crate) async fn put(
        &self,
        lock: &str,
        body: &[u8],
        metadata: &[(&str, String)],
        mode: PutMode,
    ) -> bool {
        let mut attributes = Attributes::new();
        for (name, value) in metadata {
            attributes.insert(
                Attribute::Metadata((*name).to_owned().into()),
                value.clone().into(),
            );
        }
        let options = PutOptions {
            mode,
            attributes,
            ..PutOptions::default()
        };
        let put = self
            .raw()
            .put_opts(&self.key(lock), body.to_vec().into(), options)
            .await;
        match put {
            Ok(_) => true,
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => false,
            Err(error) => panic!("the store answers: {error}"),
        }
    }

    pub(crate) async fn delete(&self, lock: &str) {
        let deleted = self.raw().delete(&self.key(lock)).await;
        deleted.expect("the store deletes");
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
