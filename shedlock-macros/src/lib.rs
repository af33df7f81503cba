//! The macros of shedlock. Use the macros through the crate `shedlock`, because the expanded code refers to that crate.
//!
//! Each macro parses its arguments, checks the arguments, and only then expands. All mistakes are reported together, and the
//! item is emitted as it was written.

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
/// Call `enable_scheduler_lock!` once, before the first locked function is called. A second call replaces everything that the
/// first call registered. The macro returns `()`.
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
/// `provider` is the default provider, for functions that name no provider. `providers` are named providers, for functions
/// with `#[scheduler_lock(provider = "name")]`. At least one of the two keys is required.
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
/// The `at_most` and `at_least` of functions that do not set them, as literals or as expressions of type `Duration`; see
/// `#[scheduler_lock]` for the grammar of the literals. `default_at_most` is required, so that no lock can stay taken forever
/// when its holder dies. `default_at_least` is zero if the key is left out.
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
/// How long one request to the store may take, for functions without a `timeout`; five seconds if the key is left out. Set a
/// longer limit for a store that starts slowly, such as a database that is stopped while nobody uses it.
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
/// The path of the crate `shedlock`, if the path is not `::shedlock`; as in `#[scheduler_lock]`.
///
/// # Panics
///
/// If a duration that is known only at run time is not valid, such as a lease of zero.
#[proc_macro]
pub fn enable_scheduler_lock(tokens: TokenStream) -> TokenStream {
    enable::enable_scheduler_lock(tokens.into()).into()
}

/// Panics unless the running task holds a lock whose lease has not ended. Of several locks, the one that was taken last counts: a function
/// that has lost its own lock is not safe by that of its caller.
///
/// Put `lock_assert!` where work must never run without the lock: a call that bypasses the lock then fails in the first test.
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
/// With a name, `lock_assert!` panics unless the task holds the lock with that name, be it the one that was taken last or not. For a lock with a
/// text as its `instant`, that is the name without the text. The name is a literal, which may format
/// variables in scope as in the `name` of `#[scheduler_lock]`, or any expression that gives a string. `crate = path` may follow.
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
/// In a unit test that runs the body without a lock, `shedlock::testing::asserts_pass` turns the check off.
///
/// # Panics
///
/// If the task holds no lock whose lease has not ended, or not the named lock. The message says which lock was expected.
#[proc_macro]
pub fn lock_assert(tokens: TokenStream) -> TokenStream {
    assert::lock_assert(tokens.into()).into()
}
