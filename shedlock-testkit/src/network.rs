//! What every provider must do when the network loses connections, requests and replies.
//!
//! Each function takes a provider that reaches its store through a [`Proxy`], and fails the test if the provider does less. For the
//! functions with an argument `write`: a trigger for requests that change the record of the lock `name`, and for no other request.
//!
//! ```no_run
//! use shedlock_runtime::InMemoryLockProvider as MyLockProvider;
//! use shedlock_testkit::proxy::Trigger;
//! use shedlock_testkit::{Proxy, network};
//!
//! # async fn test(server: std::net::SocketAddr, connect: impl AsyncFn(std::net::SocketAddr) -> MyLockProvider) -> std::io::Result<()> {
//! let proxy = Proxy::start(server).await?;
//! let provider: MyLockProvider = connect(proxy.address()).await;
//! network::must_replace_lost_connections(&proxy, &provider, "mail").await;
//! network::must_ask_again(&proxy, &provider, "mail", &Trigger::containing("UPDATE locks")).await;
//! # Ok(())
//! # }
//! ```

use std::time::{Duration, Instant};

use shedlock_runtime::{
    LockAdmin as _, LockProvider, LockProviderExt as _, LockRecords, Ownership,
};

use tokio::task::JoinSet;

use crate::Proxy;
use crate::proxy::{Direction, Ending, Rule, Trigger};
use crate::requests::{
    WORKS, config, extended, in_time, is_free, once_with, request, take, taken, until_free,
};

/// How long a call may take that finds its connection dead: a part of its time limit of five seconds.
const REPLACED_WITHIN: Duration = Duration::from_secs(4);
/// How often a node asks for a lock that is about to be free.
const ASKED_EVERY: Duration = Duration::from_millis(5);
/// Enough for a server to carry out a request that has arrived.
const ARRIVED: Duration = Duration::from_millis(300);

/// Each call replaces a connection that a firewall has forgotten, that the server has closed or that was reset, and succeeds.
///
/// # Panics
///
/// If a call fails, or an acquisition over a forgotten connection takes four seconds.
///
/// # Cancel safety
///
/// If the call is dropped, the lock may stay taken until its lease ends.
pub async fn must_replace_lost_connections<P: LockProvider + Clone>(
    proxy: &Proxy,
    provider: &P,
    name: &str,
) {
    assert!(is_free(provider, name).await);
    for _ in 0..2 {
        proxy.blackhole_connections();
        let began = Instant::now();
        let mut lock = taken(provider, name).await;
        let took = began.elapsed();
        assert!(
            took < REPLACED_WITHIN,
            "over a forgotten connection: {took:?}"
        );
        proxy.end_connections(Ending::Close);
        assert_eq!(extended(&mut lock).await, Ownership::Ours);
        proxy.end_connections(Ending::Reset);
        let released = lock.unlock().await;
        assert_eq!(released.expect("a new connection"), Ownership::Ours);
    }
}

/// The store carries out each write and its reply is lost: the same call asks again over a new connection, and returns what the store has
/// done for it. An acquisition is granted, an extension and a release are made.
///
/// # Panics
///
/// If a call fails or returns something else, or if the lock is not free at the end.
///
/// # Cancel safety
///
/// If the call is dropped, the lock may stay taken until its lease ends, and the proxy may go on discarding replies.
pub async fn must_ask_again<P: LockProvider + Clone>(
    proxy: &Proxy,
    provider: &P,
    name: &str,
    write: &Trigger,
) {
    assert!(is_free(provider, name).await);
    let lose_one = async || {
        let before = proxy.counters();
        proxy.on(write.clone(), Rule::Discard(Direction::ToClient));
        let lost = proxy.wait_until(|now| {
            now.triggered > before.triggered && now.discarded_bytes > before.discarded_bytes
        });
        in_time(lost).await;
        proxy.set(Rule::Pass);
    };
    let asked = request(provider, config(name));
    let (answer, ()) = tokio::join!(provider.acquire(&asked), lose_one());
    let lease = answer.expect("the second connection answers").granted();
    let lease = lease.expect("asked again, the provider finds its own record");
    assert!(lease.fencing_token().is_some());
    let longer = config(name).at_most() * 2;
    let (extended, ()) = tokio::join!(provider.extend(&lease, longer), lose_one());
    let extended = extended.expect("the second connection answers");
    assert_eq!(extended, Ownership::Ours);
    let (released, ()) = tokio::join!(provider.release(&lease, Duration::ZERO), lose_one());
    let released = released.expect("the second connection answers");
    assert_eq!(released, Ownership::Ours);
    assert!(is_free(provider, name).await);
}

/// The store releases a lock by force, its reply is lost, and another node takes the lock. The call, which asks again, answers that the
/// release was made or is in doubt, and leaves the lock of that node alone. `write` is for the request that releases.
///
/// # Panics
///
/// If the call answers anything else, or the other node has lost its lock.
///
/// # Cancel safety
///
/// If the call is dropped, the lock may stay taken until its lease ends, and the proxy may go on discarding replies.
pub async fn must_leave_the_next_holder_alone<P: LockRecords + Clone>(
    proxy: &Proxy,
    provider: &P,
    other: &P,
    name: &str,
    write: &Trigger,
) {
    assert!(is_free(provider, name).await);
    let _stuck = take(other, name).await;
    proxy.on(write.clone(), Rule::Discard(Direction::ToClient));
    let taken_over = async {
        loop {
            let taken = other.try_lock(config(name)).await;
            if let Some(next) = taken.expect("the store answers") {
                proxy.set(Rule::Pass);
                return next;
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    };
    let released = provider.force_release(name, "it is stuck");
    let (released, mut next) = tokio::join!(released, in_time(taken_over));
    match released {
        Ok(is_done) => assert!(is_done, "the holder that was meant is gone"),
        Err(error) => assert!(error.kind().is_ambiguous(), "{error:?}"),
    }
    assert_eq!(extended(&mut next).await, Ownership::Ours);
    let released = next.unlock().await;
    assert_eq!(released.expect("the store answers"), Ownership::Ours);
}

/// An acquisition is held back, asked again, granted and released. When the first request arrives afterwards, it takes nothing.
///
/// # Panics
///
/// If a call fails, or the lock is taken at the end.
///
/// # Cancel safety
///
/// If the call is dropped, the lock may stay taken until its lease ends.
pub async fn must_ignore_a_late_acquisition<P: LockProvider + Clone>(
    proxy: &Proxy,
    provider: &P,
    name: &str,
    write: &Trigger,
) {
    assert!(is_free(provider, name).await);
    let late = proxy.hold_back(write.clone());
    let lock = taken(provider, name).await;
    let released = lock.unlock().await;
    assert_eq!(released.expect("the store answers"), Ownership::Ours);
    in_time(late.deliver()).await;
    tokio::time::sleep(ARRIVED).await;
    assert!(
        is_free(provider, name).await,
        "taken for a holder that has gone"
    );
}

/// An extension is held back and asked again, and a shorter one follows. When the first request arrives afterwards, it changes nothing:
/// `record` returns the record as it is in the store.
///
/// # Panics
///
/// If a call fails, or the record has changed at the end.
///
/// # Cancel safety
///
/// If the call is dropped, the lock may stay taken until its lease ends.
pub async fn must_ignore_a_late_extension<
    P: LockProvider + Clone,
    R: PartialEq + std::fmt::Debug,
>(
    proxy: &Proxy,
    provider: &P,
    name: &str,
    write: &Trigger,
    record: impl AsyncFn() -> R,
) {
    let mut lock = taken(provider, name).await;
    let late = proxy.hold_back(write.clone());
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    lock.extend("1m", "0s").await.expect("the lease is live");
    let before = record().await;
    in_time(late.deliver()).await;
    tokio::time::sleep(ARRIVED).await;
    assert_eq!(record().await, before, "a late request changed the record");
    lock.unlock().await.expect("the store answers");
}

/// An acquisition is held back, asked again and refused, and `holder`'s lock is released. What the first request takes when it arrives
/// afterwards is released again.
///
/// # Panics
///
/// If a call fails, or the lock stays taken.
///
/// # Cancel safety
///
/// If the call is dropped, the lock may stay taken until its lease ends.
pub async fn must_release_what_a_late_acquisition_takes<P: LockProvider + Clone>(
    proxy: &Proxy,
    provider: &P,
    holder: &P,
    name: &str,
    write: &Trigger,
) {
    assert!(is_free(provider, name).await);
    let held = taken(holder, name).await;
    let late = proxy.hold_back(write.clone());
    let refused = provider.try_lock(config(name)).await;
    assert!(refused.expect("the store answers").is_none());
    let released = held.unlock().await;
    assert_eq!(released.expect("the store answers"), Ownership::Ours);
    in_time(late.deliver()).await;
    until_free(holder, name).await;
}

/// Many jobs at one tick: their calls take turns, so that the store is not asked by all of them at a time. For a provider that gives each
/// attempt at least a second.
///
/// # Panics
///
/// If a call fails, or if most of the 120 calls have a request under way at the same time.
///
/// # Cancel safety
///
/// If the call is dropped, locks may stay taken until their leases end, and the proxy may go on holding replies back.
pub async fn must_take_turns<P: LockProvider + Clone>(proxy: &Proxy, provider: &P) {
    const CALLS: usize = 120;
    // Too short for a call to ask again over another connection.
    const HELD_FOR: Duration = Duration::from_millis(800);
    const PATIENCE: Duration = Duration::from_secs(30);
    let began = Instant::now();
    proxy.set(Rule::Hold(Direction::ToClient));
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let provider = provider.clone();
        // They wait for each other, for longer than a single call is given.
        let patient = config(&format!("job-{number}")).with_timeout(PATIENCE);
        let patient = patient.expect("a legal limit");
        calls.spawn(async move { once_with(&provider, patient).await });
    }
    let mut most = 0;
    loop {
        let connections = proxy.connections();
        if began.elapsed() >= HELD_FOR {
            break;
        }
        // A client may open more connections than it uses.
        let asking = connections.iter().filter(|it| it.client_messages > 0);
        most = most.max(asking.count());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    proxy.set(Rule::Pass);
    while let Some(worked) = in_time(calls.join_next()).await {
        assert_eq!(worked.expect("no panic"), WORKS);
    }
    assert!(most > 0, "no call goes through the proxy");
    assert!(
        most <= CALLS * 3 / 4,
        "{most} of {CALLS} calls asked at a time"
    );
}

/// Whoever owns a runtime may end it: the provider goes on working in the next runtime. For a test that has no runtime of its own.
///
/// # Panics
///
/// If a call fails.
pub fn must_outlive_its_runtime(provider: &impl LockProvider, name: &str) {
    for _ in 0..3 {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let asked = request(provider, config(name));
            let answer = provider.acquire(&asked).await.expect("the store answers");
            let lease = answer.granted().expect("the lock is free");
            let released = provider.release(&lease, Duration::ZERO).await;
            assert_eq!(released.expect("the store answers"), Ownership::Ours);
        });
    }
}
