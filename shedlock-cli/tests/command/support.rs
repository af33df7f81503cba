//! A directory with a store of its own, the program in it, and waiting for what is to happen.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// What happens at all happens within this time, also on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The variables of others that the program heeds, and that the machine that runs the tests may have set.
const VARIABLES: &[&str] = &["XDG_CONFIG_HOME", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"];

/// A machine with locks of its own.
pub(crate) struct Site {
    folder: TempDir,
    store: Option<String>,
}

impl Site {
    /// A machine without a store: the program uses the user's own file.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self {
            folder,
            store: None,
        }
    }

    /// A machine that uses the store at `url`.
    pub(crate) fn with_store(url: impl Into<String>) -> Self {
        Self {
            store: Some(url.into()),
            ..Self::new()
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these arguments.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        // The shell that runs the tests may ignore signals, and would hand that on.
        let mut command = Command::new("env");
        command.args(["--default-signal", env!("CARGO_BIN_EXE_shedlock")]);
        command.args(arguments);
        self.furnish(&mut command);
        command
    }

    /// A shell in which `shedlock` is the program.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        let program = Path::new(env!("CARGO_BIN_EXE_shedlock"));
        let folder = program.parent().expect("the program is in a directory");
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(["-c", script]);
        self.furnish(&mut command);
        command.env("PATH", format!("{}:{path}", folder.display()));
        command
    }

    fn furnish(&self, command: &mut Command) {
        let own = std::env::vars_os().map(|(name, _)| name);
        let own = own.filter(|name| name.as_encoded_bytes().starts_with(b"SHEDLOCK_"));
        for variable in own.chain(VARIABLES.iter().map(Into::into)) {
            command.env_remove(variable);
        }
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("HOME", self.folder.path()).env("TZ", "UTC");
        // For the stand-ins of a cloud.
        command.env("AWS_ACCESS_KEY_ID", "app");
        command.env("AWS_SECRET_ACCESS_KEY", "correct-horse");
        if let Some(store) = &self.store {
            command.env("SHEDLOCK_STORE", store);
        }
        command.current_dir(self.folder.path()).stdin(Stdio::null());
    }

    /// Runs the program to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// Runs `script` under the lock `name`, with more options, and does not wait.
    pub(crate) fn start(&self, name: &str, options: &[&str], script: &str) -> Running {
        let mut command = self.command(["run", "--name", name]);
        command.args(options).args(["--", "sh", "-c", script]);
        Running::start(&mut command)
    }

    /// Whether nobody holds the lock.
    pub(crate) fn is_free(&self, name: &str) -> bool {
        let shown = self.run(["get", name, "--json"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        // No record at all is free, too.
        shown.out.is_empty() || shown.out.contains("\"state\": \"free\"")
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = output.status.signal().map(|signal| -signal);
        Self {
            code: output.status.code().or(signal).expect("a code or a signal"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    command.output().expect("the program starts").into()
}

/// A program that runs, and is ended with the test.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        Self(Some(child))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().expect("not waited for yet").id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    pub(crate) fn wait(mut self) -> Ended {
        let child = self.0.take().expect("waited for once");
        child.wait_with_output().expect("the program ends").into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // Not KILL: what runs under the lock has to end as well.
            send(child.id(), Signal::SIGTERM);
            send(child.id(), Signal::SIGCONT);
            let _reaped = child.wait();
        }
    }
}

pub(crate) fn send(process: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(process).expect("a process id"));
    // A process that has just ended needs no signal.
    let _sent = kill(process, signal);
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < limit, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// The state of a process as the kernel names it by a letter; `None` if there is no such process, or only its exit code is left.
pub(crate) fn state_of(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let state = stat.get(stat.rfind(')')? + 2..)?.chars().next()?;
    (state != 'Z' && state != 'X').then_some(state)
}

/// Whether the process is stopped. A shell that waits for a child which is stopped before its `exec` is not stopped itself, but cannot go on.
pub(crate) fn is_stopped(process: u32) -> bool {
    matches!(state_of(process), Some('T' | 'D'))
}

pub(crate) fn is_alive(process: u32) -> bool {
    state_of(process).is_some()
}

/// The number in a file, once it is there.
#[track_caller]
pub(crate) fn number_in(site: &Site, file: &str) -> u32 {
    let mut number = None;
    until(&format!("a number in {file}"), || {
        number = site.read(file).trim().parse().ok();
        number.is_some()
    });
    number.expect("was found")
}
