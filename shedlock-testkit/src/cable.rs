//! A separate network for a node, connected to this machine by a virtual cable that a test can cut.
//!
//! The far end is a network namespace (Linux, as root), connected to this machine by a veth pair. Cutting the cable loses packets without
//! closing any connection, and neither end is notified. Unlike a [proxy](crate::proxy), which delivers held data later, a cut cable loses
//! the packets. The cable can be cut in one direction only.
//!
//! A process that waits on a pipe from this process keeps the namespace alive. When the cable is dropped, when the test panics or when the
//! test process is killed, that process ends, and the kernel removes the namespace and the cable.
//!
//! ```no_run
//! use shedlock_testkit::proxy::Direction;
//! use shedlock_testkit::servers::Postgres;
//! use shedlock_testkit::{Cable, server_or_skip};
//!
//! # async fn test() {
//! let cable = server_or_skip!(Cable::create().await);
//! let listen = format!("listen_addresses=127.0.0.1,{}", cable.near_address());
//! let server = server_or_skip!(Postgres::start_with(&["-c", &listen]).await);
//! // Start a node with `Reexec::behind(&cable)`; it reaches the server at `cable.near_address()`.
//! cable.cut(Direction::Both).await;
//! cable.restore().await;
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

/// Each cable gets four addresses of the network that RFC 2544 reserves for benchmarks of networks.
const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const NETWORKS: u32 = 1 << 15;
/// A hardware address that no interface has, so that frames for this address reach no one.
const NOBODY: &str = "02:00:00:00:00:00";
/// The name of the interface at the far end.
const FAR_END: &str = "cable";

/// A virtual cable to a separate network. After the cable is dropped, the network is removed once the last process in the network has
/// ended.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::proxy::Direction;
/// use shedlock_testkit::{Cable, server_or_skip};
///
/// # async fn test() {
/// let cable = server_or_skip!(Cable::create().await);
/// // Requests arrive, and replies do not.
/// cable.cut(Direction::ToClient).await;
/// cable.restore().await;
/// # }
/// ```
#[derive(Debug)]
pub struct Cable {
    number: u32,
    keeper: Child,
}

impl Cable {
    /// Creates a separate network and a working cable to the network.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if a program is missing, or if this machine does not allow it: a cable needs root and a kernel with network
    /// namespaces and veth.
    ///
    /// # Panics
    ///
    /// If the cable was created but cannot be configured.
    pub async fn create() -> Result<Self, Unavailable> {
        let keeper = keep_a_namespace().await?;
        let number = join(&keeper).await?;
        let cable = Self { number, keeper };
        let near = (
            format!("{}/30", cable.near_address()),
            cable.near_interface(),
        );
        let far = format!("{}/30", cable.far_address());
        must(&["ip", "address", "add", &near.0, "dev", &near.1]).await;
        must(&["ip", "link", "set", &near.1, "up"]).await;
        cable
            .behind(&["ip", "address", "add", &far, "dev", FAR_END])
            .await;
        cable.behind(&["ip", "link", "set", "lo", "up"]).await;
        cable.behind(&["ip", "link", "set", FAR_END, "up"]).await;
        Ok(cable)
    }

    /// The address of this machine on the cable. Processes behind the cable reach a server that listens on this address.
    #[must_use]
    pub fn near_address(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// The address of the processes behind the cable.
    #[must_use]
    pub fn far_address(&self) -> Ipv4Addr {
        self.address(2)
    }

    /// Drops all packets in this direction from now on. "Client" means the far end, and "server" means the near end.
    ///
    /// # Panics
    ///
    /// If the machine refuses the command.
    pub async fn cut(&self, way: Direction) {
        let frames_to = |address: Ipv4Addr| address.to_string();
        let misdirect = ["ip", "neighbour", "replace"];
        if way.includes(Direction::ToClient) {
            let (far, end) = (frames_to(self.far_address()), self.near_interface());
            let whom = [&*far, "lladdr", NOBODY, "dev", &end, "nud", "permanent"];
            must(&[&misdirect[..], &whom[..]].concat()).await;
        }
        if way.includes(Direction::ToServer) {
            let near = frames_to(self.near_address());
            let whom = [&*near, "lladdr", NOBODY, "dev", FAR_END, "nud", "permanent"];
            self.behind(&[&misdirect[..], &whom[..]].concat()).await;
        }
    }

    /// Lets all packets pass again. Packets that were dropped stay lost until their sender sends them again.
    ///
    /// # Panics
    ///
    /// If the machine refuses the command.
    pub async fn restore(&self) {
        let forget = ["ip", "-4", "neighbour", "flush", "nud", "permanent", "dev"];
        must(&[&forget[..], &[&self.near_interface()]].concat()).await;
        self.behind(&[&forget[..], &[FAR_END]].concat()).await;
    }

    /// The name of this machine's interface on the cable, as `ip link` shows the name.
    #[must_use]
    pub fn near_interface(&self) -> String {
        end_name(self.number)
    }

    fn address(&self, host: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(FIRST.to_bits() + self.number * 4 + host)
    }

    /// The command and the argument with which a program is started behind the cable.
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
    /// Runs the child behind the cable, where the cable is the only network.
    #[must_use]
    pub fn behind(self, cable: &Cable) -> Self {
        self.started_by(&cable.entrance().each_ref().map(String::as_str))
    }
}

/// Starts a process with a separate network. The process ends with this process.
async fn keep_a_namespace() -> Result<Child, Unavailable> {
    let keeper = Command::new("unshare")
        .args(["--net", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut keeper = keeper.map_err(|error| missing("unshare", &error))?;
    // An echo proves that the process has entered its own network.
    match echo(&mut keeper).await {
        Ok(()) => Ok(keeper),
        Err(error) => {
            let mut said = String::new();
            if let Some(mut stderr) = keeper.stderr.take() {
                // If the process printed nothing, the error alone is the message.
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

/// Creates the veth pair, with one end in the keeper's network, and returns the number of the pair, which is unique on this machine.
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

/// The number makes the name and the addresses unique. A name may have fifteen characters at most.
fn end_name(number: u32) -> String {
    format!("shedlock-{number:04x}")
}

fn missing(program: &str, error: &io::Error) -> Unavailable {
    if cfg!(target_os = "linux") {
        let reason = format!("failed to start `{program}`: {error}");
        Unavailable::installable("iproute2", reason, "apt-get install -y iproute2 util-linux")
    } else {
        forbidden("only Linux has them".to_owned())
    }
}

fn forbidden(reason: String) -> Unavailable {
    Unavailable::manual("network namespaces", reason, "run the tests as root")
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
