//! Creates a bucket, and checks the options of a bucket.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, StorageType};
use serde_json::{Value, json};
use shedlock_runtime::{ErrorKind, LockError};

use crate::store::Bucket;

/// The report of [`check_bucket`](crate::NatsLockProvider::check_bucket): what may be lost in a bucket in which locks otherwise work.
///
/// `Display` writes one line for each warning.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_nats::NatsLockProvider;
///
/// let provider = NatsLockProvider::connect("nats://localhost").await?;
/// println!("{:?}", provider.check_bucket().await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BucketReport {
    /// The warnings. Each warning is a lower-case sentence without a full stop.
    pub warnings: Vec<String>,
}

impl fmt::Display for BucketReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.warnings.join("\n"))
    }
}

impl Bucket {
    /// Creates the bucket with the options that JVM nodes use, except that the bucket is stored in files.
    pub(crate) async fn ensure(&self) -> Result<(), LockError> {
        let config = json!({
            "name": format!("KV_{}", self.name),
            "subjects": [format!("$KV.{}.>", self.name)],
            "retention": "limits",
            "max_msgs_per_subject": 1,
            "storage": "file",
            "num_replicas": self.replicas,
            "discard": "new",
            "duplicate_window": Duration::from_secs(120).as_nanos(),
            "allow_rollup_hdrs": true,
            "allow_direct": true,
            "deny_delete": true,
        });
        match self.api::<Value>("STREAM.CREATE", &config).await? {
            Ok(_) => Ok(()),
            // The bucket exists with other options.
            Err(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }

    pub(crate) async fn check(&self) -> Result<BucketReport, LockError> {
        let info = self.api::<Info>("STREAM.INFO", &json!({})).await?;
        let config = info.map_err(|error| self.refused(error))?.config;
        let problems = problems(&config);
        if problems.is_empty() {
            let warnings = warnings(&config);
            return Ok(BucketReport { warnings });
        }
        Err(LockError::new(
            ErrorKind::Schema,
            format!("the bucket `{}` {}", self.name, problems.join("; it ")),
        )
        .with_remedy("choose another bucket, or change this one's options"))
    }
}

/// The options with which locks cannot work in the bucket.
fn problems(config: &Config) -> Vec<&'static str> {
    let drops_the_oldest =
        config.discard == DiscardPolicy::Old && (config.max_messages > 0 || config.max_bytes > 0);
    [
        (config.sealed, "is sealed"),
        (config.no_ack, "acknowledges no writes"),
        (
            config.mirror.is_some(),
            "is a mirror, which takes no writes",
        ),
        (
            drops_the_oldest,
            "drops the oldest records, held ones too, when it is full: set `discard` to `new`",
        ),
    ]
    .into_iter()
    .filter_map(|(is_so, problem)| is_so.then_some(problem))
    .collect()
}

/// What may be lost in a bucket with these options, and when.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.storage == StorageType::Memory {
        warnings.push(
            "the bucket is in memory: a restart of the server frees all locks, and fencing tokens begin anew".to_owned(),
        );
    }
    if config.num_replicas < 2 {
        warnings.push(
            "the bucket has one replica: while its server is away, no lock can be taken".to_owned(),
        );
    }
    if !config.max_age.is_zero() {
        warnings.push(format!(
            "the bucket forgets records after {:?}: a longer lease ends then, unless it is extended before",
            config.max_age
        ));
    }
    if config.deny_purge {
        warnings.push(
            "the bucket denies purges: `prune` and the clean-up of claims delete nothing, and the bucket grows".to_owned(),
        );
    }
    warnings
}
