//! What every shedlock provider is tested with, ours and anybody's.
//!
//! - [`conformance!`] tests a provider for every promise that a single provider can keep.
//! - [`servers`] starts real database servers on free loopback ports and ends them with the test process.
//! - [`processes`] runs nodes as operating system processes of their own, to be paused and killed.
//! - [`proxy`] stands between a client and its server and breaks the connection on demand.
//! - [`skip`](mod@skip) makes a test that cannot run here say so.

pub mod conformance;
pub mod processes;
pub mod proxy;
#[cfg(unix)]
pub mod servers;
pub mod skip;
mod unavailable;

#[doc(inline)]
pub use conformance::Harness;
#[doc(inline)]
pub use proxy::Proxy;
pub use unavailable::Unavailable;
