//! Redis sentinels for tests, with the primary and the replica that they watch.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::super::{Server, Signal, Site, Standalone as _, Unavailable, blocking};
use super::cluster::wait_until;
use super::{Kind, Redis, RedisKind};

/// The name that the sentinels know the primary by.
const NAME: &str = "cache";

/// A sentinel.
pub type Sentinel = Server<SentinelKind>;

/// The [`Kind`] of a [`Sentinel`].
///
/// See [`RedisSentinels`] for an example.
#[derive(Debug, Clone)]
pub struct SentinelKind {
    redis: RedisKind,
    primary: u16,
}

/// Three sentinels, a primary and its replica. If the primary fails for a second, the sentinels promote the replica.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_testkit::Unavailable> {
/// use shedlock_testkit::servers::RedisSentinels;
///
/// let watched = RedisSentinels::start().await?;
/// # let _ = (watched.url(), watched.primary(), watched.replica());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RedisSentinels {
    primary: Redis,
    replica: Redis,
    sentinels: Vec<Sentinel>,
}

impl RedisSentinels {
    /// Starts servers that only the caller uses.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the program is missing or does not work. The error names the cause and the command that installs the program.
    pub async fn start() -> Result<Self, Unavailable> {
        blocking(|| {
            let redis = RedisKind::locate()?;
            let primary = Redis::start_as(redis.clone(), Vec::new(), Vec::new())?;
            let follow = ["--replicaof", &format!("127.0.0.1 {}", primary.port())];
            let follow = follow.map(str::to_owned).to_vec();
            let replica = Redis::start_as(redis.clone(), follow, Vec::new())?;
            let kind = SentinelKind {
                redis,
                primary: primary.port(),
            };
            let sentinels =
                (0..3).map(|_| Sentinel::start_as(kind.clone(), Vec::new(), Vec::new()));
            let sentinels = sentinels.collect::<Result<Vec<_>, _>>()?;
            for sentinel in &sentinels {
                let acquainted = wait_until(|| kind.is_acquainted(sentinel.port()));
                acquainted.map_err(|error| RedisKind::unavailable(error.to_string()))?;
            }
            Ok(Self {
                primary,
                replica,
                sentinels,
            })
        })
        .await
    }

    /// A URL with the addresses of the sentinels and the name of the primary.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses = self.sentinels.iter().map(|it| it.address().to_string());
        let addresses: Vec<_> = addresses.collect();
        format!("redis+sentinel://{}/{NAME}", addresses.join(","))
    }

    /// The server that was the primary at first.
    #[must_use]
    pub fn primary(&self) -> &Redis {
        &self.primary
    }

    /// The server that was the replica at first.
    #[must_use]
    pub fn replica(&self) -> &Redis {
        &self.replica
    }

    /// The three sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[Sentinel] {
        &self.sentinels
    }
}

impl SentinelKind {
    /// Whether the sentinel at this port knows the replica and the other sentinels.
    fn is_acquainted(&self, port: u16) -> io::Result<bool> {
        let told = self.redis.run(port, &["SENTINEL", "MASTER", NAME])?;
        let told: Vec<&str> = told.lines().collect();
        let knows = |what: [&str; 2]| told.windows(2).any(|pair| pair == what);
        Ok(knows(["num-slaves", "1"])
            && knows(["num-other-sentinels", "2"])
            && knows(["flags", "master"]))
    }
}

impl Kind for SentinelKind {
    const NAME: &'static str = "Redis sentinel";
    const ACCOUNT: &'static str = RedisKind::ACCOUNT;
    const STOP_SIGNAL: Signal = RedisKind::STOP_SIGNAL;

    fn unavailable(reason: String) -> Unavailable {
        RedisKind::unavailable(reason)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        let (port, primary) = (site.port(), self.primary);
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir \"{}\"\n\
             sentinel monitor {NAME} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 3000\n",
            site.directory().display(),
        );
        site.write(&configuration_file(site), &text)
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.redis.server.clone().into()];
        command.extend([configuration_file(site).into(), "--sentinel".into()]);
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        let file = configuration_file(site);
        let told = self.redis.run(site.port(), &["INFO", "server"]);
        told.is_ok_and(|told| told.contains(&*file.to_string_lossy()))
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

fn configuration_file(site: &Site) -> PathBuf {
    site.directory().join("sentinel.conf")
}
