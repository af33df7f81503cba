//! What the tests need of the machine beyond cargo: one table.
//!
//! A new server is one entry of [`NEEDS`], and one of [`releases`] if it is no package of Debian. Installation,
//! the list and the rule for skipped tests all read the table.

use super::find::{Found, cached, jar, libraries, programs};
use super::releases;
use super::source::Source::{self, Debian, Download};
use anyhow::Context;
use std::path::PathBuf;

/// The oldest Java release that the ShedLock 7 artifacts run on.
const JAVA_FLOOR: &str = "17";

/// Something that the tests use when it is there.
#[derive(Debug)]
pub(crate) struct Need {
    /// What a skipped test calls it in its reason.
    pub(crate) name: &'static str,
    /// Finds it, or says what is missing.
    pub(crate) probe: fn() -> Result<Found, String>,
    /// Where it comes from.
    pub(crate) source: Source,
    /// How to get it where the source is not to be had.
    pub(crate) elsewhere: &'static str,
}

/// Everything that the tests can use.
pub(crate) const NEEDS: &[Need] = &[
    Need {
        name: "PostgreSQL",
        probe: || programs(&["postgres", "initdb", "psql"], "--version"),
        source: Debian(&["postgresql"]),
        elsewhere: "install PostgreSQL 14 or newer (macOS: `brew install postgresql@17`) and put its \
                    `bin` folder on PATH",
    },
    Need {
        name: "PostgreSQL 18",
        probe: || cached(&releases::POSTGRES),
        source: Download(&releases::POSTGRES),
        elsewhere: "use Linux or macOS",
    },
    Need {
        name: "PgBouncer",
        probe: || programs(&["pgbouncer"], "--version"),
        source: Debian(&["pgbouncer"]),
        elsewhere: "install PgBouncer 1.18 or newer (macOS: `brew install pgbouncer`) and put it on PATH",
    },
    Need {
        name: "MariaDB",
        probe: || programs(&["mariadbd", "mariadb-install-db", "mariadb"], "--version"),
        source: Debian(&["mariadb-server", "mariadb-client"]),
        elsewhere: "install MariaDB 10.6 or newer (macOS: `brew install mariadb`) and put its \
                    `bin` folder on PATH",
    },
    Need {
        name: "Galera",
        probe: || {
            programs(&["rsync", "lsof"], "--version")?;
            libraries(&["galera/libgalera_smm.so"])
        },
        source: Debian(&["galera-4", "rsync", "lsof"]),
        elsewhere: "install MariaDB's Galera library, rsync and lsof (Linux only)",
    },
    Need {
        name: "Redis",
        probe: || programs(&["redis-server", "redis-cli"], "--version"),
        source: Debian(&["redis-server"]),
        elsewhere: "install Redis 7 or newer (macOS: `brew install redis`) and put it on PATH",
    },
    Need {
        name: "Valkey",
        probe: || cached(&releases::VALKEY),
        source: Download(&releases::VALKEY),
        elsewhere: "use Linux or macOS",
    },
    Need {
        name: "NATS",
        probe: || {
            cached(&releases::NATS)
                .or_else(|_| programs(&["nats-server"], "--version")?.at_least("2.15"))
        },
        source: Download(&releases::NATS),
        elsewhere: "install nats-server 2.15 or newer (macOS: `brew install nats-server`) and put it on PATH",
    },
    Need {
        name: "etcd",
        probe: || {
            cached(&releases::ETCD).or_else(|_| programs(&["etcd"], "--version")?.at_least("3.5"))
        },
        source: Download(&releases::ETCD),
        elsewhere: "install etcd 3.5 or newer (macOS: `brew install etcd`) and put it on PATH",
    },
    Need {
        name: "etcd 3.6",
        probe: || cached(&releases::ETCD_3_6),
        source: Download(&releases::ETCD_3_6),
        elsewhere: "install Go 1.26 or newer",
    },
    Need {
        name: "ZooKeeper",
        probe: || jar("/usr/share/java/zookeeper.jar"),
        source: Debian(&["libzookeeper-java", "default-jre-headless"]),
        elsewhere: "use Debian or a system made of it",
    },
    Need {
        name: "Memcached",
        probe: || programs(&["memcached"], "--version"),
        source: Debian(&["memcached"]),
        elsewhere: "install Memcached 1.6 or newer (macOS: `brew install memcached`) and put it on PATH",
    },
    Need {
        name: "mongo-java-server",
        probe: || cached(&releases::MONGO_JAVA_SERVER),
        source: Download(&releases::MONGO_JAVA_SERVER),
        elsewhere: "install Maven and a JDK, 17 or newer",
    },
    Need {
        name: "dynalite",
        probe: || cached(&releases::DYNALITE),
        source: Download(&releases::DYNALITE),
        elsewhere: "install Node.js 20 or newer, with npm",
    },
    Need {
        name: "dynoxide",
        probe: || cached(&releases::DYNOXIDE),
        source: Download(&releases::DYNOXIDE),
        elsewhere: "use Linux or macOS",
    },
    Need {
        name: "Azurite",
        probe: || cached(&releases::AZURITE),
        source: Download(&releases::AZURITE),
        elsewhere: "install Node.js 20 or newer, with npm",
    },
    Need {
        name: "SeaweedFS",
        probe: || cached(&releases::SEAWEEDFS),
        source: Download(&releases::SEAWEEDFS),
        elsewhere: "use Linux or macOS",
    },
    Need {
        name: "versitygw",
        probe: || cached(&releases::VERSITYGW),
        source: Download(&releases::VERSITYGW),
        elsewhere: "install Go 1.26 or newer",
    },
    Need {
        name: "S3Proxy",
        probe: || cached(&releases::S3PROXY),
        source: Download(&releases::S3PROXY),
        elsewhere: "install Maven and a JDK, 17 or newer",
    },
    Need {
        name: "libfaketime",
        probe: || libraries(&["faketime/libfaketime.so.1"]),
        source: Debian(&["libfaketime"]),
        elsewhere: "install libfaketime (Linux only: macOS does not preload into signed programs)",
    },
    Need {
        name: "iproute2",
        probe: || programs(&["ip", "unshare", "nsenter"], "-V"),
        source: Debian(&["iproute2", "util-linux"]),
        elsewhere: "install iproute2 and util-linux (Linux only: nothing else has network namespaces)",
    },
    Need {
        name: "tmux",
        probe: || programs(&["tmux"], "-V"),
        source: Debian(&["tmux"]),
        elsewhere: "install tmux 3.0 or newer (macOS: `brew install tmux`) and put it on PATH",
    },
    Need {
        name: "Prometheus",
        probe: || programs(&["promtool"], "--version"),
        source: Debian(&["prometheus"]),
        elsewhere: "install Prometheus 2.42 or newer (macOS: `brew install prometheus`) and put `promtool` on PATH",
    },
    Need {
        name: "Chromium",
        probe: || programs(&["chromium"], "--version"),
        source: Debian(&["chromium"]),
        elsewhere: "install Chromium 120 or newer and put `chromium` on PATH",
    },
    Need {
        name: "Java",
        probe: || programs(&["javac", "java"], "-version")?.at_least(JAVA_FLOOR),
        source: Debian(&["default-jdk-headless"]),
        elsewhere: "install a JDK, 17 or newer (macOS: `brew install openjdk@17`), and put its \
                    `bin` folder on PATH",
    },
    Need {
        name: "Maven",
        probe: || programs(&["mvn"], "--version"),
        source: Debian(&["maven"]),
        elsewhere: "install Maven 3.8 or newer (macOS: `brew install maven`)",
    },
];

impl Need {
    /// Whether it has to be built, which takes minutes. Its tests run with `--all-servers`, or once it is there.
    pub(crate) fn is_optional(&self) -> bool {
        match self.source {
            Debian(_) => false,
            Download(download) => download.is_built(),
        }
    }

    fn has_name(&self, name: &str) -> bool {
        let letters = |text: &str| text.replace([' ', '-', '.', '_'], "").to_lowercase();
        letters(self.name) == letters(name)
    }
}

/// A need that this machine does not meet.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) need: &'static Need,
    pub(crate) why: String,
}

/// Those of the needs that this machine does not meet.
pub(crate) fn missing(needs: &[&'static Need]) -> Vec<Missing> {
    needs
        .iter()
        .filter_map(|&need| (need.probe)().err().map(|why| Missing { need, why }))
        .collect()
}

/// What every run of the tests needs, and with `all_servers` what has to be built as well.
pub(crate) fn default_needs(all_servers: bool) -> Vec<&'static Need> {
    NEEDS
        .iter()
        .filter(|need| all_servers || !need.is_optional())
        .collect()
}

/// The folder of the release that meets the need `name`, unless it is missing.
pub(crate) fn release(name: &str) -> anyhow::Result<Result<PathBuf, Missing>> {
    let need = NEEDS.iter().find(|need| need.name == name);
    let need = need.with_context(|| format!("there is no `{name}`"))?;
    let Download(release) = need.source else {
        anyhow::bail!("`{name}` is no release in the cache");
    };
    let folder = release.folder()?;
    let found = release.find().map(|()| folder);
    Ok(found.map_err(|why| Missing { need, why }))
}

/// The needs with these names, whatever their case and with or without their spaces.
pub(crate) fn named(names: &[String]) -> anyhow::Result<Vec<&'static Need>> {
    names
        .iter()
        .map(|name| {
            let need = NEEDS.iter().find(|need| need.has_name(name));
            need.with_context(|| {
                let known: Vec<_> = NEEDS.iter().map(|need| need.name).collect();
                format!("there is no `{name}` among {}", known.join(", "))
            })
        })
        .collect()
}

/// The need that the reason of a skipped test names: with `etcd 3.6` in the reason, this is not `etcd`.
pub(crate) fn named_in(reason: &str) -> Option<&'static Need> {
    let reason = reason.to_lowercase();
    NEEDS
        .iter()
        .filter(|need| reason.contains(&need.name.to_lowercase()))
        .max_by_key(|need| need.name.len())
}
