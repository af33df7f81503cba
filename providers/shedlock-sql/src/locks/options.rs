//! The options of locks in a table.

use std::fmt;
use std::sync::Arc;

use shedlock_runtime::{Clock, HistoryOptions, SystemClock, host_node_name, node_name};

use super::history::History;
use crate::names::Names;
use crate::statements::LockClock;

/// The options of [`SqlLocks`](crate::SqlLocks).
///
/// # Examples
///
/// ```
/// use shedlock_sql::{LockClock, SqlOptions};
///
/// let options = SqlOptions::default().with_clock(LockClock::Client);
/// assert!(format!("{options:?}").contains("Client"));
/// ```
#[derive(Clone)]
pub struct SqlOptions {
    pub(super) node: Arc<str>,
    pub(super) clock: LockClock,
    pub(super) time_source: Arc<dyn Clock>,
    pub(super) persistent: Option<bool>,
    pub(super) history: Option<History>,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            node: host_node_name(),
            clock: LockClock::default(),
            time_source: Arc::new(SystemClock),
            persistent: None,
            history: None,
        }
    }
}

impl SqlOptions {
    /// Sets the name of this node, adjusted by [`node_name`](shedlock_runtime::node_name). The default is the host's name.
    #[must_use]
    pub fn with_node_name(mut self, name: &str) -> Self {
        self.node = node_name(name);
        self
    }

    /// Sets the clock by which a lease ends. The default is the database server's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: LockClock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the clock by which this node measures the holder's deadline and, with [`LockClock::Client`], the time of day. The default is
    /// the system's clock.
    #[must_use]
    pub fn with_time_source(mut self, time: Arc<dyn Clock>) -> Self {
        self.time_source = time;
        self
    }

    /// Sets whether statements are prepared by name. By default they are, if [`Connection::can_prepare`](crate::Connection::can_prepare)
    /// allows that and no error of a pooler has shown that prepared statements get lost.
    #[must_use]
    pub fn with_persistent_statements(mut self, persistent: bool) -> Self {
        self.persistent = Some(persistent);
        self
    }

    /// Keeps a history of runs in the table of these names, which are from [`Names::history`].
    #[must_use]
    pub fn with_history(mut self, table: Names, options: HistoryOptions) -> Self {
        self.history = Some(History::new(table, options));
        self
    }
}

impl fmt::Debug for SqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlOptions")
            .field("node", &self.node)
            .field("clock", &self.clock)
            .field("persistent", &self.persistent)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}
