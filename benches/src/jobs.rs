//! The annotated functions that the in-process figures are about, and what they are compared with.

use std::hint::black_box;

use shedlock::{InMemoryLockProvider, Lock, LockConfiguration, LockProviderExt as _};
use shedlock::{enable_scheduler_lock, scheduler_lock};

/// The body of every job here, without a lock.
#[expect(clippy::unused_async, reason = "a job is async")]
pub async fn bare() {
    black_box(());
}

/// A job whose lock is free each time.
#[scheduler_lock(name = "granted", at_most = "10m", at_least = "0s")]
pub async fn granted() {
    black_box(());
}

/// A job whose lock [`hold_refused`] has taken.
#[scheduler_lock(name = "refused", at_most = "10m", at_least = "0s")]
pub async fn refused() {
    unreachable!("somebody else holds the lock");
}

/// Calls [`nested`] `calls` times under the lock that it asks for.
#[scheduler_lock(name = "nested", at_most = "10m", at_least = "0s")]
pub async fn holding(calls: u64) {
    for _ in 0..calls {
        nested().await;
    }
}

/// A job that runs directly under [`holding`]: the macro without the provider.
#[scheduler_lock(name = "nested", at_most = "10m", at_least = "0s")]
pub async fn nested() {
    black_box(());
}

tokio::task_local! {
    static SCOPED: u64;
}

/// The body in a scope of its own: what any lock that its task can ask about pays.
pub async fn scoped() {
    SCOPED.scope(1, bare()).await;
}

/// Makes `provider` the one that the jobs use.
pub fn install(provider: InMemoryLockProvider) {
    enable_scheduler_lock!(
        provider = provider,
        default_at_most = "10m",
        default_at_least = "0s"
    );
}

/// Takes the lock of [`refused`] for as long as the guard lives.
///
/// # Panics
///
/// If somebody holds it already.
pub async fn hold_refused(provider: &InMemoryLockProvider) -> Lock {
    let config = LockConfiguration::new("refused", "1h").expect("the name and the lease are fine");
    let taken = provider.try_lock(config).await;
    taken
        .expect("memory is always there")
        .expect("nobody holds it")
}
