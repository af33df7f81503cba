//! Tools for testing a shedlock provider: a conformance suite, real database servers, and faults between a node and its store.
//!
//! - [`conformance!`] makes one `#[test]` for each promise of shedlock that a single provider can be tested for.
//! - [`servers`] starts real database servers on free loopback ports. The servers end with the test process.
//! - [`processes`] runs nodes as separate operating system processes, which a test can pause and kill.
//! - [`cable`] gives a node its own network, connected by a virtual cable that a test can cut.
//! - [`proxy`] is a TCP proxy between a client and its server that delays, loses or ends traffic when the test says so.
//! - [`network`] checks what a provider does when connections, requests and replies are lost.
//! - [`RoundTrips`] counts how often a provider waits for its store.
//! - [`requests`] sends requests to a provider as the runtime does, and waits with a limit.
//! - [`skip`](mod@skip) lets a test that cannot run on this machine report the reason and pass.

#[cfg(unix)]
pub mod cable;
#[cfg(feature = "certificates")]
mod certificates;
pub mod conformance;
pub mod network;
pub mod processes;
pub mod proxy;
pub mod requests;
mod round_trips;
#[cfg(unix)]
pub mod servers;
pub mod skip;
mod unavailable;

#[cfg(unix)]
#[doc(inline)]
pub use cable::Cable;
#[cfg(feature = "certificates")]
pub use certificates::Certificates;
#[doc(inline)]
pub use conformance::Harness;
#[doc(inline)]
pub use proxy::Proxy;
pub use round_trips::RoundTrips;
pub use unavailable::Unavailable;
