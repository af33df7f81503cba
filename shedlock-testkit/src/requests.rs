//! Requests to a provider as the runtime makes them, and waits with a limit, for tests of a provider beside the conformance suite.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lease, Lock, LockConfiguration, LockError,
    LockProvider, LockProviderExt as _, Ownership, Refusal,
};

/// The longest time that a test waits for something.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The time limit of one request.
pub const LIMIT: Duration = Duration::from_secs(5);
/// What [`once`] returns for a lock that works.
pub const WORKS: &str = "granted, then Ours";

/// Returns the result of `test`.
///
/// # Panics
///
/// After [`TEST_TIMEOUT`].
///
/// # Cancel safety
///
/// As `test`.
pub async fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(TEST_TIMEOUT, test)
        .await
        .expect("it takes no longer than the longest wait of a test")
}

/// Waits until `condition` returns true, and calls it every few milliseconds.
///
/// # Panics
///
/// After a quarter of [`TEST_TIMEOUT`], with `what`.
///
/// # Cancel safety
///
/// As `condition`.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(TEST_TIMEOUT / 4, holds).await;
    assert!(waited.is_ok(), "it is not so after a while: {what}");
}

/// The time of day as a JVM node takes it, in whole milliseconds and rounded down (`ClockProvider.now()` of ShedLock).
///
/// A lock that a JVM node has released is free at once for this reason: the end of its lease is never later than its release.
#[must_use]
pub fn jvm_now() -> SystemTime {
    let now = SystemTime::now();
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    now - Duration::from_nanos(u64::from(since_1970.subsec_nanos() % 1_000_000))
}

/// The configuration of the lock `name` with a lease of ten minutes.
///
/// # Panics
///
/// If `name` cannot name a lock.
#[must_use]
pub fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").expect("a legal configuration")
}

/// A request to `provider` that is made now.
pub fn request(provider: &impl LockProvider, config: LockConfiguration) -> AcquireRequest {
    AcquireRequest::new(config, provider.info().clock().boot())
}

/// Asks the provider for the lock `name`, within [`LIMIT`].
///
/// # Errors
///
/// The provider's error, or [`ErrorKind::Timeout`].
///
/// # Cancel safety
///
/// As [`LockProvider`]: the store may have carried out the request.
pub async fn ask(provider: &impl LockProvider, name: &str) -> Result<Acquisition, LockError> {
    let request = request(provider, config(name));
    limited(provider.acquire(&request)).await
}

/// Limits a request to [`LIMIT`] as the runtime does, but does not look for a lock whose grant got lost.
///
/// # Errors
///
/// The error of `asked`, or [`ErrorKind::Timeout`].
///
/// # Cancel safety
///
/// As `asked`.
pub async fn limited<T>(asked: impl Future<Output = Result<T, LockError>>) -> Result<T, LockError> {
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(answer) => answer,
        Err(_elapsed) => {
            let problem = format!("no answer within {LIMIT:?}");
            Err(LockError::new(ErrorKind::Timeout, problem))
        }
    }
}

/// Takes the lock `name`, which is free.
///
/// # Panics
///
/// If the lock is not granted.
///
/// # Cancel safety
///
/// As [`ask`].
pub async fn take(provider: &impl LockProvider, name: &str) -> Lease {
    match ask(provider, name).await {
        Ok(Acquisition::Granted(lease)) => lease,
        other => panic!("`{name}` is free, and the answer is {other:?}"),
    }
}

/// Asks for the lock `name`, which is held, and returns the refusal.
///
/// # Panics
///
/// If the lock is granted, or the request fails.
///
/// # Cancel safety
///
/// As [`ask`].
pub async fn refused(provider: &impl LockProvider, name: &str) -> Refusal {
    match ask(provider, name).await {
        Ok(Acquisition::Refused(refusal)) => refusal,
        other => panic!("`{name}` is held, and the answer is {other:?}"),
    }
}

/// Takes the lock `name` and releases it at once, and returns in words what happened; [`WORKS`] if both succeeded.
///
/// # Panics
///
/// After [`TEST_TIMEOUT`].
///
/// # Cancel safety
///
/// As [`LockProviderExt::try_lock`](shedlock_runtime::LockProviderExt::try_lock).
pub async fn once<P: LockProvider + Clone>(provider: &P, name: &str) -> String {
    once_with(provider, config(name)).await
}

/// As [`once`], for a lock of this configuration.
///
/// # Panics
///
/// As [`once`].
///
/// # Cancel safety
///
/// As [`once`].
pub async fn once_with<P: LockProvider + Clone>(provider: &P, config: LockConfiguration) -> String {
    match in_time(provider.try_lock(config)).await {
        Ok(Some(lock)) => match lock.unlock().await {
            Ok(released) => format!("granted, then {released:?}"),
            Err(error) => format!("granted, then {error}"),
        },
        Ok(None) => "refused".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

/// How long a release of `lease` keeps the lock taken, as the runtime computes it.
pub fn keep_for(provider: &impl LockProvider, lease: &Lease) -> Duration {
    lease.at_least_left(provider.info().clock())
}

/// Takes the lock `name`, which is free, as programs do.
///
/// # Panics
///
/// If the lock is not granted.
///
/// # Cancel safety
///
/// As [`LockProviderExt::try_lock`](shedlock_runtime::LockProviderExt::try_lock).
pub async fn taken<P: LockProvider + Clone>(provider: &P, name: &str) -> Lock {
    let lock = provider.try_lock(config(name)).await;
    lock.expect("the store answers").expect("the lock is free")
}

/// Whether the lock `name` is free: takes the lock and releases it.
///
/// # Panics
///
/// If the store does not answer.
///
/// # Cancel safety
///
/// As [`LockProviderExt::try_lock`](shedlock_runtime::LockProviderExt::try_lock).
pub async fn is_free<P: LockProvider + Clone>(provider: &P, name: &str) -> bool {
    let lock = provider.try_lock(config(name)).await;
    match lock.expect("the store answers") {
        Some(lock) => lock.unlock().await.expect("the store answers") == Ownership::Ours,
        None => false,
    }
}

/// Waits until the lock `name` is free: the runtime releases in the background what nobody holds.
///
/// # Panics
///
/// As [`until`] and [`is_free`].
///
/// # Cancel safety
///
/// As [`is_free`].
pub async fn until_free<P: LockProvider + Clone>(provider: &P, name: &str) {
    let is_free = async || is_free(provider, name).await;
    until("the lock is free", is_free).await;
}

/// Asks for a lock until there is an answer, as a scheduler does.
///
/// # Panics
///
/// After [`TEST_TIMEOUT`], with the last error.
///
/// # Cancel safety
///
/// As [`LockProviderExt::try_lock`](shedlock_runtime::LockProviderExt::try_lock).
pub async fn until_answered<P: LockProvider + Clone>(
    provider: &P,
    config: LockConfiguration,
) -> Option<Lock> {
    let start = Instant::now();
    loop {
        match provider.try_lock(config.clone()).await {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < TEST_TIMEOUT, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The error of an acquisition of the lock `name` that cannot succeed.
///
/// # Panics
///
/// If the lock is granted or refused.
///
/// # Cancel safety
///
/// As [`LockProviderExt::try_lock`](shedlock_runtime::LockProviderExt::try_lock).
pub async fn problem<P: LockProvider + Clone>(provider: &P, name: &str) -> LockError {
    let asked = provider.try_lock(config(name)).await;
    asked.expect_err("the lock cannot be taken")
}

/// Whose `lock` is, as an extension tells.
///
/// # Panics
///
/// If the extension fails otherwise than because the lock is lost.
///
/// # Cancel safety
///
/// As [`Lock::extend`].
pub async fn extended(lock: &mut Lock) -> Ownership {
    match lock.extend("10m", "0s").await {
        Ok(()) => Ownership::Ours,
        Err(lost) if lost.kind() == ErrorKind::Lost => Ownership::Lost,
        Err(error) => panic!("an extension must be made or lost: {error:?}"),
    }
}
