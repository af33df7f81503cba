//! What happens when ZooKeeper, its ensemble or the network misbehaves.

mod connections;
mod nodes;
#[path = "../support/place.rs"]
mod place;
mod servers;
