//! Child processes: each has a time limit and an empty standard input.

use anyhow::Context;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running child is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long a child that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// How long to read on after the child has ended: a process that the child started may hold the output open without end.
const DRAIN: Duration = Duration::from_secs(5);

/// How a bounded command ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It ended by itself.
    Exit(ExitStatus),
    /// It was stopped because it was still running after this time.
    TimedOut(Duration),
}

impl Ended {
    pub(crate) fn success(&self) -> bool {
        matches!(self, Self::Exit(status) if status.success())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(status) => write!(f, "{status}"),
            Self::TimedOut(limit) => {
                write!(f, "stopped after {} s without an end", limit.as_secs())
            }
        }
    }
}

/// The cargo that runs us, in the workspace's root.
pub(crate) fn cargo(root: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

/// Runs `command`. The child writes to our own output.
pub(crate) fn run(command: &mut Command, limit: Duration) -> anyhow::Result<Ended> {
    let child = spawn(command)?;
    watch(child, limit, None, &mut |_| ())
}

/// Runs `command` and hands each line of its standard output to `on_line`, as it comes.
pub(crate) fn run_with_lines(
    command: &mut Command,
    limit: Duration,
    on_line: &mut dyn FnMut(&str),
) -> anyhow::Result<Ended> {
    let mut child = spawn(command.stdout(Stdio::piped()))?;
    let output = child.stdout.take().context("the child's output is piped")?;
    watch(child, limit, Some(&lines_of(output)), on_line)
}

/// Runs `command` and hands each line of both its outputs to `on_line`, as it comes.
pub(crate) fn run_captured(
    mut command: Command,
    limit: Duration,
    on_line: &mut dyn FnMut(&str),
) -> anyhow::Result<Ended> {
    let (output, input) = io::pipe()?;
    let child = spawn(command.stdout(input.try_clone()?).stderr(input))?;
    // The command has the pipe's other end, and there is an end to the output only without it.
    drop(command);
    watch(child, limit, Some(&lines_of(output)), on_line)
}

/// Reads lines on a thread of its own.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                break;
            }
            line.clear();
        }
    });
    lines
}

fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    command.stdin(Stdio::null());
    if !io::stdin().is_terminal() {
        own_group(command);
    }
    command
        .spawn()
        .with_context(|| format!("cannot run `{}`", command.get_program().display()))
}

fn watch(
    mut child: Child,
    limit: Duration,
    lines: Option<&Receiver<String>>,
    on_line: &mut dyn FnMut(&str),
) -> anyhow::Result<Ended> {
    let start = Instant::now();
    let ended = loop {
        take_lines(lines, TICK, on_line);
        if let Some(status) = child.try_wait()? {
            break Ended::Exit(status);
        }
        if start.elapsed() > limit {
            stop(&mut child)?;
            break Ended::TimedOut(limit);
        }
    };
    take_lines(lines, DRAIN, on_line);
    Ok(ended)
}

/// Handles lines until none arrives within `patience`, or the last one has been read.
fn take_lines(lines: Option<&Receiver<String>>, patience: Duration, on_line: &mut dyn FnMut(&str)) {
    let Some(lines) = lines else {
        return thread::sleep(patience.min(TICK));
    };
    // Bounded as a whole, so that a chatty child does not keep the caller from its clock.
    let until = Instant::now() + patience;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => on_line(line.trim_end()),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => {
                return thread::sleep(patience.min(TICK));
            }
        }
    }
}

/// Asks the child and the processes it started to end (SIGTERM), and kills them after a grace period.
fn stop(child: &mut Child) -> anyhow::Result<()> {
    signal(child, "TERM");
    let asked = Instant::now();
    while asked.elapsed() < GRACE {
        if child.try_wait()?.is_some() {
            break;
        }
        thread::sleep(TICK);
    }
    // Also when the child itself has gone: its group may still be there.
    signal(child, "KILL");
    child.kill().ok();
    child.wait()?;
    Ok(())
}

/// Without a terminal, the child gets a process group of its own, so that a timeout ends the test binaries too. At a terminal,
/// the child stays in our group, so that Ctrl-C reaches every process.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Signals the child's process group, if the child has one (see [`own_group`]).
fn signal(child: &Child, name: &str) {
    if cfg!(unix) && !io::stdin().is_terminal() {
        Command::new("kill")
            .args(["-s", name, "--", &format!("-{}", child.id())])
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}

/// Prints a header, runs `action` and prints how long it took; the answer is whether it passed.
pub(crate) fn step(title: &str, action: impl FnOnce() -> anyhow::Result<bool>) -> (bool, Duration) {
    println!("\n==> {title}");
    let start = Instant::now();
    let passed = action().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        false
    });
    let took = start.elapsed();
    let word = if passed { "ok" } else { "FAILED" };
    println!("==> {title}: {word} in {:.1} s", took.as_secs_f64());
    (passed, took)
}

#[cfg(test)]
mod tests {
    use super::{Ended, run, run_with_lines};
    use std::process::Command;
    use std::time::{Duration, Instant};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn every_line_is_seen() {
        let mut seen = Vec::new();
        let ended = run_with_lines(
            Command::new("sh").args(["-c", "echo one; echo two; exit 3"]),
            LONG,
            &mut |line| seen.push(line.to_owned()),
        )
        .unwrap();
        assert_eq!(seen, ["one", "two"]);
        assert!(matches!(ended, Ended::Exit(status) if status.code() == Some(3)));
    }

    #[test]
    fn a_child_past_its_limit_is_stopped() {
        let start = Instant::now();
        let ended = run(Command::new("sleep").arg("60"), Duration::from_millis(200)).unwrap();
        assert!(matches!(ended, Ended::TimedOut(_)), "{ended}");
        assert!(!ended.success());
        assert!(start.elapsed() < LONG);
    }

    #[test]
    fn a_chatty_child_past_its_limit_is_stopped() {
        let start = Instant::now();
        let ended = run_with_lines(
            Command::new("sh").args(["-c", "while sleep 0.02; do echo; done"]),
            Duration::from_millis(200),
            &mut |_| (),
        )
        .unwrap();
        assert!(matches!(ended, Ended::TimedOut(_)), "{ended}");
        assert!(start.elapsed() < LONG);
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program"), LONG).unwrap_err();
        assert!(error.to_string().contains("`no-such-program`"), "{error}");
    }
}
