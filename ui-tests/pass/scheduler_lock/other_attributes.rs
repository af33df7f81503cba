//! Other attributes before and after ours, documentation and `cfg`.

use shedlock::scheduler_lock;
use tracing::instrument;

/// `#[instrument]` above.
#[instrument]
#[scheduler_lock(name = "above", at_most = "1m")]
pub async fn above(count: u32) -> Option<u32> {
    tokio::task::yield_now().await;
    Some(count)
}

/// `#[instrument]` below.
#[scheduler_lock(name = "below-{count}", at_most = "1m")]
#[instrument(skip(count), ret, err)]
pub async fn below(count: u32) -> Result<(), shedlock::LockError> {
    tokio::task::yield_now().await;
    Ok(())
}

/// `#[tokio::main]` above, which has made a plain function of it before us.
#[tokio::main(flavor = "current_thread")]
#[scheduler_lock(name = "main", at_most = "1m", provider = &shedlock::InMemoryLockProvider::new())]
pub async fn entry(count: u32) -> Option<u32> {
    shedlock::lock_assert!("main");
    tokio::task::yield_now().await;
    Some(count)
}

/// Compiled in.
#[cfg(not(any()))]
#[scheduler_lock(name = "in", at_most = "1m")]
pub async fn compiled() {}

/// Compiled out, even with a mistake.
#[cfg(any())]
#[scheduler_lock(nam = "out", at_most = "soon")]
pub async fn compiled_out() {}

/// Behind `cfg_attr`, with attributes inside the body.
#[cfg_attr(not(any()), scheduler_lock(name = "conditional", at_most = "1m"))]
#[must_use = "the shape under test"]
pub async fn conditional(#[allow(unused_variables, reason = "tested")] unused: u8) -> Option<u8> {
    #![expect(clippy::no_effect_underscore_binding, reason = "the shape under test")]
    let _effect = 1;
    Some(1)
}

#[cfg(test)]
mod tests {
    use shedlock::scheduler_lock;

    #[tokio::test]
    #[scheduler_lock(name = "test-above", at_most = "1m", on_skip = Ok(()), provider = &shedlock::InMemoryLockProvider::new())]
    async fn test_above() -> Result<(), shedlock::LockError> {
        shedlock::lock_assert!("test-above");
        tokio::task::yield_now().await;
        Ok(())
    }

    #[scheduler_lock(name = "test-below", at_most = "1m", provider = &shedlock::InMemoryLockProvider::new())]
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn test_below() {
        shedlock::lock_assert!("test-below");
        tokio::task::yield_now().await;
    }
}
