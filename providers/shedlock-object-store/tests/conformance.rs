//! The conformance suite on `SeaweedFS` (S3), Azurite (Azure Blob Storage) and a stand-in of Google Cloud Storage, the first two
//! with a client of the provider's own, the last with a client of the user's.

#[path = "support/place.rs"]
mod place;
#[path = "support/stand_in.rs"]
mod stand_in;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_object_store::object_store::PutMode;
use shedlock_object_store::{ObjectStoreLockProvider, ObjectStoreLockProviderBuilder, Protocol};
use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait, format_timestamp};
use shedlock_testkit::conformance::{Broken, Harness, Peek, Stored};
use shedlock_testkit::servers::{azurite, seaweedfs};
use shedlock_testkit::{Proxy, Unavailable};

use place::{Place, hex};

/// Where the providers of a test get their clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Client,
    Url,
}

/// A bucket behind a proxy.
struct Subject {
    place: Place,
    proxy: Proxy,
    via: Via,
}

impl Subject {
    async fn new(place: Place, via: Via) -> Self {
        let proxy = Proxy::start(place.address()).await.expect("a port is free");
        Self { place, proxy, via }
    }

    async fn s3() -> Result<Self, Unavailable> {
        Ok(Self::new(Place::s3().await?, Via::Url).await)
    }

    async fn azure() -> Result<Self, Unavailable> {
        Ok(Self::new(Place::azure().await?, Via::Url).await)
    }

    async fn gcs() -> Self {
        Self::new(Place::gcs().await, Via::Client).await
    }

    fn builder(&self) -> ObjectStoreLockProviderBuilder {
        let address = self.proxy.address();
        match self.via {
            Via::Url => ObjectStoreLockProvider::builder_from_url(&self.place.url_at(address)),
            Via::Client => ObjectStoreLockProvider::builder(self.place.client_at(address)),
        }
    }

    fn provider(&self, node: &str) -> Arc<ObjectStoreLockProvider> {
        let built = self.builder().node_name(node).build();
        Arc::new(built.expect("the options are valid"))
    }

    /// A provider in another bucket, or with other credentials.
    fn with(&self, bucket: &str, credentials: Option<&str>) -> Arc<ObjectStoreLockProvider> {
        let url = self.place.url_of(self.place.address(), bucket, credentials);
        let built = ObjectStoreLockProvider::builder_from_url(&url).build();
        Arc::new(built.expect("the options are valid"))
    }
}

#[async_trait]
impl Harness for Subject {
    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        self.provider(name)
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(self.provider(name))
    }

    fn address(&self) -> Option<String> {
        Some(self.place.url_at(self.place.address()))
    }

    async fn peek(&self, lock: &str) -> Peek {
        match self.place.get(lock).await {
            Some(entry) if entry.text("deleted").is_none() => {
                let owner = entry.text("locked-by").or_else(|| entry.text("lockedby"));
                Peek::Found(Stored {
                    owner: owner.map(str::to_owned),
                    record: format!("{} {:?}", hex(&entry.body), entry.metadata),
                })
            }
            _ => Peek::Absent,
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        self.place.delete(lock).await;
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let day = Duration::from_secs(24 * 60 * 60);
        let yesterday = format_timestamp(SystemTime::now() - day);
        let names = match self.place.protocol() {
            Protocol::S3 => ["lock-until", "locked-at", "locked-by"],
            _ => ["lockuntil", "lockedat", "lockedby"],
        };
        let [until, at, by] = names;
        let metadata = [
            (until, yesterday.clone()),
            (at, yesterday),
            (by, "jvm-host".to_owned()),
        ];
        self.place
            .put(lock, b"_lock", &metadata, PutMode::Overwrite)
            .await
    }

    async fn remove_schema(&self) -> bool {
        self.place.remove().await;
        true
    }

    async fn restore_schema(&self) {
        self.place.make().await;
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    async fn broken(&self) -> Vec<Broken> {
        let protocol = self.place.protocol();
        let nowhere = self.with("nowhere", None);
        let url = self
            .place
            .url_of(([127, 0, 0, 1], 1).into(), &self.place.bucket, None);
        let nobody = ObjectStoreLockProvider::builder_from_url(&url).build();
        let nobody = Arc::new(nobody.expect("valid"));
        let mut broken = vec![
            Broken::new("a missing bucket", nowhere, ErrorKind::Schema)
                .mentioning("does not exist")
                .mentioning("correct its name"),
            Broken::new("no server", nobody, ErrorKind::Unavailable)
                .mentioning("cannot be reached")
                .hiding(seaweedfs::SECRET_KEY)
                .hiding(azurite::KEY),
        ];
        let (wrong, reader) = match protocol {
            Protocol::S3 => (
                "access_key_id=app&secret_access_key=open-sesame".to_owned(),
                format!(
                    "access_key_id={}&secret_access_key={}",
                    seaweedfs::READER,
                    seaweedfs::SECRET_KEY
                ),
            ),
            Protocol::Azure => (
                "access_key=b3Blbi1zZXNhbWU=".to_owned(),
                format!(
                    "sas_token={}",
                    azurite::READER.replace('%', "%25").replace('&', "%26")
                ),
            ),
            // The stand-in asks for no credentials.
            _ => return broken,
        };
        let login = self.with(&self.place.bucket, Some(&wrong));
        let reader = self.with(&self.place.bucket, Some(&reader));
        broken.push(
            Broken::new("a wrong secret", login, ErrorKind::Configuration)
                .mentioning("refuses the credentials")
                .hiding("open-sesame")
                .hiding("b3Blbi1zZXNhbWU"),
        );
        broken.push(
            Broken::new("a user who may only read", reader, ErrorKind::Permission)
                .mentioning("may not write")
                .hiding(seaweedfs::SECRET_KEY)
                .hiding("TKy"),
        );
        broken
    }
}

async fn connected(url: String, node: String) -> Arc<dyn LockProvider> {
    let provider = ObjectStoreLockProvider::builder_from_url(&url)
        .node_name(&node)
        .connect()
        .await;
    Arc::new(provider.expect("the store is there"))
}

shedlock_testkit::conformance!(
    s3,
    Subject::s3(),
    processes = async |url: String, node: String| connected(url, node).await,
);
shedlock_testkit::conformance!(
    azure,
    Subject::azure(),
    processes = async |url: String, node: String| connected(url, node).await,
);
shedlock_testkit::conformance!(
    gcs,
    Subject::gcs(),
    processes = async |url: String, node: String| connected(url, node).await,
);
