//! A name or a reason says nothing in a line but itself.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{InMemoryLockProvider, LockAdmin as _, NamespacedLockProvider};

use super::capture::{lines, start};
use super::store::{config, run};

#[tokio::test]
async fn what_turns_the_direction_of_writing_is_written_out() {
    start();
    let (name, shown) = ("odd\u{2066}lanretxe", "odd\\u{2066}lanretxe");
    let memory = InMemoryLockProvider::new();
    let store = NamespacedLockProvider::new(memory, "dev\u{200f}").unwrap();
    run(&store, config(name, "10m"), async {}).await.unwrap();
    let later = SystemTime::now() + Duration::from_secs(60);
    store.pause(name, later, "until\u{2028}noon").await.unwrap();
    run(&store, config(name, "10m"), async {}).await.unwrap();
    assert_eq!(lines(name).len(), 0, "no field has the name as it is");
    // The operator's line is the inner store's, which knows the whole name.
    let mut said = lines(shown);
    said.extend(lines(&format!("dev\\u{{200f}}/{shown}")));
    assert_eq!(said.len(), 4, "{said:?}");
    for line in &said {
        for value in line.fields.values() {
            assert!(value.is_ascii(), "{line:?}");
        }
    }
    let paused = said.iter().find(|line| line.name == "lock.paused").unwrap();
    assert!(
        paused.message().ends_with(": until\\u{2028}noon"),
        "{paused:?}"
    );
}
