//! What the server's settings mean for locks.

use std::collections::HashMap;

use shedlock_runtime::LockError;
use tracing::warn;

use crate::error;

/// What [`MemcachedLockProvider::check_store`](crate::MemcachedLockProvider::check_store) found.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_memcached::MemcachedLockProvider;
///
/// let provider = MemcachedLockProvider::connect("memcached://localhost").await?;
/// for warning in provider.check_store().await?.warnings() {
///     eprintln!("locks may be lost: {warning}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReport {
    version: String,
    warnings: Vec<String>,
}

impl StoreReport {
    /// The server and its version, such as `Memcached 1.6.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// One warning for each way in which the server could lose locks, with the setting that prevents it, if there is one. There is at least one
    /// warning: no setting keeps locks over a restart. Locks work in spite of the warnings.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The server's answers to `stats` and `stats settings`, which each new connection asks for.
#[derive(Debug)]
pub(crate) struct Settings {
    /// When the server was started, in microseconds since 1970.
    pub(crate) started: u64,
    pub(crate) report: StoreReport,
}

impl Settings {
    /// Reads the settings. A server that cannot keep locks is an error: without CAS it cannot change a record on a condition.
    pub(crate) fn read(stats: &HashMap<String, String>) -> Result<Self, LockError> {
        let text = |name| stats.get(name).map(String::as_str).unwrap_or_default();
        let number = |name| text(name).parse::<u64>().ok();
        let (Some(time), Some(uptime)) = (number("time"), number("uptime")) else {
            return Err(error::no_server_of_its_own());
        };
        match text("cas_enabled") {
            "yes" => {}
            "no" => return Err(error::without_cas()),
            _ => return Err(error::no_server_of_its_own()),
        }
        let mut warnings = vec![
            "the server keeps locks in memory alone: its restart frees all of them".to_owned(),
        ];
        if text("evictions") != "off" {
            warnings.push(
                "evictions are on: without memory the server drops locks that are held; give locks a server of their own, started with `-M`"
                    .to_owned(),
            );
        }
        if text("flush_enabled") != "no" {
            warnings.push(
                "`flush_all` is allowed, and frees all locks; start the server with `-F`"
                    .to_owned(),
            );
        }
        Ok(Self {
            started: time.saturating_sub(uptime).saturating_mul(1_000_000),
            report: StoreReport {
                version: format!("Memcached {}", text("version")),
                warnings,
            },
        })
    }
}

/// Says in the log that the server may lose locks, and how.
pub(crate) fn warn_of(report: &StoreReport, server: &str) {
    warn!(
        target: "shedlock",
        event = "store.volatile",
        lock.provider = "memcached",
        "`{server}` may lose locks that are held, and a job may then run on two nodes at once: {}",
        report.warnings.join("; ")
    );
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::ErrorKind;

    use super::*;

    const SAFE: &str = "pid 7|uptime 5|time 1700000005|version 1.6.18|cas_enabled yes|evictions off|flush_enabled no";

    fn read(stats: &str) -> Result<Settings, LockError> {
        let pairs = stats.split('|').filter_map(|line| line.split_once(' '));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Settings::read(&pairs.collect())
    }

    #[test]
    fn what_would_lose_locks_is_told() {
        let safe = read(SAFE).unwrap();
        assert_eq!(safe.started, 1_700_000_000_000_000);
        assert_eq!(safe.report.version(), "Memcached 1.6.18");
        assert!(matches!(safe.report.warnings(), [one] if one.contains("restart")));
        for (from, to, told) in [
            ("evictions off", "evictions on", "`-M`"),
            ("flush_enabled no", "flush_enabled yes", "`-F`"),
        ] {
            let report = read(&SAFE.replace(from, to)).unwrap().report;
            assert!(
                matches!(report.warnings(), [_, one] if one.contains(told)),
                "{report:?}"
            );
        }
    }

    #[test]
    fn what_cannot_keep_locks_is_refused() {
        for (from, to, told) in [
            ("cas_enabled yes", "cas_enabled no", "`-C`"),
            ("cas_enabled yes", "cas yes", "proxy"),
            ("uptime 5", "uptime", "proxy"),
        ] {
            let refused = read(&SAFE.replace(from, to)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unsupported);
            assert!(refused.to_string().contains(told), "{refused}");
        }
    }
}
