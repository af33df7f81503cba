//! The ways to a bucket: the URL for the provider, and a client of the user's.

use std::net::SocketAddr;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shedlock_object_store::object_store::aws::AmazonS3Builder;
use shedlock_object_store::object_store::azure::MicrosoftAzureBuilder;
use shedlock_object_store::object_store::gcp::GoogleCloudStorageBuilder;
use shedlock_object_store::object_store::{ClientOptions, ObjectStore};
use shedlock_object_store::{Bucket, ObjectStoreLockProvider, ObjectStoreLockProviderBuilder};
use shedlock_testkit::servers::{azurite, seaweedfs};

use super::{Place, Store};

/// The certificates of the system take a client longer to read than most tests last.
const CLIENT: &str = "allow_http=true&disable_system_certificates=true";

fn client_options() -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(true)
        .with_no_system_certificates(true)
}

impl Place {
    /// The URL by which the provider reaches the bucket at `address`.
    pub(crate) fn url_at(&self, address: SocketAddr) -> String {
        self.url_of(address, &self.bucket, None)
    }

    /// The URL by which the provider reaches a bucket, with these credentials or with those that may do everything.
    pub(crate) fn url_of(
        &self,
        address: SocketAddr,
        bucket: &str,
        credentials: Option<&str>,
    ) -> String {
        match &self.store {
            Store::S3(_) => {
                let (key, secret) = (seaweedfs::ACCESS_KEY, seaweedfs::SECRET_KEY);
                let all = format!("access_key_id={key}&secret_access_key={secret}");
                let credentials = credentials.unwrap_or(&all);
                format!(
                    "s3://{bucket}?endpoint=http://{address}&{CLIENT}&region=us-east-1&{credentials}"
                )
            }
            Store::Gcs(_) => {
                let account = service_account(address);
                let account = utf8_percent_encode(&account, NON_ALPHANUMERIC);
                format!("gs://{bucket}?service_account_key={account}&{CLIENT}")
            }
            Store::Azure(_) => {
                let account = azurite::ACCOUNT;
                let all = format!("access_key={}", azurite::KEY.replace('+', "%2B"));
                let credentials = credentials.unwrap_or(&all);
                format!(
                    "az://{bucket}?account_name={account}&endpoint=http://{address}/{account}&{CLIENT}&{credentials}"
                )
            }
        }
    }

    pub(crate) fn builder(&self) -> ObjectStoreLockProviderBuilder {
        ObjectStoreLockProvider::builder_from_url(&self.url_at(self.address()))
    }

    pub(crate) fn provider(&self) -> ObjectStoreLockProvider {
        self.builder().build().expect("the options are valid")
    }

    /// A client of the user's, with the client's own defaults.
    pub(crate) fn client_at(&self, address: SocketAddr) -> Bucket {
        Bucket::new(self.raw_at(address), self.protocol())
    }

    pub(crate) fn raw(&self) -> &dyn ObjectStore {
        self.raw.get_or_init(|| self.raw_at(self.address()))
    }

    fn raw_at(&self, address: SocketAddr) -> Arc<dyn ObjectStore> {
        let (bucket, url) = (&self.bucket, format!("http://{address}"));
        match &self.store {
            Store::S3(_) => Arc::new(
                AmazonS3Builder::new()
                    .with_bucket_name(bucket)
                    .with_endpoint(&url)
                    .with_client_options(client_options())
                    .with_access_key_id(seaweedfs::ACCESS_KEY)
                    .with_secret_access_key(seaweedfs::SECRET_KEY)
                    .build()
                    .expect("a client"),
            ),
            Store::Gcs(_) => Arc::new(
                GoogleCloudStorageBuilder::new()
                    .with_bucket_name(bucket)
                    .with_service_account_key(service_account(address))
                    .with_client_options(client_options())
                    .build()
                    .expect("a client"),
            ),
            Store::Azure(_) => Arc::new(
                MicrosoftAzureBuilder::new()
                    .with_container_name(bucket)
                    .with_account(azurite::ACCOUNT)
                    .with_access_key(azurite::KEY)
                    .with_endpoint(format!("{url}/{}", azurite::ACCOUNT))
                    .with_client_options(client_options())
                    .build()
                    .expect("a client"),
            ),
        }
    }
}

/// An account without a key: nobody is asked for a token.
fn service_account(address: SocketAddr) -> String {
    format!(
        r#"{{"gcs_base_url":"http://{address}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
    )
}
