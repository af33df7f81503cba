//! Reports what happens to locks to the log, the metrics and the listeners.

pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod listener;
