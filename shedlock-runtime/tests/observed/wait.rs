//! A store that is away while a call waits is told now and then, and once at the end.

use shedlock_runtime::Operation;
use tracing::Level;

use super::capture::{lines, names, start};
use super::lines::{check, loud, says};
use super::store::{AWAY, config, run, store};
use shedlock_runtime::testing::Fault;

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_long_is_said_once_a_minute() {
    start();
    let (store, _records) = store();
    for _ in 0..200 {
        store.next(Operation::Acquire, AWAY);
    }
    let patient = config("patient", "10m").with_wait("150s").unwrap();
    run(&store, patient, async {}).await.unwrap_err();
    let tries = store.calls(Operation::Acquire);
    assert_eq!(
        names("patient"),
        vec!["lock.asking_again"; tries - 1],
        "the last failure is the caller's"
    );
    assert_eq!(loud("patient").len(), 3);
    let said = &lines("patient")[0];
    check(said, Level::INFO, "patient", "records");
    assert_eq!(said.field("error.type"), "unavailable");
    let parts = [
        "could not ask for `patient`: asking again until its `wait` ends at 20",
        "Z (in 2m 30s)",
    ];
    says(said, &parts);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_for_long_warns_once_a_minute() {
    start();
    let (store, _records) = store();
    for _ in 0..200 {
        store.next(Operation::Acquire, Fault::HangAfter);
    }
    let patient = config("hanging", "10m").with_wait("100s").unwrap();
    run(&store, patient, async {}).await.unwrap_err();
    let warned = loud("hanging");
    let warned = warned.iter().filter(|name| **name == "lock.indeterminate");
    assert_eq!(warned.count(), 2);
}
