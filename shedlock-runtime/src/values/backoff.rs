//! The pauses between attempts: an endless sequence that grows, with a random part so that nodes do not retry at the same moment.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Pauses that grow from `shortest` to `longest`. Each pause is then lengthened at random, to at most twice its length.
pub(crate) fn backoff(shortest: Duration, longest: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(shortest)
        .with_max_delay(longest)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_in_step() {
        let (shortest, longest) = (Duration::from_millis(25), Duration::from_secs(1));
        let some = || backoff(shortest, longest).take(100).collect::<Vec<_>>();
        let (one, other) = (some(), some());
        assert_ne!(one, other);
        assert!(one[0] >= shortest && one.iter().all(|pause| *pause <= 2 * longest));
    }
}
