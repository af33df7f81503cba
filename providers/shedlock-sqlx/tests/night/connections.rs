//! F8 and F9: connections that only look alive, and statements that were prepared for a table as it was.

use std::time::{Duration, Instant};

use shedlock_runtime::{
    Acquisition, Lease, LockAdmin as _, LockConfiguration, LockProvider as _, LockingTaskExecutor,
    Outcome, Ownership, SkipReason, lock,
};
use shedlock_sqlx::SqlxLockProvider;
use sqlx::pool::PoolOptions;
use sqlx::{Pool, Postgres};

use crate::between::Between;
use crate::place::{Place, Via};
use crate::support::{
    MINUTE, Night, WORKS, ask, in_time, keep_for, later, limited, once, refused, take, until,
};

on_databases! {
    idle_connections_are_forgotten on postgres mysql;
    idle_connections_of_a_pool_are_forgotten on postgres mysql;
    idle_connections_of_a_pool_that_pings_are_forgotten on postgres mysql;
    a_kept_lock_is_kept on postgres mysql;
    a_kept_lock_is_kept_on_a_pool on postgres mysql;
    a_kept_lock_is_kept_on_a_pool_that_pings on postgres mysql;
    a_column_of_another_type on postgres;
    a_table_made_anew on postgres;
}

/// So long a connection has been idle when it is not trusted any more.
const IDLE: Duration = Duration::from_millis(2_200);

/// Where a node gets its connections from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    /// It makes its own.
    Url,
    /// A pool of which the program expects no round trip more than it needs.
    Pool,
    /// A pool as sqlx makes it by default, which pings each connection before it gives it away.
    PingingPool,
}

/// A node with its own way to the database.
pub(crate) struct Far<DB: Night> {
    pub(crate) between: Between,
    pub(crate) node: SqlxLockProvider<DB>,
    pool: Option<Pool<DB>>,
}

impl<DB: Night> Far<DB> {
    pub(crate) async fn new(direct: &str, from: From) -> Self {
        let between = Between::new(direct).await;
        let url = between.url(direct);
        let pool = |pings| {
            let pool = PoolOptions::new().max_connections(4);
            let pool = pool.test_before_acquire(pings).connect_lazy(&url);
            pool.expect("a valid URL")
        };
        let pool = match from {
            From::Url => None,
            From::Pool => Some(pool(false)),
            From::PingingPool => Some(pool(true)),
        };
        let builder = match &pool {
            Some(pool) => SqlxLockProvider::builder(pool.clone()),
            None => SqlxLockProvider::builder_from_url(&url),
        };
        let node = builder.build().expect("legal options");
        Self {
            between,
            node,
            pool,
        }
    }

    /// Waits until a pool has its connections back. sqlx pings each before, and keeps for ever one that does not answer.
    async fn settle(&self) {
        if let Some(pool) = &self.pool {
            let settled = async || pool.num_idle() == pool.size() as usize;
            until("the pool has its connections back", settled).await;
        }
    }

    /// Makes four connections, which are idle afterwards.
    pub(crate) async fn warm_up(&self, name: &str) {
        for _ in 0..3 {
            let asking = (0..4).map(|number| {
                let (node, name) = (self.node.clone(), format!("{name}-{number}"));
                tokio::spawn(async move { once(&node, &name).await })
            });
            for asked in asking.collect::<Vec<_>>() {
                assert_eq!(asked.await.expect("no panic"), WORKS);
            }
        }
    }
}

/// The first call of each kind, each by a node of its own all of whose connections have died meanwhile.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Acquire,
    Extend,
    Release,
    List,
    Pause,
}

const VERBS: [Verb; 5] = [
    Verb::Acquire,
    Verb::Extend,
    Verb::Release,
    Verb::List,
    Verb::Pause,
];

async fn idle_connections_are_forgotten<DB: Night>(place: Place<DB>) {
    first_calls(&place, From::Url).await;
}

async fn idle_connections_of_a_pool_are_forgotten<DB: Night>(place: Place<DB>) {
    first_calls(&place, From::Pool).await;
}

async fn idle_connections_of_a_pool_that_pings_are_forgotten<DB: Night>(place: Place<DB>) {
    first_calls(&place, From::PingingPool).await;
}

async fn first_calls<DB: Night>(place: &Place<DB>, from: From) {
    let mut nodes = Vec::new();
    for verb in VERBS {
        let far = Far::<DB>::new(&place.direct, from).await;
        let name = format!("{verb:?}");
        far.warm_up(&name).await;
        let lease = match verb {
            Verb::Extend | Verb::Release => Some(take(&far.node, &name).await),
            _ => None,
        };
        nodes.push((verb, name, lease, far));
    }
    for (.., far) in &nodes {
        far.settle().await;
        far.between.blackhole_connections();
    }
    // They are to be old, and nothing else is waited for.
    tokio::time::sleep(IDLE).await;
    let asking = nodes.into_iter().map(|(verb, name, lease, far)| {
        tokio::spawn(async move {
            let began = Instant::now();
            let said = first_call(verb, &name, lease, &far).await;
            (verb, said, began.elapsed())
        })
    });
    let mut failed = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        let (verb, said, took) = asked.await.expect("no panic");
        failed.extend(
            said.err()
                .map(|error| format!("{verb:?} after {took:.1?}: {error}")),
        );
    }
    assert_eq!(failed, [""; 0]);
}

async fn first_call<DB: Night>(
    verb: Verb,
    name: &str,
    lease: Option<Lease>,
    far: &Far<DB>,
) -> Result<(), String> {
    let node = &far.node;
    let said = match (verb, &lease) {
        (Verb::Extend, Some(lease)) => limited(node.extend(lease, MINUTE))
            .await
            .map(|extended| assert_eq!(extended, Ownership::Ours)),
        (Verb::Release, Some(lease)) => limited(node.release(lease, keep_for(node, lease)))
            .await
            .map(|released| assert_eq!(released, Ownership::Ours)),
        (Verb::List, _) => limited(node.list())
            .await
            .map(|listed| assert!(!listed.is_empty())),
        (Verb::Pause, _) => limited(node.pause(name, later(), "x")).await,
        _ => ask(node, name)
            .await
            .map(|asked| assert!(matches!(asked, Acquisition::Granted(_)))),
    };
    said.map_err(|error| format!("{:?}: {error}", error.kind()))
}

async fn a_kept_lock_is_kept<DB: Night>(place: Place<DB>) {
    keeps(&place, From::Url).await;
}

async fn a_kept_lock_is_kept_on_a_pool<DB: Night>(place: Place<DB>) {
    keeps(&place, From::Pool).await;
}

async fn a_kept_lock_is_kept_on_a_pool_that_pings<DB: Night>(place: Place<DB>) {
    keeps(&place, From::PingingPool).await;
}

async fn keeps<DB: Night>(place: &Place<DB>, from: From) {
    let far = Far::<DB>::new(&place.direct, from).await;
    far.warm_up("warm").await;
    let kept = LockConfiguration::new("kept", "9s").and_then(LockConfiguration::with_keep_alive);
    let other = place.provider(Via::Url);
    let body = async {
        far.between.blackhole_connections();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(13) {
            assert!(lock::is_held(), "lost after {:?}", began.elapsed());
            assert_eq!(refused(&other, "kept").await.reason, SkipReason::Held);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let executor = LockingTaskExecutor::new(far.node.clone());
    let ran = Box::pin(executor.execute(kept.expect("legal"), body));
    let ran = in_time(ran).await;
    assert!(matches!(ran, Ok(Outcome::Executed(()))), "{ran:?}");
    assert_eq!(once(&other, "kept").await, WORKS);
}

/// Nodes that have prepared all their statements, on each of their connections.
async fn prepared(place: &Place<Postgres>) -> Vec<Far<Postgres>> {
    let mut nodes = Vec::new();
    for from in [From::Url, From::Pool] {
        for _ in 0..3 {
            let far = Far::<Postgres>::new(&place.direct, from).await;
            far.warm_up("warm").await;
            in_time(far.node.list()).await.expect("listed");
            nodes.push(far);
        }
    }
    nodes
}

/// Each of the nodes by another call first.
async fn first_calls_work(nodes: &[Far<Postgres>]) {
    for (number, far) in nodes.iter().enumerate() {
        let name = format!("first-{number}");
        match number % 3 {
            0 => assert_eq!(once(&far.node, &name).await, WORKS, "{name}"),
            1 => {
                let listed = in_time(far.node.list()).await;
                assert!(listed.is_ok(), "{name}: {listed:?}");
            }
            _ => {
                let paused = in_time(far.node.pause(&name, later(), "x")).await;
                assert!(paused.is_ok(), "{name}: {paused:?}");
            }
        }
        // And on all the other connections.
        let asking = (0..4).map(|number| {
            let (node, name) = (far.node.clone(), format!("{name}-{number}"));
            tokio::spawn(async move { ask(&node, &name).await })
        });
        for asked in asking.collect::<Vec<_>>() {
            let asked = asked.await.expect("no panic");
            assert!(matches!(asked, Ok(Acquisition::Granted(_))), "{asked:?}");
        }
    }
}

async fn a_column_of_another_type(place: Place<Postgres>) {
    let narrow = "ALTER TABLE shedlock ALTER COLUMN locked_by TYPE VARCHAR(200)";
    place.execute(narrow).await;
    let nodes = prepared(&place).await;
    let wide = "ALTER TABLE shedlock ALTER COLUMN locked_by TYPE VARCHAR(255)";
    place.execute(wide).await;
    first_calls_work(&nodes).await;
}

async fn a_table_made_anew(place: Place<Postgres>) {
    let nodes = prepared(&place).await;
    // With the columns in another order.
    place.execute("DROP TABLE shedlock").await;
    let table = "CREATE TABLE shedlock (fencing_token BIGINT NOT NULL DEFAULT 0, \
         locked_by VARCHAR(300) NOT NULL, locked_at TIMESTAMP NOT NULL, \
         lock_until TIMESTAMP(3) NOT NULL, name VARCHAR(64) PRIMARY KEY)";
    place.execute(table).await;
    first_calls_work(&nodes).await;
}
