//! Nodes of a JVM fleet, run by the Maven project in `tests/jvm` on ShedLock's published artifacts.

mod build;
mod node;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use shedlock_testkit::servers::Unavailable;

pub use self::node::JavaNode;

/// The built project: what starts nodes.
#[derive(Debug, Clone)]
pub struct JavaPeer {
    class_path: PathBuf,
}

/// How a node is started.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The database, as our own providers name it: `postgres://..`, `mysql://..`, `sqlite://..`, `mongodb://..`, `zookeeper://..`,
    /// `dynamodb://region/table?endpoint=..`, or `redis://..`, with `?safeUpdate=true` for that mode.
    pub url: String,
    /// The table. Not for Redis, ZooKeeper, DynamoDB, whose table is in its URL, and MongoDB, whose collection has ShedLock's own name.
    pub table: String,
    /// Whose clock decides. Not for Redis, where the server's does, and for MongoDB, ZooKeeper and DynamoDB, where the node's own does.
    pub clock: JavaClock,
    /// The JVM's default time zone.
    pub zone: String,
}

/// Whose clock decides for a JVM node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JavaClock {
    /// `usingDbTime`.
    Database,
    /// Its own, with `forceUtcTimeZone`.
    ForcedUtc,
    /// Its own, in the JVM's default time zone: ShedLock's default.
    LocalTime,
}

impl JavaPeer {
    /// Builds the project into `target`, once per process; further processes wait for each other.
    ///
    /// # Errors
    ///
    /// What is missing: a JDK or Maven.
    ///
    /// # Panics
    ///
    /// When the project does not build.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the build still goes on to its end.
    pub async fn build(target: &Path) -> Result<&'static Self, Unavailable> {
        let target = target.to_owned();
        unblocked(move || build::once(&target)).await
    }

    /// Starts a node and waits until it is ready.
    ///
    /// # Panics
    ///
    /// When it does not become ready.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it ends the node.
    pub async fn start(&self, options: &NodeOptions) -> JavaNode {
        JavaNode::start(self.arguments(options)).await
    }

    fn arguments(&self, options: &NodeOptions) -> Vec<OsString> {
        let mut class_path = OsString::from(&self.class_path);
        class_path.push("/*");
        let mut arguments: Vec<OsString> = vec![
            // Many small nodes start faster and leave room for others.
            "-Xmx128m".into(),
            "-XX:+UseSerialGC".into(),
            "-XX:TieredStopAtLevel=1".into(),
            format!("-Duser.timezone={}", options.zone).into(),
            "-cp".into(),
            class_path,
            "shedlock.peer.Peer".into(),
        ];
        let (url, user) = jdbc(&options.url);
        arguments.extend(["--url".into(), url.into()]);
        if let Some(user) = user {
            arguments.extend(["--user".into(), user.into()]);
        }
        let clock = match options.clock {
            JavaClock::Database => "db",
            JavaClock::ForcedUtc => "utc",
            JavaClock::LocalTime => "local",
        };
        arguments.extend(["--clock".into(), clock.into()]);
        arguments.extend(["--table".into(), OsString::from(&options.table)]);
        arguments
    }
}

/// Runs what blocks beside the runtime, and passes its panic on.
async fn unblocked<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("the runtime ended while the JVM was busy: {error}"),
        },
    }
}

/// The JDBC URL of one of ours, and its user: drivers take that apart from the URL.
fn jdbc(url: &str) -> (String, Option<String>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let driver = match scheme {
        "postgres" => "postgresql",
        "mysql" => "mariadb",
        // No JDBC: the peer knows their own drivers.
        "redis" | "mongodb" | "zookeeper" | "dynamodb" => return (url.to_owned(), None),
        "sqlite" => return (format!("jdbc:sqlite:{rest}"), None),
        _ => panic!("no JDBC driver for `{url}`"),
    };
    match rest.split_once('@') {
        Some((user, address)) => (format!("jdbc:{driver}://{address}"), Some(user.to_owned())),
        None => (format!("jdbc:{driver}://{rest}"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::jdbc;

    #[test]
    fn urls_are_translated_for_the_drivers() {
        let user = Some("shedlock".to_owned());
        assert_eq!(
            jdbc("postgres://shedlock@127.0.0.1:5/x"),
            ("jdbc:postgresql://127.0.0.1:5/x".to_owned(), user.clone())
        );
        assert_eq!(
            jdbc("mysql://shedlock@127.0.0.1:5/x"),
            ("jdbc:mariadb://127.0.0.1:5/x".to_owned(), user)
        );
        assert_eq!(
            jdbc("sqlite:///tmp/x.db"),
            ("jdbc:sqlite:/tmp/x.db".to_owned(), None)
        );
        let redis = "redis://127.0.0.1:5?safeUpdate=true";
        assert_eq!(jdbc(redis), (redis.to_owned(), None));
        let mongo = "mongodb://127.0.0.1:5/x?directConnection=true";
        assert_eq!(jdbc(mongo), (mongo.to_owned(), None));
    }
}
