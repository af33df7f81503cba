//! Cases for claims: a text, such as the id of a message, has one run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shedlock_runtime::{LockConfiguration, LockProviderExt as _, SkipReason};

use super::node::Node;
use super::subject::{LONG, Subject, config, fresh, until};

/// The claim of `text` for `lock`.
fn claim(lock: &str, text: &str) -> LockConfiguration {
    config(lock, LONG, Duration::ZERO)
        .with_instant_text(text)
        .unwrap_or_else(|error| panic!("`{text}` can name a run of `{lock}`: {error:?}"))
}

/// Runs for `config` and marks the run as done; or says why not.
async fn run(node: &Node, config: LockConfiguration) -> Option<SkipReason> {
    let lock = node
        .provider()
        .lock(config)
        .await
        .expect("the store answers");
    match lock {
        Ok(lock) => {
            lock.complete().await.expect("the store answers");
            None
        }
        Err(refusal) => Some(refusal.reason),
    }
}

/// Each text has one run, whichever node asks; other texts have runs of their own.
pub async fn a_text_has_one_run(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("claim");
    for text in ["a", "b", "\u{e9} @ %40/.."] {
        assert_eq!(run(&one, claim(&lock, text)).await, None, "{text}");
        for node in [&one, &two] {
            let again = run(node, claim(&lock, text)).await;
            assert_eq!(again, Some(SkipReason::AlreadyRan), "{text}");
        }
    }
}

/// Of many nodes that get the same message at once, one runs.
pub async fn one_of_many_claims_a_text(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("claim-race");
    for text in ["a", "b", "c", "d", "e"] {
        let asked = (0..16).map(|number| {
            let node = if number % 2 == 0 {
                one.clone()
            } else {
                two.clone()
            };
            let config = claim(&lock, text);
            tokio::spawn(async move { run(&node, config).await.is_none() })
        });
        let ran = join_all(asked).await;
        let ran = ran
            .into_iter()
            .filter(|ran| matches!(ran, Ok(true)))
            .count();
        assert_eq!(ran, 1, "`{text}` was run");
        let after = run(&two, claim(&lock, text)).await;
        assert_eq!(after, Some(SkipReason::AlreadyRan), "`{text}` was run");
    }
}

/// Old claims are deleted, and only those of the lock: see `LockProvider::forget_claims`.
pub async fn old_claims_are_forgotten(subject: &Subject) {
    if !subject.keeps_positions() {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("claims-old");
    let other = format!("{lock}-other");
    for lock in [&lock, &other] {
        assert_eq!(run(&one, claim(lock, "a")).await, None);
    }
    let provider = Arc::clone(one.provider());
    let prefix = format!("{lock}@=");
    let unused = subject.short();
    let forget = async |unused: Duration| {
        let forgotten = provider.forget_claims(&prefix, unused).await;
        forgotten.expect("the store answers")
    };
    assert_eq!(forget(LONG).await, 0, "the claim is young");
    let again = run(&one, claim(&lock, "a")).await;
    assert_eq!(again, Some(SkipReason::AlreadyRan), "the claim is young");
    until(Instant::now() + unused + subject.slack() + Duration::from_millis(20)).await;
    if forget(unused).await == 0 {
        // A store that forgets by itself, after a longer time.
        return subject.not_applicable("the provider deletes no claims");
    }
    assert_eq!(run(&one, claim(&lock, "a")).await, None, "it was forgotten");
    let kept = run(&one, claim(&other, "a")).await;
    assert_eq!(kept, Some(SkipReason::AlreadyRan), "another lock's claim");
}
