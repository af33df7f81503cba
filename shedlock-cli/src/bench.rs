//! `shedlock bench`: what locks cost on this store, from this machine.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{IsTerminal as _, stdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use shedlock_runtime::{
    LockAdmin as _, LockConfiguration, LockError, LockProvider as _, LockProviderExt as _,
};

use crate::args::{Bench, StoreOptions};
use crate::exit::{Exit, Failure};
use crate::output::{self, Level};
use crate::store::{self, Store};
use crate::view::table::{self, Cell};

/// The lock's lease, should the program be killed.
const LEASE: Duration = Duration::from_secs(30);
/// A store that is slow is not asked for longer than this, for each figure.
const LONGEST: Duration = Duration::from_secs(5);

/// How long the repetitions of one kind of question took.
#[derive(Debug, Serialize)]
struct Figures {
    what: &'static str,
    count: usize,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
    per_second: u64,
}

/// Measures with a lock of a name of its own, whose record is deleted afterwards.
pub(crate) async fn bench(options: &Bench, store: &StoreOptions) -> Result<Exit, Failure> {
    let store = store::open_to_lock(store).await?;
    // Nobody else's, also if another machine measures the same store.
    let name = format!(
        "shedlock-bench-{:016x}",
        RandomState::new().build_hasher().finish()
    );
    let measured = measure(&store, &name, options.count).await;
    // A store that forgets free locks by itself has nothing to delete.
    if let Err(error) = store.prune_prefix(&name, Duration::ZERO).await {
        let text = format!("the record of `{name}` is left: {error}");
        output::say_of(Level::Warning, &name, &text);
    }
    let measured = measured?;
    let text = if options.json {
        table::ndjson(measured.iter())?
    } else {
        let (store, node) = (store.info().name(), store.info().node_name());
        format!(
            "{store}, from {node}, one question after the other\n\n{}",
            as_table(&measured)
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
    let mut took = Vec::new();
    let began = Instant::now();
    while took.len() < count && (took.is_empty() || began.elapsed() < LONGEST) {
        let sent = Instant::now();
        ask().await?;
        took.push(sent.elapsed());
    }
    let all = micros(began.elapsed()).max(1);
    took.sort_unstable();
    let count = took.len();
    let at = |percent: usize| micros(took.get(rank(count, percent)).copied().unwrap_or_default());
    Ok(Figures {
        what,
        count,
        p50_us: at(50),
        p99_us: at(99),
        max_us: at(100),
        per_second: u64::try_from(count)
            .unwrap_or(u64::MAX)
            .saturating_mul(1_000_000)
            / all,
    })
}

/// Which of `count` sorted values is the percentile: the smallest one that so many per cent do not exceed.
fn rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100).saturating_sub(1)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn as_table(measured: &[Figures]) -> String {
    const HEADER: &[&str] = &["WHAT", "COUNT", "P50", "P99", "MAX", "PER SECOND"];
    let millis = |micros: u64| {
        let (whole, rest) = (micros / 1_000, micros % 1_000 / 10);
        Cell::plain(format!("{whole}.{rest:02} ms"))
    };
    let rows = measured.iter().map(|row| {
        vec![
            Cell::plain(row.what),
            Cell::plain(row.count.to_string()),
            millis(row.p50_us),
            millis(row.p99_us),
            millis(row.max_us),
            Cell::plain(row.per_second.to_string()),
        ]
    });
    table::aligned(HEADER, rows.collect(), stdout().is_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        assert_eq!((rank(1, 50), rank(1, 99), rank(1, 100)), (0, 0, 0));
        assert_eq!(
            (rank(200, 50), rank(200, 99), rank(200, 100)),
            (99, 197, 199)
        );
        assert_eq!(rank(0, 50), 0);
    }
}
