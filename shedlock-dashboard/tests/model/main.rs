//! What an observer makes of a store's records and history.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod clocks;
mod faults;
mod leases;
mod states;
mod stores;
mod warnings;
