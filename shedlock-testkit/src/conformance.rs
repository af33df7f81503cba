//! The conformance suite: one `#[test]` for each promise of shedlock that a single provider can be tested for.
//!
//! The author of a provider implements [`Harness`], which makes providers over one store, and calls [`conformance!`](crate::conformance!).
//! Each optional method of the harness enables more cases. A case passes without testing anything if the provider's
//! [`Capabilities`](shedlock_runtime::Capabilities) do not include the feature or the harness lacks the method. Such a case prints a line
//! that starts with `NOT APPLICABLE` and gives the reason. The standard test harness hides what a passed test prints: run
//! `cargo test -- --nocapture` to see these lines.
//!
//! ```
//! use std::sync::Arc;
//! use shedlock_runtime::{InMemoryLockProvider, LockProvider, async_trait};
//! use shedlock_testkit::conformance::Harness;
//!
//! /// One store of the provider under test.
//! struct InMemory(InMemoryLockProvider);
//!
//! impl InMemory {
//!     /// Each case gets a store of its own. With a server in it, this would give a
//!     /// `Result<Self, Unavailable>`: without the server, the cases are skipped.
//!     async fn fresh() -> Self {
//!         Self(InMemoryLockProvider::new())
//!     }
//! }
//!
//! #[async_trait]
//! impl Harness for InMemory {
//!     fn answers_at_once(&self) -> bool {
//!         true
//!     }
//!
//!     async fn node(&self, _name: &str) -> Arc<dyn LockProvider> {
//!         Arc::new(self.0.clone())
//!     }
//! }
//!
//! shedlock_testkit::conformance!(in_memory, InMemory::fresh());
//! # fn main() {}
//! ```
//!
//! The tests are named `in_memory::basics::is_taken_and_given_back` and so on. A case compares the store's answers with the monotonic clock
//! of the machine on which the tests and all nodes run.

#![expect(
    clippy::missing_panics_doc,
    reason = "a case panics when the provider fails it"
)]

pub mod admin;
pub mod ambiguity;
pub mod at_least;
pub mod basics;
mod cases;
pub mod claims;
pub mod contention;
pub mod errors;
pub mod extending;
mod fault;
pub mod fencing;
pub mod forcing;
mod harness;
pub mod healing;
pub mod history;
pub mod late;
pub mod listing;
mod macros;
pub mod names;
mod node;
mod operator;
pub mod owner;
pub mod pausing;
pub mod positions;
pub mod processes;
pub mod pruning;
pub mod releasing;
pub mod resuming;
mod subject;
pub mod takeovers;
pub mod time;
mod wrong_clock;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

pub use self::fault::StoreFault;
pub use self::harness::{Broken, Harness, IntoHarness, Peek, Stored};
pub use self::subject::Subject;
pub use self::wrong_clock::WrongClock;

/// The longest time that one case may take. A case that takes longer is assumed to hang, and fails.
const CASE_TIMEOUT: Duration = Duration::from_secs(180);

/// Runs one case in its own async runtime, with the harness that `setup` returns.
///
/// # Panics
///
/// If the provider fails the case, or if the case does not end within 180 seconds.
pub fn run<S: IntoHarness>(
    test: &'static str,
    setup: impl Future<Output = S>,
    case: impl AsyncFnOnce(&Subject),
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.unwrap_or_else(|error| panic!("failed to start a runtime: {error}"));
    let work = async {
        let harness = match setup.await.into_harness() {
            Ok(harness) => harness,
            Err(unavailable) => return crate::skip::skip_unavailable(test, &unavailable),
        };
        case(&Subject::new(test, harness).await).await;
    };
    let limited = async {
        let outcome = tokio::time::timeout(CASE_TIMEOUT, work).await;
        assert!(
            outcome.is_ok(),
            "the case did not end within {CASE_TIMEOUT:?}"
        );
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(limited)));
    // Dropping the runtime instead would wait for a call that hangs.
    runtime.shutdown_background();
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}
