//! A provider for a store of your own: `cargo run -p shedlock-examples --example write_your_own_provider`.
//!
//! Three providers over toy servers in this process, for the three kinds of stores: one that ends leases by itself ([`ttl_store`]), one
//! that runs scripts ([`scripted_store`]), and one that compares and swaps ([`revision_store`]). Copy the one that is like your store.
//! `tests/write_your_own_provider.rs` runs the conformance suite on each.
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

mod revision_store;
mod scripted_store;
mod servers;
mod ttl_store;

use shedlock::{LockAdmin, LockConfiguration, LockError, LockProviderExt as _, ProviderInfo};

use crate::scripted_store::ScriptedProvider;
use crate::servers::Server;
use crate::ttl_store::TtlProvider;

#[tokio::main]
async fn main() -> Result<(), LockError> {
    // Two providers over one server are two nodes.
    let node = |store, name| ProviderInfo::new(store).with_node_name(name);

    let server = Server::default();
    let ttl = |name| TtlProvider::new(server.clone(), node("ttl", name));
    show(&ttl("one"), &ttl("two")).await?;

    let server = Server::default();
    let scripted = |name| ScriptedProvider::new(server.clone(), node("scripted", name));
    show(&scripted("one"), &scripted("two")).await?;

    let server = Server::default();
    let revisions = |name| revision_store::provider(server.clone(), node("revisions", name));
    show(&revisions("one"), &revisions("two")).await
}

async fn show<P: LockAdmin + Clone>(one: &P, two: &P) -> Result<(), LockError> {
    println!("{}", one.info());
    let report = || LockConfiguration::new("nightly_report", "10m");
    let lock = one.try_lock(report()?).await?;
    println!("  node one: {lock:?}");
    println!("  node two: {:?}", two.lock(report()?).await?.err());
    for lock in two.list().await? {
        println!("  an operator: {lock}");
    }
    if let Some(lock) = lock {
        println!("  node one gives it back: {:?}", lock.unlock().await?);
    }
    println!("  node two: {:?}", two.try_lock(report()?).await?);
    Ok(())
}
