//! What stands in the table, and nodes on the JVM: both of their clocks, as the statements that they send.

#[path = "support/asking.rs"]
mod asking;
#[path = "support/place.rs"]
mod place;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shedlock_postgres::PostgresLockProvider;
use shedlock_postgres::tokio_postgres::Client;
use shedlock_runtime::{Lock, LockConfiguration, LockProviderExt as _, Ownership, SkipReason};
use shedlock_testkit::conformance::Peek;
use shedlock_testkit::server_or_skip;

use asking::{TEST_TIMEOUT, refused, until};
use place::{Place, Table, Via, client};

/// By which clock a node on the JVM writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JvmClock {
    /// `usingDbTime()`
    Database,
    /// `forceUtcTimeZone()`
    Client,
}

const CLOCKS: [JvmClock; 2] = [JvmClock::Database, JvmClock::Client];

/// A node on the JVM.
struct Jvm {
    client: Arc<Client>,
    clock: JvmClock,
    owner: String,
}

/// A lock that a node on the JVM holds.
struct JvmLock {
    name: String,
    at_least: Duration,
    taken: SystemTime,
}

fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
    // With three digits, as the JVM writes it.
    format!(
        "(TIMESTAMP 'epoch' + INTERVAL '{} milliseconds')",
        since.as_millis()
    )
}

impl Jvm {
    async fn new(place: &Place, clock: JvmClock, owner: &str) -> Self {
        Self {
            client: client(&place.direct).await,
            clock,
            owner: owner.to_owned(),
        }
    }

    fn now(&self) -> String {
        match self.clock {
            JvmClock::Database => "timezone('utc', CURRENT_TIMESTAMP)".to_owned(),
            JvmClock::Client => timestamp(SystemTime::now()),
        }
    }

    /// Each statement in a transaction of its own: how many rows it has changed.
    async fn write(&self, statement: &str) -> u64 {
        let run = async |sql: &str| {
            let done = self.client.simple_query(sql).await;
            let done = done.unwrap_or_else(|error| panic!("failed to run `{sql}`: {error:?}"));
            let count = |message: &_| match message {
                shedlock_postgres::tokio_postgres::SimpleQueryMessage::CommandComplete(rows) => {
                    Some(*rows)
                }
                _ => None,
            };
            done.iter().find_map(count).unwrap_or_default()
        };
        run("BEGIN").await;
        let rows = run(statement).await;
        run("COMMIT").await;
        rows
    }

    /// First the guarded upsert, and if it says "held", the update.
    async fn lock(&self, name: &str, at_most: Duration, at_least: Duration) -> Option<JvmLock> {
        let taken = SystemTime::now();
        let (now, owner, millis) = (self.now(), &self.owner, at_most.as_millis());
        let until = format!("{now} + make_interval(secs => {millis} / 1000.0)");
        let upsert = format!(
            "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) VALUES ('{name}', {until}, {now}, '{owner}') \
             ON CONFLICT (name) DO UPDATE SET lock_until = {until}, locked_at = {now}, locked_by = '{owner}' \
             WHERE shedlock.name = '{name}' AND shedlock.lock_until <= {now}"
        );
        let update = format!(
            "UPDATE shedlock SET lock_until = {until}, locked_at = {now}, locked_by = '{owner}' \
             WHERE name = '{name}' AND lock_until <= {now}"
        );
        let is_granted = self.write(&upsert).await == 1 || self.write(&update).await == 1;
        is_granted.then(|| JvmLock {
            name: name.to_owned(),
            at_least,
            taken,
        })
    }

    async fn extend(&self, lock: &JvmLock, at_most: Duration) -> bool {
        let (now, millis) = (self.now(), at_most.as_millis());
        let extend = format!(
            "UPDATE shedlock SET lock_until = {now} + make_interval(secs => {millis} / 1000.0) \
             WHERE name = '{}' AND locked_by = '{}' AND lock_until > {now}",
            lock.name, self.owner
        );
        self.write(&extend).await == 1
    }

    async fn unlock(&self, lock: &JvmLock) {
        let end = match self.clock {
            JvmClock::Database => {
                let now = self.now();
                let least = format!(
                    "locked_at + make_interval(secs => {} / 1000.0)",
                    lock.at_least.as_millis()
                );
                format!("CASE WHEN {least} > {now} THEN {least} ELSE {now} END")
            }
            JvmClock::Client => timestamp(SystemTime::now().max(lock.taken + lock.at_least)),
        };
        let unlock = format!(
            "UPDATE shedlock SET lock_until = {end} WHERE name = '{}' AND locked_by = '{}'",
            lock.name, self.owner
        );
        self.write(&unlock).await;
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(1_500);

fn config(name: &str, at_most: Duration, at_least: Duration) -> LockConfiguration {
    let config = LockConfiguration::new(name, at_most);
    let config = config.and_then(|config| config.with_at_least(at_least));
    config.expect("a legal configuration")
}

async fn lock(node: &PostgresLockProvider, config: LockConfiguration) -> Option<Lock> {
    let asked = node.try_lock(config).await;
    asked.expect("the database answers")
}

/// Waits until a lease has ended by each clock: a node on the JVM cuts its own to milliseconds.
async fn until_over(place: &Place, name: &str) {
    until("it is over", async || place.left_of(name).await < -1).await;
}

/// On ShedLock's own table and on ours, with each clock of the JVM.
async fn on_both_tables(test: impl AsyncFn(&Place, &Jvm, &PostgresLockProvider)) {
    for table in [Table::ShedLocks, Table::Ours] {
        for clock in CLOCKS {
            let place = server_or_skip!(Place::with(table).await);
            let jvm = Jvm::new(&place, clock, "app.example").await;
            let node = place.builder(Via::Url).await.node_name("web-2").build();
            let node = node.expect("the options are valid");
            asking::in_time(test(&place, &jvm, &node)).await;
        }
    }
}

#[tokio::test]
async fn rows_are_as_the_jvm_reads_them() {
    let place = server_or_skip!(Place::with(Table::Ours).await);
    let node = place.builder(Via::Url).await.node_name("web-2").build();
    let node = node.expect("the options are valid");
    let owner = async || match place.peek("n1").await {
        Peek::Found(stored) => stored.owner.expect("an owner"),
        other => panic!("there is a row: {other:?}"),
    };
    let is_secret = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
    };
    let mut taken = lock(&node, config("n1", MINUTE, Duration::ZERO)).await;
    let taken = taken.as_mut().expect("it is free");
    let first = owner().await;
    let secret = first.strip_prefix("web-2#").expect("the node's name");
    assert!(secret.len() == 32 && is_secret(secret), "{first}");
    let span =
        "CAST(date_part('epoch', lock_until - locked_at) * 1000 AS bigint) BETWEEN 60000 AND 60003";
    let spans = place.rows(&format!("SELECT {span} FROM shedlock")).await;
    assert_eq!(spans, ["t"]);
    taken
        .extend(MINUTE, Duration::ZERO)
        .await
        .expect("the lease is live");
    let extended = owner().await;
    let number = extended.strip_prefix(&first).expect("the same owner");
    assert!(number.len() == 12 && is_secret(number), "{extended}");
    let columns = "SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) \
         FROM information_schema.columns WHERE table_name = 'shedlock'";
    assert_eq!(
        place.rows(columns).await,
        [
            "name character varying, lock_until timestamp without time zone, locked_at timestamp without time zone, \
          locked_by character varying, fencing_token bigint, position bigint, position_done boolean, position_tries integer"
        ]
    );
}

#[tokio::test]
async fn each_skips_what_the_other_holds() {
    on_both_tables(async |place, jvm, node| {
        let ours = lock(node, config("n1", MINUTE, Duration::ZERO)).await;
        let ours = ours.expect("it is free");
        assert!(jvm.lock("n1", MINUTE, Duration::ZERO).await.is_none());
        let released = ours.unlock().await.expect("the database answers");
        assert_eq!(released, Ownership::Ours);

        let theirs = jvm.lock("n1", MINUTE, Duration::ZERO).await;
        let theirs = theirs.expect("it is free");
        assert_eq!(refused(node, "n1").await.reason, SkipReason::Held);
        assert!(jvm.extend(&theirs, MINUTE * 2).await);
        assert!(place.left_of("n1").await > 100_000, "it is extended");
        jvm.unlock(&theirs).await;
        assert!(
            lock(node, config("n1", MINUTE, Duration::ZERO))
                .await
                .is_some()
        );
    })
    .await;
}

#[tokio::test]
async fn each_respects_what_the_other_keeps() {
    on_both_tables(async |place, jvm, node| {
        let ours = lock(node, config("n1", MINUTE, SHORT * 2)).await;
        let released = ours.expect("it is free").unlock().await;
        assert_eq!(released.expect("the database answers"), Ownership::Ours);
        assert!(jvm.lock("n1", MINUTE, Duration::ZERO).await.is_none());
        assert!(place.left_of("n1").await > 0, "`at_least`");

        let theirs = jvm.lock("n2", MINUTE, SHORT * 2).await;
        jvm.unlock(&theirs.expect("it is free")).await;
        assert!(place.left_of("n2").await > 0, "`lockAtLeastFor`");
        assert_eq!(refused(node, "n2").await.reason, SkipReason::Held);
        for name in ["n1", "n2"] {
            until_over(place, name).await;
        }
        assert!(jvm.lock("n1", MINUTE, Duration::ZERO).await.is_some());
        assert!(
            lock(node, config("n2", MINUTE, Duration::ZERO))
                .await
                .is_some()
        );
    })
    .await;
}

#[tokio::test]
async fn each_takes_over_what_the_other_let_run_out() {
    on_both_tables(async |place, jvm, node| {
        let theirs = jvm.lock("n1", SHORT, Duration::ZERO).await;
        let theirs = theirs.expect("it is free");
        until_over(place, "n1").await;
        let mut ours = lock(node, config("n1", SHORT, Duration::ZERO)).await;
        let ours = ours.take().expect("it is free");
        // What is late on the JVM finds another owner.
        let before = place.peek("n1").await;
        assert!(!jvm.extend(&theirs, MINUTE).await);
        jvm.unlock(&theirs).await;
        assert_eq!(place.peek("n1").await, before);

        until_over(place, "n1").await;
        let next = jvm.lock("n1", MINUTE, Duration::ZERO).await;
        assert!(next.is_some(), "it is free");
        let before = place.peek("n1").await;
        let released = ours.unlock().await;
        assert!(!matches!(released, Ok(Ownership::Ours)), "{released:?}");
        assert_eq!(
            place.peek("n1").await,
            before,
            "a late release of ours touches nobody's lock"
        );
    })
    .await;
}

/// Four tasks of ours and four nodes on the JVM want one lock, two thousand times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_overlaps() {
    const ACQUISITIONS: u32 = 2_000;
    let place = server_or_skip!(Place::with(Table::ShedLocks).await);
    let node = place.provider_past_proxy();
    let busy = Arc::new(AtomicBool::new(false));
    let counts = Arc::new([const { AtomicU32::new(0) }; 2]);
    let all = |counts: &[AtomicU32; 2]| {
        counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum::<u32>()
    };
    let mut tasks = Vec::new();
    for number in 0..4 {
        let (node, shared, total) = (node.clone(), Arc::clone(&busy), Arc::clone(&counts));
        tasks.push(tokio::spawn(async move {
            let (busy, counts) = (shared, total);
            while all(&counts) < ACQUISITIONS {
                if let Some(lock) = lock(&node, config("fuzz", MINUTE, Duration::ZERO)).await {
                    assert!(!busy.swap(true, Ordering::SeqCst), "two hold it");
                    tokio::time::sleep(Duration::from_micros(fastrand::u64(..300))).await;
                    busy.store(false, Ordering::SeqCst);
                    counts[0].fetch_add(1, Ordering::Relaxed);
                    let released = lock.unlock().await.expect("the database answers");
                    assert_eq!(released, Ownership::Ours);
                }
                tokio::time::sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
            }
        }));
        let clock = CLOCKS[number % 2];
        let jvm = Jvm::new(&place, clock, &format!("jvm-{number}")).await;
        let (shared, total) = (Arc::clone(&busy), Arc::clone(&counts));
        tasks.push(tokio::spawn(async move {
            let (busy, counts) = (shared, total);
            while all(&counts) < ACQUISITIONS {
                if let Some(lock) = jvm.lock("fuzz", MINUTE, Duration::ZERO).await {
                    assert!(!busy.swap(true, Ordering::SeqCst), "two hold it");
                    tokio::time::sleep(Duration::from_micros(fastrand::u64(..300))).await;
                    busy.store(false, Ordering::SeqCst);
                    counts[1].fetch_add(1, Ordering::Relaxed);
                    jvm.unlock(&lock).await;
                }
                tokio::time::sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
            }
        }));
    }
    let began = Instant::now();
    for task in tasks {
        let done = tokio::time::timeout(TEST_TIMEOUT * 3, task).await;
        done.expect("it comes to an end").expect("nobody overlaps");
    }
    let [ours, theirs] = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    println!(
        "{ours} acquisitions of ours, {theirs} of the JVM's, in {:.1?}",
        began.elapsed()
    );
    assert!(
        ours > 100 && theirs > 100,
        "both take part: {ours}, {theirs}"
    );
}
