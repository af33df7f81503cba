//! What every shedlock provider is tested with, ours and anybody's.
//!
//! - [`conformance!`] tests a provider for every promise that a single provider can keep.
//! - [`servers`] starts real database servers on free loopback ports and ends them with the test process.
//! - [`processes`] runs nodes as operating system processes of their own, to be paused and killed.
//! - [`cable`] gives a node a network of its own, behind a cable that can be cut.
//! - [`proxy`] stands between a client and its server and breaks the connection on demand.
//! - [`skip`](mod@skip) makes a test that cannot run here say so.

#[cfg(unix)]
pub mod cable;
pub mod conformance;
pub mod processes;
pub mod proxy;
#[cfg(unix)]
pub mod servers;
pub mod skip;
mod unavailable;

#[cfg(unix)]
#[doc(inline)]
pub use cable::Cable;
#[doc(inline)]
pub use conformance::Harness;
#[doc(inline)]
pub use proxy::Proxy;
pub use unavailable::Unavailable;
