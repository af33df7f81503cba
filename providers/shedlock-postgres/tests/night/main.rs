//! What nights bring: connections in a state that nobody expects, and answers that come late or never.

#![cfg(all(feature = "deadpool", unix))]

#[path = "../support/place.rs"]
mod place;
#[path = "../support/asking.rs"]
#[macro_use]
mod asking;

mod busy;
mod connections;
mod doubt;
mod farewells;
mod late;
mod poolers;
mod stopped;
mod tables;
mod transactions;
