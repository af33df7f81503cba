//! A network of a node's own, at the far end of a cable that can be cut.
//!
//! The far end is a network namespace (Linux, as root), joined to this machine by a veth pair. A cut cable carries nothing
//! and says nothing: no connection breaks, and neither end is told. What a cut loses is lost, unlike what a
//! [proxy](crate::proxy) keeps back, and it may be cut one way only.
//!
//! The namespace lives by a process that waits on a pipe from this one. When the cable is dropped, when the test panics and
//! when it is killed, that process ends, and the kernel takes the namespace and the cable away.
//!
//! ```no_run
//! use shedlock_testkit::proxy::Direction;
//! use shedlock_testkit::servers::Postgres;
//! use shedlock_testkit::{Cable, server_or_skip};
//!
//! # async fn test() {
//! let cable = server_or_skip!(Cable::lay().await);
//! let listen = format!("listen_addresses=127.0.0.1,{}", cable.near());
//! let server = server_or_skip!(Postgres::start_with(&["-c", &listen]).await);
//! // Start a node with `Reexec::behind(&cable)`; it reaches the server at `cable.near()`.
//! cable.cut(Direction::Both).await;
//! cable.mend().await;
//! # }
//! ```

use std::io;
use std::net::Ipv4Addr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::processes::Reexec;
use crate::proxy::Direction;
use crate::unavailable::Unavailable;

/// The networks are parts of the one reserved for tests of networks (RFC 2544): four addresses each.
const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const NETWORKS: u32 = 1 << 15;
/// Of whom frames are addressed to that are to reach nobody.
const NOBODY: &str = "02:00:00:00:00:00";
/// What the far end calls its end.
const FAR_END: &str = "cable";

/// A cable to a network of its own. When the cable is dropped, the network is removed once the last process in it has ended.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::proxy::Direction;
/// use shedlock_testkit::{Cable, server_or_skip};
///
/// # async fn test() {
/// let cable = server_or_skip!(Cable::lay().await);
/// // Requests arrive, and replies do not.
/// cable.cut(Direction::ToClient).await;
/// cable.mend().await;
/// # }
/// ```
#[derive(Debug)]
pub struct Cable {
    number: u32,
    keeper: Child,
}

impl Cable {
    /// Lays a cable that works.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the programs are missing, or when this machine forbids it: it wants root, and a kernel with network
    /// namespaces and veth.
    ///
    /// # Panics
    ///
    /// When the machine lets us have a cable and does not let us use it.
    pub async fn lay() -> Result<Self, Unavailable> {
        let keeper = keep_a_namespace().await?;
        let number = join(&keeper).await?;
        let cable = Self { number, keeper };
        let near = (format!("{}/30", cable.near()), cable.near_end());
        let far = format!("{}/30", cable.far());
        must(&["ip", "address", "add", &near.0, "dev", &near.1]).await;
        must(&["ip", "link", "set", &near.1, "up"]).await;
        cable
            .behind(&["ip", "address", "add", &far, "dev", FAR_END])
            .await;
        cable.behind(&["ip", "link", "set", "lo", "up"]).await;
        cable.behind(&["ip", "link", "set", FAR_END, "up"]).await;
        Ok(cable)
    }

    /// This machine's address on the cable: a server that listens there is reached from behind it.
    #[must_use]
    pub fn near(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// The address of the processes behind the cable.
    #[must_use]
    pub fn far(&self) -> Ipv4Addr {
        self.address(2)
    }

    /// Loses everything that goes this way from now on, the server being at the near end.
    ///
    /// # Panics
    ///
    /// When the machine does not do it.
    pub async fn cut(&self, way: Direction) {
        let frames_to = |address: Ipv4Addr| address.to_string();
        let misdirect = ["ip", "neighbour", "replace"];
        if way.includes(Direction::ToClient) {
            let (far, end) = (frames_to(self.far()), self.near_end());
            let whom = [&*far, "lladdr", NOBODY, "dev", &end, "nud", "permanent"];
            must(&[&misdirect[..], &whom[..]].concat()).await;
        }
        if way.includes(Direction::ToServer) {
            let near = frames_to(self.near());
            let whom = [&*near, "lladdr", NOBODY, "dev", FAR_END, "nud", "permanent"];
            self.behind(&[&misdirect[..], &whom[..]].concat()).await;
        }
    }

    /// Lets everything pass again. What was lost stays so, until its sender sends it once more.
    ///
    /// # Panics
    ///
    /// When the machine does not do it.
    pub async fn mend(&self) {
        let forget = ["ip", "-4", "neighbour", "flush", "nud", "permanent", "dev"];
        must(&[&forget[..], &[&self.near_end()]].concat()).await;
        self.behind(&[&forget[..], &[FAR_END]].concat()).await;
    }

    /// The name of this machine's end, as `ip link` shows it.
    #[must_use]
    pub fn near_end(&self) -> String {
        end_name(self.number)
    }

    fn address(&self, host: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(FIRST.to_bits() + self.number * 4 + host)
    }

    /// The words that start a program behind the cable.
    fn entrance(&self) -> [String; 2] {
        let keeper = self.keeper.id().expect("it was not waited for");
        ["nsenter".to_owned(), format!("--net=/proc/{keeper}/ns/net")]
    }

    async fn behind(&self, command: &[&str]) {
        let entrance = self.entrance();
        must(&[&entrance.each_ref().map(String::as_str), command].concat()).await;
    }
}

impl Reexec {
    /// Has the child live behind the cable, where there is no network but this one.
    #[must_use]
    pub fn behind(self, cable: &Cable) -> Self {
        self.started_by(&cable.entrance().each_ref().map(String::as_str))
    }
}

/// Starts a process with a network of its own, which ends with this one.
async fn keep_a_namespace() -> Result<Child, Unavailable> {
    let keeper = Command::new("unshare")
        .args(["--net", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut keeper = keeper.map_err(|error| missing("unshare", &error))?;
    // An echo comes from inside: before it, the process may not have parted from our network.
    match echo(&mut keeper).await {
        Ok(()) => Ok(keeper),
        Err(error) => {
            let mut said = String::new();
            if let Some(mut stderr) = keeper.stderr.take() {
                // Without words the error itself has to do.
                let _unread = stderr.read_to_string(&mut said).await;
            }
            Err(forbidden(format!("{error}: {}", said.trim())))
        }
    }
}

async fn echo(keeper: &mut Child) -> io::Result<()> {
    let lost = || io::Error::from(io::ErrorKind::BrokenPipe);
    let line = "here\n";
    let write = keeper.stdin.as_mut().ok_or_else(lost)?;
    write.write_all(line.as_bytes()).await?;
    write.flush().await?;
    let mut heard = String::new();
    let mut read = BufReader::new(keeper.stdout.as_mut().ok_or_else(lost)?);
    read.read_line(&mut heard).await?;
    (heard == line).then_some(()).ok_or_else(lost)
}

/// Makes the pair, with one end at the keeper's, and gives its number, which no other pair of this machine has.
async fn join(keeper: &Child) -> Result<u32, Unavailable> {
    let pid = keeper.id().expect("it was not waited for").to_string();
    loop {
        let number = fastrand::u32(..NETWORKS);
        let name = end_name(number);
        let far = ["type", "veth", "peer", "name", FAR_END, "netns", &pid];
        match run(&[&["ip", "link", "add", &name][..], &far[..]].concat()).await {
            Ok(()) => return Ok(number),
            Err(error) if error.to_string().contains("File exists") => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(missing("ip", &error));
            }
            Err(error) => return Err(forbidden(error.to_string())),
        }
    }
}

/// The number makes it unique, and with it the addresses; fifteen characters are the most.
fn end_name(number: u32) -> String {
    format!("shedlock-{number:04x}")
}

fn missing(program: &str, error: &io::Error) -> Unavailable {
    if cfg!(target_os = "linux") {
        let reason = format!("failed to start `{program}`: {error}");
        Unavailable::obtainable("iproute2", reason, "apt-get install -y iproute2 util-linux")
    } else {
        forbidden("only Linux has them".to_owned())
    }
}

fn forbidden(reason: String) -> Unavailable {
    Unavailable::rare("network namespaces", reason, "run the tests as root")
}

async fn must(command: &[&str]) {
    if let Err(error) = run(command).await {
        panic!("failed to handle a cable: {error}");
    }
}

async fn run(command: &[&str]) -> io::Result<()> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let output = Command::new(program).args(arguments).output().await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let command = command.join(" ");
    Err(io::Error::other(format!("`{command}`: {}", said.trim())))
}
