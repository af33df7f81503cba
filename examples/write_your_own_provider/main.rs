//! A provider for a store of your own: `cargo run -p shedlock-examples --example write_your_own_provider`.
//!
//! A store that can read a record, and write it on condition that nobody else has, becomes a provider with two
//! functions; with two more, operators see and steer its locks: see [`file_store`].
//! `tests/write_your_own_provider.rs` runs the conformance suite on it.
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

mod file_store;

use shedlock::{LockAdmin as _, LockConfiguration, LockError, LockProviderExt as _};
use shedlock_runtime::{ProviderInfo, RecordLockProvider};

use crate::file_store::FileStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;

    // Two providers over one directory are two nodes.
    let node = |name| -> RecordLockProvider<FileStore> {
        let info = ProviderInfo::new("files");
        RecordLockProvider::new(info, FileStore::new(directory.path())).with_node_name(name)
    };
    let (one, two) = (node("one"), node("two"));

    let report = || -> Result<LockConfiguration, LockError> {
        LockConfiguration::new("nightly_report", "10m")
    };
    let lock = one.try_lock(report()?).await?;
    println!("node one: {lock:?}");
    println!("node two: {:?}", two.try_lock(report()?).await?);
    for lock in two.list().await? {
        println!("an operator: {lock}");
    }
    if let Some(lock) = lock {
        println!("node one gives it back: {:?}", lock.unlock().await?);
    }
    println!("node two: {:?}", two.try_lock(report()?).await?);
    Ok(())
}
