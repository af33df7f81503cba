//! The log line about a holder whose lease ended without a release.

use tracing::{debug, warn};

use super::Subject;
use super::format::Clause;
use super::log::TARGET;
use super::rate_limit;
use crate::seam::predecessor::Predecessor;
use crate::values::moment::Moment;

/// `node` is the name of this node in the store.
pub(super) fn log(subject: &Subject, node: &str, predecessor: &Predecessor) {
    let (since, until) = (predecessor.since, predecessor.until);
    macro_rules! line {
        ($level:ident) => {
            $level!(
                name: "lock.taken_over",
                target: TARGET,
                event = "lock.taken_over",
                lock.name = %subject.name,
                lock.provider = subject.provider,
                lock.node = node,
                predecessor.node = &*predecessor.node,
                predecessor.since = since.map(|since| tracing::field::display(Moment(since))),
                predecessor.fencing_token = predecessor.fencing_token,
                "{node} took over `{}` from {}, which had it{} and did not give it back{}: that node crashed, lost the \
                 store, or ran past its lease; look whether its work is complete",
                subject.name,
                predecessor.node,
                Clause(" since ", since.map(Moment)),
                Clause(" until its lease ended at ", until.map(Moment)),
            )
        };
    }
    // A program may let each lease end on purpose, in place of a release.
    if rate_limit::check("taken_over", subject.provider_id, subject.name.as_str()).emits() {
        line!(warn);
    } else {
        line!(debug);
    }
}
