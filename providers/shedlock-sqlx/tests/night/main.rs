//! What nights bring: connections in a state that nobody expects, and answers that come late or never.
//!
//! Each file is about some of the kinds of failure that are named F1 to F26.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql", unix))]

#[path = "../support/place.rs"]
mod place;
#[macro_use]
mod support;
mod between;
mod pools;

mod busy;
mod connections;
mod doubt;
mod farewells;
mod files;
mod given_up;
mod late;
mod late_provider;
mod poolers;
mod stopped;
mod tables;
mod transactions;
mod triggers;
mod words;
mod zones;
