//! Contenders of both sides for one lock, all at once: no two hold it at the same time.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{LockConfiguration, LockProviderExt as _, Ownership};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Redis;

use super::JVM_DELETE;

const CONTENDERS_A_SIDE: usize = 4;
/// Acquisitions of each contender in each of the two modes of JVM nodes.
const EACH: usize = 150;
const LEASE: Duration = Duration::from_secs(20);
/// The lease of a holder that never unlocks. One in so many does not.
const ABANDONED: Duration = Duration::from_millis(250);
const ABANDON_ONE_IN: usize = 100;
/// Both sides cut leases to milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);
/// The lock must change sides at least so often; one after the other, the two would not have contended for it.
const LEAST_HANDOVERS: usize = 20;
const KEY: &str = "job-lock:default:fuzz";

/// When a contender believed that it held the lock: from the answer until just before its unlock, and never past its lease.
#[derive(Debug, Clone, Copy)]
struct Hold {
    side: &'static str,
    begin: Instant,
    end: Instant,
}

/// How long this turn's lease is, and whether it is abandoned.
fn turn() -> (Duration, bool) {
    let abandons = fastrand::usize(..ABANDON_ONE_IN) == 0;
    (if abandons { ABANDONED } else { LEASE }, abandons)
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..4))).await;
}

/// Works for a moment under a lease that was asked for at `asked`.
async fn hold(side: &'static str, asked: Instant, lease: Duration) -> Hold {
    let begin = Instant::now();
    pause().await;
    let end = Instant::now()
        .min(asked + lease.saturating_sub(ROUNDING))
        .max(begin);
    Hold { side, begin, end }
}

async fn ours(url: String) -> Vec<Hold> {
    let node = RedisLockProvider::connect(&url).await;
    let node = node.expect("the server answers");
    let mut holds = Vec::new();
    while holds.len() < EACH {
        let (lease, abandons) = turn();
        let config = LockConfiguration::new("fuzz", lease).expect("legal");
        let asked = Instant::now();
        if let Some(mut lock) = node.try_lock(config).await.expect("is answered") {
            let held = hold("ours", asked, lease).await;
            holds.push(held);
            if abandons {
                lock.release_on_drop(false);
            } else {
                let was = lock.unlock().await.expect("is answered");
                assert!(was == Ownership::Ours || held.begin.elapsed() > LEASE / 2);
            }
        }
        pause().await;
    }
    holds
}

async fn theirs(mut connection: MultiplexedConnection, number: usize, safe: bool) -> Vec<Hold> {
    let mut holds = Vec::new();
    while holds.len() < EACH {
        let (lease, abandons) = turn();
        let value = format!(
            "ADDED:2026-11-28T10:41:11.355Z@jvm-{number}:{}",
            fastrand::u64(..)
        );
        let asked = Instant::now();
        let millis = lease.as_millis().to_string();
        let mut set = redis::cmd("SET");
        set.arg(KEY).arg(&value).arg("NX").arg("PX").arg(millis);
        let set: Option<String> = set.query_async(&mut connection).await.expect("is answered");
        if set.is_some() {
            holds.push(hold("theirs", asked, lease).await);
            let mut unlock = if safe {
                let mut eval = redis::cmd("EVAL");
                eval.arg(JVM_DELETE).arg(1);
                eval
            } else {
                redis::cmd("DEL")
            };
            unlock.arg(KEY);
            if safe {
                unlock.arg(&value);
            }
            if !abandons {
                let _deleted: u64 = unlock
                    .query_async(&mut connection)
                    .await
                    .expect("is answered");
            }
        }
        pause().await;
    }
    holds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixed_contenders_never_overlap() {
    let server = server_or_skip!(Redis::start().await);
    for safe in [true, false] {
        let client = redis::Client::open(server.url()).expect("a valid URL");
        let mut contenders = Vec::new();
        for number in 0..CONTENDERS_A_SIDE {
            let connection = client.get_multiplexed_async_connection().await;
            let connection = connection.expect("the server answers");
            contenders.push(tokio::spawn(theirs(connection, number, safe)));
            contenders.push(tokio::spawn(ours(server.url())));
        }
        let mut holds = Vec::new();
        for contender in contenders {
            holds.extend(contender.await.expect("no contender fails"));
        }
        holds.sort_by_key(|hold| hold.begin);
        assert_eq!(holds.len(), 2 * CONTENDERS_A_SIDE * EACH);
        let next_to_each_other = || holds.iter().zip(&holds[1..]);
        let overlaps = next_to_each_other().filter(|(one, next)| next.begin < one.end);
        assert_eq!(overlaps.count(), 0, "{holds:?}");
        let handovers = next_to_each_other().filter(|(one, next)| one.side != next.side);
        assert!(handovers.count() >= LEAST_HANDOVERS, "{holds:?}");
    }
}
