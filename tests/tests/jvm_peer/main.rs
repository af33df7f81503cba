//! Rust nodes and JVM nodes share locks: the published ShedLock, over one table, on real servers.
//!
//! The JVMs run in a time zone other than UTC wherever that must not matter; [`zones`] shows where it does.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

mod fleet;
mod operator;
mod protocol;

mod zones;

use std::path::Path;

use shedlock_sqlx::LockClock;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Unavailable;
use shedlock_tests::fuzz;
use shedlock_tests::holds::monotonic_nanos;
use shedlock_tests::jvm::{JavaClock, JavaPeer};
use tokio::sync::OnceCell;

use self::fleet::{Fleet, Server, Setup, Table};

/// Where cargo lets tests write.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");

async fn java_peer() -> Result<&'static JavaPeer, Unavailable> {
    JavaPeer::build(Path::new(TARGET)).await
}

/// The same tests for every store, table, clock of the JVM and clock of ours; last, the acquisitions of the contest.
macro_rules! fleets {
    ($($module:ident: $server:ident, $table:ident, $java:ident, $rust:ident, $acquisitions:literal;)*) => {$(
        mod $module {
            use super::*;

            const SETUP: Setup = Setup {
                server: Server::$server,
                table: Table::$table,
                java: JavaClock::$java,
                rust: LockClock::$rust,
            };

            /// Shared by the tests of this module: they differ in the names of their locks.
            async fn fleet() -> Result<&'static Fleet, Unavailable> {
                static FLEET: OnceCell<Fleet> = OnceCell::const_new();
                FLEET.get_or_try_init(|| Fleet::start(SETUP)).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mixed_contenders_never_overlap() {
                // One of its own, as it leaves a store little time for others.
                let fleet = server_or_skip!(Fleet::start(SETUP).await);
                fuzz::mixed_contenders_never_overlap(&fleet.java, &fleet.rust().await, $acquisitions).await;
            }

            fleets! { @tests operator
                a_pause_holds_on_both_sides;
                a_pause_takes_the_lock_from_a_jvm_holder;
                locks_of_the_jvm_are_seen_and_freed;
            }
            fleets! { @tests protocol
                each_side_skips_while_the_other_holds;
                each_side_honours_the_at_least_of_the_other;
                each_side_takes_over_after_expiry;
                each_side_goes_by_the_extension_of_the_other;
                a_stale_jvm_holder_changes_nothing;
                a_stale_rust_holder_changes_nothing;
            }
        }
    )*};
    (@tests $file:ident $($test:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            $file::$test(server_or_skip!(fleet().await)).await;
        }
    )*};
}

fleets! {
    postgres_database_time: Postgres, ShedLocks, Database, Database, 2000;
    postgres_client_time: Postgres, ShedLocks, ForcedUtc, Client, 2000;
    postgres_mixed_clocks: Postgres, ShedLocks, ForcedUtc, Database, 400;
    postgres_our_table: Postgres, Ours, Database, Database, 2000;
    postgres_our_table_jvm_time: Postgres, Ours, ForcedUtc, Database, 400;
    mariadb_database_time: MariaDb, ShedLocks, Database, Database, 2000;
    mariadb_client_time: MariaDb, ShedLocks, ForcedUtc, Client, 2000;
    mariadb_mixed_clocks: MariaDb, ShedLocks, ForcedUtc, Database, 400;
    mariadb_our_table: MariaDb, Ours, Database, Database, 2000;
    mariadb_our_table_jvm_time: MariaDb, Ours, ForcedUtc, Database, 400;
    sqlite_database_time: Sqlite, Ours, ForcedUtc, Database, 2000;
    sqlite_client_time: Sqlite, Ours, ForcedUtc, Client, 400;
    // The driver stores milliseconds since 1970, whatever the zone.
    sqlite_local_time: Sqlite, Ours, LocalTime, Database, 400;
}

async fn postgres() -> Result<Fleet, Unavailable> {
    Fleet::start(Setup {
        server: Server::Postgres,
        table: Table::ShedLocks,
        java: JavaClock::Database,
        rust: LockClock::Database,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jvm_reads_the_clock_that_the_holds_are_measured_by() {
    let fleet = server_or_skip!(postgres().await);
    for _ in 0..20 {
        let before = monotonic_nanos();
        let there = fleet.java.monotonic_nanos().await;
        let after = monotonic_nanos();
        assert!(
            before <= there && there <= after,
            "{before} {there} {after}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_overlap_is_found() {
    let fleet = server_or_skip!(postgres().await);
    fuzz::a_planted_overlap_is_found(&fleet.java, &fleet.rust().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jvm_node_ends_with_its_test() {
    let fleet = server_or_skip!(postgres().await);
    assert!(fleet.java.hang_up().await.success());
}
