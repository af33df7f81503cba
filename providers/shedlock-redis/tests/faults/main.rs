//! What happens when the server, the network or another program misbehaves.

mod cluster;
mod connections;
mod refusals;
mod sentinels;
mod servers;

use std::time::{Duration, Instant};

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockError, LockProviderExt as _, Ownership,
};
use shedlock_testkit::requests::{TEST_TIMEOUT, until};
use shedlock_testkit::servers::Redis;

pub(crate) const KEY: &str = "job-lock:default:a";
pub(crate) const FENCE: &str = "shedlock-fence:{job-lock:default:a}";

pub(crate) fn node(url: &str) -> RedisLockProvider {
    RedisLockProvider::builder_from_url(url)
        .build()
        .expect("a valid URL")
}

pub(crate) fn config() -> LockConfiguration {
    LockConfiguration::new("a", "10m").expect("a legal configuration")
}

/// Asks until there is an answer, as a scheduler does. All errors are transient.
pub(crate) async fn until_answered(
    node: &RedisLockProvider,
    config: &LockConfiguration,
) -> Option<Lock> {
    let limit = Instant::now() + TEST_TIMEOUT;
    loop {
        match node.try_lock(config.clone()).await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                assert!(Instant::now() < limit, "{error:?}");
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Extends until there is an answer, as keep-alive does.
pub(crate) async fn until_extended(lock: &mut Lock) -> Ownership {
    let limit = Instant::now() + TEST_TIMEOUT;
    loop {
        match lock.extend("10m", "0s").await {
            Ok(()) => return Ownership::Ours,
            Err(lost) if lost.kind() == ErrorKind::Lost => return Ownership::Lost,
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                assert!(Instant::now() < limit, "{error:?}");
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a call fails with over a new connection: the first call may only learn that the kept one broke.
pub(crate) async fn error(node: &RedisLockProvider) -> LockError {
    error_of(node, config()).await
}

pub(crate) async fn error_of(node: &RedisLockProvider, config: LockConfiguration) -> LockError {
    for _ in 0..3 {
        match node.try_lock(config.clone()).await {
            Ok(outcome) => panic!("the call must fail, and says {outcome:?}"),
            Err(error) if error.kind() == ErrorKind::Indeterminate => {}
            Err(error) => return error,
        }
    }
    panic!("no new connection says what is wrong");
}

pub(crate) async fn ask(server: &Redis, command: &[&str]) -> String {
    server.execute(command).await
}

/// Waits until a replica has received what was written to `primary` so far. `WAIT` waits for the writes of its own connection alone.
pub(crate) async fn until_replicated(primary: &Redis) {
    let offset = async |before: &str| -> Option<u64> {
        let info = ask(primary, &["INFO", "replication"]).await;
        let (_, after) = info.split_once(before)?;
        after
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    let written = offset("master_repl_offset:").await.expect("an offset");
    until("the replica has it", async || {
        offset(",offset=")
            .await
            .is_some_and(|received| received >= written)
    })
    .await;
}

pub(crate) async fn must_be_set(server: &Redis, name: &str, value: &str) {
    assert_eq!(ask(server, &["CONFIG", "SET", name, value]).await, "OK");
}
