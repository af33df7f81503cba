//! What is said on stderr of events that the holder of a lock cannot see otherwise.

use shedlock_runtime::{
    EventKind, ListenerGuard, LockError, LockEvent, SchedulerLock, printable, short_duration,
};

use crate::output::{self, Level};

/// Says warnings, unless `is_quiet`, and with `is_verbose` the normal course as well.
pub(super) fn tell(is_verbose: bool, is_quiet: bool) -> Result<(), LockError> {
    if is_quiet {
        return Ok(());
    }
    SchedulerLock::listen(move |event: &LockEvent| {
        let name = event.lock.as_str();
        let tell = |level, line| {
            output::say_of(level, name, &format!("`{}`: {line}", printable(name)));
        };
        if let Some(line) = warning(&event.kind) {
            tell(Level::Warning, line);
        } else if is_verbose && let Some(line) = normal(&event.kind) {
            tell(Level::Info, line);
        }
    })
    .map(ListenerGuard::detach)
}

fn warning(event: &EventKind) -> Option<String> {
    Some(match event {
        EventKind::TakenOver(predecessor) => format!(
            "taken over from {}, which never gave it back",
            printable(&predecessor.node)
        ),
        EventKind::ExtendFailed { error, left } => {
            format!(
                "{}; {} of the lease left",
                printable(&error.to_string()),
                short_duration(*left)
            )
        }
        EventKind::ReleaseFailed { error, left } => format!(
            "{}; the lock frees itself in {}",
            printable(&error.to_string()),
            short_duration(*left)
        ),
        EventKind::HistoryFailed { error } => printable(&error.to_string()).into_owned(),
        _ => return None,
    })
}

fn normal(event: &EventKind) -> Option<String> {
    Some(match event {
        EventKind::Acquired { at_most, took, .. } => {
            format!(
                "acquired for {} within {}",
                short_duration(*at_most),
                short_duration(*took)
            )
        }
        EventKind::Extended { at_most, .. } => format!("extended by {}", short_duration(*at_most)),
        EventKind::Released { held, free_in } if free_in.is_zero() => {
            format!("released after {}", short_duration(*held))
        }
        EventKind::Released { held, free_in } => format!(
            "released after {}, and free in {}",
            short_duration(*held),
            short_duration(*free_in)
        ),
        _ => return None,
    })
}
