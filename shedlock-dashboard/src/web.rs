//! The page and its JSON.
//!
//! [`reader`] reads the store, [`routes`] says which path is what, [`page`] makes HTML of a snapshot, [`api`] JSON, and [`deeds`] changes
//! locks in the name of an operator.

mod api;
mod body;
mod dashboard;
mod deed;
mod deeds;
mod events;
mod guard;
mod operators;
mod page;
mod query;
mod reader;
mod routes;
mod site;
mod skips;

pub use dashboard::{Dashboard, DashboardBuilder};

/// How many streams of events are open at the same time.
const MOST_STREAMS: usize = 64;
/// How long the body of a request may be.
const LONGEST_BODY: usize = 16 * 1024;
