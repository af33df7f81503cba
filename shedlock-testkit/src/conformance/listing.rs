//! Cases for the list of locks that an operator reads.

use shedlock_runtime::{LockInfo, Selection};

use super::subject::{LONG, Subject, fresh};

/// The list contains held locks and paused locks, sorted by the bytes of their names.
pub async fn lists_what_is_held_and_paused(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    // In an order that only bytes have, and not the one in which they are made.
    let stem = fresh("");
    let [upper, lower, accent] = ["B", "a", "é"].map(|first| format!("{first}{stem}"));
    operator.pause(&accent, LONG, "upkeep").await;
    let held = one.seize(&lower, LONG).await;
    let other = one.seize(&upper, LONG).await;

    let listed = operator.list().await;
    let ours = listed.iter().filter(|info| info.name.ends_with(&stem));
    let ours: Vec<_> = ours
        .map(|info| (info.name.as_str(), info.is_held(), info.paused))
        .collect();
    let expected = [
        (upper.as_str(), true, false),
        (&lower, true, false),
        (&accent, true, true),
    ];
    assert_eq!(
        ours, expected,
        "name, whether it is taken, whether it is paused"
    );
    assert!(
        listed.iter().all(|info| info.problem.is_none()),
        "nothing is wrong with any: {listed:?}"
    );
    let alone = operator.get(&upper).await;
    let mut among = listed.iter().filter(|info| info.name == upper);
    assert!(
        among.all(|info| info.node == alone.node && info.fencing_token == alone.fencing_token),
        "both ways to look say the same: {listed:?} {alone:?}"
    );
    one.release(&held).await;
    one.release(&other).await;
}

/// A list by prefix contains exactly the locks whose names begin with the bytes of the prefix.
pub async fn reads_by_prefix(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let stem = fresh("Prefix");
    let [ours, longer, other] = ["", ":a", "2"].map(|rest| format!("{stem}{rest}"));
    for lock in [&ours, &longer, &other] {
        one.seize(lock, LONG).await;
    }
    let read = async |prefix: &str| {
        let read = operator.admin().records(Selection::Prefix(prefix)).await;
        let read = read.unwrap_or_else(|error| panic!("the records can be read: {error:?}"));
        let mut names: Vec<_> = read.into_iter().map(|info| info.name).collect();
        names.sort();
        names
    };
    assert_eq!(read(&longer).await, std::slice::from_ref(&longer));
    assert_eq!(read(&stem).await, [ours, other, longer]);
    assert!(read(&stem.to_lowercase()).await.is_empty());
}

/// The list contains a free lock exactly if the store keeps records of free locks.
pub async fn lists_what_is_free(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("free");
    one.must_be_free(&lock).await;
    let listed = operator.list().await.into_iter();
    let ours: Vec<_> = listed.filter(|info| info.name == lock).collect();
    let is_free = |info: &LockInfo| !info.is_held() && !info.paused;
    assert!(ours.iter().all(is_free), "{ours:?}");
    let keeps = subject.capabilities().keeps_free_records();
    assert_eq!(ours.len(), usize::from(keeps), "the capabilities say so");
    assert_eq!(operator.find(&lock).await.is_some(), keeps);
}

/// A lock without a record is unknown to every action of an operator, even if a similarly named lock exists.
pub async fn an_unknown_name_is_none(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("Known");
    let held = one.seize(&lock, LONG).await;
    for unknown in [fresh("unknown"), lock.to_lowercase(), format!("{lock} ")] {
        assert_eq!(operator.find(&unknown).await, None);
        assert!(!operator.force_release(&unknown, "").await);
        assert!(!operator.resume(&unknown).await);
        assert_eq!(
            operator.find(&unknown).await,
            None,
            "asking makes no record"
        );
    }
    one.extend(&held, LONG).await;
    one.release(&held).await;
}
