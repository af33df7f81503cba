//! Nodes as separate operating system processes, which a test can pause and kill.
//!
//! A test binary starts itself again to run one of its own tests as a child process ([`Reexec`]). A child that calls [`serve`] takes and
//! releases locks on request of its parent, which sends requests over a pipe ([`NodeProcess`]).

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

/// The environment variable with the address of the store for a child.
const ADDRESS: &str = "SHEDLOCK_TESTKIT_ADDRESS";
/// The environment variable with the node name for a child.
const NODE: &str = "SHEDLOCK_TESTKIT_NODE";
/// The prefix of the lines that a child prints for its parent. The test harness of the child prints other lines.
const MARK: &str = "shedlock-node\t";
/// The longest time to wait for an answer of a child. A child without an answer by then is assumed to hang.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// One test of this test binary, to be run as a child process.
///
/// The test must have `#[ignore]`, and must do its work only if an environment variable says that the process is a child.
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
    /// Selects the test with this path. The path begins with the crate name, as in `module_path!`.
    #[must_use]
    pub fn new(path: &str) -> Self {
        // The test harness knows tests by their path inside the crate.
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

    /// Starts the child through another program, such as `unshare --pid --fork --kill-child`. The program gets the child's command line
    /// after its own arguments, and must end when the child ends.
    #[must_use]
    pub fn started_by(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(OsString::from).collect();
        self
    }

    /// The command that runs the child. The child is killed when the handle of the spawned child is dropped.
    ///
    /// # Errors
    ///
    /// If the path of this test binary is unknown.
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

    /// Starts the child as a node with the name `node` on the store at `address`. The test that the child runs must call [`serve`].
    ///
    /// # Errors
    ///
    /// If the child does not start or cannot use the store. The child prints the cause to the standard error of this process.
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

/// A node in a separate process. The process is killed when the `NodeProcess` is dropped.
///
/// All errors are [`io::Error`]s: errors of the child as text, and errors of the pipe to the child.
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
    /// Takes a lock as users do; returns false if another node holds the lock. The child keeps the guard.
    ///
    /// # Errors
    ///
    /// If the child could not ask the store.
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

    /// Extends a lock that the child holds; returns false if the child has lost the lock.
    ///
    /// # Errors
    ///
    /// If the child could not ask the store.
    pub async fn extend(&mut self, name: &str, at_most: Duration) -> io::Result<bool> {
        match &*self.ask(&["extend", name, &nanos(at_most)]).await? {
            "extended" => Ok(true),
            "lost" => Ok(false),
            other => Err(io::Error::other(other)),
        }
    }

    /// Releases a lock; returns false if the child no longer held the lock.
    ///
    /// # Errors
    ///
    /// If the child could not ask the store.
    pub async fn unlock(&mut self, name: &str) -> io::Result<bool> {
        match &*self.ask(&["unlock", name]).await? {
            "released" => Ok(true),
            "lost" => Ok(false),
            other => Err(io::Error::other(other)),
        }
    }

    /// Runs a body `times` times, each time under the lock, and asks for the lock until the lock is granted. The body reads the number in
    /// the file `counter` and writes the number plus one a moment later. If two bodies overlap, one increment is lost.
    ///
    /// # Errors
    ///
    /// If the child could not ask the store.
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

    /// Kills the process (SIGKILL) and waits until the process has ended. Returns the time before the signal was sent.
    ///
    /// # Errors
    ///
    /// If the process cannot be killed.
    pub async fn kill(&mut self) -> io::Result<Instant> {
        let before = Instant::now();
        self.child.kill().await?;
        Ok(before)
    }

    /// Pauses the process (SIGSTOP).
    ///
    /// # Errors
    ///
    /// If the process has ended.
    #[cfg(unix)]
    pub fn pause(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::STOP)
    }

    /// Resumes a paused process (SIGCONT).
    ///
    /// # Errors
    ///
    /// If the process has ended.
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
            // Lock names have no control characters, so a tab can separate arguments. Writing to a string cannot fail.
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
