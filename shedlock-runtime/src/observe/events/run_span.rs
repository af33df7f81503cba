//! The span of a locked call.

use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Span, info_span};

use super::format::{millis, shown};
use super::log::TARGET;
use crate::seam::info::ProviderInfo;
use crate::values::config::LockConfiguration;

/// The span of a locked call. Owner, token and outcome are filled in when they are known.
pub(crate) fn run_span(config: &LockConfiguration, info: &ProviderInfo) -> Span {
    // One load of an atomic. The macro does more work before it finds that the span is disabled.
    if LevelFilter::current() < LevelFilter::INFO {
        return Span::none();
    }
    info_span!(
        target: TARGET,
        "shedlock.run",
        lock.name = %config.name(),
        lock.template = config.template().map(shown),
        lock.namespace = info.namespace().map(shown),
        lock.provider = info.name(),
        lock.at_most_ms = millis(config.at_most()),
        lock.at_least_ms = millis(config.at_least()),
        lock.node = Empty,
        lock.fencing_token = Empty,
        lock.outcome = Empty,
    )
}
