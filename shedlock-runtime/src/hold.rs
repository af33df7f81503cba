//! A held lock: how it is taken, its state, its guard, and its release.

pub(crate) mod acquire;
pub(crate) mod claims;
pub(crate) mod guard;
pub(crate) mod held;
pub(crate) mod history;
pub(crate) mod release;
pub(crate) mod running;
pub(crate) mod state;
