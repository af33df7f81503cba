//! What happens when the server, the network or another program misbehaves.

mod connections;
mod memory;
mod refusals;
mod servers;

use std::time::{Duration, Instant};

use shedlock_memcached::MemcachedLockProvider;
use shedlock_testkit::requests::{TEST_TIMEOUT, WORKS, once};
use shedlock_testkit::servers::Memcached;

pub(crate) const KEY: &str = "shedlock:default:a";

pub(crate) fn node(url: &str) -> MemcachedLockProvider {
    MemcachedLockProvider::new(url).expect("a valid URL")
}

pub(crate) async fn is_free(node: &MemcachedLockProvider) -> bool {
    once(node, "a").await == WORKS
}

/// The lock becomes free: what nobody holds is given back in the background.
pub(crate) async fn must_become_free(node: &MemcachedLockProvider) {
    let limit = Instant::now() + TEST_TIMEOUT;
    while !is_free(node).await {
        assert!(Instant::now() < limit, "an orphan lock stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What is under the key, its last write and its time to live included; `EN` if nothing is there.
pub(crate) async fn item(server: &Memcached, key: &str) -> String {
    let item = server.execute(&format!("mg {key} v c\r\n")).await;
    item.trim_end().to_owned()
}

/// Stores keys of `size` bytes each until the server says that it is full, or as many as this.
pub(crate) async fn fill(server: &Memcached, size: usize, most: usize) -> bool {
    let value = "x".repeat(size);
    for first in (0..most).step_by(500) {
        let sets = (first..first + 500)
            .map(|number| format!("set fill-{size}-{number} 0 0 {size}\r\n{value}\r\n"));
        let answer = server.execute(&sets.collect::<String>()).await;
        if answer.contains("SERVER_ERROR out of memory") {
            return true;
        }
    }
    false
}
