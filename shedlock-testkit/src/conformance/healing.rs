//! Cases for a store that failed and was repaired: the next call works without a restart of the program.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockProviderExt as _, Ownership};

use super::fault::StoreFault;
use super::node::Node;
use super::subject::{LONG, Subject, config, fresh};

/// If the record of a free lock is deleted, the lock can still be taken.
pub async fn a_record_deleted_while_free(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("deleted-free");
    let held = one.seize(&lock, LONG).await;
    one.release(&held).await;
    if !subject.harness().delete(&lock).await {
        return subject.not_applicable("the harness cannot delete a record");
    }
    let held = one.seize(&lock, LONG).await;
    two.must_be_refused(&lock).await;
    one.release(&held).await;
    two.must_be_free(&lock).await;
}

/// If the record of a held lock is deleted, the lock is free, and the holder learns of its loss at its next call.
pub async fn a_record_deleted_while_held(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("deleted-held");
    let held = one.seize(&lock, LONG).await;
    if !subject.harness().delete(&lock).await {
        return subject.not_applicable("the harness cannot delete a record");
    }
    assert_eq!(
        one.try_extend(&held, LONG).await,
        Ownership::Lost,
        "an extension must not bring the record back"
    );
    let next = two.seize(&lock, LONG).await;
    assert_eq!(one.try_extend(&held, LONG).await, Ownership::Lost);
    assert_eq!(one.try_release(&held).await, Ownership::Lost);
    one.must_be_refused(&lock).await;
    two.release(&next).await;
    one.must_be_free(&lock).await;
}

/// A provider works once its table exists, both at first and after the table was dropped.
pub async fn a_schema_that_comes_late(subject: &Subject) {
    if !subject.harness().remove_schema().await {
        return subject.not_applicable("the harness cannot remove a schema, or there is none");
    }
    let (one, two) = (
        Node::from_provider(subject.harness().node("one").await),
        Node::from_provider(subject.harness().node("two").await),
    );
    for _ in 0..2 {
        let lock = fresh("late-schema");
        for node in [&one, &two, &one] {
            let error = match node
                .provider()
                .try_lock(config(&lock, LONG, Duration::ZERO))
                .await
            {
                Ok(outcome) => panic!("there is no schema, and the call says {outcome:?}"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Schema, "{error:?}");
        }
        subject.harness().restore_schema().await;
        let held = one.seize(&lock, LONG).await;
        two.must_be_refused(&lock).await;
        one.release(&held).await;
        assert!(subject.harness().remove_schema().await);
    }
    subject.harness().restore_schema().await;
}

/// After all connections were ended, the next call connects again and works.
pub async fn ended_connections(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    for _ in 0..3 {
        let lock = fresh("ended");
        let held = one.seize(&lock, LONG).await;
        if !subject.harness().inject(StoreFault::EndConnections).await {
            return subject.not_applicable("the harness cannot end connections");
        }
        two.must_be_refused(&lock).await;
        one.extend(&held, LONG).await;
        one.release(&held).await;
        two.must_be_free(&lock).await;
    }
}

/// After a restart of the store, the next call works, and a durable store still has the lock.
pub async fn a_restarted_store(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("restarted");
    let began = Instant::now();
    let held = one.seize(&lock, LONG).await;
    if !subject.harness().inject(StoreFault::Restart).await {
        return subject.not_applicable("the harness cannot restart the store");
    }
    assert!(
        began.elapsed() < LONG,
        "the restart took longer than the lease"
    );
    one.warm_up().await;
    if two
        .try_seize(config(&lock, LONG, Duration::ZERO))
        .await
        .is_err()
    {
        one.extend(&held, LONG).await;
        one.release(&held).await;
        two.must_be_free(&lock).await;
    }
}
