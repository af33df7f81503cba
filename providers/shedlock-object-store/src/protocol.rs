//! What differs between the protocols of object stores, and the client of one bucket.

use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;

/// The protocol of an object store. The protocol decides how a lock is stored, because nodes on the JVM store locks differently in S3 and
/// in Google Cloud Storage.
///
/// # Examples
///
/// ```
/// use shedlock_object_store::Protocol;
///
/// assert_eq!(Protocol::S3.default_prefix(), "shedlock/");
/// assert_eq!(Protocol::Gcs.default_prefix(), "");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// The protocol of Amazon S3, which many other stores speak as well.
    S3,
    /// The protocol of Google Cloud Storage.
    Gcs,
    /// The protocol of Azure Blob Storage.
    Azure,
}

impl Protocol {
    /// What the keys of locks begin with by default. For S3 and Google Cloud Storage, this is the default of nodes on the JVM.
    #[must_use]
    pub fn default_prefix(self) -> &'static str {
        match self {
            Self::S3 | Self::Azure => "shedlock/",
            Self::Gcs => "",
        }
    }

    /// The name of the store in messages.
    pub(crate) fn store(self) -> &'static str {
        match self {
            Self::S3 => "S3",
            Self::Gcs => "Google Cloud Storage",
            Self::Azure => "Azure Blob Storage",
        }
    }

    /// What the store calls a bucket.
    pub(crate) fn bucket(self) -> &'static str {
        match self {
            Self::S3 | Self::Gcs => "bucket",
            Self::Azure => "container",
        }
    }
}

/// A bucket and the client that reaches it. The clients of [`object_store`] convert into it.
///
/// # Examples
///
/// A client in front of another client, which limits the number of requests at the same time:
///
/// ```
/// use std::sync::Arc;
///
/// use object_store::limit::LimitStore;
/// use object_store::memory::InMemory;
/// use shedlock_object_store::{Bucket, ObjectStoreLockProvider, Protocol, object_store};
///
/// # let s3 = InMemory::new();
/// let limited = LimitStore::new(s3, 8);
/// let bucket = Bucket::new(Arc::new(limited), Protocol::S3);
/// let provider = ObjectStoreLockProvider::new(bucket);
/// # let _ = provider;
/// ```
#[derive(Clone)]
pub struct Bucket {
    pub(crate) client: Arc<dyn ObjectStore>,
    pub(crate) protocol: Protocol,
}

impl Bucket {
    /// A bucket of a store with this protocol.
    #[must_use]
    pub fn new(client: Arc<dyn ObjectStore>, protocol: Protocol) -> Self {
        Self { client, protocol }
    }
}

#[cfg(feature = "aws")]
impl From<object_store::aws::AmazonS3> for Bucket {
    fn from(client: object_store::aws::AmazonS3) -> Self {
        Self::new(Arc::new(client), Protocol::S3)
    }
}

#[cfg(feature = "gcp")]
impl From<object_store::gcp::GoogleCloudStorage> for Bucket {
    fn from(client: object_store::gcp::GoogleCloudStorage) -> Self {
        Self::new(Arc::new(client), Protocol::Gcs)
    }
}

#[cfg(feature = "azure")]
impl From<object_store::azure::MicrosoftAzure> for Bucket {
    fn from(client: object_store::azure::MicrosoftAzure) -> Self {
        Self::new(Arc::new(client), Protocol::Azure)
    }
}

// Written by hand, because the `Debug` of a client may show credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
