//! The providers and defaults that `enable_scheduler_lock!` installs.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};

use crate::hold::running;
use crate::observe::listener::{ListenerGuard, LockListener};
use crate::seam::provider::LockProvider;
use crate::values::config::{DEFAULT_TIMEOUT, check_at_most};
use crate::values::duration::{InvalidDuration, ToDuration};
use crate::values::error::{ErrorKind, LockError};
use crate::values::limit::checked_limit;

static INSTALLED: ArcSwapOption<Registry> = ArcSwapOption::const_empty();

tokio::task_local! {
    static SCOPED: Arc<TestScope>;
}

/// The providers and defaults of functions whose attributes do not name their own.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    default: Option<Arc<dyn LockProvider>>,
    named: HashMap<String, Arc<dyn LockProvider>>,
    pub(crate) at_most: Duration,
    pub(crate) at_least: Duration,
    pub(crate) timeout: Duration,
}

/// A stand-in for the registry in one task, for tests.
#[derive(Debug)]
pub(crate) struct TestScope {
    /// The registry in place of the installed one; its default provider stands in for every provider given by name.
    pub(crate) registry: Option<Arc<Registry>>,
    /// Whether the registry also stands in for providers given as expressions.
    pub(crate) overrides: bool,
    /// The name of a lock that somebody else always holds.
    pub(crate) held: Option<String>,
    pub(crate) outer: Option<Arc<TestScope>>,
}

impl Registry {
    pub(crate) fn only(provider: impl LockProvider, at_most: Duration) -> Self {
        Self {
            default: Some(Arc::new(provider)),
            named: HashMap::new(),
            at_most,
            at_least: Duration::ZERO,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// The provider called `name`, or the default.
    pub(crate) fn provider(&self, name: Option<&str>) -> Result<&Arc<dyn LockProvider>, LockError> {
        let Some(name) = name else {
            return self.default.as_ref().ok_or_else(|| {
                LockError::new(ErrorKind::NoProvider, "no default lock provider is registered")
                    .with_remedy(format!(
                        "set `provider = ..` in `enable_scheduler_lock!`, or name one in the attribute: {}",
                        self.names()
                    ))
            });
        };
        self.named.get(name).ok_or_else(|| {
            LockError::new(
                ErrorKind::NoProvider,
                format!("no lock provider is registered as `{name}`"),
            )
            .with_remedy(if self.named.is_empty() {
                format!("none has a name: add `providers = {{ \"{name}\" = .. }}` to `enable_scheduler_lock!`")
            } else {
                format!("registered are {}", self.names())
            })
        })
    }

    fn names(&self) -> String {
        let mut names: Vec<_> = self.named.keys().map(|name| format!("`{name}`")).collect();
        names.sort();
        names.join(", ")
    }
}

/// What `enable_scheduler_lock!` installed.
pub(crate) fn installed() -> Guard<Option<Arc<Registry>>> {
    INSTALLED.load()
}

/// The innermost stand-in of the running task.
pub(crate) fn scope() -> Option<Arc<TestScope>> {
    SCOPED.try_with(Arc::clone).ok()
}

pub(crate) fn scoped<F: Future>(scope: TestScope, future: F) -> impl Future<Output = F::Output> {
    SCOPED.scope(Arc::new(scope), future)
}

/// What all locks of a process share: providers and defaults, listeners, and the shutdown.
///
/// The macro `enable_scheduler_lock!` calls [`builder`](Self::builder).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{InMemoryLockProvider, SchedulerLock};
///
/// SchedulerLock::builder()
///     .provider(InMemoryLockProvider::new())
///     .named_provider("reports", InMemoryLockProvider::new())
///     .default_at_most("10m")
///     .install()?;
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SchedulerLock;

impl SchedulerLock {
    /// A builder without providers and defaults.
    pub fn builder() -> SchedulerLockBuilder {
        SchedulerLockBuilder::default()
    }

    /// Calls `listener` with every event of the locks of this process, until the guard that is returned is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if the operating system cannot start the listener's thread.
    pub fn listen(listener: impl LockListener) -> Result<ListenerGuard, LockError> {
        ListenerGuard::start(listener)
    }
}

/// Builds the registry of a process: its providers and the defaults of its locked functions.
///
/// Made by [`SchedulerLock::builder`].
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{InMemoryLockProvider, SchedulerLock};
///
/// SchedulerLock::builder()
///     .provider(InMemoryLockProvider::new())
///     .default_at_most("10m")
///     .default_at_least("30s")
///     .default_timeout("2s")
///     .install()?;
///
/// let error = SchedulerLock::builder().provider(InMemoryLockProvider::new()).install().unwrap_err();
/// assert_eq!(error.to_string(), "no default `at_most` is given; add one by `default_at_most`");
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing is registered before `install`"]
pub struct SchedulerLockBuilder {
    default: Option<Arc<dyn LockProvider>>,
    named: HashMap<String, Arc<dyn LockProvider>>,
    /// A problem and its remedy.
    wrong: Option<(String, &'static str)>,
    at_most: Option<Result<Duration, InvalidDuration>>,
    at_least: Option<Result<Duration, InvalidDuration>>,
    timeout: Option<Result<Duration, InvalidDuration>>,
}

impl SchedulerLockBuilder {
    /// Sets the provider of locked functions that name no provider.
    pub fn provider(mut self, provider: impl LockProvider) -> Self {
        if self.default.replace(Arc::new(provider)).is_some() {
            self.wrong = Some((
                "the default provider is given twice".to_owned(),
                "give one of them a name by `named_provider`",
            ));
        }
        self
    }

    /// Adds a provider for locked functions with `provider = "name"`.
    pub fn named_provider(mut self, name: impl Into<String>, provider: impl LockProvider) -> Self {
        let name = name.into();
        if name.is_empty() {
            self.wrong = Some((
                "a provider's name is empty".to_owned(),
                "give it one, such as `reports`",
            ));
        } else if self
            .named
            .insert(name.clone(), Arc::new(provider))
            .is_some()
        {
            self.wrong = Some((
                format!("provider `{name}` is given twice"),
                "give the other one another name",
            ));
        }
        self
    }

    /// Sets the lease of locked functions that have no `at_most` of their own. Required.
    pub fn default_at_most(mut self, at_most: impl ToDuration) -> Self {
        self.at_most = Some(at_most.to_duration());
        self
    }

    /// Sets the `at_least` of locked functions that have no `at_least` of their own; zero by default.
    pub fn default_at_least(mut self, at_least: impl ToDuration) -> Self {
        self.at_least = Some(at_least.to_duration());
        self
    }

    /// Sets how long one request to the store may take, for locked functions that have no `timeout` of their own. The default is five seconds.
    /// The limit is never longer than the function's `at_most`.
    ///
    /// The limit of a configuration that no attribute made is set by
    /// [`LockConfiguration::with_timeout`](crate::LockConfiguration::with_timeout).
    pub fn default_timeout(mut self, timeout: impl ToDuration) -> Self {
        self.timeout = Some(timeout.to_duration());
        self
    }

    /// Registers providers and defaults for the whole process, in place of those registered before. After a
    /// [`shutdown`](SchedulerLock::shutdown), the process takes locks again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if there is no provider, if one is given twice or with an empty name, or if there is no
    /// default `at_most`; [`ErrorKind::InvalidDuration`] if a duration is refused.
    pub fn install(self) -> Result<(), LockError> {
        let configuration = |problem: &str, remedy: &str| {
            LockError::new(ErrorKind::Configuration, problem).with_remedy(remedy)
        };
        if let Some((problem, remedy)) = self.wrong {
            return Err(configuration(&problem, remedy));
        }
        if self.default.is_none() && self.named.is_empty() {
            return Err(configuration(
                "no lock provider is given",
                "add one by `provider` or `named_provider`",
            ));
        }
        let Some(at_most) = self.at_most else {
            return Err(configuration(
                "no default `at_most` is given",
                "add one by `default_at_most`",
            ));
        };
        let refused = |key: &str, invalid: InvalidDuration| {
            LockError::new(ErrorKind::InvalidDuration, format!("`{key}`: {invalid}"))
        };
        let at_most = at_most
            .and_then(|at_most| check_at_most(at_most).map(|()| at_most))
            .map_err(|invalid| refused("default_at_most", invalid))?;
        let at_least = self
            .at_least
            .unwrap_or(Ok(Duration::ZERO))
            .map_err(|invalid| refused("default_at_least", invalid))?;
        let timeout = self
            .timeout
            .unwrap_or(Ok(DEFAULT_TIMEOUT))
            .and_then(checked_limit)
            .map_err(|invalid| refused("default_timeout", invalid))?;
        let registry = Registry {
            default: self.default,
            named: self.named,
            at_most,
            at_least,
            timeout,
        };
        INSTALLED.store(Some(Arc::new(registry)));
        running::open();
        Ok(())
    }
}
