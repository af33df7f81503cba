//! D11: the server goes away while a lock is held, and comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shedlock::{ErrorKind, Outcome, lock};
use shedlock_tests::holds::monotonic_nanos;

use super::{Crew, LONG, Own, kept_job, until_extended};
use crate::support::{LATENESS, Place, cases, in_time, nanos};

cases! {
    of crate::database::Own:
    d11_restart_while_held on postgres mariadb;
    d11_kill_9_while_held on postgres mariadb;
    d11_down_for_longer_than_the_lease on postgres mariadb;
}

async fn d11_restart_while_held(own: Own) {
    let place = own.0;
    stays_held(&place, async || {}).await;
}

async fn d11_kill_9_while_held(own: Own) {
    let place = own.0;
    stays_held(&place, async || place.kill().await).await;
}

/// The holder goes on, and extends its lease when the server is back; the others get errors meanwhile, and not the lock.
async fn stays_held(place: &Place, goes_down: impl AsyncFn()) {
    let crew = Crew::default();
    let (holder, rivals) = (place.connect().await, place.nodes(2).await);
    let script = async {
        crew.until_skipped().await;
        tokio::join!(crew.until_failed(), async {
            goes_down().await;
            place.restart().await;
        });
        until_extended(place).await;
        crew.until_skipped().await;
        assert!(lock::is_held());
        assert_eq!(crew.runs(), 0, "it was held all the time");
    };
    let scenario = async {
        crew.hold(&holder, LONG, script).await;
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
}

/// The holder is cancelled in time, and nobody runs before the server is back.
async fn d11_down_for_longer_than_the_lease(own: Own) {
    const LEASE: Duration = Duration::from_secs(2);
    let place = own.0;
    let crew = Crew::default();
    let (holder, rivals) = (place.connect().await, place.nodes(2).await);
    let killed = AtomicU64::new(0);
    let body = crew.work("holder".to_owned(), async {
        crew.until_skipped().await;
        place.kill().await;
        killed.store(monotonic_nanos(), Ordering::Relaxed);
        std::future::pending::<()>().await;
    });
    let scenario = async {
        let answer = in_time(Box::pin(kept_job(&holder, LEASE, body))).await;
        let answer: Result<Outcome<()>, _> = answer;
        let error = answer.expect_err("it was lost");
        assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
        // The last extension was confirmed before the end of the server.
        let (killed, told) = (killed.load(Ordering::Relaxed), monotonic_nanos());
        println!("told {} ms after the kill", (told - killed) / 1_000_000);
        assert!(told < killed + nanos(LEASE + LATENESS));
        assert_eq!(crew.runs(), 0, "there is no store");
        place.restart().await;
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
}
