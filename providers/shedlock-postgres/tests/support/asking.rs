//! How tests ask for locks, and wait.

#![allow(dead_code, unused_macros, reason = "each test binary uses a part")]

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lease, LockConfiguration, LockError, LockProvider,
    LockProviderExt as _, Refusal,
};
use shedlock_testkit::Unavailable;

use crate::place::{Place, Table};

/// No wait of a test is longer: what has not happened by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// So long may a call take.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Makes a test of each function, which gets a place with the table.
macro_rules! tests {
    ($($test:ident)+) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let place = shedlock_testkit::server_or_skip!($crate::asking::place().await);
                $crate::asking::in_time(super::$test(place)).await;
            }
        }
    )+};
}

pub(crate) async fn place() -> Result<Place, Unavailable> {
    Place::with(Table::Ours).await
}

/// The result of `test`, which is to have one before long.
pub(crate) async fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, test)
        .await
        .expect("it takes no longer than the longest wait of a test")
}

/// Waits until `condition` holds, asking every few milliseconds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE / 4, holds).await;
    assert!(waited.is_ok(), "it is not so after a while: {what}");
}

pub(crate) fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").expect("a legal configuration")
}

pub(crate) fn request(provider: &impl LockProvider, config: LockConfiguration) -> AcquireRequest {
    AcquireRequest::new(config, provider.info().clock().boot())
}

/// Asks the provider itself. Its caller limits the time, so this does.
pub(crate) async fn ask(
    provider: &impl LockProvider,
    name: &str,
) -> Result<Acquisition, LockError> {
    let request = request(provider, config(name));
    limited(provider.acquire(&request)).await
}

/// As the runtime does, but without an orphan that is looked for afterwards.
pub(crate) async fn limited<T>(
    asked: impl Future<Output = Result<T, LockError>>,
) -> Result<T, LockError> {
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(answer) => answer,
        Err(_elapsed) => {
            let problem = format!("no answer within {LIMIT:?}");
            Err(LockError::new(ErrorKind::Timeout, problem))
        }
    }
}

/// A lease that is to be had.
pub(crate) async fn take(provider: &impl LockProvider, name: &str) -> Lease {
    match ask(provider, name).await {
        Ok(Acquisition::Granted(lease)) => lease,
        other => panic!("`{name}` is free, and the answer is {other:?}"),
    }
}

/// Why the lock, which is held, is refused.
pub(crate) async fn refused(provider: &impl LockProvider, name: &str) -> Refusal {
    match ask(provider, name).await {
        Ok(Acquisition::Refused(refusal)) => refusal,
        other => panic!("`{name}` is held, and the answer is {other:?}"),
    }
}

/// Takes a lock and gives it back at once, and says what came of it.
pub(crate) async fn once<P: LockProvider + Clone>(provider: &P, name: &str) -> String {
    once_with(provider, config(name)).await
}

pub(crate) async fn once_with<P: LockProvider + Clone>(
    provider: &P,
    config: LockConfiguration,
) -> String {
    match in_time(provider.try_lock(config)).await {
        Ok(Some(lock)) => match lock.unlock().await {
            Ok(released) => format!("granted, then {released:?}"),
            Err(error) => format!("granted, then {error}"),
        },
        Ok(None) => "refused".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

/// What [`once`] says of a lock that works.
pub(crate) const WORKS: &str = "granted, then Ours";

/// An hour from now.
pub(crate) fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3_600)
}

/// How long a release keeps the lock taken, as the runtime reckons it.
pub(crate) fn keep_for(provider: &impl LockProvider, lease: &Lease) -> Duration {
    lease.at_least_left(provider.info().clock())
}
