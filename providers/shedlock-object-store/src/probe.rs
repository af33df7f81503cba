//! Checks that a store keeps the conditions of writes, without which no lock can be kept in it.

use std::fmt;
use std::time::{Duration, SystemTime};

use object_store::UpdateVersion;
use object_store::path::Path;
use shedlock_runtime::{Clock, ErrorKind, LockError, LockRecord, Written};
use tracing::warn;

use crate::options::PROVIDER;
use crate::record::random;
use crate::store::Objects;

/// Stores give the time of a write in whole seconds.
const STORE_GRAIN: Duration = Duration::from_secs(1);
/// How many probes are made until one can tell.
const MOST_PROBES: usize = 3;

/// The report of [`check_store`](crate::ObjectStoreLockProvider::check_store): what may go wrong in a store in which locks otherwise work.
///
/// `Display` writes one line for each warning.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_object_store::ObjectStoreLockProvider;
///
/// let provider = ObjectStoreLockProvider::connect("s3://app-locks").await?;
/// println!("{}", provider.check_store().await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoreReport {
    /// The warnings. Each warning is a lower-case sentence without a full stop.
    pub warnings: Vec<String>,
}

impl fmt::Display for StoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.warnings.join("\n"))
    }
}

/// Says in the log what may go wrong with locks in the store.
pub(crate) fn warn_of(report: &StoreReport) {
    for warning in &report.warnings {
        warn!(
            target: "shedlock",
            event = "store.clock",
            lock.provider = PROVIDER,
            "a job may run on two nodes at once, or late: {warning}"
        );
    }
}

impl Objects {
    /// Checks the store by a probe. A probe that cannot tell, because an answer was lost, is followed by another one.
    pub(crate) async fn check(&self, clock: &dyn Clock) -> Result<StoreReport, LockError> {
        for _ in 1..MOST_PROBES {
            match self.check_once(clock).await {
                Err(error) if error.kind() == ErrorKind::Indeterminate => {}
                told => return told,
            }
        }
        self.check_once(clock).await
    }

    /// Writes an object of its own against its conditions, and deletes the object.
    async fn check_once(&self, clock: &dyn Clock) -> Result<StoreReport, LockError> {
        let id = format!("{:032x}", u128::from_ne_bytes(random()?));
        let key = self.keys.of_probe(&id)?;
        let probed = self.probe(&key, clock).await;
        // Also after a failure: what is left behind would stay for ever.
        let deleted = self.delete_probe(&key).await;
        let report = probed?;
        deleted.map(|()| report)
    }

    async fn probe(&self, key: &Path, clock: &dyn Clock) -> Result<StoreReport, LockError> {
        let first = self.must_be_done(key, clock, None).await?;
        self.must_be_refused(key, clock, None, "creates an object that exists")
            .await?;
        let asked = clock.utc();
        self.must_be_done(key, clock, Some(&first)).await?;
        let answered = clock.utc();
        let stale = "replaces an object that has changed";
        self.must_be_refused(key, clock, Some(&first), stale)
            .await?;

        let found = self
            .get(key)
            .await?
            .ok_or_else(|| self.unfit("loses an object that it has taken"))?;
        if !self.bucket.protocol.has_record(&found.attributes) {
            return Err(self.unfit("keeps no metadata"));
        }
        let warnings = clock_warning(asked, answered, found.meta.last_modified.into());
        Ok(StoreReport {
            warnings: warnings.into_iter().collect(),
        })
    }

    async fn must_be_done(
        &self,
        key: &Path,
        clock: &dyn Clock,
        expected: Option<&UpdateVersion>,
    ) -> Result<UpdateVersion, LockError> {
        match self.put_probe(key, clock, expected).await? {
            Written::Done(version) => Ok(version),
            // A store that refuses every write does no harm, so this is not told as unfit.
            Written::Conflict => Err(LockError::new(
                ErrorKind::Indeterminate,
                "a write of the probe was refused although its condition was met, as it happens when an answer is lost",
            )),
        }
    }

    async fn must_be_refused(
        &self,
        key: &Path,
        clock: &dyn Clock,
        expected: Option<&UpdateVersion>,
        fault: &str,
    ) -> Result<(), LockError> {
        match self.put_probe(key, clock, expected).await? {
            Written::Done(_) => Err(self.unfit(fault)),
            Written::Conflict => Ok(()),
        }
    }

    async fn put_probe(
        &self,
        key: &Path,
        clock: &dyn Clock,
        expected: Option<&UpdateVersion>,
    ) -> Result<Written<UpdateVersion>, LockError> {
        let now = clock.utc();
        let record = LockRecord::new(now, now, "probe".to_owned(), 0);
        let object = self.bucket.protocol.object("probe", &record)?;
        self.put(key, &object, expected).await
    }

    fn unfit(&self, fault: &str) -> LockError {
        let store = self.bucket.protocol.store();
        LockError::new(
            ErrorKind::Unsupported,
            format!("no lock is safe in this store of the protocol of {store}: it {fault}"),
        )
        .with_remedy("use a store that keeps the conditions of writes (`If-Match`, `If-None-Match`, generations), and no gateway that drops them")
    }
}

/// The warning about clocks that differ, where the store wrote at `store` what was asked for between `asked` and `answered`.
fn clock_warning(asked: SystemTime, answered: SystemTime, store: SystemTime) -> Option<String> {
    let (off, how) = if let Ok(behind) = asked.duration_since(store + STORE_GRAIN) {
        (behind, "ahead of")
    } else {
        (store.duration_since(answered).ok()?, "behind")
    };
    (off >= STORE_GRAIN).then(|| {
        format!(
            "the clock of this node is {}s {how} the clock of the store: leases are judged by the clocks of the nodes, which must agree",
            off.as_secs()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_more_than_the_grain_are_told() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_millis(seconds);
        let warning = |store| clock_warning(at(100_500), at(100_700), at(store));
        for agrees in [99_000, 100_000, 101_000, 101_600] {
            assert_eq!(warning(agrees), None, "{agrees}");
        }
        let ahead = warning(60_000).unwrap();
        assert!(ahead.contains("is 39s ahead of"), "{ahead}");
        let behind = warning(160_000).unwrap();
        assert!(behind.contains("is 59s behind"), "{behind}");
    }
}
