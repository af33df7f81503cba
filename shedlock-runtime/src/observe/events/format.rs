//! How times, names and causes are written in log lines.

use std::fmt;
use std::time::{Duration, SystemTime};

use tracing::field::{DisplayValue, display};

use crate::values::error::LockError;
use crate::values::moment::Moment;
use crate::values::printable::Printable;
use crate::values::short_duration::short_duration;

/// Displays the end of a duration that begins now: as a time of day, and as the duration.
pub(super) struct Until(pub(super) Duration);

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SystemTime::now().checked_add(self.0) {
            Some(end) => write!(f, "{} (in {})", Moment(end), short_duration(self.0)),
            None => write!(f, "in {}", short_duration(self.0)),
        }
    }
}

/// Displays a prefix and a value, or nothing if there is no value.
pub(super) struct Clause<T>(pub(super) &'static str, pub(super) Option<T>);

impl<T: fmt::Display> fmt::Display for Clause<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1
            .as_ref()
            .map_or(Ok(()), |value| write!(f, "{}{value}", self.0))
    }
}

/// Displays the causes of an error, each after a colon.
pub(super) struct Causes<'a>(pub(super) &'a LockError);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut next = self.0.source_error();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

/// A name as a field of a log line, escaped for display.
pub(super) fn shown(name: &str) -> DisplayValue<Printable<&str>> {
    display(Printable(name))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
