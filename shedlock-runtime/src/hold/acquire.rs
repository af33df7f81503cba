//! Asking the store for a lock, once or until a wait is over.

use std::sync::Arc;
use std::time::Duration;

use crate::hold::guard::Lock;
use crate::hold::held::LockState;
use crate::hold::history;
use crate::hold::release::InFlightAcquisition;
use crate::hold::running::{self, ShutdownTicket};
use crate::observe::events::{self, Question, Subject};
use crate::seam::answer::{Acquisition, Refusal};
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::backoff::backoff;
use crate::values::config::LockConfiguration;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::name::LockName;
use crate::values::outcome::SkipReason;

/// Asks the store for a lock. If the configuration has a `wait`, the request is repeated until `wait` is over.
///
/// `outer` is the innermost lock that the calling task holds already.
pub(crate) async fn acquire(
    provider: &Arc<dyn LockProvider>,
    config: &LockConfiguration,
    outer: Option<Arc<LockState>>,
) -> Result<Result<Lock, Refusal>, LockError> {
    let info = provider.as_ref().info();
    let started = events::are_heard().then(|| info.clock().boot());
    let answer = if config.options().wait.is_zero() {
        acquire_once(provider, config, outer).await
    } else {
        acquire_within(config.options().wait, provider, config, outer).await
    };
    match &answer {
        Ok(Ok(_lock)) => {}
        Ok(Err(refusal)) => {
            let took = started.map(|started| info.clock().boot().saturating_since(started));
            let took = took.unwrap_or_default();
            events::skipped(config, info, refusal, took);
        }
        Err(error) => events::not_acquired(&Subject::new(config, info), error),
    }
    answer
}

/// Repeats the request for a lock until the lock is granted, an error is not transient, or `wait` is over.
async fn acquire_within(
    wait: Duration,
    provider: &Arc<dyn LockProvider>,
    config: &LockConfiguration,
    outer: Option<Arc<LockState>>,
) -> Result<Result<Lock, Refusal>, LockError> {
    let info = provider.as_ref().info();
    let clock = info.clock();
    let until = clock.boot().saturating_add(wait);
    let mut without_answer = None;
    for pause in backoff(Duration::from_millis(25), Duration::from_secs(1)) {
        // Each request has an owner of its own, so that its `InFlightAcquisition` can release a lock whose grant got lost on the way.
        let answer = acquire_once(provider, config, outer.clone()).await;
        let left = until.saturating_since(clock.boot());
        let is_over = left.is_zero() || running::is_closed();
        match &answer {
            Ok(Err(refusal)) if is_about_the_position(refusal) => match without_answer {
                None => return answer,
                Some(error) if is_over => return Err(may_have_begun(error)),
                // The request without an answer is being taken back, and its position with it.
                Some(_) => {}
            },
            _ if is_over => return answer,
            Ok(Err(refusal)) if refusal.reason.may_pass() => {}
            Err(error) if error.is_transient() => {
                events::asking_again(&Subject::new(config, info), error, left);
                if error.kind().is_ambiguous() {
                    without_answer = Some(error.clone());
                }
            }
            _ => return answer,
        }
        tokio::time::sleep(pause.min(left)).await;
    }
    unreachable!("the pauses have no end")
}

/// Whether another run for the slot, instant or step is the reason.
fn is_about_the_position(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason,
        SkipReason::AlreadyRan | SkipReason::Exhausted
    )
}

/// The error of a call whose slot, instant or step has begun, perhaps by a request of this very call that got no answer: then nobody runs.
fn may_have_begun(error: LockError) -> LockError {
    error.with_remedy(
        "the request without an answer may have begun the slot, instant or step, and is taken back in the background: call again; \
         if the store cannot be reached until the lease ends, run the job by hand",
    )
}

async fn acquire_once(
    provider: &Arc<dyn LockProvider>,
    config: &LockConfiguration,
    outer: Option<Arc<LockState>>,
) -> Result<Result<Lock, Refusal>, LockError> {
    // The provider inside the `Arc`: the `Arc` implements `LockProvider` as well, and would box each call a second time.
    let store = &**provider;
    let info = store.info();
    let context = |error: LockError, name: &LockName| {
        error.with_context(Operation::Acquire, info.name(), Some(name))
    };
    if let Err(beyond) = info.check(config) {
        return Err(context(beyond, config.name()));
    }
    let Some(ticket) = ShutdownTicket::issue() else {
        return Ok(Err(Refusal::shutting_down()));
    };
    let request = AcquireRequest::new(config.clone(), info.clock().boot());
    let mut acquisition = InFlightAcquisition::new(provider, request, ticket);
    let question = Question {
        operation: Operation::Acquire,
        lock: config.name(),
        info,
        length: Some(config.at_most()),
    };
    let call = store.acquire(acquisition.request());
    match question.ask(config.timeout(), call).await {
        Ok(Acquisition::Granted(lease)) => {
            if let Some(predecessor) = lease.predecessor() {
                let subject = Subject::new(config, info);
                events::taken_over(&subject, info.node_name(), predecessor);
                history::crashed(provider, &subject, predecessor, config.timeout());
            }
            let now = info.clock().boot();
            let sent = acquisition.request().requested_at();
            let deadline = sent.saturating_add(lease.valid_for());
            if now >= deadline {
                // Dropping the acquisition releases the lock.
                let late = LockError::new(
                    ErrorKind::Timeout,
                    "the answer came after the lease had ended",
                )
                .with_remedy("give the lock a longer `at_most`");
                return Err(context(late, acquisition.request().name()));
            }
            let ticket = acquisition.answered();
            let state = LockState::new(provider, config, lease, (deadline, now), outer, ticket);
            let lock = Lock::new(state);
            if running::is_closed() {
                // The shutdown began while the request was on its way: this is no run.
                lock.state().leave_out_of_history();
                lock.state().note_unused();
                lock.release_after_task().await;
                return Ok(Err(Refusal::shutting_down()));
            }
            let took = || info.clock().boot().saturating_since(sent);
            events::acquired(&**lock.state(), config.at_most(), took);
            Ok(Ok(lock))
        }
        Ok(Acquisition::Refused(refusal)) => {
            if refusal.is_in_doubt() {
                acquisition.take_back_quietly();
            } else {
                drop(acquisition.answered());
            }
            Ok(Err(refusal))
        }
        Err(error) => {
            if !error.kind().is_ambiguous() {
                drop(acquisition.answered());
            }
            Err(context(error, config.name()))
        }
    }
}
