//! What a program builds and mounts.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use shedlock_runtime::{LockAdmin, LockError, LockListener, ToDuration, printable};
use tokio::sync::{Semaphore, watch};

use super::operators::{Operator, Operators, misconfigured};
use super::reader::Reader;
use super::site::Site;
use super::skips::{SkipListener, Skips};
use super::{MOST_STREAMS, routes};

const TITLE: &str = "Locks";
const REFRESH: Duration = Duration::from_secs(2);
const SHORTEST_REFRESH: Duration = Duration::from_millis(200);
const LONGEST_REFRESH: Duration = Duration::from_secs(60 * 60);
const LONGEST_TITLE: usize = 100;

/// The locks of a store as a web page and as JSON: an [`axum::Router`] to serve, or to mount in a program's own.
///
/// The page works without JavaScript, under any path, and loads nothing from elsewhere. The store is read only while somebody looks, once for
/// all who look. Unless the dashboard has [operators](DashboardBuilder::operator), it only reads. A clone is the same dashboard.
///
/// Whoever can reach the page can read the names of locks and nodes, and the texts of errors in the history of runs. The dashboard does not ask
/// readers who they are: mount it where only operators can reach it.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use shedlock_dashboard::Dashboard;
/// use shedlock_runtime::InMemoryLockProvider;
///
/// let dashboard = Dashboard::builder(Arc::new(InMemoryLockProvider::new())).build()?;
/// let app: Router = Router::new().nest("/locks", dashboard.router());
/// # let _ = app;
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dashboard(Arc<Site>);

impl Dashboard {
    /// Begins a dashboard of the locks of `store`.
    pub fn builder(store: Arc<dyn LockAdmin>) -> DashboardBuilder {
        DashboardBuilder {
            store,
            title: TITLE.to_owned(),
            refresh: Ok(REFRESH),
            operators: Vec::new(),
            hosts: Vec::new(),
        }
    }

    /// The routes: `/` with the page, `/api/v1` with the JSON, `/healthz`. They work under any path, by [`Router::nest`],
    /// [`Router::nest_service`], or behind a proxy.
    ///
    /// If a proxy removes a path before it passes a request on, open the page with a slash at the end of that path.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.0))
    }

    /// A listener that remembers the last 4,096 skips of this process, so that the page shows them.
    ///
    /// Skips are in no store, so the page can only show those of the process that serves the page, and says so.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use shedlock_dashboard::Dashboard;
    /// use shedlock_runtime::{InMemoryLockProvider, SchedulerLock};
    ///
    /// let dashboard = Dashboard::builder(Arc::new(InMemoryLockProvider::new())).build()?;
    /// SchedulerLock::listen(dashboard.listener())?.detach();
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    #[must_use = "a listener hears nothing until `SchedulerLock::listen` gets it"]
    pub fn listener(&self) -> impl LockListener + use<> {
        SkipListener::new(&self.0.skips)
    }

    /// Ends the streams of events that are open. A browser opens its stream again if the server is still there.
    ///
    /// A server that waits for its open requests before it stops would wait for these streams for ever: call this when it begins to stop.
    pub fn end_streams(&self) {
        self.0.ended.send_modify(|times| *times += 1);
    }
}

/// Builds a [`Dashboard`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use shedlock_dashboard::Dashboard;
/// use shedlock_runtime::InMemoryLockProvider;
///
/// # let token = "jM0wd8pXq2Rk7vTz";
/// let dashboard = Dashboard::builder(Arc::new(InMemoryLockProvider::new()))
///     .title("Locks of the billing cluster")
///     .refresh("5s")
///     .operator("ada", token)
///     .build()?;
/// # let _ = dashboard;
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct DashboardBuilder {
    store: Arc<dyn LockAdmin>,
    title: String,
    refresh: Result<Duration, LockError>,
    /// Names, each with the result of a check of the token.
    operators: Vec<Result<Operator, LockError>>,
    hosts: Vec<String>,
}

impl DashboardBuilder {
    /// Sets the title of the page, at most 100 characters; `Locks` if it is not set.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets how long the dashboard waits between two reads of the store while somebody looks, from 200 ms to an hour; two seconds if it is not
    /// set.
    pub fn refresh(mut self, refresh: impl ToDuration) -> Self {
        self.refresh = refresh.to_duration().map_err(LockError::from);
        self
    }

    /// Adds an operator: somebody who may pause, resume and release locks by force. Whoever has the `token` is this operator, and the
    /// operator's `name` is in the reason of everything that is done with it.
    ///
    /// Without operators, the dashboard only reads. The dashboard keeps a SHA-256 hash of the token and not the token. A token travels with
    /// each request, so serve the page over TLS unless it stays on one machine.
    pub fn operator(mut self, name: impl Into<String>, token: &str) -> Self {
        self.operators.push(Operator::new(name.into(), token));
        self
    }

    /// Answers requests for `host`, and with status 421 those for hosts that no call names. Without a call, the dashboard answers for all hosts.
    ///
    /// Name the hosts of a page that only this machine can reach, such as `localhost`. Otherwise a web page of another site could read it: that
    /// site gives one of its own names the address 127.0.0.1. A port in a request is not compared; an IPv6 address stands in brackets.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into().to_ascii_lowercase());
        self
    }

    /// Builds the dashboard. Sends nothing to the store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the title is empty or too long, if the time between two reads is out of range, or if an operator has no
    /// name, a token with fewer than 16 characters, or the name or token of another operator.
    /// [`ErrorKind::InvalidDuration`](shedlock_runtime::ErrorKind::InvalidDuration) if the time between two reads cannot be parsed.
    pub fn build(self) -> Result<Dashboard, LockError> {
        let title = printable(self.title.trim()).into_owned();
        if title.is_empty() || title.chars().count() > LONGEST_TITLE {
            return Err(misconfigured(format!(
                "the title of the dashboard has {} characters, and not from 1 to {LONGEST_TITLE}",
                title.chars().count()
            )));
        }
        let refresh = self.refresh?;
        if !(SHORTEST_REFRESH..=LONGEST_REFRESH).contains(&refresh) {
            return Err(misconfigured(format!(
                "the dashboard is to read the store every {}, which is not between {} and {}",
                humantime::format_duration(refresh),
                humantime::format_duration(SHORTEST_REFRESH),
                humantime::format_duration(LONGEST_REFRESH),
            )));
        }
        let operators = Operators::new(self.operators)?;
        Ok(Dashboard(Arc::new(Site {
            reader: Reader::new(Arc::clone(&self.store), refresh),
            skips: Arc::new(Skips::new(self.store.info().name())),
            store: self.store,
            title,
            refresh,
            operators,
            hosts: self.hosts,
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
            ended: watch::Sender::new(0),
        })))
    }
}
