//! One server process under a shell that lives slightly longer than this process, to clean up.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::account::Account;
use super::process_tree as tree;

/// A server that has not stopped this long after the signal is killed. A killed server ends sooner.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Starts, signals and reaps one server, and finally removes the directory of the server.
#[derive(Debug)]
pub(super) struct Keeper {
    shell: Child,
    /// `None` only while the keeper is being dropped.
    verbs: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    server: Option<Pid>,
}

impl Keeper {
    /// Starts the shell; [`start`](Self::start) starts the server. From now on the shell owns `directory`.
    pub(super) fn new(
        directory: &Path,
        account: Option<&Account>,
        command: &[OsString],
    ) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(include_str!("keeper.sh"))
            .arg("shedlock-keeper")
            .arg(directory)
            .args(command)
            .current_dir(directory)
            // Ctrl-C on a terminal must reach only the test process. The pipe then tells the shell to end.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(account) = account {
            account.apply(&mut shell);
        }
        let mut shell = shell.spawn()?;
        let verbs = shell.stdin.take();
        let answers = shell.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            shell,
            verbs,
            answers: BufReader::new(answers),
            server: None,
        })
    }

    pub(super) fn start(&mut self) -> io::Result<()> {
        if self.server.is_some() {
            return Err(io::Error::other("the server has been started already"));
        }
        let answer = self.ask("start")?;
        let pid = answer.trim().parse().ok().and_then(Pid::from_raw);
        self.server =
            Some(pid.ok_or_else(|| io::Error::other(format!("no process id in `{answer}`")))?);
        Ok(())
    }

    /// Whether the server process exists. A paused server counts as running.
    pub(super) fn is_running(&self) -> bool {
        self.server.is_some_and(tree::is_alive)
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        self.server
    }

    /// Asks the server to end, kills a server that does not end in time, and waits for the end. Does nothing if the server is not running.
    pub(super) fn stop(&mut self, signal: Signal) -> io::Result<()> {
        let Some(server) = self.server else {
            return Ok(());
        };
        // A paused server would handle the signal only after it is resumed.
        tree::signal_tree(server, Signal::CONT)?;
        tree::signal(server, signal)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while tree::is_alive(server) {
            if Instant::now() > deadline {
                return self.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.reap()
    }

    /// Kills the server and all its children at once (SIGKILL). Does nothing if the server is not running.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        let Some(server) = self.server else {
            return Ok(());
        };
        let killed = tree::kill_tree(server)?;
        self.reap()?;
        // A child that is still ending uses the server's shared memory, and a server that finds its shared memory in use does not start.
        let deadline = Instant::now() + STOP_TIMEOUT;
        while killed.iter().copied().any(tree::is_alive) {
            if Instant::now() > deadline {
                return Err(io::Error::other(
                    "a child of the killed server does not end",
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Pauses all processes of the server (SIGSTOP): connections stay open and the server does not answer.
    pub(super) fn pause(&self) -> io::Result<()> {
        let stopped = tree::stop_tree(self.server.ok_or_else(not_running)?)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !tree::stand_still(&stopped)? {
            if Instant::now() > deadline {
                return Err(io::Error::other("the server does not stand still"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    pub(super) fn resume(&self) -> io::Result<()> {
        tree::signal_tree(self.server.ok_or_else(not_running)?, Signal::CONT)
    }

    fn reap(&mut self) -> io::Result<()> {
        self.server = None;
        self.ask("reap").map(drop)
    }

    fn ask(&mut self, verb: &str) -> io::Result<String> {
        let verbs = self.verbs.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        verbs.write_all(format!("{verb}\n").as_bytes())?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the shell that keeps the server is gone",
            ));
        }
        Ok(answer)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Closing the pipe is the order to end. The shell does all the work, so the wait is short.
        drop(self.verbs.take());
        // If another part of the program has reaped the shell, there is nothing to do.
        let _ended = self.shell.wait();
    }
}

fn not_running() -> io::Error {
    io::Error::other("the server does not run")
}
