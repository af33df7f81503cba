//! Cases for what an operator reads about a single lock, and for what all actions of an operator have in common.

use std::time::Duration;

use shedlock_runtime::{ErrorKind, EventKind, Fencing, LockError, LockEvent, Owner, SchedulerLock};

use super::fault::StoreFault;
use super::subject::{LONG, Subject, fresh, soon};

/// For a held lock, the store reports the holder's node, the start, the end and the token, and no random part of the owner.
pub async fn a_held_lock_says_who_and_how_long(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("node-7").await;
    let lock = fresh("seen");
    let before = operator.utc();
    let held = one.seize(&lock, LONG).await;
    let after = operator.utc();
    let listed = operator.list().await.into_iter();
    for info in listed
        .filter(|info| info.name == lock)
        .chain([operator.get(&lock).await])
    {
        assert!(
            ["node-7", ""].contains(&info.node.as_str()),
            "the holder is said to be `{}`",
            info.node
        );
        operator.assert_between("the start", info.since, before, after);
        operator.assert_between("the end", info.until, before + LONG, after + LONG);
        operator.assert_remaining(&info, before, LONG);
        assert!(subject.is_shown(info.fencing_token, held.lease.fencing_token()));
        assert!(
            info.is_held() && !info.paused && info.reason.is_none(),
            "{info:?}"
        );
        if let Some((_, secret)) = held
            .lease
            .owner()
            .map(Owner::stored)
            .as_deref()
            .and_then(|owner| owner.rsplit_once('#'))
        {
            assert!(
                !format!("{info:?}").contains(secret),
                "the random part is shown"
            );
        }
    }
    one.release(&held).await;
}

/// For a free lock, the store reports when the lock became free.
pub async fn a_free_lock_says_since_when(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    if !subject.keeps_free_records() {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("freed");
    let before = operator.utc();
    let held = one.seize(&lock, LONG).await;
    one.release(&held).await;
    let info = operator.get(&lock).await;
    assert!(!info.is_held() && info.remaining.is_zero(), "{info:?}");
    operator.assert_between("the end", info.until, before, operator.utc());
    operator.assert_between("the start", info.since, before, operator.utc());
    assert_eq!(info.fencing_token, held.lease.fencing_token());
}

/// An operator's call with an illegal name is refused before the provider asks the store.
pub async fn a_bad_name_never_reaches_the_store(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    // A store that says nothing shows who asks it.
    let silent = subject.harness().inject(StoreFault::Stall).await;
    let admin = operator.admin();
    let tomorrow = operator.utc() + Duration::from_secs(24 * 60 * 60);
    let long = "x".repeat(admin.info().capabilities().max_name_chars().min(1024) + 1);
    for name in ["", "a\0b", "a\nb", long.as_str()] {
        let mut refused: Vec<Option<LockError>> = vec![
            soon("an answer", admin.get(name)).await.err(),
            soon("an answer", admin.force_release(name, "")).await.err(),
            soon("an answer", admin.pause(name, tomorrow, ""))
                .await
                .err(),
            soon("an answer", admin.resume(name)).await.err(),
        ];
        // Every name begins with nothing.
        if !name.is_empty() {
            let pruned = admin.prune_prefix(name, Duration::ZERO);
            refused.push(soon("an answer", pruned).await.err());
        }
        for error in refused {
            let error = error.unwrap_or_else(|| panic!("{name:?} was accepted"));
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{error:?}");
            assert!(
                error.operation().is_some() && error.provider().is_some(),
                "{error:?}"
            );
        }
    }
    if silent {
        subject.harness().end_faults().await;
    }
}

/// The next token is greater than all earlier tokens after each action of an operator.
pub async fn tokens_grow_whatever_an_operator_does(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let fencing = subject.fencing();
    if fencing == Fencing::None {
        return subject.not_applicable("no lease has a token");
    }
    let one = subject.node("one").await;
    let lock = fresh("tokens");
    let mut last = None;
    for what in [
        "force_release",
        "pause",
        "pause again",
        "force_release a pause",
        "prune",
    ] {
        let held = one.seize(&lock, LONG).await;
        let token = held.lease.fencing_token();
        assert!(
            token > last,
            "after the last step, {token:?} was granted after {last:?}"
        );
        last = token;
        match what {
            "force_release" => assert!(operator.force_release(&lock, "").await),
            "prune" if fencing == Fencing::UntilDeletion => one.release(&held).await,
            "prune" => {
                one.release(&held).await;
                operator.prune(Duration::ZERO).await;
                assert_eq!(operator.find(&lock).await, None);
                // A record that a pause makes must not begin from the beginning either.
                operator.pause(&lock, LONG, "").await;
                assert!(operator.resume(&lock).await);
            }
            _ => {
                operator.pause(&lock, LONG, "").await;
                let shown = operator.get(&lock).await.fencing_token;
                assert!(
                    subject.is_shown(shown, token),
                    "a pause is no acquisition: {shown:?} after {token:?}"
                );
                let freed = if what.contains("force") {
                    operator.force_release(&lock, "").await
                } else {
                    operator.resume(&lock).await
                };
                assert!(freed);
            }
        }
    }
    assert!(
        one.seize(&lock, LONG).await.lease.fencing_token() > last,
        "was granted after"
    );
}

/// An operator sees that an extension moved the end of the lease and left the start unchanged.
pub async fn an_extension_is_seen(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("extended");
    let begun = operator.utc();
    let held = one.seize(&lock, LONG).await;
    let taken = operator.utc();
    let before = operator.utc();
    one.extend(&held, LONG * 2).await;
    let after = operator.utc();
    let info = operator.get(&lock).await;
    operator.assert_between("the start", info.since, begun, taken);
    operator.assert_between("the end", info.until, before + LONG * 2, after + LONG * 2);
    operator.assert_remaining(&info, before, LONG * 2);
    one.release(&held).await;
}

/// A listener receives an event for each action of an operator that changed something, and none for the other actions.
pub async fn what_an_operator_does_is_told(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let lock = fresh("told");
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let ours = lock.clone();
    let listening = SchedulerLock::listen(move |event: &LockEvent| {
        let what = match &event.kind {
            EventKind::Paused { until, reason } if *until > event.at => {
                format!("paused: {reason}")
            }
            EventKind::Resumed => "resumed".to_owned(),
            EventKind::ForceReleased { reason } => format!("released: {reason}"),
            _ => return,
        };
        // Behind a namespace, it is told under the whole name.
        if event.lock.as_str().ends_with(&ours) {
            // The case has ended if nobody is at the other end.
            let _sent = sender.send(what);
        }
    });
    let _listening = listening.expect("a thread can be had");
    assert!(!operator.resume(&lock).await && !operator.force_release(&lock, "").await);
    operator.pause(&lock, LONG, "first\n").await;
    assert!(operator.resume(&lock).await && !operator.resume(&lock).await);
    operator.pause(&lock, LONG, "second").await;
    assert!(operator.force_release(&lock, "enough").await);
    for expected in [
        "paused: first ",
        "resumed",
        "paused: second",
        "released: enough",
    ] {
        let next = soon("an event", told.recv()).await;
        assert_eq!(next.as_deref(), Some(expected));
    }
}
