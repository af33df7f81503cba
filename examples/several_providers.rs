//! Jobs of one program in different stores: `cargo run -p shedlock-examples --example several_providers`.
//!
//! A store can be the default, have a name, or belong to a value of the program's own.
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

use shedlock::{
    InMemoryLockProvider, LockConfiguration, LockProviderExt as _, Outcome, enable_scheduler_lock,
    scheduler_lock,
};

/// In the default store.
#[scheduler_lock(name = "clean_up", at_most = "10m")]
async fn clean_up() -> Outcome<&'static str> {
    Outcome::Executed("cleaned up")
}

/// In the store that is called `reports`.
#[scheduler_lock(name = "clean_up", at_most = "10m", provider = "reports")]
async fn clean_up_reports() -> Outcome<&'static str> {
    Outcome::Executed("cleaned up the reports")
}

struct Shop {
    locks: InMemoryLockProvider,
}

impl Shop {
    /// In a store that this value has brought; one lock for each country.
    #[scheduler_lock(name = "stock-{country}", at_most = "10m", provider = &self.locks)]
    async fn count_stock(&self, country: &str) -> Outcome<String> {
        Outcome::Executed(format!("counted the stock of {country}"))
    }
}

#[tokio::main]
async fn main() -> Result<(), shedlock::LockError> {
    // Two that are different even though both are in memory. In a service they would be, say, PostgreSQL and SQLite.
    let (main_store, reports) = (InMemoryLockProvider::new(), InMemoryLockProvider::new());
    enable_scheduler_lock!(
        provider = main_store.clone(),
        providers = { "reports" = reports },
        default_at_most = "10m",
    );
    let shop = Shop {
        locks: InMemoryLockProvider::new(),
    };

    // Somebody else is cleaning up in the main store. The lock of the same name in `reports` is another one.
    let busy = LockConfiguration::new("clean_up", "1m")?;
    let _busy = main_store.try_lock(busy).await?;
    println!("clean_up:         {:?}", clean_up().await);
    println!("clean_up_reports: {:?}", clean_up_reports().await);
    println!("count_stock:      {:?}", shop.count_stock("at").await);
    Ok(())
}
