//! What every shedlock provider is tested with, ours and anybody's.
//!
//! - [`servers`] starts real database servers on free loopback ports and ends them with the test process.
//! - [`proxy`] stands between a client and its server and breaks the connection on demand.
//! - [`skip`](mod@skip) makes a test that cannot run here say so.

pub mod proxy;
#[cfg(unix)]
pub mod servers;
pub mod skip;

#[doc(inline)]
pub use proxy::Proxy;
