//! What can be chosen about locks in a table.

use std::fmt;
use std::sync::Arc;

use shedlock_runtime::{Clock, SystemClock, host_node_name, node_name};

use crate::statements::LockClock;

/// What can be chosen about [`SqlLocks`](crate::SqlLocks).
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
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            node: host_node_name(),
            clock: LockClock::default(),
            time_source: Arc::new(SystemClock),
            persistent: None,
        }
    }
}

impl SqlOptions {
    /// Calls this node `name`, as [`node_name`](shedlock_runtime::node_name) makes it fit; by default it has the host's name.
    #[must_use]
    pub fn with_node_name(mut self, name: &str) -> Self {
        self.node = node_name(name);
        self
    }

    /// Says whose clock decides when a lease ends; by default the database's.
    #[must_use]
    pub fn with_clock(mut self, clock: LockClock) -> Self {
        self.clock = clock;
        self
    }

    /// Measures the holder's deadline, and the time with [`LockClock::Client`], by `time`; by default the machine's.
    #[must_use]
    pub fn with_time_source(mut self, time: Arc<dyn Clock>) -> Self {
        self.time_source = time;
        self
    }

    /// Says whether statements are prepared by name; by default they are where [`Connection::can_prepare`](crate::Connection::can_prepare)
    /// allows it, and no error of a pooler has shown otherwise.
    #[must_use]
    pub fn with_persistent_statements(mut self, persistent: bool) -> Self {
        self.persistent = Some(persistent);
        self
    }
}

impl fmt::Debug for SqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlOptions")
            .field("node", &self.node)
            .field("clock", &self.clock)
            .field("persistent", &self.persistent)
            .finish_non_exhaustive()
    }
}
