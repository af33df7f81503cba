//! How tests ask for locks, and wait.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test binary uses a part"
)]

use std::time::{Duration, SystemTime};

use shedlock_testkit::Unavailable;
pub(crate) use shedlock_testkit::requests::{
    TEST_TIMEOUT, WORKS, ask, config, in_time, keep_for, limited, once, once_with, refused,
    request, take, until,
};

use crate::place::{Place, Table};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Makes a test of each function, which gets a place with the table.
macro_rules! tests {
    ($($test:ident)+) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let place = shedlock_testkit::server_or_skip!($crate::asking::place().await);
                $crate::asking::in_time(super::$test(place)).await;
            }
        }
    )+};
}

pub(crate) async fn place() -> Result<Place, Unavailable> {
    Place::with(Table::Ours).await
}

/// An hour from now.
pub(crate) fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3_600)
}
