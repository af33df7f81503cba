//! What happens when NATS, its cluster or the network misbehaves.

mod buckets;
mod connections;
#[path = "../support/place.rs"]
mod place;
mod refusals;
mod servers;
