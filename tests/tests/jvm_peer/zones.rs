//! Where time zones make a shared table impossible, and where they look as if they did.
//!
//! ShedLock's default is the JVM's own clock in the JVM's own zone. In columns without a zone such a node writes the time on
//! its wall, which nobody in another zone can tell from UTC. What happens then is pinned down here, because the documentation
//! warns of it; the remedy is `usingDbTime`, or `forceUtcTimeZone` where clocks are in step.

use std::time::Duration;

use shedlock_runtime::{LockProviderExt as _, Ownership};
use shedlock_sqlx::LockClock;
use shedlock_testkit::server_or_skip;
use shedlock_tests::jvm::JavaClock;

use crate::fleet::{Fleet, LOS_ANGELES, Server, Setup, TOKYO, Table};
use crate::protocol::{self, config};

const LONG: Duration = Duration::from_mins(10);

fn local_time(server: Server, table: Table) -> Setup {
    Setup {
        server,
        table,
        java: JavaClock::LocalTime,
        rust: LockClock::Database,
    }
}

/// The JVM's wall clock is nine hours ahead of UTC.
async fn east_of_utc(fleet: &Fleet) {
    let (rust, java) = (fleet.rust().await, &fleet.java);
    let lock = rust
        .try_lock(config("east-rust", LONG))
        .await
        .unwrap()
        .expect("nobody holds it");
    assert!(
        java.lock("east-1", "east-rust", LONG, Duration::ZERO).await,
        "a live lock is stolen"
    );
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Lost);

    assert!(java.lock("east-2", "east-jvm", LONG, Duration::ZERO).await);
    java.unlock("east-2").await;
    let refused = rust.try_lock(config("east-jvm", LONG)).await.unwrap();
    assert!(
        refused.is_none(),
        "a released lock stays taken for nine hours"
    );
}

/// The JVM's wall clock is hours behind UTC.
async fn west_of_utc(fleet: &Fleet) {
    let (rust, java) = (fleet.rust().await, &fleet.java);
    assert!(java.lock("west-1", "west-jvm", LONG, Duration::ZERO).await);
    let stolen = rust.try_lock(config("west-jvm", LONG)).await.unwrap();
    assert_eq!(
        stolen
            .expect("a live lock is stolen")
            .unlock()
            .await
            .unwrap(),
        Ownership::Ours
    );
    assert!(
        !java.lock("west-2", "west-jvm", LONG, Duration::ZERO).await,
        "a released lock stays taken for hours"
    );
}

macro_rules! impossible {
    ($($test:ident: $server:ident, $table:ident, $zone:ident, $what:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            let setup = local_time(Server::$server, Table::$table);
            $what(&server_or_skip!(Fleet::start_in(setup, $zone).await)).await;
        }
    )*};
}

impossible! {
    local_time_east_of_utc_cannot_share_a_postgres_table: Postgres, ShedLocks, TOKYO, east_of_utc;
    local_time_west_of_utc_cannot_share_a_postgres_table: Postgres, ShedLocks, LOS_ANGELES, west_of_utc;
    local_time_east_of_utc_cannot_share_a_mariadb_table: MariaDb, ShedLocks, TOKYO, east_of_utc;
    local_time_west_of_utc_cannot_share_a_mariadb_table: MariaDb, ShedLocks, LOS_ANGELES, west_of_utc;
}

/// MariaDB keeps a `TIMESTAMP` as an instant, and takes what it is given for a time of the session's zone.
async fn on_mariadb_in_tokyo(table: Table) {
    let setup = Setup {
        server: Server::MariaDb,
        table,
        java: JavaClock::Database,
        rust: LockClock::Database,
    };
    let fleet = Fleet::start_on_mariadb(&["--default-time-zone=+09:00"], setup).await;
    let fleet = &server_or_skip!(fleet);
    protocol::each_side_skips_while_the_other_holds(fleet).await;
    protocol::each_side_takes_over_after_expiry(fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_server_in_another_zone_does_not_matter_to_our_table() {
    on_mariadb_in_tokyo(Table::Ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_server_in_another_zone_does_not_matter_to_shedlocks_table() {
    on_mariadb_in_tokyo(Table::ShedLocks).await;
}
