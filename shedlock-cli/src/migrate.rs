//! `shedlock migrate`: what the locks need in the store.

use crate::args::{Migrate, StoreOptions};
use crate::exit::{Exit, Failure};
use crate::output::{self, Level};
use crate::store;
use crate::stores;

pub(crate) async fn migrate(what: Migrate, options: &StoreOptions) -> Result<Exit, Failure> {
    match what {
        Migrate::Print => {
            output::print(&stores::schema(&store::url_or_default(options)?)?)?;
        }
        Migrate::Run => {
            let store = store::open(options).await?;
            store.set_up().await?;
            // What was there before is not changed, and may not do.
            warn(store.inspect().await?);
            output::say(Level::Info, "the store is ready");
        }
        Migrate::Check => {
            let store = store::open(options).await?;
            warn(store.inspect().await?);
            output::say(Level::Info, "the store has what locks need");
        }
    }
    Ok(Exit::SUCCESS)
}

fn warn(warnings: Vec<String>) {
    for warning in warnings {
        output::say(Level::Warning, &warning);
    }
}
