//! What happens when the store or the network misbehaves.

mod connections;
#[path = "../support/place.rs"]
mod place;
mod probe;
mod refusals;
mod servers;
#[path = "../support/stand_in.rs"]
mod stand_in;
