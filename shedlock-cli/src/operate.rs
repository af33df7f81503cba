//! What an operator does with a lock: wait for it, free it, pause it.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{LockAdmin as _, LockInfo, printable, short_duration};
use tokio::time::{sleep, timeout};

use crate::args::{Pause, Release, Resume, StoreOptions, Wait};
use crate::exit::{Exit, Failure};
use crate::output::{self, Level};
use crate::store::{self, Store};

/// A lock may be released long before its lease ends, so it is looked at this often.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// Waits until the lock is free.
pub(crate) async fn wait(options: &Wait, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open(store).await?;
    let was_held = Cell::new(false);
    let freed = until_free(&*store, &options.name, &was_held);
    let Some(limit) = options.timeout else {
        freed.await?;
        return Ok(Exit::SUCCESS);
    };
    let name = printable(&options.name);
    match timeout(limit, freed).await {
        Ok(freed) => freed.map(|()| Exit::SUCCESS),
        Err(_elapsed) if was_held.get() => Err(Failure::new(
            Exit::WAITED,
            format!("`{name}` is still held"),
        )),
        // Nobody knows whether the lock is held.
        Err(_elapsed) => Err(Failure::new(
            Exit::UNAVAILABLE,
            format!(
                "the store has not answered within {}: whether `{name}` is free is not known",
                short_duration(limit)
            ),
        )),
    }
}

async fn until_free(store: &dyn Store, name: &str, was_held: &Cell<bool>) -> Result<(), Failure> {
    while let Some(lock) = store.get(name).await?.filter(LockInfo::is_held) {
        was_held.set(true);
        let pause = lock.remaining.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        sleep(pause).await;
    }
    Ok(())
}

/// Frees the lock, whoever holds it.
pub(crate) async fn release(options: &Release, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open(store).await?;
    let was_taken = store.force_release(&options.name, &options.reason).await?;
    let told = if was_taken {
        "released; whatever its holder runs goes on until the holder notices"
    } else {
        "was free"
    };
    say(&options.name, told);
    Ok(Exit::SUCCESS)
}

/// Makes every node skip the lock.
pub(crate) async fn pause(options: &Pause, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open(store).await?;
    let Some(until) = SystemTime::now().checked_add(options.length) else {
        return Err(Failure::usage("the pause is too long"));
    };
    store.pause(&options.name, until, &options.reason).await?;
    let length = humantime::format_duration(options.length);
    say(
        &options.name,
        &format!("paused for {length}; a run in progress goes on until its holder notices"),
    );
    Ok(Exit::SUCCESS)
}

/// Ends a pause.
pub(crate) async fn resume(options: &Resume, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open(store).await?;
    let was_paused = store.resume(&options.name).await?;
    say(
        &options.name,
        if was_paused {
            "resumed"
        } else {
            "was not paused"
        },
    );
    Ok(Exit::SUCCESS)
}

fn say(name: &str, text: &str) {
    let text = format!("`{}`: {text}", printable(name));
    output::say_of(Level::Info, name, &text);
}
