//! The locks of a store on one page: who holds what, how much of each lease is left, what ran, and what looks wrong.
//!
//! An [`Observer`] reads a store again and again, and makes a [`Snapshot`] each time. A snapshot is what the command `shedlock top` and the
//! web page show.

mod observer;
mod snapshot;
mod warnings;

pub use observer::Observer;
pub use snapshot::{ClockDifference, LockRow, LockState, Snapshot};
pub use warnings::{Warning, WarningKind};
