//! `shedlock torture`: contenders for a few locks of their own, and whether the store keeps what locks promise.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use shedlock_runtime::{LockProvider, LockProviderExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::args::{StoreOptions, Torture};
use crate::exit::{Exit, Failure};
use crate::figures::{self, Figures, Samples};
use crate::output::{self, Level};
use crate::store;
use crate::trial;
use crate::view::table;

mod contender;
mod judge;

use contender::Plan;
use judge::{Broken, Judge};

/// Long enough for a release to come before, and short enough for one that never comes.
const LEASE: Duration = Duration::from_secs(2);

/// What the contenders have seen. No lock on it is held while the store is asked.
#[derive(Debug, Default)]
struct Seen {
    judge: Judge,
    acquired: Samples,
    refused: Samples,
    extended: Samples,
    released: Samples,
    /// Of leases, how many ran out because the holder never came back, or came back too late.
    expired: u64,
    /// The errors by kind, and the last one.
    errors: BTreeMap<&'static str, u64>,
    last_error: Option<Failure>,
}

type Shared = Arc<Mutex<Seen>>;

fn lock(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is printed in the end.
#[derive(Debug, Serialize)]
struct Report {
    store: String,
    node: String,
    contenders: u16,
    locks: u16,
    took_ms: u64,
    lease_ms: u64,
    figures: Vec<Figures>,
    expired: u64,
    errors: BTreeMap<&'static str, u64>,
    #[serde(flatten)]
    broken: Broken,
}

/// Lets the contenders compete, and judges.
pub(crate) async fn torture(options: &Torture, store: &StoreOptions) -> Result<Exit, Failure> {
    let mut stores = Vec::new();
    for _ in 0..options.contenders {
        stores.push(store::open_for_trial(store).await?);
    }
    let Some(first) = stores.first().cloned() else {
        return Err(Failure::usage("there are no contenders"));
    };
    let prefix = trial::name("torture");
    let lease = LEASE.max(first.info().capabilities().shortest_lease());
    let began = Instant::now();
    let plan = Plan::new(&prefix, options.locks, lease, began + options.length)?;
    let seen = Shared::default();
    let stores = stores.iter().map(LockProviderExt::to_shared);
    let mut contenders = compete(stores, &plan, &seen);
    let mut interrupted = Interrupted::listen()?;
    let took = tokio::select! {
        () = ended(&mut contenders) => began.elapsed(),
        () = interrupted.wait() => {
            plan.stop();
            ended(&mut contenders).await;
            began.elapsed()
        }
    };
    let seen = std::mem::take(&mut *lock(&seen));
    if let Some(end) = seen.judge.last_deadline() {
        // A record whose lease has not run out cannot be deleted. The store's clock may be later by what its answer took.
        sleep_until(end).await;
        sleep(lease / 4).await;
    }
    // A store that has granted nothing may be one that does not answer either.
    if seen.acquired.count() > 0 {
        trial::forget(&*first, &prefix).await;
    }
    let info = first.info();
    report(options, seen, took, lease, (info.name(), info.node_name()))
}

/// Lets one contender for each of the stores begin.
fn compete(
    stores: impl Iterator<Item = Arc<dyn LockProvider>>,
    plan: &Plan,
    seen: &Shared,
) -> JoinSet<()> {
    stores
        .map(|store| contender::compete(store, plan.clone(), Arc::clone(seen)))
        .collect()
}

async fn ended(contenders: &mut JoinSet<()>) {
    while contenders.join_next().await.is_some() {}
}

fn report(
    options: &Torture,
    seen: Seen,
    took: Duration,
    lease: Duration,
    (store, node): (&str, &str),
) -> Result<Exit, Failure> {
    let broken = seen.judge.verdict();
    let is_idle = seen.acquired.count() == 0;
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let report = Report {
        store: store.to_owned(),
        node: node.to_owned(),
        contenders: options.contenders,
        locks: options.locks,
        took_ms: millis(took),
        lease_ms: millis(lease),
        figures: vec![
            seen.acquired.figures("acquired", took),
            seen.refused.figures("refused", took),
            seen.extended.figures("extended", took),
            seen.released.figures("released", took),
        ],
        expired: seen.expired,
        errors: seen.errors,
        broken,
    };
    let text = if options.json {
        table::json(&report)?
    } else {
        as_text(&report)
    };
    output::print(&text)?;
    match seen.last_error {
        // Nothing was judged.
        Some(error) if is_idle => Err(error),
        _ if is_idle => Err(Failure::internal("no lock was ever acquired")),
        _ if report.broken.is_any() => {
            output::say(Level::Error, "this store does not keep locks as it should");
            Ok(Exit::CONFIGURATION)
        }
        _ => Ok(Exit::SUCCESS),
    }
}

fn as_text(report: &Report) -> String {
    let Report { broken, .. } = report;
    let errors: Vec<_> = report
        .errors
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let errors = if errors.is_empty() {
        "0".to_owned()
    } else {
        errors.join(", ")
    };
    let tokens = match broken.tokens_not_growing {
        Some(count) => count.to_string(),
        None => "this store has none".to_owned(),
    };
    let mut text = format!(
        "{}, from {}: {} contenders for {} locks\n\n{}\n",
        report.store,
        report.node,
        report.contenders,
        report.locks,
        figures::table(&report.figures),
    );
    for (what, value) in [
        ("leases that ran out", report.expired.to_string()),
        ("errors", errors),
        ("overlaps", broken.overlaps.to_string()),
        ("fencing tokens that did not grow", tokens),
        (
            "locks lost before their time",
            broken.lost_early.to_string(),
        ),
        (
            "acquisitions without an answer",
            broken.unanswered.to_string(),
        ),
    ] {
        // Writing to a text does not fail.
        let _written = writeln!(text, "{what:<32}  {value}");
    }
    text
}

/// The signals that end the trial early. What was seen until then is judged.
struct Interrupted([tokio::signal::unix::Signal; 2]);

impl Interrupted {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::internal(format!("cannot listen to signals: {error}")))
        };
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
        ]))
    }

    async fn wait(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::InMemoryLockProvider;

    use super::*;

    async fn verdict(stores: [InMemoryLockProvider; 4]) -> Broken {
        let end = Instant::now() + Duration::from_millis(300);
        let plan = Plan::new("x-", 1, Duration::from_millis(100), end).unwrap();
        let seen = Shared::default();
        let stores = stores.iter().map(LockProviderExt::to_shared);
        ended(&mut compete(stores, &plan, &seen)).await;
        let seen = lock(&seen);
        assert!(seen.acquired.count() > 0, "{seen:?}");
        seen.judge.verdict()
    }

    #[tokio::test]
    async fn a_store_that_keeps_locks_breaks_nothing() {
        let store = InMemoryLockProvider::new();
        let broken = verdict([store.clone(), store.clone(), store.clone(), store]).await;
        assert!(!broken.is_any(), "{broken:?}");
        assert_eq!(broken.tokens_not_growing, Some(0));
    }

    #[tokio::test]
    async fn holders_that_no_store_keeps_apart_are_found() {
        // A store of its own for each contender refuses nobody.
        let broken = verdict(std::array::from_fn(|_| InMemoryLockProvider::new())).await;
        assert!(broken.overlaps > 0, "{broken:?}");
        assert!(broken.tokens_not_growing > Some(0), "{broken:?}");
    }
}
