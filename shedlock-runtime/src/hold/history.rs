//! The entry of a run in the provider's history. A history that is slow or fails touches neither the lock nor the body.

use std::fmt::{self, Display, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;

use crate::hold::running::ShutdownTicket;
use crate::observe::events::{self, Subject};
use crate::seam::history::RunRecord;
use crate::seam::predecessor::Predecessor;
use crate::seam::provider::LockProvider;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::limit::limited;
use crate::values::outcome::RunOutcome;

/// How many entries are on their way at the same time. While a store is slow, further entries are dropped, each with an event.
const MOST_AT_ONCE: usize = 256;
static ON_THEIR_WAY: AtomicUsize = AtomicUsize::new(0);

/// The run of a holder whose lease ended without a release, entered by the node that took over.
pub(crate) fn crashed(
    provider: &Arc<dyn LockProvider>,
    subject: &Subject,
    predecessor: &Predecessor,
    timeout: Duration,
) {
    if provider.run_history().is_none() {
        return;
    }
    let now = || provider.as_ref().info().clock().utc();
    let ended = predecessor.until.unwrap_or_else(now);
    let ran = predecessor.since.unwrap_or(ended)..ended;
    let run = RunRecord::new(
        subject.name.as_str(),
        &predecessor.node,
        ran,
        RunOutcome::Crashed,
    )
    .with_fencing_token(predecessor.fencing_token)
    .with_position(predecessor.position);
    write(provider, subject, run, timeout, Handle::try_current().ok());
}

/// The beginning of the text of an error; `None` if the text is empty, or if the error panics while it is shown.
pub(crate) fn error_text(error: &dyn Display) -> Option<String> {
    let mut text = Beginning::default();
    // The alternate form, in which some errors also show their causes. Its own error means that the text is long enough.
    let shown = catch_unwind(AssertUnwindSafe(|| write!(text, "{error:#}")));
    (shown.is_ok() && !text.0.is_empty()).then_some(text.0)
}

/// The first characters of a text of any length.
#[derive(Default)]
struct Beginning(String);

impl fmt::Write for Beginning {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let room = RunRecord::MAX_ERROR_CHARS.saturating_sub(self.0.chars().count());
        self.0.extend(piece.chars().take(room));
        if room == 0 { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The time of day at which a run began that ends now.
pub(crate) fn began(now: SystemTime, took: Duration) -> SystemTime {
    now.checked_sub(took).unwrap_or(now)
}

/// Sends `run` to the provider's history, in the background.
pub(crate) fn write(
    provider: &Arc<dyn LockProvider>,
    subject: &Subject,
    run: RunRecord,
    timeout: Duration,
    runtime: Option<Handle>,
) {
    let Some(runtime) = runtime else {
        return failed(
            subject,
            ErrorKind::Other,
            "there is no runtime to write it on",
        );
    };
    let Some(place) = Place::take() else {
        return failed(
            subject,
            ErrorKind::Unavailable,
            "too many entries wait for their store",
        );
    };
    // A shutdown waits for the entry: a run that it ended is in the history.
    let ticket = ShutdownTicket::of_what_has_ended();
    let (provider, subject) = (Arc::clone(provider), subject.clone());
    drop(runtime.spawn(async move {
        let (_place, _ticket) = (place, ticket);
        let Some(history) = provider.run_history() else {
            return;
        };
        if let Err(error) = limited(timeout, history.append(&run)).await {
            tell(&subject, error);
        }
    }));
}

fn failed(subject: &Subject, kind: ErrorKind, problem: &'static str) {
    tell(subject, LockError::new(kind, problem));
}

fn tell(subject: &Subject, error: LockError) {
    let error = error.with_context(Operation::History, subject.provider, Some(&subject.name));
    events::history_failed(subject, &error);
}

/// One of the [`MOST_AT_ONCE`] places for entries on their way.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let take = |n| (n < MOST_AT_ONCE).then_some(n + 1);
        let taken = ON_THEIR_WAY.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        taken.is_ok().then_some(Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        ON_THEIR_WAY.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows itself without an end, or not at all.
    enum Odd {
        Endless,
        Panics,
    }

    impl Display for Odd {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Endless => loop {
                    f.write_str("é and ")?;
                },
                Self::Panics => panic!("on purpose"),
            }
        }
    }

    #[test]
    fn odd_errors_are_entered_too() {
        let text = error_text(&Odd::Endless).unwrap();
        assert_eq!(text.chars().count(), RunRecord::MAX_ERROR_CHARS);
        assert_eq!(error_text(&Odd::Panics), None);
        assert_eq!(error_text(&""), None);
        assert_eq!(error_text(&"out of paper").as_deref(), Some("out of paper"));
    }
}
