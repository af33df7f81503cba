//! A cluster of Redis servers for tests.

use std::io;
use std::time::{Duration, Instant};

use super::super::{Standalone as _, Unavailable, blocking, ports};
use super::{Kind as _, Redis, RedisKind};

/// How long the servers may take to agree on the cluster.
const TIMEOUT: Duration = Duration::from_secs(60);
const SLOTS: usize = 16_384;
const PRIMARIES: usize = 3;

/// A cluster of three Redis servers, each with a third of the slots, and one replica of the first.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_testkit::Unavailable> {
/// use shedlock_testkit::servers::RedisCluster;
///
/// let cluster = RedisCluster::start().await?;
/// let [first, second, third] = cluster.primaries();
/// # let _ = (first, second, third, cluster.url());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RedisCluster {
    primaries: [Redis; PRIMARIES],
    replica: Redis,
}

impl RedisCluster {
    /// Starts a cluster that only the caller uses. If the first server fails for two seconds, its replica takes over.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the program is missing or does not work. The error names the cause and the command that installs the program.
    pub async fn start() -> Result<Self, Unavailable> {
        blocking(|| {
            let kind = RedisKind::locate()?;
            let [one, two, three, replica] = [
                member(&kind)?,
                member(&kind)?,
                member(&kind)?,
                member(&kind)?,
            ];
            let cluster = Self {
                primaries: [one.0, two.0, three.0],
                replica: replica.0,
            };
            let buses = [one.1, two.1, three.1, replica.1];
            let joined = cluster.join(&kind, buses);
            joined.map_err(|error| RedisKind::unavailable(error.to_string()))?;
            Ok(cluster)
        })
        .await
    }

    /// A URL with the addresses of the three servers that had slots at first.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses = self.primaries.each_ref().map(|it| it.address().to_string());
        format!("redis+cluster://{}", addresses.join(","))
    }

    /// The three servers that had slots at first: the first third, the second and the last.
    #[must_use]
    pub fn primaries(&self) -> [&Redis; PRIMARIES] {
        self.primaries.each_ref()
    }

    /// The replica of the first server.
    #[must_use]
    pub fn replica(&self) -> &Redis {
        &self.replica
    }

    fn members(&self) -> impl Iterator<Item = &Redis> {
        self.primaries.iter().chain([&self.replica])
    }

    fn join(&self, kind: &RedisKind, buses: [u16; PRIMARIES + 1]) -> io::Result<()> {
        let first = &self.primaries[0];
        for (number, server) in self.primaries.iter().enumerate() {
            let range = |number| SLOTS * number / PRIMARIES;
            let (from, to) = (
                range(number).to_string(),
                (range(number + 1) - 1).to_string(),
            );
            let epoch = (number + 1).to_string();
            must(kind, server, &["CLUSTER", "ADDSLOTSRANGE", &from, &to])?;
            must(kind, server, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch])?;
        }
        for (server, bus) in self.members().zip(buses).skip(1) {
            let (port, bus) = (server.port().to_string(), bus.to_string());
            must(kind, first, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        let id = kind.run(first.port(), &["CLUSTER", "MYID"])?;
        let all_know = |text: &'static str| {
            move |server: &Redis| {
                let told = kind.run(server.port(), &["CLUSTER", "INFO"])?;
                Ok(told.lines().any(|line| line.trim() == text))
            }
        };
        self.until(all_know("cluster_known_nodes:4"))?;
        must(kind, &self.replica, &["CLUSTER", "REPLICATE", id.trim()])?;
        self.until(all_know("cluster_state:ok"))?;
        self.until(|server| {
            let told = kind.run(server.port(), &["CLUSTER", "REPLICAS", id.trim()])?;
            Ok(told.contains("slave") && told.contains(" connected"))
        })?;
        wait_until(|| {
            let told = kind.run(self.replica.port(), &["INFO", "replication"])?;
            Ok(told.contains("master_link_status:up"))
        })
    }

    fn until(&self, is_so: impl Fn(&Redis) -> io::Result<bool>) -> io::Result<()> {
        for server in self.members() {
            wait_until(|| is_so(server))?;
        }
        Ok(())
    }
}

/// A server that may become part of a cluster, and the port on which the members talk.
fn member(kind: &RedisKind) -> Result<(Redis, u16), Unavailable> {
    let bus = ports::free_port().map_err(|error| RedisKind::unavailable(error.to_string()))?;
    let bus_port = bus.to_string();
    let settings = [
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus_port,
        "--cluster-node-timeout",
        "2000",
        "--cluster-replica-validity-factor",
        "0",
    ];
    let settings = settings.map(str::to_owned).to_vec();
    let server = Redis::start_as(kind.clone(), settings, Vec::new())?;
    Ok((server, bus))
}

fn must(kind: &RedisKind, server: &Redis, command: &[&str]) -> io::Result<()> {
    let answer = kind.run(server.port(), command)?;
    if answer.trim() == "OK" {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?}: {answer}")))
}

/// Waits until something is so.
pub(super) fn wait_until(is_so: impl Fn() -> io::Result<bool>) -> io::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    while !is_so()? {
        if Instant::now() > deadline {
            return Err(io::Error::other("the servers do not find each other"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
