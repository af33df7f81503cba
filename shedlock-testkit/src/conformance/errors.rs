//! Cases for a store that cannot answer: the call returns an error that names the cause and the remedy, and never reports "held" or "free".

use std::sync::Arc;
use std::time::{Duration, Instant};

use shedlock_runtime::{LockingTaskExecutor, Operation};

use super::fault::StoreFault;
use super::subject::{LONG, Subject, config, fresh};

/// Every broken provider of the harness fails with the kind of error and the message that the harness requires.
pub async fn are_typed_and_helpful(subject: &Subject) {
    let broken = subject.harness().broken().await;
    if broken.is_empty() {
        return subject.not_applicable("the harness has no broken providers");
    }
    for broken in broken {
        let what = broken.what;
        let lock = fresh("broken");
        let executor = LockingTaskExecutor::new(Arc::clone(&broken.provider));
        let asked = Instant::now();
        let never = async { panic!("{what}: the task ran without a lock") as () };
        let error = match executor
            .execute(config(&lock, LONG, Duration::ZERO), never)
            .await
        {
            Err(error) => error,
            Ok(outcome) => panic!("{what}: the call says {outcome:?} instead of failing"),
        };
        let took = asked.elapsed();
        assert!(
            took < Duration::from_secs(10),
            "{what}: the call took {took:?}"
        );
        assert_eq!(error.kind(), broken.kind, "{what}: {error:?}");
        assert_eq!(error.operation(), Some(Operation::Acquire), "{what}");
        assert_eq!(error.lock(), Some(&*lock), "{what}");
        assert_eq!(
            error.provider(),
            Some(broken.provider.info().name()),
            "{what}"
        );
        assert_eq!(error.is_transient(), broken.kind.is_transient(), "{what}");
        let message = error.to_string();
        assert!(
            message.contains(&lock) && !message.ends_with('.'),
            "{what}: {message}"
        );
        for wanted in &broken.mentions {
            assert!(
                message.contains(wanted.as_str()),
                "{what}: `{wanted}` is not in the message: {message}"
            );
        }
        let shown = format!("{message} {error:?} {:?}", broken.provider);
        for secret in &broken.secrets {
            assert!(
                !shown.contains(secret.as_str()),
                "{what}: a secret is shown"
            );
        }
    }
}

/// A store that refuses connections causes a transient error, and locks can be taken as soon as the store is back.
pub async fn a_store_that_is_away_is_an_error(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("away");
    if !subject.harness().inject(StoreFault::Unreachable).await {
        return subject.not_applicable("the harness cannot take the store away");
    }
    let executor = LockingTaskExecutor::new(Arc::clone(one.provider()));
    let asked = Instant::now();
    let never = async { panic!("the task ran without a lock") as () };
    let outcome = executor
        .execute(config(&lock, LONG, Duration::ZERO), never)
        .await;
    let took = asked.elapsed();
    let error = outcome
        .err()
        .unwrap_or_else(|| panic!("the store is away, and the call did not fail"));
    assert!(error.is_transient(), "it will be back: {error:?}");
    assert!(took < Duration::from_secs(10), "the call took {took:?}");
    subject.harness().end_faults().await;
    one.seize_when_free(&lock).await;
    two.must_be_refused(&lock).await;
}
