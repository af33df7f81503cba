//! The table of `observability/README.md` against the code.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

use super::{Meters, Series};
use crate::observe::event::{EventKind, LockEvent, LossReason};
use crate::seam::predecessor::Predecessor;
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;
use crate::values::outcome::RunOutcome;
use crate::values::outcome::SkipReason;
use crate::values::position::Position;

/// Keeps the names of the metrics that are written.
#[derive(Default)]
struct Names(Mutex<BTreeSet<String>>);

impl Names {
    fn add(&self, key: &Key) {
        let name = key.name().replace('.', "_");
        self.0.lock().unwrap().insert(name);
    }
}

impl Recorder for Names {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.add(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.add(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.add(key);
        Histogram::noop()
    }
}

/// The metrics that an event of this kind writes.
fn written(kind: EventKind) -> BTreeSet<String> {
    let name = LockName::from_static("mail").unwrap();
    let event = LockEvent {
        at: SystemTime::UNIX_EPOCH,
        lock: name.clone(),
        template: name.clone(),
        provider: "memory",
        kind,
    };
    let recorder = Names::default();
    with_local_recorder(&recorder, || {
        let series = Series::new(&name, "memory");
        let recorder: &dyn Recorder = &recorder;
        Meters { recorder }.add(&series, &event);
    });
    recorder.0.into_inner().unwrap()
}

/// The name of the variant. The compiler finds a variant that is missing here.
fn variant(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Acquired { .. } => "Acquired",
        EventKind::TakenOver(_) => "TakenOver",
        EventKind::Skipped { .. } => "Skipped",
        EventKind::Failed(_) => "Failed",
        EventKind::Indeterminate => "Indeterminate",
        EventKind::OrphanCleared => "OrphanCleared",
        EventKind::Extended { .. } => "Extended",
        EventKind::ExtendFailed { .. } => "ExtendFailed",
        EventKind::Expiring { .. } => "Expiring",
        EventKind::Starved { .. } => "Starved",
        EventKind::Lost(_) => "Lost",
        EventKind::Overrun { .. } => "Overrun",
        EventKind::Finished { .. } => "Finished",
        EventKind::Released { .. } => "Released",
        EventKind::ReleaseFailed { .. } => "ReleaseFailed",
        EventKind::HistoryFailed { .. } => "HistoryFailed",
        EventKind::CleanUpFailed { .. } => "CleanUpFailed",
        EventKind::Abandoned => "Abandoned",
        EventKind::Paused { .. } => "Paused",
        EventKind::Resumed => "Resumed",
        EventKind::ForceReleased { .. } => "ForceReleased",
    }
}

fn one_of_each() -> Vec<EventKind> {
    let error = || LockError::new(ErrorKind::Unavailable, "the store is down");
    let (second, at, reason) = (
        Duration::from_secs(1),
        SystemTime::UNIX_EPOCH,
        Arc::<str>::from("a test"),
    );
    vec![
        EventKind::Acquired {
            at_most: second,
            took: second,
            fencing_token: None,
        },
        EventKind::TakenOver(Predecessor::new("web-2", None, None)),
        EventKind::Skipped {
            reason: SkipReason::Held,
            node: None,
            remaining: None,
            took: second,
        },
        EventKind::Failed(error()),
        EventKind::Indeterminate,
        EventKind::OrphanCleared,
        EventKind::Extended {
            at_most: second,
            left: second,
            late: Some(second),
        },
        EventKind::ExtendFailed {
            error: error(),
            left: second,
        },
        EventKind::Expiring { left: second },
        EventKind::Starved { late: second },
        EventKind::Lost(LossReason::Deadline),
        EventKind::Overrun { late: second },
        EventKind::Finished {
            outcome: RunOutcome::Completed,
            took: second,
            position: Some(Position {
                number: 3,
                is_done: true,
                tries: 1,
            }),
        },
        EventKind::Released {
            held: second,
            free_in: second,
        },
        EventKind::ReleaseFailed {
            error: error(),
            left: second,
        },
        EventKind::HistoryFailed { error: error() },
        EventKind::CleanUpFailed { error: error() },
        EventKind::Abandoned,
        EventKind::Paused {
            until: at,
            reason: Arc::clone(&reason),
        },
        EventKind::Resumed,
        EventKind::ForceReleased { reason },
    ]
}

/// Variant, name and metrics of each row with an event.
fn table() -> Vec<(String, String, BTreeSet<String>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../observability/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let rows = readme.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, variant, name, _, _, _, metrics, _] = cells[..] else {
            return None;
        };
        let variant = variant.strip_prefix('`')?.strip_suffix('`')?;
        let name = name.trim_matches('`').to_owned();
        let metrics = metrics.split('`').filter(|it| it.starts_with("shedlock_"));
        Some((
            variant.to_owned(),
            name,
            metrics.map(str::to_owned).collect(),
        ))
    });
    rows.filter(|(variant, ..)| variant != "EventKind")
        .collect()
}

#[test]
fn the_table_says_what_each_event_writes() {
    let code: Vec<_> = one_of_each()
        .into_iter()
        .map(|kind| {
            let (variant, name) = (variant(&kind).to_owned(), kind.name().to_owned());
            (variant, name, written(kind))
        })
        .collect();
    assert_eq!(table(), code, "left: the table, right: the code");
}
