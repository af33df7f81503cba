//! Creates the client of a bucket from a URL, with the environment's settings.

use object_store::ObjectStoreScheme;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
use object_store::RetryConfig;
use shedlock_runtime::{ErrorKind, LockError};
use url::Url;

use crate::protocol::Bucket;

/// Of what a URL tells, the bucket and the prefix of the keys, if the URL has one.
pub(crate) fn bucket(text: &str) -> Result<(Bucket, Option<String>), LockError> {
    // The messages of the parser do not repeat the URL, which may hold a key.
    let mut url = Url::parse(text).map_err(|error| illegal("is not valid").with_source(error))?;
    if url.password().is_some() {
        return Err(illegal("has a password"));
    }
    let options: Vec<_> = url.query_pairs().into_owned().collect();
    url.set_query(None);
    url.set_fragment(None);
    let (scheme, path) = ObjectStoreScheme::parse(&url)
        .map_err(|error| illegal("names no store").with_source(error))?;
    let prefix = (!path.is_root()).then(|| format!("{path}/"));
    Ok((client(&scheme, url, options)?, prefix))
}

/// The client that a builder of `object_store` makes of the environment, a URL and options.
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
macro_rules! build {
    ($builder:ty, $url:expr, $options:expr) => {{
        let mut builder = <$builder>::from_env().with_url($url);
        for (key, value) in $options {
            builder = builder.with_config(key.parse().map_err(unknown)?, value);
        }
        let client = builder.with_retry(no_retries()).build();
        Ok(Bucket::from(client.map_err(incomplete)?))
    }};
}

#[allow(
    unused_variables,
    reason = "a build without features has no client to make"
)]
fn client(
    scheme: &ObjectStoreScheme,
    url: Url,
    options: Vec<(String, String)>,
) -> Result<Bucket, LockError> {
    match scheme {
        #[cfg(feature = "aws")]
        ObjectStoreScheme::AmazonS3 => build!(object_store::aws::AmazonS3Builder, url, options),
        #[cfg(feature = "gcp")]
        ObjectStoreScheme::GoogleCloudStorage => {
            build!(object_store::gcp::GoogleCloudStorageBuilder, url, options)
        }
        #[cfg(feature = "azure")]
        ObjectStoreScheme::MicrosoftAzure => {
            build!(object_store::azure::MicrosoftAzureBuilder, url, options)
        }
        _ => Err(illegal("names a store for which this build has no feature")),
    }
}

/// The provider sends a request again by itself, and knows then whether an earlier copy may have been carried out.
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
fn no_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

fn illegal(problem: &str) -> LockError {
    LockError::new(ErrorKind::Configuration, format!("the URL {problem}")).with_remedy(
        "use `s3://bucket`, `gs://bucket` or `az://container`, with the credentials in the environment",
    )
}

#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
fn unknown(error: object_store::Error) -> LockError {
    let unknown = "the URL has an option that the client does not know";
    LockError::new(ErrorKind::Configuration, unknown).with_source(error)
}

#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
fn incomplete(error: object_store::Error) -> LockError {
    let incomplete = "the URL and the environment make no client";
    LockError::new(ErrorKind::Configuration, incomplete).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;

    fn refused(url: &str) -> LockError {
        let error = bucket(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
        error
    }

    #[cfg(all(feature = "aws", feature = "gcp"))]
    #[test]
    fn a_url_names_the_bucket_and_the_prefix() {
        let of = |url| {
            let (bucket, prefix) = bucket(url).unwrap();
            (bucket.client.to_string(), bucket.protocol, prefix)
        };
        let s3 = "AmazonS3(locks)".to_owned();
        assert_eq!(of("s3://locks"), (s3.clone(), Protocol::S3, None));
        let jobs = Some("eu/jobs/".to_owned());
        assert_eq!(
            of("s3://locks/eu/jobs"),
            (s3.clone(), Protocol::S3, jobs.clone())
        );
        assert_eq!(
            of("s3://locks/eu/jobs/?region=eu-west-1"),
            (s3, Protocol::S3, jobs)
        );
        let (_, protocol, prefix) = of("gs://locks/?skip_signature=true");
        assert_eq!((protocol, prefix), (Protocol::Gcs, None));
    }

    #[test]
    fn what_makes_no_client_is_refused_without_secrets() {
        for url in [
            "not a url secret",
            "s3://key:secret@locks",
            "s3://locks?secret=1",
            "ftp://locks/secret",
            "file:///secret",
            "az://locks?access_key=secret",
        ] {
            let error = refused(url);
            let shown = format!("{error} {error:?}");
            let named = url == "s3://locks?secret=1" || url.starts_with('f');
            assert!(named || !shown.contains("secret"), "{shown}");
        }
    }
}
