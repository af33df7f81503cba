//! Unit tests of a locked job: `cargo test -p shedlock-examples --example testing_a_locked_job`.
//!
//! The program is at the top, its tests below. No test needs a server, waits for a lease, or disturbs another.
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shedlock::{
    InMemoryLockProvider, LockError, Outcome, enable_scheduler_lock, lock_assert, scheduler_lock,
};

/// What the job works on.
#[derive(Debug, Default)]
struct Mailbox {
    sent: AtomicU32,
}

impl Mailbox {
    /// Has to be called by a node that holds the lock.
    fn send(&self) {
        lock_assert!();
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// The job: whatever runs it, one node sends the mail, and not twice within an hour.
#[scheduler_lock(name = "mail", at_most = "10m", at_least = "1h")]
async fn send_mail(mailbox: Arc<Mailbox>) -> Result<Outcome<u32>, LockError> {
    mailbox.send();
    Ok(Outcome::Executed(mailbox.sent()))
}

#[tokio::main]
async fn main() -> Result<(), LockError> {
    enable_scheduler_lock!(
        provider = InMemoryLockProvider::new(),
        default_at_most = "10m"
    );
    let mailbox = Arc::new(Mailbox::default());
    println!("{:?}", send_mail(Arc::clone(&mailbox)).await?);
    println!("{:?}", send_mail(mailbox).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shedlock::testing::{self, Fault, FaultyProvider};
    use shedlock::{ErrorKind, Operation, SkipReason};

    use super::*;

    /// Each test has a store of its own, so tests run side by side although the lock has one name.
    #[tokio::test]
    async fn the_mail_is_sent_once() {
        let mailbox = Arc::new(Mailbox::default());
        testing::with_provider(InMemoryLockProvider::new(), async {
            assert_eq!(
                send_mail(Arc::clone(&mailbox)).await.unwrap(),
                Outcome::Executed(1)
            );
            assert_eq!(
                send_mail(Arc::clone(&mailbox)).await.unwrap(),
                Outcome::Skipped(SkipReason::Held)
            );
        })
        .await;
        assert_eq!(mailbox.sent(), 1);
    }

    /// The store in memory follows tokio's paused time: an hour passes at once.
    #[tokio::test(start_paused = true)]
    async fn the_mail_is_sent_again_after_an_hour() {
        let mailbox = Arc::new(Mailbox::default());
        testing::with_provider(InMemoryLockProvider::new(), async {
            let first = send_mail(Arc::clone(&mailbox)).await.unwrap();
            assert!(first.was_executed());
            tokio::time::advance(Duration::from_secs(3599)).await;
            let early = send_mail(Arc::clone(&mailbox)).await.unwrap();
            assert_eq!(early.skipped(), Some(SkipReason::Held));
            tokio::time::advance(Duration::from_secs(1)).await;
            let in_time = send_mail(Arc::clone(&mailbox)).await.unwrap();
            assert_eq!(in_time.executed(), Some(2));
        })
        .await;
    }

    /// Somebody else has the lock.
    #[tokio::test]
    async fn a_skipped_call_sends_nothing() {
        let mailbox = Arc::new(Mailbox::default());
        let outcome = testing::always_held("mail", send_mail(Arc::clone(&mailbox))).await;
        assert_eq!(outcome.unwrap(), Outcome::Skipped(SkipReason::Held));
        assert_eq!(mailbox.sent(), 0);
    }

    /// No store at all, and the lock always there: for tests of what the job does.
    #[tokio::test]
    async fn the_job_can_be_called_twice_in_a_test() {
        let mailbox = Arc::new(Mailbox::default());
        testing::always_locked(async {
            for count in 1..=2 {
                let outcome = send_mail(Arc::clone(&mailbox)).await.unwrap();
                assert_eq!(outcome.executed(), Some(count));
            }
        })
        .await;
    }

    /// A store that cannot be asked is neither "held" nor "free".
    #[tokio::test]
    async fn a_store_that_is_away_is_an_error() {
        let mailbox = Arc::new(Mailbox::default());
        let store = FaultyProvider::new(InMemoryLockProvider::new());
        store.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
        let result = testing::with_provider(store, send_mail(Arc::clone(&mailbox))).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(mailbox.sent(), 0);
    }

    /// A part of the job on its own, without the function that takes the lock.
    #[tokio::test]
    async fn a_part_of_the_job_is_tested_alone() {
        let mailbox = Mailbox::default();
        testing::asserts_pass(async { mailbox.send() }).await;
        assert_eq!(mailbox.sent(), 1);
    }

    /// The same outside of async code. It holds for this thread, so put it back.
    #[test]
    fn a_part_of_the_job_is_tested_in_a_plain_test() {
        let mailbox = Mailbox::default();
        testing::make_all_asserts_pass(true);
        mailbox.send();
        testing::make_all_asserts_pass(false);
        assert_eq!(mailbox.sent(), 1);
    }

    #[test]
    #[should_panic(expected = "lock_assert: expected this task to hold a lock")]
    fn without_the_lock_the_assert_fails() {
        Mailbox::default().send();
    }
}
