//! The macros of shedlock. Use them through the `shedlock` crate, which their expansions name.
//!
//! Each macro reads its arguments, checks them, and only then expands; what is wrong is reported
//! together, beside the item as it was written.

mod assert;
mod crate_path;
mod diagnostics;
mod duration;
mod enable;
mod fallback;
mod job_fn;
mod keyed;
mod name;
mod scheduler_lock;

#[cfg(test)]
mod expansion_tests;
#[cfg(test)]
mod robustness_tests;

use proc_macro::TokenStream;

#[doc = include_str!("scheduler_lock.md")]
#[proc_macro_attribute]
pub fn scheduler_lock(args: TokenStream, item: TokenStream) -> TokenStream {
    scheduler_lock::scheduler_lock(args.into(), &item.into()).into()
}

/// Registers the lock providers and the defaults of this process.
///
/// Call it once, before the first locked function is called; a second call replaces what the first registered. It
/// returns `()`.
///
/// ```
/// use shedlock::{InMemoryLockProvider, enable_scheduler_lock};
///
/// let provider = InMemoryLockProvider::new();
/// enable_scheduler_lock!(provider = provider, default_at_most = "10m", default_at_least = "0s");
/// ```
///
/// # Keys
///
/// The keys may stand in any order.
///
/// ## `provider` and `providers`
///
/// `provider` is the store of functions that name none. `providers` are those for `#[scheduler_lock(provider =
/// "name")]`. At least one of the keys has to be there.
///
/// ```
/// use shedlock::{InMemoryLockProvider, enable_scheduler_lock};
///
/// enable_scheduler_lock!(
///     provider = InMemoryLockProvider::new(),
///     providers = {
///         "reports" = InMemoryLockProvider::new(),
///         "mails" = InMemoryLockProvider::new(),
///     },
///     default_at_most = "10m",
/// );
/// ```
///
/// ## `default_at_most` and `default_at_least`
///
/// The durations of functions that give none, as literals or as expressions of type `Duration`; see
/// `#[scheduler_lock]` for the grammar. `default_at_most` is required, so that no lock can stay taken forever when
/// its holder dies. `default_at_least` is zero if it is not given.
///
/// ```
/// use shedlock::{InMemoryLockProvider, enable_scheduler_lock};
/// use std::time::Duration;
///
/// let lease = Duration::from_secs(600);
/// enable_scheduler_lock!(provider = InMemoryLockProvider::new(), default_at_most = lease);
/// ```
///
/// ```compile_fail
/// use shedlock::{InMemoryLockProvider, enable_scheduler_lock};
///
/// enable_scheduler_lock!(provider = InMemoryLockProvider::new()); // missing `default_at_most`
/// ```
///
/// ## `default_timeout`
///
/// How long one question to the store may take for functions without a `timeout`: five seconds if it is not given. A
/// store that takes longer to wake, such as a database that sleeps while nobody asks it, needs a longer one.
///
/// ```
/// use shedlock::{InMemoryLockProvider, enable_scheduler_lock};
///
/// enable_scheduler_lock!(
///     provider = InMemoryLockProvider::new(),
///     default_at_most = "10m",
///     default_timeout = "30s",
/// );
/// ```
///
/// ## `crate`
///
/// The path of this crate where it is not `::shedlock`, as in `#[scheduler_lock]`.
///
/// # Panics
///
/// If a duration that is only known at run time cannot be used, such as a lease of zero.
#[proc_macro]
pub fn enable_scheduler_lock(tokens: TokenStream) -> TokenStream {
    enable::enable_scheduler_lock(tokens.into()).into()
}

/// Panics unless the running task holds a live lock.
///
/// Put it where work must never run without the lock, so that a call which bypasses it is found in the first test. It
/// looks at the lease: a lock that has ended is not held.
///
/// ```
/// use shedlock::{lock_assert, scheduler_lock};
///
/// #[scheduler_lock(name = "nightly_report", at_most = "10m")]
/// async fn nightly_report() {
///     lock_assert!();
///     lock_assert!("nightly_report");
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// #     let provider = shedlock::InMemoryLockProvider::new();
/// #     shedlock::enable_scheduler_lock!(provider = provider, default_at_most = "10m");
/// #     nightly_report().await;
/// # }
/// ```
///
/// With a name it asks for that lock: a literal, which may format variables in scope as in the `name` of
/// `#[scheduler_lock]`, or any expression that gives a string. `crate = path` may follow.
///
/// ```
/// use shedlock::{lock_assert, scheduler_lock};
///
/// #[scheduler_lock(name = "sync-{tenant}", at_most = "10m")]
/// async fn sync(tenant: &str) {
///     lock_assert!("sync-{tenant}");
/// }
/// ```
///
/// In a test of the body alone, `shedlock::testing::asserts_pass` lets it pass.
///
/// # Panics
///
/// If the task holds no live lock, or not the one that is named; the message says what was expected.
#[proc_macro]
pub fn lock_assert(tokens: TokenStream) -> TokenStream {
    assert::lock_assert(tokens.into()).into()
}
