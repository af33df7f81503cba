//! What an observer makes of a store's records and history.

mod clocks;
mod faults;
mod leases;
mod states;
mod stores;
mod warnings;
