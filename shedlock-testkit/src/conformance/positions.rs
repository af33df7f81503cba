//! Cases for positions: which run of a lock may start, so that each slot and each instant has one run, and steps run in order.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use shedlock_runtime::{
    AcquireRequest, ErrorKind, LockConfiguration, LockProvider, LockProviderExt as _,
    LockingTaskExecutor, Outcome, Ownership, Position, Refusal, SkipReason,
};

use super::node::{Held, Node};
use super::subject::{LONG, Subject, config, fresh, until};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A period that is so long that no test reaches the end of a slot.
const PERIOD: Duration = Duration::from_secs(300 * 24 * 60 * 60);

impl Subject {
    /// Whether records keep positions. If not, prints that the case is not applicable.
    pub(super) fn keeps_positions(&self) -> bool {
        let declared = self.capabilities().keeps_positions();
        let keeps = self.harness().keeps_positions().unwrap_or(declared);
        if !keeps {
            self.not_applicable("the store keeps no positions");
        }
        keeps
    }
}

fn step(lock: &str, step: u64) -> LockConfiguration {
    legal(config(lock, LONG, Duration::ZERO).with_step(step))
}

fn instant(lock: &str, instant: SystemTime) -> LockConfiguration {
    legal(config(lock, LONG, Duration::ZERO).with_instant(instant))
}

fn legal<E: std::fmt::Debug>(config: Result<LockConfiguration, E>) -> LockConfiguration {
    config.unwrap_or_else(|error| panic!("the configuration is legal: {error:?}"))
}

/// Takes a lock whose run may start, as users do, and marks the run as done.
async fn run(node: &Node, config: LockConfiguration) {
    let name = config.name().clone();
    let lock = match node.provider().lock(config).await {
        Ok(Ok(lock)) => lock,
        Ok(Err(refusal)) => panic!("`{name}` may run, and was refused: {refusal:?}"),
        Err(error) => panic!("`{name}` may run, and failed: {error:?}"),
    };
    lock.complete().await.expect("the store answers");
}

/// Starts a run that is never marked as done.
async fn begin(node: &Node, config: LockConfiguration) -> Held {
    let name = config.name().clone();
    match node.try_seize(config).await {
        Ok(held) => held,
        Err(refusal) => panic!("`{name}` may run, and was refused: {refusal:?}"),
    }
}

async fn must_be_skipped(node: &Node, config: LockConfiguration, expected: SkipReason) -> Refusal {
    let name = config.name().clone();
    match node.try_seize(config).await {
        Ok(_) => panic!("`{name}` must not run: {expected}"),
        Err(refusal) => {
            assert_eq!(refusal.reason, expected, "{refusal:?}");
            refusal
        }
    }
}

/// Each slot has one run, no matter which node asks and how early the run ended.
pub async fn a_slot_has_one_run(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("slot");
    let slot = || legal(config(&lock, LONG, Duration::ZERO).with_once_per(PERIOD));
    run(&one, slot()).await;
    for node in [&one, &two] {
        must_be_skipped(node, slot(), SkipReason::AlreadyRan).await;
    }
    // A lock without a position is the same lock, and leaves the position as it is.
    two.must_be_free(&lock).await;
    must_be_skipped(&one, slot(), SkipReason::AlreadyRan).await;
}

/// The slot after a run has a run again.
pub async fn the_next_slot_has_another_run(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("slots");
    let period = subject.short() * 2;
    let slot = || legal(config(&lock, LONG, Duration::ZERO).with_once_per(period));
    run(&one, slot()).await;
    // Two slots on, by whatever clock.
    until(Instant::now() + period * 2).await;
    run(&two, slot()).await;
}

/// An instant is run once, and an earlier instant is not run after a later one.
pub async fn an_instant_has_one_run(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("instant");
    let noon = SystemTime::now();
    run(&one, instant(&lock, noon)).await;
    must_be_skipped(&two, instant(&lock, noon), SkipReason::AlreadyRan).await;
    must_be_skipped(&two, instant(&lock, noon - DAY), SkipReason::AlreadyRan).await;
    run(&two, instant(&lock, noon + DAY)).await;
    let refusal = must_be_skipped(&one, instant(&lock, noon), SkipReason::AlreadyRan).await;
    // A node whose clock is ahead leaves an instant that no other node would run for long: the runtime warns of it.
    let stored = refusal.position.map(|stored| stored.number);
    let day_later = (noon + DAY).duration_since(UNIX_EPOCH);
    let day_later = day_later.expect("the clock is right").as_millis();
    assert_eq!(
        stored.map(u128::from),
        Some(day_later),
        "`Refusal::with_position` tells which instant came before: {refusal:?}"
    );
}

/// Steps run in order: each step runs when it is due, and not again after it is done.
pub async fn steps_run_in_order(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("steps");
    must_be_skipped(&one, step(&lock, 2), SkipReason::Gap).await;
    run(&one, step(&lock, 1)).await;
    must_be_skipped(&two, step(&lock, 1), SkipReason::AlreadyRan).await;
    must_be_skipped(&two, step(&lock, 3), SkipReason::Gap).await;
    let failed = begin(&two, step(&lock, 2)).await;
    must_be_skipped(&one, step(&lock, 2), SkipReason::Held).await;
    two.release(&failed).await;
    // It has not ended well.
    must_be_skipped(&one, step(&lock, 3), SkipReason::Gap).await;
    run(&one, step(&lock, 2)).await;
    run(&two, step(&lock, 3)).await;
    must_be_skipped(&two, step(&lock, 2), SkipReason::AlreadyRan).await;
}

/// A run that failed or whose node died can be tried again as often as the configuration allows.
pub async fn attempts_are_counted(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("attempts");
    let now = SystemTime::now();
    let short = config(&lock, subject.short(), Duration::ZERO);
    let attempt = || legal(instant(&lock, now).with_attempts(3));
    let failed = begin(&one, attempt()).await;
    one.release(&failed).await;
    // A node that dies leaves its lease.
    let short = legal(
        short
            .with_instant(now)
            .and_then(|config| config.with_attempts(3)),
    );
    let _crashed = begin(&two, short).await;
    subject.until_ended(&[&one], &lock, subject.short()).await;
    let last = begin(&one, attempt()).await;
    must_be_skipped(&two, attempt(), SkipReason::Held).await;
    one.release(&last).await;
    must_be_skipped(&two, attempt(), SkipReason::Exhausted).await;
    must_be_skipped(&one, attempt(), SkipReason::Exhausted).await;
    run(&two, legal(instant(&lock, now + DAY).with_attempts(3))).await;
}

/// The same acquisition request sent again, as after a lost reply, counts as one attempt.
pub async fn a_repeated_request_is_one_attempt(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    if subject.harness().answers_at_once() {
        return subject.not_applicable("no reply can be lost");
    }
    let one = subject.node("one").await;
    let lock = fresh("attempt-twice");
    let now = SystemTime::now();
    let attempt = || legal(instant(&lock, now).with_attempts(2));
    let request = one.request(attempt());
    for _ in 0..3 {
        let answer = one.provider().acquire(&request).await;
        assert!(answer.is_ok_and(|answer| answer.granted().is_some()));
    }
    let lease = request.grant(None);
    let released = one.provider().release(&lease, Duration::ZERO);
    released.await.expect("the store answers");
    let second = begin(&one, attempt()).await;
    one.release(&second).await;
    must_be_skipped(&one, attempt(), SkipReason::Exhausted).await;
}

/// A grant that nobody has heard of is given back: it counts as no run, and the slot, instant or step can be begun again.
pub async fn an_unused_grant_is_no_run(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let (lock, chain) = (fresh("unused"), fresh("unused-chain"));
    let noon = SystemTime::now();
    for config in [
        instant(&lock, noon),
        legal(instant(&lock, noon + DAY).with_attempts(1)),
        step(&chain, 1),
    ] {
        for _ in 0..2 {
            let unused = begin(&one, config.clone()).await;
            must_be_skipped(&two, config.clone(), SkipReason::Held).await;
            unused.lease.note_unused();
            one.release(&unused).await;
        }
        let begun = begin(&two, config.clone()).await;
        let position = begun.lease.position();
        assert_eq!(position.map(|position| position.tries), Some(1));
        two.release(&begun).await;
        if chain != config.name().as_str() {
            assert!(one.try_seize(config).await.is_err(), "it was run");
        }
    }
    must_be_skipped(&one, step(&chain, 2), SkipReason::Gap).await;
    run(&one, step(&chain, 1)).await;
    run(&two, step(&chain, 2)).await;
    // A lock without a position leaves that of others as it is.
    let unused = begin(&one, config(&chain, LONG, Duration::ZERO)).await;
    unused.lease.note_unused();
    one.release(&unused).await;
    must_be_skipped(&two, step(&chain, 2), SkipReason::AlreadyRan).await;
}

/// The release of a request without an answer, which knows nothing but the owner, gives back what the request has begun.
pub async fn an_answer_that_is_lost_begins_no_run(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    if subject.harness().answers_at_once() {
        return subject.not_applicable("no reply can be lost");
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("unheard");
    let config = instant(&lock, SystemTime::now());
    let request = one.request(config.clone());
    let answer = one.provider().acquire(&request).await;
    assert!(answer.is_ok_and(|answer| answer.granted().is_some()));
    let info = one.provider().info();
    let owner = request.owner(info).expect("it was sent").stored();
    let unheard = AcquireRequest::resumed(config.clone(), info.clock().boot(), &owner);
    let lease = unheard.expect("an owner").grant(None);
    lease.note_unused();
    match one.provider().release(&lease, Duration::ZERO).await {
        // A router finds the provider of a lease by its own note.
        Err(error) if error.to_string().contains("granted by another provider") => {
            return subject.not_applicable("a release needs more than the owner");
        }
        released => assert_eq!(released.expect("the store answers"), Ownership::Ours),
    }
    run(&two, config.clone()).await;
    must_be_skipped(&one, config, SkipReason::AlreadyRan).await;
}

/// A second release of an unused grant, after the answer to the first one was lost, does not take off the try of another run.
pub async fn an_unused_grant_is_given_back_once(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("unused-twice");
    let now = SystemTime::now();
    let attempt = || legal(instant(&lock, now).with_attempts(2));
    let failed = begin(&one, attempt()).await;
    one.release(&failed).await;
    let unused = begin(&one, attempt()).await;
    unused.lease.note_unused();
    for _ in 0..2 {
        let released = one.provider().release(&unused.lease, Duration::ZERO).await;
        released.expect("the store answers");
    }
    let last = begin(&one, attempt()).await;
    let position = last.lease.position();
    assert_eq!(position.map(|position| position.tries), Some(2));
    one.release(&last).await;
    must_be_skipped(&one, attempt(), SkipReason::Exhausted).await;
}

/// The executor marks a run as done if its task returns, and not if its task fails.
pub async fn a_failure_is_not_done(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("failure");
    let executor = LockingTaskExecutor::new(Arc::clone(one.provider()));
    let try_step = async |works: bool| {
        let task = async move { works.then_some(()).ok_or("the task's own error") };
        let outcome = executor.execute_with_failure_check(step(&lock, 1), task, Result::is_err);
        outcome.await.expect("the store answers")
    };
    assert_eq!(
        try_step(false).await,
        Outcome::Executed(Err("the task's own error"))
    );
    assert_eq!(try_step(true).await, Outcome::Executed(Ok(())));
    assert_eq!(
        try_step(true).await,
        Outcome::Skipped(SkipReason::AlreadyRan)
    );
}

/// The actions of an operator do not change the position of a lock, and an operator reads it.
pub async fn an_operator_leaves_the_position(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("operator-position");
    run(&one, step(&lock, 1)).await;
    operator.pause(&lock, LONG, "upkeep").await;
    must_be_skipped(&one, step(&lock, 2), SkipReason::Paused).await;
    assert!(operator.resume(&lock).await);
    let held = begin(&one, step(&lock, 2)).await;
    let begun = Position {
        number: 2,
        is_done: false,
        tries: 1,
    };
    assert_eq!(held.lease.position(), Some(begun));
    assert_eq!(operator.get(&lock).await.position, Some(begun));
    let listed = operator.list().await;
    let listed = listed.iter().find(|info| info.name == lock);
    assert_eq!(listed.and_then(|info| info.position), Some(begun));
    assert!(operator.force_release(&lock, "its node is gone").await);
    must_be_skipped(&one, step(&lock, 1), SkipReason::AlreadyRan).await;
    let again = begin(&one, step(&lock, 2)).await;
    let begun = Position { tries: 2, ..begun };
    assert_eq!(again.lease.position(), Some(begun));
    one.release(&again).await;
    run(&one, step(&lock, 2)).await;
    must_be_skipped(&one, step(&lock, 2), SkipReason::AlreadyRan).await;
}

/// Of many nodes that ask for the same instant at once, one runs, and no node runs this instant afterwards.
pub async fn one_of_many_runs(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    for _ in 0..10 {
        let lock = fresh("instant-race");
        let now = SystemTime::now();
        let asked = (0..16).map(|number| {
            let node = if number % 2 == 0 {
                one.clone()
            } else {
                two.clone()
            };
            let config = instant(&lock, now);
            tokio::spawn(async move {
                let lock = node
                    .provider()
                    .lock(config)
                    .await
                    .expect("the store answers");
                match lock {
                    Ok(lock) => {
                        lock.complete().await.expect("the store answers");
                        true
                    }
                    Err(_) => false,
                }
            })
        });
        let ran = join_all(asked).await;
        let ran = ran
            .into_iter()
            .filter(|ran| matches!(ran, Ok(true)))
            .count();
        assert_eq!(ran, 1, "`{lock}` was run for one instant");
    }
}

/// A store that does not keep positions refuses a request for a position: before any I/O if the provider knows, and otherwise with an
/// error that says what the store lacks.
pub async fn without_positions_a_request_for_one_is_refused(subject: &Subject) {
    let declared = subject.capabilities().keeps_positions();
    if subject.harness().keeps_positions().unwrap_or(declared) {
        return subject.not_applicable("the store keeps positions");
    }
    let expected = if declared {
        ErrorKind::Schema
    } else {
        ErrorKind::Unsupported
    };
    let provider: Arc<dyn LockProvider> = subject.harness().node("one").await;
    let refused = provider.try_lock(step(&fresh("no-positions"), 1)).await;
    let kind = refused.err().map(|error| error.kind());
    assert_eq!(kind, Some(expected));
}
