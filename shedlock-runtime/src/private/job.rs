//! One call of an annotated function: what its attribute says, and the provider and the configuration that it has.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::instant::Instant;
use crate::process::registry;
use crate::run::context;
use crate::seam::provider::LockProvider;
use crate::testing;
use crate::values::claim::claim_name;
use crate::values::config::{DEFAULT_TIMEOUT, Durations, LockConfiguration};
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;
use crate::values::options::{KeepAlive, OnLost, RunOptions};
use crate::values::position::Wanted;

/// One call of an annotated function.
#[derive(Debug)]
#[must_use = "a job does nothing before it is run"]
pub struct Job {
    name: JobName,
    at_most: Option<Duration>,
    at_least: Option<Duration>,
    timeout: Option<Duration>,
    provider: ProviderChoice,
    options: RunOptions,
}

#[derive(Debug)]
enum JobName {
    Static(&'static str),
    Owned(String),
    /// A name, and the text that names the run. Boxed, because each call carries its name with it, and few have a text.
    WithText(Box<(JobName, String)>),
}

#[derive(Debug)]
enum ProviderChoice {
    Registered(Option<&'static str>),
    Given(Arc<dyn LockProvider>),
}

impl JobName {
    fn as_str(&self) -> &str {
        match self {
            Self::Static(name) => name,
            Self::Owned(name) => name,
            Self::WithText(both) => both.0.as_str(),
        }
    }

    fn to_lock_name(&self) -> Result<LockName, LockError> {
        let name = match self {
            Self::Static(name) => LockName::from_static(name),
            other => LockName::new(other.as_str()),
        };
        name.map_err(|invalid| LockError::of_name(&invalid, self.as_str()))
    }
}

impl Job {
    /// A job named by a literal.
    pub const fn named(name: &'static str) -> Self {
        Self::new(JobName::Static(name))
    }

    /// A job named by a format string over the function's arguments.
    pub fn formatted(name: fmt::Arguments<'_>, template: &'static str) -> Self {
        let mut job = Self::new(JobName::Owned(name.to_string()));
        job.options.template = Some(template);
        job
    }

    /// A job named by an expression.
    pub fn named_by(name: impl AsRef<str>) -> Self {
        Self::new(JobName::Owned(name.as_ref().to_owned()))
    }

    const fn new(name: JobName) -> Self {
        let provider = ProviderChoice::Registered(None);
        Self {
            name,
            at_most: None,
            at_least: None,
            timeout: None,
            provider,
            options: RunOptions::DEFAULT,
        }
    }

    /// `at_most = "10m"`.
    pub const fn at_most(mut self, at_most: Duration) -> Self {
        self.at_most = Some(at_most);
        self
    }

    /// `at_least = "14m"`.
    pub const fn at_least(mut self, at_least: Duration) -> Self {
        self.at_least = Some(at_least);
        self
    }

    /// `timeout = "2s"`.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A provider registered by name.
    pub fn provider_named(mut self, name: &'static str) -> Self {
        self.provider = ProviderChoice::Registered(Some(name));
        self
    }

    /// A provider given by an expression.
    pub fn provider(mut self, provider: Arc<dyn LockProvider>) -> Self {
        self.provider = ProviderChoice::Given(provider);
        self
    }

    /// `keep_alive`, with the default period.
    pub const fn keep_alive(mut self) -> Self {
        self.options.keep_alive = KeepAlive::HalfLease;
        self
    }

    /// `keep_alive = "1s"`.
    pub const fn keep_alive_every(mut self, period: Duration) -> Self {
        self.options.keep_alive = KeepAlive::Every(period);
        self
    }

    /// `wait = "5s"`.
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.options.wait = wait;
        self
    }

    /// `once_per = "1h"`.
    pub const fn once_per(mut self, period: Duration) -> Self {
        self.options.wanted = Some(Wanted::Slot(period));
        self
    }

    /// `instant = due`.
    pub fn instant(mut self, instant: Instant) -> Self {
        match instant {
            Instant::Time(due) => self.options.wanted = Some(Wanted::Instant(due)),
            Instant::Text(text) => {
                self.options.wanted = Some(Wanted::Claim);
                self.name = JobName::WithText(Box::new((self.name, text)));
            }
        }
        self
    }

    /// `step = 2`.
    pub const fn step(mut self, step: u64) -> Self {
        self.options.wanted = Some(Wanted::Step(step));
        self
    }

    /// `attempts = 3`.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.options.attempts = Some(attempts);
        self
    }

    /// `on_lost = "cancel"`.
    pub const fn on_lost_cancel(mut self) -> Self {
        self.options.on_lost = Some(OnLost::Cancel);
        self
    }

    /// `on_lost = "notify"`.
    pub const fn on_lost_notify(mut self) -> Self {
        self.options.on_lost = Some(OnLost::Notify);
        self
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Finds the provider and the configuration of this call.
    pub(super) fn resolve(&self) -> Result<ResolvedCall, LockError> {
        let given = matches!(self.provider, ProviderChoice::Given(_));
        let scoped = testing::resolve(self.name(), given);
        let installed;
        let registry = if scoped.registry.is_some() {
            scoped.registry.as_deref()
        } else {
            installed = registry::installed();
            installed.as_deref()
        };
        let provider = match (&scoped.provider, &self.provider) {
            (Some(provider), _) | (None, ProviderChoice::Given(provider)) => provider,
            (None, ProviderChoice::Registered(wanted)) => {
                registry.ok_or_else(nothing_installed)?.provider(*wanted)?
            }
        };
        let claim = match &self.name {
            JobName::WithText(both) => Some(claim_name(&both.0.to_lock_name()?, &both.1)?),
            _ => None,
        };
        let wanted = claim.as_ref().map_or(self.name(), LockName::as_str);
        if context::holds(&**provider, wanted, self.options.wanted)? {
            return Ok(ResolvedCall::Nested);
        }
        let name = match claim {
            Some(claim) => claim,
            None => self.name.to_lock_name()?,
        };
        let Some(at_most) = self.at_most.or(registry.map(|registry| registry.at_most)) else {
            let problem = "it has no `at_most`, and there is no default";
            return Err(LockError::new(ErrorKind::Configuration, problem)
                .with_remedy("give the attribute one, or a default to `enable_scheduler_lock!`"));
        };
        let at_least = self.at_least.or(registry.map(|registry| registry.at_least));
        let timeout = self.timeout.or(registry.map(|registry| registry.timeout));
        let durations = Durations {
            at_most,
            at_least: at_least.unwrap_or(Duration::ZERO),
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        };
        let config = LockConfiguration::for_job(name, durations, &self.options)?;
        Ok(ResolvedCall::Locked(Arc::clone(provider), config))
    }
}

/// How the body of one call is run.
pub(super) enum ResolvedCall {
    /// At once, because the task holds this very lock.
    Nested,
    /// With a lock of its own.
    Locked(Arc<dyn LockProvider>, LockConfiguration),
}

fn nothing_installed() -> LockError {
    LockError::new(ErrorKind::NoProvider, "no lock provider is registered").with_remedy(
        "call `enable_scheduler_lock!(provider = .., default_at_most = \"10m\")` before the first locked call, \
         or `shedlock::testing::with_provider` in a test",
    )
}
