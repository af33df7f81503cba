//! Galera: a cluster of MariaDB servers with one database.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::mariadb::{MariaDb, MariaDbKind};
use super::{Server, Site, Standalone as _, Unavailable, ports, tools};

/// A Galera cluster of three MariaDB servers. A transaction that one node has committed is committed on all nodes. Two nodes suffice.
///
/// A node that was [killed](Server::kill) and [restarted](Server::restart) copies the data from another node, which takes some seconds.
/// While fewer than two nodes run, no node accepts statements.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::server_or_skip;
/// use shedlock_testkit::servers::Galera;
///
/// # async fn test() {
/// let cluster = server_or_skip!(Galera::start().await);
/// let url = cluster.fresh_database().await;
/// let (first, second) = (cluster.url(0, &url), cluster.url(1, &url));
/// cluster.node(0).kill().await.unwrap();
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Galera {
    nodes: Vec<MariaDb>,
}

/// What one server knows about the cluster of the server.
#[derive(Debug, Clone)]
pub(super) struct Member {
    provider: PathBuf,
    number: usize,
    /// The port of each member, on which the other members reach the member.
    group: [u16; NODES],
    /// The ports on which the member receives the transactions that it has missed: single changes, or all data.
    changes: u16,
    data: u16,
}

const NODES: usize = 3;
const NAME: &str = "Galera";
const INSTALL: &str = "apt-get install -y mariadb-server galera-4 rsync";
const LIBRARY: &str = "libgalera_smm.so";
const DIRECTORIES: &[&str] = &[
    "/usr/lib/galera",
    "/usr/lib/galera-4",
    "/usr/lib64/galera",
    "/usr/lib64/galera-4",
];
/// How often to check whether a node has joined or left the cluster.
const POLL: Duration = Duration::from_millis(20);

/// Members that agree on these values, on the data and on the last membership reunite as if they had been separated a moment ago. If one
/// node founded the cluster instead, that node would copy all data to the others, which takes seconds for each.
const DATA: &str = "0c5ed10c-0000-11ee-8000-000000000000";
const MEMBERS: [&str; NODES] = [
    "0c5ed10c-0001-11ee-8000-000000000000",
    "0c5ed10c-0002-11ee-8000-000000000000",
    "0c5ed10c-0003-11ee-8000-000000000000",
];

impl Galera {
    /// Starts a cluster that only the caller uses.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if something is missing or does not work. The error names the cause and the command that installs the cluster.
    pub async fn start() -> Result<Self, Unavailable> {
        Self::start_with(&[]).await
    }

    /// Starts a cluster that only the caller uses, with further arguments on the command line of each node.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(arguments: &[&str]) -> Result<Self, Unavailable> {
        let provider = tools::find(LIBRARY, DIRECTORIES)
            .ok_or_else(|| unavailable(format!("there is no `{LIBRARY}`")))?;
        if tools::find("rsync", &[]).is_none() {
            return Err(unavailable("there is no `rsync`".to_owned()));
        }
        let kind = MariaDbKind::locate()?;
        let ports = (0..3 * NODES).map(|_| ports::free_port());
        let ports = ports.collect::<io::Result<Vec<u16>>>();
        let ports = ports.map_err(|error| unavailable(error.to_string()))?;
        let group = [ports[0], ports[1], ports[2]];
        let starts = (0..NODES).map(|number| {
            let mut kind = kind.clone();
            kind.member = Some(Member {
                provider: provider.clone(),
                number,
                group,
                changes: ports[NODES + number],
                data: ports[2 * NODES + number],
            });
            let arguments = arguments.iter().map(|&one| one.to_owned()).collect();
            // No node answers before the other nodes have started.
            super::blocking(move || Server::start_as(kind, arguments, Vec::new()))
        });
        let nodes = futures_util::future::try_join_all(starts).await?;
        let cluster = Self { nodes };
        cluster.wait_until_synced().await;
        Ok(cluster)
    }

    /// Returns a node by its number, counted from zero.
    ///
    /// # Panics
    ///
    /// If `number` is greater than two.
    #[must_use]
    pub fn node(&self, number: usize) -> &MariaDb {
        &self.nodes[number]
    }

    /// Returns the URL of the same database at another node; `url` may be the URL of any node.
    ///
    /// # Panics
    ///
    /// If there is no such node, or if `url` is not a URL of this cluster.
    #[must_use]
    pub fn url(&self, number: usize, url: &str) -> String {
        let addresses = self.nodes.iter().map(|node| node.address().to_string());
        let there = self.node(number).address().to_string();
        for here in addresses {
            if url.contains(&here) {
                return url.replacen(&here, &there, 1);
            }
        }
        panic!("`{url}` is not a URL of this cluster")
    }

    /// Creates an empty database on all nodes and returns its URL at the first node, with a user that has all privileges in the database.
    ///
    /// # Panics
    ///
    /// If the first node does not create the database.
    pub async fn fresh_database(&self) -> String {
        let url = self.node(0).fresh_database().await;
        self.wait_until_synced().await;
        url
    }

    /// Waits until each working node has applied all transactions that the cluster had committed before the call.
    ///
    /// # Panics
    ///
    /// If a node reports that it works and then does not answer.
    pub async fn wait_until_synced(&self) {
        for node in self.nodes.iter().filter(|node| node.pid().is_some()) {
            let admin = node.admin_url();
            if state(node).await == Some(State::Works) {
                let wait = "SET SESSION wsrep_sync_wait = 15; SELECT COUNT(*) FROM mysql.user";
                node.execute(&admin, wait).await;
            }
        }
    }

    /// Isolates a node from the other two, and returns when the node has noticed. The node then answers each statement with error 1047,
    /// "WSREP has not yet prepared node for application use", and the other two nodes continue. Limit the call with a timeout.
    ///
    /// # Panics
    ///
    /// If the node is not running.
    pub async fn isolate(&self, number: usize) {
        self.set_isolated(number, 1, State::Unprepared).await;
    }

    /// Lets an isolated node join the other nodes again, and returns when the node works. Limit the call with a timeout.
    ///
    /// # Panics
    ///
    /// If the node is not running.
    pub async fn rejoin(&self, number: usize) {
        self.set_isolated(number, 0, State::Works).await;
    }

    async fn set_isolated(&self, number: usize, isolated: u8, expected: State) {
        let node = self.node(number);
        let set = format!("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={isolated}'");
        // Runs outside any database, since an isolated node does not open one.
        node.execute("", &set).await;
        while state(node).await != Some(expected) {
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Whether a node executes statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Works,
    Unprepared,
}

async fn state(node: &MariaDb) -> Option<State> {
    let (kind, site) = (node.kind().clone(), node.site().clone());
    let works = super::blocking(move || works(&kind, &site)).await.ok()?;
    Some(if works {
        State::Works
    } else {
        State::Unprepared
    })
}

/// Whether the member at `site` belongs to the working part of the cluster and has all data of that part.
pub(super) fn works(kind: &MariaDbKind, site: &Site) -> io::Result<bool> {
    let status = "SHOW STATUS WHERE variable_name IN ('wsrep_ready', 'wsrep_local_state_comment')";
    let shown = kind.run(site, "", status)?;
    Ok(shown.contains("wsrep_ready\tON") && shown.contains("\tSynced"))
}

fn unavailable(reason: String) -> Unavailable {
    Unavailable::installable(NAME, reason, INSTALL)
}

impl Member {
    /// Whether this member creates the data that all members need.
    pub(super) fn is_first(&self) -> bool {
        self.number == 0
    }

    /// Writes files into the data directory as if the members had been separated a moment ago.
    pub(super) fn initialize(&self, site: &Site) -> io::Result<()> {
        let data = site.directory().join("data");
        let position = format!(
            "# GALERA saved state\nversion: 2.1\nuuid:    {DATA}\nseqno:   0\nsafe_to_bootstrap: 0\n"
        );
        site.write(&data.join("grastate.dat"), &position)?;
        let members = MEMBERS
            .map(|member| format!("member: {member} 0\n"))
            .concat();
        let parting = format!(
            "my_uuid: {}\n#vwbeg\nview_id: 3 {} 1\nbootstrap: 0\n{members}#vwend\n",
            MEMBERS[self.number], MEMBERS[0]
        );
        site.write(&data.join("gvwstate.dat"), &parting)
    }

    pub(super) fn arguments(&self) -> Vec<OsString> {
        let group = self.group.map(|port| format!("127.0.0.1:{port}"));
        let mut provider = OsString::from("--wsrep-provider=");
        provider.push(&self.provider);
        let options = [
            format!("gmcast.listen_addr=tcp://{}", group[self.number]),
            format!("ist.recv_addr=127.0.0.1:{}", self.changes),
            "gcache.size=8M".to_owned(),
            // A member that is silent this long is suspected. The default is 5 s; half of this value is too short on a busy machine.
            "evs.suspect_timeout=PT2.5S".to_owned(),
            // Must be less than a third of the suspect timeout, or the node does not start.
            "evs.keepalive_period=PT0.5S".to_owned(),
        ];
        let mut arguments = vec![provider];
        arguments.extend(
            [
                "--wsrep-on=ON".to_owned(),
                // The name shows when a member of another cluster has taken a port.
                format!("--wsrep-cluster-name=shedlock-{}", self.group[0]),
                format!("--wsrep-cluster-address=gcomm://{}", group.join(",")),
                format!("--wsrep-provider-options={}", options.join(";")),
                format!("--wsrep-node-name=node-{}", self.number),
                "--wsrep-node-address=127.0.0.1".to_owned(),
                "--wsrep-sst-method=rsync".to_owned(),
                format!("--wsrep-sst-receive-address=127.0.0.1:{}", self.data),
                "--binlog-format=ROW".to_owned(),
                "--innodb-autoinc-lock-mode=2".to_owned(),
            ]
            .map(OsString::from),
        );
        arguments
    }
}
