//! The suite on providers that need no server, and on providers that are wrong on purpose.

#![expect(
    clippy::unwrap_used,
    reason = "what helps a test fails as the test does"
)]

mod cases;
mod files;
mod memory;
mod planted;
mod record;
mod toy;
mod wrappers;
