//! The locks of a store on one page: who holds what, how much of each lease is left, what ran, and what looks wrong.
//!
//! An [`Observer`] reads a store again and again, and makes a [`Snapshot`] each time. A snapshot is what the command `shedlock top` and the
//! web page show.
//!
#![cfg_attr(feature = "web", doc = include_str!("../README.md"))]

mod observer;
mod snapshot;
mod warnings;
#[cfg(feature = "web")]
mod web;

pub use observer::Observer;
pub use snapshot::{ClockDifference, LockRow, LockState, Snapshot};
pub use warnings::{Warning, WarningKind};
#[cfg(feature = "web")]
pub use web::{Dashboard, DashboardBuilder};
