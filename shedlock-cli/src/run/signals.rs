//! The signals that the wrapper receives.

use std::fs;
use std::io;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;

/// What a signal asks of the supervision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A child has ended, stopped or gone on.
    ChildChanged,
    /// Hand the signal on.
    Forward(Signal),
    /// Stop the command, and then this process.
    Stop,
    /// This process goes on after a stop.
    Continue,
}

/// All signals that matter while the command runs.
#[derive(Debug)]
pub(super) struct Signals(Vec<(Event, tokio::signal::unix::Signal)>);

impl Signals {
    /// Listens from now on. A signal that was ignored when the program started stays ignored, as `nohup` wants it.
    pub(super) fn listen() -> Result<Self, Failure> {
        let forwarded = [
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
            Signal::SIGWINCH,
        ];
        let ignored = ignored();
        let mut signals = vec![
            (Event::ChildChanged, stream(Signal::SIGCHLD)?),
            (Event::Continue, stream(Signal::SIGCONT)?),
        ];
        for kind in forwarded
            .into_iter()
            .filter(|kind| !ignored.contains(*kind))
        {
            signals.push((Event::Forward(kind), stream(kind)?));
        }
        if !ignored.contains(Signal::SIGTSTP) {
            signals.push((Event::Stop, stream(Signal::SIGTSTP)?));
        }
        Ok(Self(signals))
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Event {
        std::future::poll_fn(|context| {
            for (event, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*event);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// The signals that end this process while there is no command yet.
#[derive(Debug)]
pub(super) struct Fatal(Vec<(i32, tokio::signal::unix::Signal)>);

impl Fatal {
    pub(super) fn listen() -> Result<Self, Failure> {
        let ignored = ignored();
        let kinds = [
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
        ];
        kinds
            .into_iter()
            .filter(|kind| !ignored.contains(*kind))
            .map(|kind| Ok((kind as i32, stream(kind)?)))
            .collect::<Result<_, Failure>>()
            .map(Self)
    }

    /// The number of the next signal.
    pub(super) async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

fn stream(kind: Signal) -> Result<tokio::signal::unix::Signal, Failure> {
    let listening = signal(SignalKind::from_raw(kind as i32));
    listening
        .map_err(|error: io::Error| Failure::internal(format!("cannot listen for {kind}: {error}")))
}

/// A set of signals, as the kernel shows it.
#[derive(Debug, Clone, Copy, Default)]
struct Ignored(u64);

impl Ignored {
    fn contains(self, kind: Signal) -> bool {
        self.0 >> (kind as i32 - 1) & 1 == 1
    }
}

/// What was ignored before this program listened. Known on Linux only.
fn ignored() -> Ignored {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    Ignored(
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or_default(),
    )
}
