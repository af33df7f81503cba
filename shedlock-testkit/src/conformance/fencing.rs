//! Cases for fencing tokens: tokens grow with every acquisition of a lock name, for as long as the provider declares.

use std::time::Duration;

use shedlock_runtime::Fencing;

use super::fault::StoreFault;
use super::node::Held;
use super::subject::{LONG, Subject, fresh};

/// Checks that the tokens of one lock grow, in the order in which the tokens were granted.
#[derive(Default)]
struct Tokens {
    last: Option<u64>,
}

impl Tokens {
    fn see(&mut self, held: &Held) {
        let token = held.lease.fencing_token();
        assert!(
            token.is_some(),
            "the provider says that it numbers acquisitions, and this one has no token"
        );
        assert!(
            token > self.last,
            "the token {token:?} was granted after {:?}",
            self.last
        );
        self.last = token;
    }
}

/// Whether the declared fencing is at least `wanted`. If not, prints that the case is not applicable.
fn declared(subject: &Subject, wanted: Fencing) -> bool {
    let declared = subject.fencing();
    if declared < wanted {
        subject.not_applicable(&format!(
            "the provider's fencing is declared as `{declared:?}`"
        ));
    }
    declared >= wanted
}

/// A lease has a token exactly if the provider declares fencing.
pub async fn is_declared_if_there_is_any(subject: &Subject) {
    let held = subject.node("one").await.seize(&fresh("token"), LONG).await;
    let declared = subject.fencing() != Fencing::None;
    assert_eq!(
        held.lease.fencing_token().is_some(),
        declared,
        "whether leases have tokens is not what the provider declares: see `Capabilities::with_fencing`"
    );
}

/// Tokens grow across releases, across nodes and for a node that starts later.
pub async fn grows_across_releases(subject: &Subject) {
    if !declared(subject, Fencing::UntilRestart) {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("token-release");
    let mut tokens = Tokens::default();
    for round in 0..8 {
        let node = if round % 3 == 0 { &two } else { &one };
        let held = node.seize(&lock, LONG).await;
        tokens.see(&held);
        node.release(&held).await;
    }
    let late = subject.node("late").await;
    tokens.see(&late.seize(&lock, LONG).await);
}

/// Tokens grow across leases that ended without a release, which is the case that fencing exists for.
pub async fn grows_across_expiry(subject: &Subject) {
    if !declared(subject, Fencing::UntilRestart) {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("token-expiry");
    let mut tokens = Tokens::default();
    tokens.see(&one.seize(&lock, subject.short()).await);
    tokens.see(&two.seize_within(&lock, subject.short()).await);
}

/// The guard returns the token of its lease, and an extension does not change the token.
pub async fn is_the_same_for_the_whole_lease(subject: &Subject) {
    if !declared(subject, Fencing::UntilRestart) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("token-extended");
    let mut guard = one.lock(&lock, LONG, Duration::ZERO).await;
    let token = guard.fencing_token();
    assert!(token.is_some());
    guard
        .extend(LONG, Duration::ZERO)
        .await
        .expect("a live lease can be extended");
    assert_eq!(guard.fencing_token(), token);
    guard.unlock().await.expect("the store answers");
    assert!(one.seize(&lock, LONG).await.lease.fencing_token() > token);
}

/// Tokens still grow after the store was restarted.
pub async fn survives_a_restart(subject: &Subject) {
    if !declared(subject, Fencing::UntilDeletion) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("token-restart");
    let mut tokens = Tokens::default();
    for _ in 0..3 {
        let held = one.seize(&lock, LONG).await;
        tokens.see(&held);
        one.release(&held).await;
    }
    if !subject.harness().inject(StoreFault::Restart).await {
        return subject.not_applicable("the harness cannot restart the store");
    }
    let after = subject.node("after").await;
    tokens.see(&after.seize(&lock, LONG).await);
}

/// Tokens still grow after the record of the lock was deleted.
pub async fn survives_deletion(subject: &Subject) {
    if !declared(subject, Fencing::Always) {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("token-deletion");
    let mut tokens = Tokens::default();
    for node in [&one, &one, &two, &one] {
        let held = node.seize(&lock, LONG).await;
        tokens.see(&held);
        node.release(&held).await;
        if !subject.harness().delete(&lock).await {
            return subject.not_applicable("the harness cannot delete a record");
        }
    }
}
