//! Locks in memory, and locks in any store that compares and swaps.

pub(crate) mod memory;
pub(crate) mod record;
