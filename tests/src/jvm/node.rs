//! One JVM process and the conversation with it.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::unblocked;
use crate::contention::Contest;

/// A node that has said nothing for this long is stuck.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
const CONTEST_TIMEOUT: Duration = Duration::from_mins(5);

/// A running JVM node; clones are handles of the same one. The last one dropped kills it.
///
/// Its pipes belong to no async runtime, so that tests with runtimes of their own can share it.
#[derive(Debug, Clone)]
pub struct JavaNode(Arc<Mutex<Conversation>>);

#[derive(Debug)]
struct Conversation {
    process: Child,
    /// `None` after hanging up.
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl JavaNode {
    pub(super) async fn start(arguments: Vec<OsString>) -> Self {
        let node = Self(Arc::new(Mutex::new(Conversation::begin(arguments))));
        let first = node.converse(None, ANSWER_TIMEOUT).await;
        assert_eq!(first, "ready", "the JVM node did not start");
        node
    }

    /// Takes the lock; false if somebody else holds it. The node calls the lock `id` from then on.
    ///
    /// # Panics
    ///
    /// When the node fails to answer, as with all commands.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the command still runs to its end, as with all commands.
    pub async fn lock(&self, id: &str, name: &str, at_most: Duration, at_least: Duration) -> bool {
        let (at_most, at_least) = (at_most.as_millis(), at_least.as_millis());
        let command = format!("lock {id} {name} {at_most} {at_least}");
        self.ask_either(command, format!("granted {id}"), "held".to_owned())
            .await
    }

    /// Extends the lock; false if ShedLock refuses.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn extend(&self, id: &str, at_most: Duration, at_least: Duration) -> bool {
        let (at_most, at_least) = (at_most.as_millis(), at_least.as_millis());
        let command = format!("extend {id} {at_most} {at_least}");
        self.ask_either(command, format!("extended {id}"), format!("refused {id}"))
            .await
    }

    /// Gives the lock back. ShedLock does not tell whether it was still its own.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn unlock(&self, id: &str) {
        let answer = self.ask(&format!("unlock {id}")).await;
        assert_eq!(answer, format!("unlocked {id}"));
    }

    /// The node's reading of the monotonic clock.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn monotonic_nanos(&self) -> u64 {
        let answer = self.ask("now").await;
        answer
            .strip_prefix("now ")
            .and_then(|nanos| nanos.parse().ok())
            .unwrap_or_else(|| panic!("the JVM node told no time: {answer}"))
    }

    /// Lets the node's own contenders take part, and writes their holds to `log`. Gives the number of their calls that
    /// the store did not answer.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn contend(&self, contenders: usize, contest: &Contest, log: &Path) -> usize {
        let command = format!(
            "fuzz {contenders} {} {} {} {} {} {}",
            contest.name,
            contest.each,
            contest.at_most.as_millis(),
            contest.abandon_one_in,
            contest.abandoned.as_millis(),
            log.display()
        );
        let answer = self.converse(Some(command), CONTEST_TIMEOUT).await;
        answer
            .strip_prefix("fuzzed ")
            .and_then(|counts| counts.split(' ').nth(2)?.parse().ok())
            .unwrap_or_else(|| panic!("the JVM side failed: {answer}"))
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Panics
    ///
    /// When the node is gone or stuck.
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn ask(&self, command: &str) -> String {
        self.converse(Some(command.to_owned()), ANSWER_TIMEOUT)
            .await
    }

    /// Closes the node's stdin, as the death of its test would, and waits until it has exited.
    ///
    /// # Panics
    ///
    /// When it does not.
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn hang_up(self) -> ExitStatus {
        unblocked(move || self.conversation().hang_up()).await
    }

    async fn ask_either(&self, command: String, yes: String, no: String) -> bool {
        let answer = self.ask(&command).await;
        assert!(
            answer == yes || answer == no,
            "the JVM node was asked `{command}` and answered `{answer}`"
        );
        answer == yes
    }

    async fn converse(&self, command: Option<String>, timeout: Duration) -> String {
        let node = self.clone();
        unblocked(move || node.conversation().turn(command.as_deref(), timeout)).await
    }

    fn conversation(&self) -> MutexGuard<'_, Conversation> {
        // Whoever panicked in a turn has killed the node, and the next turn says so again.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Conversation {
    fn begin(arguments: Vec<OsString>) -> Self {
        let mut process = Command::new("java")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start `java`: {error}"));
        let commands = process.stdin.take();
        let output = process.stdout.take().expect("it is piped");
        let (lines, answers) = mpsc::channel();
        // Ends with the node, whose death closes the pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            process,
            commands,
            answers,
        }
    }

    fn turn(&mut self, command: Option<&str>, timeout: Duration) -> String {
        let asked = command.unwrap_or("to start");
        if let (Some(command), Some(commands)) = (command, &mut self.commands) {
            writeln!(commands, "{command}")
                .unwrap_or_else(|error| panic!("the JVM node was gone before `{asked}`: {error}"));
        }
        self.answers.recv_timeout(timeout).unwrap_or_else(|error| {
            // A late answer would be taken for the next command's.
            let _already_dead = self.process.kill();
            panic!("the JVM node did not answer `{asked}`: {error}")
        })
    }

    fn hang_up(&mut self) -> ExitStatus {
        drop(self.commands.take());
        // The end of its output is the end of the process.
        match self.answers.recv_timeout(ANSWER_TIMEOUT) {
            Err(RecvTimeoutError::Disconnected) => {}
            other => panic!("the JVM node was to exit, and instead: {other:?}"),
        }
        self.process
            .wait()
            .unwrap_or_else(|error| panic!("failed to wait for the JVM node: {error}"))
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let _already_dead = self.process.kill();
        let _reaped_elsewhere = self.process.wait();
    }
}
