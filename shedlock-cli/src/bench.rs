//! `shedlock bench`: what locks cost on this store, from this machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shedlock_runtime::{
    LockAdmin as _, LockConfiguration, LockError, LockProvider as _, LockProviderExt as _,
};

use crate::args::{Bench, StoreOptions};
use crate::exit::{Exit, Failure};
use crate::figures::{self, Figures, Samples};
use crate::output;
use crate::store::{self, Store};
use crate::trial;
use crate::view::table;

/// The lock's lease, should the program be killed.
const LEASE: Duration = Duration::from_secs(30);
/// A store that is slow is not asked for longer than this, for each figure.
const LONGEST: Duration = Duration::from_secs(5);

/// Measures with a lock of a name of its own, whose record is deleted afterwards.
pub(crate) async fn bench(options: &Bench, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open_for_trial(store).await?;
    let name = trial::name("bench");
    let measured = measure(&store, &name, options.count).await;
    trial::forget(&*store, &name).await;
    let measured = measured?;
    let text = if options.json {
        table::ndjson(measured.iter())?
    } else {
        let (store, node) = (store.info().name(), store.info().node_name());
        format!(
            "{store}, from {node}, one question after the other\n\n{}",
            figures::table(&measured)
        )
    };
    output::print(&text)?;
    Ok(Exit::SUCCESS)
}

async fn measure(
    store: &Arc<dyn Store>,
    name: &str,
    count: usize,
) -> Result<Vec<Figures>, LockError> {
    let config = LockConfiguration::new(name, LEASE)?;
    let round_trip = repeated("round trip", count, async || {
        store.get(name).await.map(drop)
    });
    let round_trip = round_trip.await?;
    let cycle = repeated("take and release", count, async || {
        if let Some(lock) = store.try_lock(config.clone()).await? {
            lock.unlock().await?;
        }
        Ok(())
    });
    let cycle = cycle.await?;
    let holder = store.try_lock(config.clone()).await?;
    let refusal = repeated("refusal", count, async || {
        store.try_lock(config.clone()).await.map(drop)
    });
    let refusal = refusal.await;
    if let Some(holder) = holder {
        holder.unlock().await?;
    }
    Ok(vec![round_trip, refusal?, cycle])
}

async fn repeated(
    what: &'static str,
    count: usize,
    mut ask: impl AsyncFnMut() -> Result<(), LockError>,
) -> Result<Figures, LockError> {
    // The first one connects.
    ask().await?;
    let mut took = Samples::default();
    let began = Instant::now();
    while took.count() < count as u64 && (took.count() == 0 || began.elapsed() < LONGEST) {
        let sent = Instant::now();
        ask().await?;
        took.add(sent.elapsed());
    }
    Ok(took.figures(what, began.elapsed()))
}
