//! What the server's settings mean for locks.

use std::collections::HashMap;

use shedlock_runtime::{ErrorKind, LockError};

/// What [`RedisLockProvider::check_store`](crate::RedisLockProvider::check_store) found.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_redis::RedisLockProvider;
///
/// let provider = RedisLockProvider::connect("redis://localhost").await?;
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
    /// The server and its version, such as `Redis 7.0.15` or `Valkey 8.1.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// One warning for each setting by which the server could lose locks, with the setting to use instead. Locks work in spite of the
    /// warnings.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Reads the report from the server's answer to `INFO`.
pub(crate) fn report(info: &str) -> Result<StoreReport, LockError> {
    let fields: HashMap<_, _> = info
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let field = |name| fields.get(name).copied().unwrap_or_default();
    if field("role") == "slave" {
        return Err(LockError::new(
            ErrorKind::ReadOnly,
            "the server is a replica, which takes no writes",
        )
        .with_remedy("connect to the primary, by an address that follows it in a failover"));
    }
    let mut warnings = Vec::new();
    let policy = field("maxmemory_policy");
    if policy != "noeviction" && !policy.is_empty() {
        warnings.push(format!("`maxmemory-policy` is `{policy}`: without memory the server drops locks that are held; set `noeviction`"));
    }
    if field("aof_enabled") != "1" {
        warnings.push("`appendonly` is off: a server that crashes forgets locks that are held; set `appendonly yes`".to_owned());
    }
    if !matches!(field("connected_slaves"), "" | "0") {
        warnings.push("the server has replicas: a failover may lose the newest locks, because replicas follow later".to_owned());
    }
    let version = match field("valkey_version") {
        "" => format!("Redis {}", field("redis_version")),
        valkey => format!("Valkey {valkey}"),
    };
    Ok(StoreReport { version, warnings })
}

/// One report for all servers of a cluster, which differ by mistake alone.
pub(crate) fn merged(reports: Vec<StoreReport>) -> StoreReport {
    let mut merged = StoreReport {
        version: String::new(),
        warnings: Vec::new(),
    };
    for report in reports {
        if !merged.version.contains(&report.version) {
            let and = if merged.version.is_empty() { "" } else { ", " };
            merged.version = format!("{}{and}{}", merged.version, report.version);
        }
        let warnings = report.warnings.into_iter();
        let news: Vec<_> = warnings
            .filter(|it| !merged.warnings.contains(it))
            .collect();
        merged.warnings.extend(news);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lose_locks_is_told() {
        let safe = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\nconnected_slaves:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";
        let report = |info: &str| super::report(info).unwrap();
        assert_eq!(report(safe).version(), "Redis 7.0.15");
        assert_eq!(report(safe).warnings(), [""; 0]);
        for (from, to, told) in [
            ("noeviction", "volatile-lru", "`volatile-lru`"),
            ("aof_enabled:1", "aof_enabled:0", "`appendonly`"),
            ("slaves:0", "slaves:2", "replicas"),
        ] {
            let report = report(&safe.replace(from, to));
            assert!(
                report.warnings().len() == 1 && report.warnings()[0].contains(told),
                "{report:?}"
            );
        }
        let unsafe_too = safe
            .replace("noeviction", "volatile-lru")
            .replace("7.0.15", "7.2.4");
        let cluster = [safe, safe, &unsafe_too, &unsafe_too].map(report);
        let cluster = merged(cluster.to_vec());
        assert_eq!(cluster.version(), "Redis 7.0.15, Redis 7.2.4");
        assert_eq!(cluster.warnings().len(), 1, "{cluster:?}");
        let valkey = format!("{safe}valkey_version:8.1.1\r\n");
        assert_eq!(report(&valkey).version(), "Valkey 8.1.1");
        let replica = super::report(&safe.replace("master", "slave")).unwrap_err();
        assert_eq!(replica.kind(), ErrorKind::ReadOnly);
    }
}
