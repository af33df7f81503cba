//! Giving locks back without anybody waiting: after a drop, and after an acquisition whose answer was lost.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::runtime::Handle;

use crate::hold::held::LockState;
use crate::hold::running::Active;
use crate::observe::events::{self, Question, Subject};
use crate::seam::answer::Ownership;
use crate::seam::lease::AcquireRequest;
use crate::seam::provider::LockProvider;
use crate::values::backoff::backoff;
use crate::values::clock::{BootInstant, Clock};
use crate::values::config::DEFAULT_TIMEOUT;
use crate::values::error::Operation;

/// More locks than this are not given back at the same time while a store is away; their leases run out instead.
const MOST_AT_ONCE: usize = 1_024;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const NO_RUNTIME: &str = "there is no runtime to do it on";
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// An acquisition on its way: unless disarmed, dropping it takes back what the store may have granted.
///
/// It covers the three ways to miss an answer: a lost reply, a timeout and a caller that was cancelled.
pub(crate) struct Orphan<'p> {
    provider: &'p Arc<dyn LockProvider>,
    request: AcquireRequest,
    /// There while it is armed.
    active: Option<Active>,
}

impl<'p> Orphan<'p> {
    pub(crate) fn new(
        provider: &'p Arc<dyn LockProvider>,
        request: AcquireRequest,
        active: Active,
    ) -> Self {
        Self {
            provider,
            request,
            active: Some(active),
        }
    }

    pub(crate) fn request(&self) -> &AcquireRequest {
        &self.request
    }

    /// There is an answer, and an earlier request may still be on its way.
    pub(crate) fn give_up_quietly(mut self) {
        if let Some(active) = self.active.take() {
            self.search(active, true);
        }
    }

    /// The answer has come.
    ///
    /// # Panics
    ///
    /// If called twice.
    pub(crate) fn disarm(&mut self) -> Active {
        self.active.take().expect("a request has one answer")
    }
}

impl Drop for Orphan<'_> {
    fn drop(&mut self) {
        if let Some(active) = self.active.take() {
            self.search(active, false);
        }
    }
}

impl Orphan<'_> {
    /// Looks for what the store may have granted, until the lease would be over; `quiet`, where the caller has an answer.
    fn search(&self, active: Active, quiet: bool) {
        let Some(lease) = self.request.orphan() else {
            return;
        };
        let subject = Subject::of(self.request.config(), self.provider.as_ref().info());
        let until = self.request.ends();
        let left = until.saturating_since(self.provider.as_ref().info().clock().boot());
        if !quiet {
            events::indeterminate(&subject, left);
        }
        let provider = Arc::clone(self.provider);
        // However long the lease is, the search asks as often, about.
        let longest = (self.request.at_most() / 128).max(LONGEST_PAUSE);
        let about = subject.clone();
        let clearing = async move {
            // The request may still be on its way, so "not yours" does not end the search before the lease does. But a
            // shutdown waits for one answer only.
            let mut tries = Tries::until(until, longest);
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
                    active.settle();
                }
                if let Ok(Ownership::Ours) = answer {
                    return events::orphan_cleared(&about);
                }
                let clock = provider.as_ref().info().clock();
                if !tries.go_on(answer.is_ok(), clock).await {
                    return;
                }
            }
        };
        let given_up = |why: &str| events::abandoned(&subject, why, left);
        hand_over(Handle::try_current().ok().as_ref(), given_up, clearing);
    }
}

/// Releases a dropped guard's lock: at once where the store answers at once, else on the runtime that took it.
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
        let mut tries = Tries::until(state.deadline(), LONGEST_PAUSE);
        while state.release_once().await.is_err() {
            if !tries.go_on(false, state.provider().info().clock()).await {
                return;
            }
        }
    });
    // One poll inside a runtime sends the request, and completes it for a lock in memory. A driver may panic on a
    // runtime that is shutting down, and a panic in `Drop` would abort the process. What was taken without a runtime needs
    // none.
    if runtime.is_none() || Handle::try_current().is_ok() {
        let poll = || {
            // The timers of the release belong to the runtime that finishes it, whichever runtime this is.
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
    hand_over(runtime.as_ref(), given_up, release);
}

fn hand_over(
    runtime: Option<&Handle>,
    given_up: impl FnOnce(&str),
    work: impl Future<Output = ()> + Send + 'static,
) {
    let Some(runtime) = runtime else {
        return given_up(NO_RUNTIME);
    };
    let Some(slot) = Slot::take() else {
        return given_up("too many releases wait for their store");
    };
    // A runtime that is shutting down drops the task; the lease then ends by itself.
    drop(runtime.spawn(async move {
        let _slot = slot;
        work.await;
    }));
}

/// The tries of one release, ever less often until its lease has ended.
struct Tries {
    backoff: ExponentialBackoff,
    until: BootInstant,
}

impl Tries {
    fn until(until: BootInstant, longest: Duration) -> Self {
        let backoff = backoff(Duration::from_millis(20), longest);
        Self { backoff, until }
    }

    /// Waits before the next try; false if there is no sense in one.
    async fn go_on(&mut self, answered: bool, clock: &dyn Clock) -> bool {
        let left = self.until.saturating_since(clock.boot());
        let (false, Some(pause)) = (left.is_zero(), self.backoff.next()) else {
            return false;
        };
        // A store that answers need not be pressed; one that does not may come back at any moment.
        let pause = if answered {
            pause
        } else {
            pause.min(Duration::from_secs(1))
        };
        tokio::time::sleep(pause.min(left)).await;
        true
    }
}

/// A place among the releases at work.
struct Slot;

impl Slot {
    fn take() -> Option<Self> {
        AT_WORK
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
                (n < MOST_AT_ONCE).then_some(n + 1)
            })
            .is_ok()
            .then_some(Self)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::AcqRel);
    }
}
