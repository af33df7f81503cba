//! A held lock: its state, its guard, and how it is given back.

pub(crate) mod guard;
pub(crate) mod held;
pub(crate) mod release;
pub(crate) mod running;
pub(crate) mod state;
