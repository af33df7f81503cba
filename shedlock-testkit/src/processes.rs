//! Nodes as processes of their own, to be paused and killed as real ones are.
//!
//! A test binary starts itself again to run one of its own tests as a child ([`Reexec`]). A child that [`serve`]s takes
//! and gives back locks as it is told over a pipe ([`NodeProcess`]).

mod serve;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub use self::serve::serve;

/// Tells a child what to connect to.
const ADDRESS: &str = "SHEDLOCK_TESTKIT_ADDRESS";
/// Tells a child what its node is called.
const NODE: &str = "SHEDLOCK_TESTKIT_NODE";
/// What the lines of a child begin with that are meant for its parent: the test harness prints others.
const MARK: &str = "shedlock-node\t";
/// A child that has not answered by then never will.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// One test of this binary, run as a child process.
///
/// The test has `#[ignore]`, and does its work only if the environment says that it is a child.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::processes::Reexec;
///
/// # fn start() -> std::io::Result<()> {
/// // In a test: starts the ignored test `holder` of this binary.
/// let child = Reexec::new(concat!(module_path!(), "::holder")).env("ROLE", "child").command()?.spawn()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Reexec {
    test: String,
    variables: Vec<(OsString, OsString)>,
    wrapper: Vec<OsString>,
}

impl Reexec {
    /// The test with this path, which begins with the crate as `module_path!` does.
    #[must_use]
    pub fn new(path: &str) -> Self {
        // The harness knows tests by their path inside the crate.
        let test = path
            .split_once("::")
            .map_or(path, |(_crate, test)| test)
            .to_owned();
        Self {
            test,
            variables: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    /// Sets an environment variable of the child.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Has another program start the child, such as `unshare --pid --fork --kill-child`: it gets the child's command line
    /// after its own arguments, and is to end with the child.
    #[must_use]
    pub fn started_by(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(OsString::from).collect();
        self
    }

    /// The command that runs the child. It is killed when its handle is dropped.
    ///
    /// # Errors
    ///
    /// When this binary's path cannot be had.
    pub fn command(&self) -> io::Result<Command> {
        let program = std::env::current_exe()?;
        let mut command = match self.wrapper.split_first() {
            Some((wrapper, arguments)) => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args([
            "--exact",
            &self.test,
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ]);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.kill_on_drop(true);
        Ok(command)
    }

    /// Starts the child as a node called `node` on the store at `address`; its test calls [`serve`].
    ///
    /// # Errors
    ///
    /// When it does not start or cannot use the store; what it said is on its standard error, which is ours.
    pub async fn node(&self, address: &str, node: &str) -> io::Result<NodeProcess> {
        let mut child = self
            .command()?
            .env(ADDRESS, address)
            .env(NODE, node)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let answers = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut process = NodeProcess {
            child,
            orders,
            answers: BufReader::new(answers).lines(),
        };
        match &*process.answer().await? {
            "ready" => Ok(process),
            other => Err(io::Error::other(other)),
        }
    }
}

/// A node in a process of its own. The process is killed when the `NodeProcess` is dropped.
///
/// All errors are [`io::Error`]s: the errors of the child, as text, and those of the pipe to the child.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use shedlock_testkit::processes::Reexec;
///
/// # async fn test() -> std::io::Result<()> {
/// let mut node = Reexec::new(concat!(module_path!(), "::serve")).node("redis://127.0.0.1:6379", "web-2").await?;
/// assert!(node.lock("mail", Duration::from_secs(10), Duration::ZERO).await?);
/// node.pause()?; // SIGSTOP: the lease ends while the node believes that it holds the lock
/// node.resume()?;
/// node.kill().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl NodeProcess {
    /// Takes the lock as users do; false if somebody else holds it. The child keeps the guard.
    ///
    /// # Errors
    ///
    /// When the store could not be asked.
    pub async fn lock(
        &mut self,
        name: &str,
        at_most: Duration,
        at_least: Duration,
    ) -> io::Result<bool> {
        match &*self
            .ask(&["lock", name, &nanos(at_most), &nanos(at_least)])
            .await?
        {
            "granted" => Ok(true),
            "held" => Ok(false),
            other => Err(io::Error::other(other)),
        }
    }

    /// Extends a lock that the child holds; false if it has lost it.
    ///
    /// # Errors
    ///
    /// When the store could not be asked.
    pub async fn extend(&mut self, name: &str, at_most: Duration) -> io::Result<bool> {
        match &*self.ask(&["extend", name, &nanos(at_most)]).await? {
            "extended" => Ok(true),
            "lost" => Ok(false),
            other => Err(io::Error::other(other)),
        }
    }

    /// Gives a lock back; false if it was not the child's any more.
    ///
    /// # Errors
    ///
    /// When the store could not be asked.
    pub async fn unlock(&mut self, name: &str) -> io::Result<bool> {
        match &*self.ask(&["unlock", name]).await? {
            "released" => Ok(true),
            "lost" => Ok(false),
            other => Err(io::Error::other(other)),
        }
    }

    /// Runs a body under the lock that many times, asking until it is granted. The body reads the number in `counter` and
    /// writes one more a moment later: of two that overlap, one is lost.
    ///
    /// # Errors
    ///
    /// When the store could not be asked.
    pub async fn contend(&mut self, name: &str, times: u32, counter: &Path) -> io::Result<()> {
        let counter = counter.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
        match &*self
            .ask(&["contend", name, &times.to_string(), counter])
            .await?
        {
            "done" => Ok(()),
            other => Err(io::Error::other(other)),
        }
    }

    /// Kills the process at once (SIGKILL); when this returns it is gone. Gives the moment before.
    ///
    /// # Errors
    ///
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> io::Result<Instant> {
        let before = Instant::now();
        self.child.kill().await?;
        Ok(before)
    }

    /// Stops the process where it stands (SIGSTOP).
    ///
    /// # Errors
    ///
    /// When it is gone.
    #[cfg(unix)]
    pub fn pause(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::STOP)
    }

    /// Lets a paused process go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it is gone.
    #[cfg(unix)]
    pub fn resume(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::CONT)
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) -> io::Result<()> {
        let pid = self
            .child
            .id()
            .and_then(|pid| rustix::process::Pid::from_raw(pid.try_into().ok()?));
        let pid = pid.ok_or_else(|| io::Error::other("the node's process is gone"))?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    async fn ask(&mut self, order: &[&str]) -> io::Result<String> {
        let mut line = String::new();
        for word in order {
            // Names hold no control characters, so a tab parts words. Writing to a string cannot fail.
            let _infallible = write!(line, "{word}\t");
        }
        line.push('\n');
        self.orders.write_all(line.as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> io::Result<String> {
        let answer = async {
            while let Some(line) = self.answers.next_line().await? {
                if let Some(answer) = line.strip_prefix(MARK) {
                    return Ok(answer.to_owned());
                }
            }
            Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the node's process has ended",
            ))
        };
        tokio::time::timeout(ANSWER_TIMEOUT, answer).await?
    }
}

fn nanos(duration: Duration) -> String {
    duration.as_nanos().to_string()
}
