//! Releases locks in the background: after a guard was dropped, and after an acquisition without an answer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::runtime::Handle;

use crate::hold::held::LockState;
use crate::hold::running::ShutdownTicket;
use crate::observe::events::{self, HeldLock as _, Question, Subject};
use crate::seam::answer::Ownership;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::backoff::backoff;
use crate::values::clock::{BootInstant, Clock};
use crate::values::config::DEFAULT_TIMEOUT;
use crate::values::error::Operation;

/// How many locks are released in the background at the same time. While a store is down, further locks are not released, and
/// become free when their leases end.
const MAX_RELEASES: usize = 1_024;
/// How many acquisitions are looked for at the same time of which the store has said that it has granted nothing so far. Such a search
/// lasts until the lease would have ended, so it has a limit of its own and keeps no lock from its release.
const MAX_SEARCHES: usize = 1_024;
const MAX_BACKOFF: Duration = Duration::from_secs(5);
const NO_RUNTIME: &str = "there is no runtime to do it on";
const TOO_MANY_RELEASES: &str = "too many releases wait for their store";
const TOO_MANY_SEARCHES: &str = "the store may still grant it, and too many are looked for already";
static RELEASES: AtomicUsize = AtomicUsize::new(0);
static SEARCHES: AtomicUsize = AtomicUsize::new(0);

/// An acquisition whose request may be on its way to the store. If the value is dropped before [`answered`](Self::answered) is
/// called, a background task releases the lock that the store may have granted.
///
/// This covers the three ways to miss an answer: a lost reply, a timeout and a caller that was cancelled.
pub(crate) struct InFlightAcquisition<'p> {
    provider: &'p Arc<dyn LockProvider>,
    request: AcquireRequest,
    /// The runtime on which the lock is asked for. The value may be dropped on a thread that has none.
    runtime: Option<Handle>,
    /// `None` once the acquisition is answered or taken back.
    ticket: Option<ShutdownTicket>,
}

impl<'p> InFlightAcquisition<'p> {
    pub(crate) fn new(
        provider: &'p Arc<dyn LockProvider>,
        request: AcquireRequest,
        ticket: ShutdownTicket,
    ) -> Self {
        Self {
            provider,
            request,
            runtime: Handle::try_current().ok(),
            ticket: Some(ticket),
        }
    }

    pub(crate) fn request(&self) -> &AcquireRequest {
        &self.request
    }

    /// Releases the lock that an earlier copy of the request may have been granted. There is no event, because the caller has an
    /// answer.
    pub(crate) fn take_back_quietly(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.take_back(ticket, true);
        }
    }

    /// Records that the answer has arrived, so that nothing is released when this value is dropped.
    ///
    /// # Panics
    ///
    /// If `answered` is called twice.
    pub(crate) fn answered(&mut self) -> ShutdownTicket {
        self.ticket.take().expect("a request has one answer")
    }
}

impl Drop for InFlightAcquisition<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.take_back(ticket, false);
        }
    }
}

impl InFlightAcquisition<'_> {
    /// Repeats a release of the lock that the store may have granted, until the lease would have ended. If `quiet`, no event is
    /// reported.
    fn take_back(&self, ticket: ShutdownTicket, quiet: bool) {
        let Some(lease) = self.request.orphan() else {
            return;
        };
        let subject = Subject::new(self.request.config(), self.provider.as_ref().info());
        let until = self.request.ends();
        let left = until.saturating_since(self.provider.as_ref().info().clock().boot());
        if !quiet {
            events::indeterminate(&subject, left);
        }
        let provider = Arc::clone(self.provider);
        // In proportion to the lease, so that a long lease costs the store no more requests than a short one.
        let max_backoff = (self.request.at_most() / 128).max(MAX_BACKOFF);
        let about = subject.clone();
        let clearing = async move |mut slot: Slot| {
            // The acquisition may still be on its way, so the answer "not yours" is no reason to stop before the lease ends. A
            // shutdown waits for only one answer.
            let mut retries = RetrySchedule::until(until, max_backoff);
            loop {
                let question = Question {
                    operation: Operation::Release,
                    lock: lease.name(),
                    info: provider.as_ref().info(),
                    length: None,
                };
                let call = provider.release(&lease, Duration::ZERO);
                let answer = question.ask(DEFAULT_TIMEOUT, call).await;
                if answer.is_ok() {
                    ticket.done();
                }
                if let Ok(Ownership::Ours) = answer {
                    return events::orphan_cleared(&about);
                }
                let clock = provider.as_ref().info().clock();
                if answer.is_ok() && !slot.becomes_search() {
                    let left = until.saturating_since(clock.boot());
                    return events::abandoned(&about, TOO_MANY_SEARCHES, left);
                }
                if !retries.wait_for_next(answer.is_ok(), clock).await {
                    return;
                }
            }
        };
        let given_up = |why: &str| events::abandoned(&subject, why, left);
        let here = Handle::try_current().ok();
        let runtime = here.as_ref().or(self.runtime.as_ref());
        hand_over(runtime, given_up, clearing);
    }
}

/// Releases the lock of a dropped guard: at once if the store answers at the first poll, otherwise on the runtime on which the
/// lock was taken.
pub(crate) fn in_background(state: Arc<LockState>) {
    let runtime = state.runtime().cloned();
    let held = Arc::clone(&state);
    let given_up = |why: &str| {
        events::abandoned(held.subject(), why, held.taken_for());
    };
    let mut release = Box::pin(async move {
        let Err(error) = state.release_once().await else {
            return;
        };
        events::release_failed(&*state, state.taken_for(), &error);
        let mut retries = RetrySchedule::until(state.deadline(), MAX_BACKOFF);
        while state.release_once().await.is_err() {
            if !retries
                .wait_for_next(false, state.provider().info().clock())
                .await
            {
                return;
            }
        }
    });
    // One poll inside a runtime sends the request, and completes the release of a lock in memory. A driver may panic on a
    // runtime that is shutting down, and a panic in `Drop` would abort the process. A lock that was taken without a runtime
    // is released without a runtime.
    if runtime.is_none() || Handle::try_current().is_ok() {
        let poll = || {
            // The timers of the release must belong to the runtime that finishes the release, which may not be the current runtime.
            let _entered = runtime.as_ref().map(Handle::enter);
            release
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        };
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(true) => return,
            Ok(false) => {}
            Err(_panic) => return given_up(NO_RUNTIME),
        }
    }
    hand_over(runtime.as_ref(), given_up, async move |_slot| release.await);
}

/// Has `runtime` do the work, which keeps its slot for as long as it lasts.
fn hand_over<W: Future<Output = ()> + Send + 'static>(
    runtime: Option<&Handle>,
    given_up: impl FnOnce(&str),
    work: impl FnOnce(Slot) -> W,
) {
    let Some(runtime) = runtime else {
        return given_up(NO_RUNTIME);
    };
    let Some(slot) = Slot::of_release() else {
        return given_up(TOO_MANY_RELEASES);
    };
    // A runtime that is shutting down drops the task; the lease then ends by itself.
    drop(runtime.spawn(work(slot)));
}

/// When a failed release is retried: at growing intervals, until the lease has ended.
struct RetrySchedule {
    backoff: ExponentialBackoff,
    until: BootInstant,
}

impl RetrySchedule {
    fn until(until: BootInstant, max_backoff: Duration) -> Self {
        let backoff = backoff(Duration::from_millis(20), max_backoff);
        Self { backoff, until }
    }

    /// Waits until the next attempt is due. Returns false if the lease has ended, so that no attempt is needed.
    async fn wait_for_next(&mut self, answered: bool, clock: &dyn Clock) -> bool {
        let left = self.until.saturating_since(clock.boot());
        let (false, Some(pause)) = (left.is_zero(), self.backoff.next()) else {
            return false;
        };
        // A store that gave no answer may be available again at any moment, so there is an attempt at least once a second.
        let pause = if answered {
            pause
        } else {
            pause.min(Duration::from_secs(1))
        };
        tokio::time::sleep(pause.min(left)).await;
        true
    }
}

/// A place among what is done in the background at the same time.
struct Slot(&'static AtomicUsize);

impl Slot {
    /// One of [`MAX_RELEASES`].
    fn of_release() -> Option<Self> {
        Self::take(&RELEASES, MAX_RELEASES)
    }

    /// Is exchanged for one of [`MAX_SEARCHES`], if it is none yet. False if all of them are taken.
    fn becomes_search(&mut self) -> bool {
        if std::ptr::eq(self.0, &raw const SEARCHES) {
            return true;
        }
        let search = Self::take(&SEARCHES, MAX_SEARCHES);
        search.map(|search| *self = search).is_some()
    }

    fn take(taken: &'static AtomicUsize, most: usize) -> Option<Self> {
        let one_more = |n: usize| (n < most).then_some(n + 1);
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        let took = taken.fetch_update(set, fetch, one_more);
        took.is_ok().then_some(Self(taken))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
