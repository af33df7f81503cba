//! `shedlock list`, `get` and `history`: what the store knows, as a table, JSON or comma-separated values.

use std::io::{IsTerminal as _, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, LockAdmin as _, LockError, LockInfo, RunRecord, printable};

use crate::args::{Format, List, One, StoreOptions};
use crate::exit::{Exit, Failure};
use crate::output::{self, Level};
use crate::store;

mod locks;
mod runs;
pub(crate) mod table;
pub(crate) mod times;
mod watch;

/// Lists the locks of the store, once or again and again.
pub(crate) async fn list(options: &List, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open(store).await?;
    if options.watch {
        return watch::watch(options, &*store).await;
    }
    let locks = selected(options, store.list().await?);
    output::print(&show(&locks, options.format)?)?;
    Ok(Exit::SUCCESS)
}

/// Shows one lock.
pub(crate) async fn get(options: &One, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open(store).await?;
    let Some(lock) = store.get(&options.name).await? else {
        // A store may forget locks that are free, so this is no error.
        let name = printable(&options.name);
        let text = format!("the store has no record of `{name}`: it is free");
        output::say_of(Level::Info, &options.name, &text);
        return Ok(Exit::SUCCESS);
    };
    let text = match options.format {
        Format { json: true, .. } => locks::json_object(&lock)?,
        format => show(&[lock], format)?,
    };
    output::print(&text)?;
    Ok(Exit::SUCCESS)
}

/// Shows the runs of a lock, the latest first.
pub(crate) async fn history(options: &One, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open(store).await?;
    let runs: Vec<RunRecord> = store
        .history(
            &options.name,
            UNIX_EPOCH..SystemTime::now() + Duration::from_hours(1),
        )
        .await
        .map_err(with_parameter)?;
    output::print(&runs::show(&runs, options.format)?)?;
    Ok(Exit::SUCCESS)
}

/// Says what to write where the library speaks of its builder.
fn with_parameter(error: LockError) -> Failure {
    let has_none = error.kind() == ErrorKind::Unsupported;
    let failure = Failure::from(error);
    if has_none {
        let remedy = "add `?history=90d` to the URL of a database, and run `shedlock migrate run`";
        return Failure::new(
            failure.exit(),
            format!("this store keeps no history of runs; {remedy}"),
        );
    }
    failure
}

fn selected(options: &List, mut locks: Vec<LockInfo>) -> Vec<LockInfo> {
    locks
        .retain(|lock| lock.name.starts_with(&options.prefix) && (lock.is_held() || !options.held));
    locks
}

fn show(locks: &[LockInfo], format: Format) -> Result<String, Failure> {
    if format.json {
        locks::json(locks)
    } else if format.ndjson {
        locks::ndjson(locks)
    } else if format.csv {
        locks::csv(locks)
    } else {
        Ok(locks::table(
            locks,
            &times::Zone::new(format.utc),
            stdout().is_terminal(),
        ))
    }
}
