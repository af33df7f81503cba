//! Whether the tokio runtime has ended in which a client was made.

use std::future::pending;

use tokio::task::JoinHandle;

/// Tells whether the tokio runtime has ended in which the value was created.
///
/// Many drivers read their connection in a task of the runtime in which the connection was opened. When that runtime ends, such a client
/// answers nobody, and does not say why. A provider outlives runtimes where it is in a `static`, or serves several tests. So a provider keeps
/// a `RuntimeWatch` beside each client that it opens, and opens another client once the runtime has ended.
///
/// The value holds one task, which never runs and is aborted when the value is dropped.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::RuntimeWatch;
/// use tokio::runtime::Runtime;
///
/// # fn main() -> std::io::Result<()> {
/// let first = Runtime::new()?;
/// let watch = first.block_on(async { RuntimeWatch::current() });
/// assert!(!watch.has_ended());
///
/// drop(first);
/// assert!(watch.has_ended());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RuntimeWatch(JoinHandle<()>);

impl RuntimeWatch {
    /// Watches the runtime of the running task.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn current() -> Self {
        Self(tokio::spawn(pending()))
    }

    /// Whether the runtime has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for RuntimeWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
