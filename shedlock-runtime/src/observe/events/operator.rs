//! The log lines about changes by an operator.

use tracing::info;

use super::Subject;
use super::format::Clause;
use super::log::TARGET;
use crate::observe::event::EventKind;
use crate::values::moment::Moment;
use crate::values::printable::Printable;

pub(super) fn log(subject: &Subject, kind: &EventKind) {
    macro_rules! line {
        ($name:literal, $what:literal, $until:expr, $reason:expr) => {
            info!(
                name: $name,
                target: TARGET,
                event = $name,
                lock.name = %subject.name,
                lock.provider = subject.provider,
                "an operator has {} `{}`{}{}", $what, subject.name, Clause(" until ", $until), Clause(": ", $reason.filter(|reason| !reason.is_empty()).map(Printable))
            )
        };
    }
    match kind {
        EventKind::Paused { until, reason } => {
            line!("lock.paused", "paused", Some(Moment(*until)), Some(reason));
        }
        EventKind::ForceReleased { reason } => {
            line!(
                "lock.force_released",
                "force-released",
                None::<Moment>,
                Some(reason)
            );
        }
        _ => line!("lock.resumed", "resumed", None::<Moment>, None::<&str>),
    }
}
