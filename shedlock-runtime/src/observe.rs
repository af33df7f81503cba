//! What happens to locks, told to the log, the metrics and the listeners.

pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod listener;
