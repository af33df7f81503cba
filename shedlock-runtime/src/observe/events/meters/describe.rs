//! The description and the unit of each metric.

use metrics::{KeyName, Recorder, Unit};

const COUNTERS: [(&str, &str); 9] = [
    (
        "shedlock.attempts",
        "Calls that asked for the lock and got an answer or an error",
    ),
    ("shedlock.acquired", "Locks taken"),
    (
        "shedlock.takeovers",
        "Locks taken after the lease of another holder had ended without a release",
    ),
    ("shedlock.skipped", "Calls that did not run, by reason"),
    (
        "shedlock.errors",
        "Store calls that failed, by kind and operation",
    ),
    (
        "shedlock.losses",
        "Locks lost while their task ran, by reason",
    ),
    ("shedlock.overruns", "Bodies that ended after their lease"),
    (
        "shedlock.extensions",
        "Extensions of a lease, and those of keep-alive that failed",
    ),
    (
        "shedlock.releases",
        "Locks given back, and those that could not be",
    ),
];
const HISTOGRAMS: [(&str, &str); 4] = [
    (
        "shedlock.acquire.seconds",
        "How long the store took to grant or refuse the lock",
    ),
    (
        "shedlock.hold.seconds",
        "How long a lock was held that was given back",
    ),
    (
        "shedlock.body.seconds",
        "How long a body ran, by how it ended",
    ),
    (
        "shedlock.extension.delay.seconds",
        "How late keep-alive began an extension",
    ),
];
const GAUGES: [(&str, &str, Unit); 4] = [
    (
        "shedlock.held",
        "Locks that this process holds",
        Unit::Count,
    ),
    (
        "shedlock.lease.remaining.seconds",
        "What was left of a lease when it was last extended or about to expire",
        Unit::Seconds,
    ),
    (
        "shedlock.last_success.timestamp",
        "When a body last ran to its end without an error, in Unix time; 0 if none has",
        Unit::Seconds,
    ),
    (
        "shedlock.last_success.position",
        "The slot or instant (in Unix milliseconds) or the step of the body that last ran to its end without an error",
        Unit::Count,
    ),
];

/// Describes every metric to `recorder`.
pub(super) fn describe_to(recorder: &dyn Recorder) {
    for (name, text) in COUNTERS {
        let name = KeyName::from_const_str(name);
        recorder.describe_counter(name, Some(Unit::Count), text.into());
    }
    for (name, text) in HISTOGRAMS {
        let name = KeyName::from_const_str(name);
        recorder.describe_histogram(name, Some(Unit::Seconds), text.into());
    }
    for (name, text, unit) in GAUGES {
        recorder.describe_gauge(KeyName::from_const_str(name), Some(unit), text.into());
    }
}
