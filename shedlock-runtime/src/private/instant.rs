//! What an attribute gets as `instant`: a time, or a text that names the run.

use std::time::SystemTime;

/// The value of `instant = expression`, to be asked what it is: a time answers for itself, by [`IsTime`]; a text, one reference later, by
/// [`IsText`].
#[derive(Debug)]
pub struct GivenInstant<T>(pub T);

/// A time, or a text.
#[derive(Debug)]
pub enum Instant {
    /// When the run is due.
    Time(SystemTime),
    /// What names the run.
    Text(String),
}

/// See [`GivenInstant`].
pub trait IsTime {
    /// The time.
    fn __shedlock_instant(self) -> Instant;
}

impl<T: Into<SystemTime>> IsTime for GivenInstant<T> {
    fn __shedlock_instant(self) -> Instant {
        Instant::Time(self.0.into())
    }
}

/// See [`GivenInstant`].
pub trait IsText {
    /// The text.
    fn __shedlock_instant(self) -> Instant;
}

impl<T: AsRef<str>> IsText for &GivenInstant<T> {
    fn __shedlock_instant(self) -> Instant {
        Instant::Text(self.0.as_ref().to_owned())
    }
}
