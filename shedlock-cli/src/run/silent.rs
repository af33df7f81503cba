//! Stands in for `ping` where that is left out.

use crate::args::Run;
use crate::exit::{Exit, Failure};

/// No pings.
#[derive(Debug)]
pub(super) struct Pings;

#[expect(
    clippy::unused_self,
    clippy::unused_async,
    clippy::unnecessary_wraps,
    reason = "as the pings have it"
)]
impl Pings {
    pub(super) fn new(_options: &Run, _lock: &str) -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(super) fn begin(&self) {}

    pub(super) async fn end(&self, _exit: Exit) {}
}
