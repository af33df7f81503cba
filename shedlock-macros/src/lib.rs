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

/// Makes an `async fn` run on at most one node at a time.
///
/// Each call asks the store for the lock first. A call that does not get it does not wait: it is *skipped*, and
/// returns without running the body. The lock is given back when the body returns, fails, panics or is dropped.
///
/// ```
/// use shedlock::{lock_assert, scheduler_lock};
///
/// #[scheduler_lock(name = "nightly_report", at_most = "10m", at_least = "14m")]
/// async fn nightly_report() {
///     lock_assert!();
///     // work
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// #     let provider = shedlock::InMemoryLockProvider::new();
/// #     shedlock::enable_scheduler_lock!(provider = provider, default_at_most = "10m");
/// #     nightly_report().await;
/// # }
/// ```
///
/// # Keys
///
/// The keys may stand in any order; only `name` is required.
///
/// | key | value |
/// |---|---|
/// | [`name`](#name) | a string, a format string over the arguments, or an expression |
/// | [`at_most`, `at_least`](#at_most-and-at_least) | a duration literal, or an expression of type `Duration` |
/// | [`provider`](#provider) | the name of a registered provider, or an expression |
/// | [`on_skip`](#on_skip) | what a skipped call returns; `reason: &SkipReason` is in scope |
/// | [`on_error`](#on_error) | what a call returns when the store fails; `error: LockError` is in scope |
/// | [`keep_alive`](#keep_alive) | a flag, or a period |
/// | [`on_lost`](#on_lost) | `"cancel"` or `"notify"` |
/// | [`wait`](#wait) | a duration |
/// | [`crate`](#crate) | the path of this crate, for those who re-export it |
///
/// ## `name`
///
/// Who has the same name shares the lock. A literal with placeholders is a template: they name arguments, their
/// fields, fields of `self`, or const parameters, and are formatted before the arguments move into the body. As in
/// `format!`, `{{` and `}}` stand for braces, and `:` begins a format specification.
///
/// ```
/// use shedlock::scheduler_lock;
///
/// # struct Tenant { id: u32 }
/// #[scheduler_lock(name = "sync-{region}-{tenant.id:04}", at_most = "5m")]
/// async fn sync(region: &str, tenant: Tenant) {
///     // ..
/// }
/// ```
///
/// Any other expression that gives a string is evaluated at each call:
///
/// ```
/// # use shedlock::scheduler_lock;
/// const NAME: &str = "clean_up";
///
/// #[scheduler_lock(name = NAME, at_most = "5m")]
/// async fn clean_up() {}
///
/// #[scheduler_lock(name = format!("sync-{}", tenant.to_lowercase()), at_most = "5m")]
/// async fn sync(tenant: String) {}
/// ```
///
/// ## `at_most` and `at_least`
///
/// `at_most` is the lease: how long the lock stays taken when its holder dies. `at_least` keeps it taken for that
/// long after the start, also when the body ends sooner: a node whose clock is late then finds it held. What is left
/// out comes from `enable_scheduler_lock!`.
///
/// `at_least` may be longer than `at_most`: a crash frees the lock after `at_most`, while a run that ended keeps it
/// until `at_least` has passed.
///
/// Literals are read by the compiler, so a slip in one is a compile error:
///
/// | form | examples |
/// |---|---|
/// | humantime | `"10m"`, `"1h 30m"`, `"2days"` |
/// | ISO-8601 | `"PT15M"`, `"PT1H30M"`, `"PT0.5S"`, `"P1D"` |
/// | milliseconds | `"600000"`, `600000` |
///
/// A number with a single unit of `ns`, `us`, `ms`, `s`, `m`, `h` and `d` is read in any case, as on the JVM: `"10M"`
/// is ten minutes. Elsewhere `M` is refused, as it could mean months. The longest duration is 36500 days.
///
/// ```
/// # use shedlock::scheduler_lock;
/// # use std::time::Duration;
/// struct Job {
///     lease: Duration,
/// }
///
/// impl Job {
///     #[scheduler_lock(name = "job", at_most = self.lease, at_least = "PT30S")]
///     async fn run(&self) {}
/// }
/// ```
///
/// ```compile_fail
/// # use shedlock::scheduler_lock;
/// #[scheduler_lock(name = "job", at_most = "10 minuts")] // did you mean `"10 minutes"`?
/// async fn job() {}
/// ```
///
/// ## `provider`
///
/// Which store keeps the lock. A literal names one of `enable_scheduler_lock!(providers = { .. })`; an expression is
/// a provider, and is borrowed. Without the key it is the default provider.
///
/// ```
/// # use shedlock::{InMemoryLockProvider, scheduler_lock};
/// struct Job {
///     locks: InMemoryLockProvider,
/// }
///
/// impl Job {
///     #[scheduler_lock(name = "mine", at_most = "1m", provider = &self.locks)]
///     async fn with_own_store(&self) {}
/// }
///
/// #[scheduler_lock(name = "reports", at_most = "1m", provider = "reports")]
/// async fn with_named_store() {}
/// ```
///
/// ## `on_skip`
///
/// What a skipped call returns, for types that do not say so by themselves (see [Return types](#return-types)).
/// Arguments are in scope too, unless the body moves them.
///
/// ```
/// # use shedlock::scheduler_lock;
/// enum Report {
///     Done,
///     Skipped(String),
/// }
///
/// #[scheduler_lock(name = "report", at_most = "1m", on_skip = Report::Skipped(reason.to_string()))]
/// async fn report() -> Report {
///     Report::Done
/// }
/// ```
///
/// If the return type has no place for an error either, and there is no `on_error`, a call whose store failed returns
/// this value as well, with `SkipReason::StoreError`; the error is logged. So does one that was cancelled, with
/// `SkipReason::Lost` or `SkipReason::ShuttingDown`.
///
/// ## `on_error`
///
/// What a call returns when the store fails. It did not run: a store that cannot be asked is never taken for a free
/// lock.
///
/// ```
/// # use shedlock::scheduler_lock;
/// #[scheduler_lock(name = "count", at_most = "1m", on_skip = Ok(0), on_error = Err(error.to_string()))]
/// async fn count() -> Result<u32, String> {
///     Ok(1)
/// }
/// ```
///
/// ## `keep_alive`
///
/// Extends the lock while the body runs, also while it awaits for long: every half of `at_most`, or at a period of
/// your own, which has to be shorter than `at_most`.
///
/// ```
/// # use shedlock::scheduler_lock;
/// #[scheduler_lock(name = "import", at_most = "1m", keep_alive)]
/// async fn import() {}
///
/// #[scheduler_lock(name = "export", at_most = "1m", keep_alive = "20s")]
/// async fn export() {}
/// ```
///
/// ## `on_lost`
///
/// What happens to a body whose lock has ended or was taken away: `"cancel"` drops it, `"notify"` lets it go on and
/// tells it. The default is `"cancel"` with `keep_alive` and `"notify"` without.
///
/// ```
/// # use shedlock::scheduler_lock;
/// #[scheduler_lock(name = "import", at_most = "1m", on_lost = "cancel")]
/// async fn import() {}
/// ```
///
/// ## `wait`
///
/// Keeps trying for this long before the call is skipped. A scheduled job seldom wants it: the next tick tries again
/// anyway.
///
/// ```
/// # use shedlock::scheduler_lock;
/// #[scheduler_lock(name = "migrate", at_most = "1m", wait = "5s")]
/// async fn migrate() {}
/// ```
///
/// ## `crate`
///
/// The path of this crate where it is not `::shedlock`. It has to mean the same in every module: `::name::path` or
/// `crate::path`.
///
/// ```
/// # use shedlock::scheduler_lock;
/// #[scheduler_lock(name = "job", at_most = "1m", crate = ::shedlock)]
/// async fn job() {}
/// ```
///
/// # Return types
///
/// | type | skipped | store failed |
/// |---|---|---|
/// | `()` | `()` | `()`; logged at ERROR |
/// | `Option<T>` | `None` | `None`; logged at ERROR |
/// | `Outcome<T>` | `Outcome::Skipped(reason)` | `Outcome::Skipped(SkipReason::StoreError)`; logged at ERROR |
/// | `Result<T, E>`, `T` one of these | `Ok` of the above | `Err(E::from(error))` |
/// | any other | `on_skip` | `on_error`, or else `on_skip`; logged at ERROR |
///
/// ```compile_fail
/// # use shedlock::scheduler_lock;
/// #[scheduler_lock(name = "count", at_most = "1m")] // set `on_skip`
/// async fn count() -> u32 {
///     1
/// }
/// ```
///
/// # Functions
///
/// Free functions and methods with any receiver, also in traits, with generics, lifetimes, const parameters, where
/// clauses, `impl Trait` arguments, `mut` and destructured arguments. A plain `fn` that returns `impl Future`, or a
/// boxed one, is locked with all of its block. Methods under `#[async_trait]`, and functions with `#[instrument]`,
/// `#[tokio::main]` or `#[tokio::test]` above or below, are locked as well. The future is `Send` whenever the body is.
///
/// A `fn` that is not async is refused: make it an `async fn`, with blocking work in `tokio::task::spawn_blocking`.
///
/// # Panics
///
/// Where no provider is registered, the program is at fault: a function that returns a `Result` returns the error, any
/// other panics and says what to call. `on_error`, where given, gets this error too.
///
/// # Cancel safety
///
/// A future dropped before it ended has run a part of its body, as it would without the lock. The lock is given back
/// in the background.
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
