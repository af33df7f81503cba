//! `shedlock run`: a command under a lock.

use std::cell::Cell;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use humantime::format_duration;
use sha2::{Digest as _, Sha256};
use shedlock_runtime::{
    LockConfiguration, LockError, LockingTaskExecutor, Outcome, Refusal, SkipReason,
    host_node_name, parse_timestamp, printable,
};

use crate::args::{OnError, OnLost, Run, StoreOptions};
use crate::exit::{Exit, Failure};
use crate::lock::{Witness, told};
use crate::output::{self, Level};
use crate::store;

mod events;
mod guard;
mod launch;
#[cfg(feature = "ping")]
mod ping;
#[cfg(not(feature = "ping"))]
#[path = "run/silent.rs"]
mod ping;
mod rehearsal;
mod signals;
mod supervise;
mod terminal;
mod tree;

use ping::Pings;
use signals::{Fatal, Signals};
use supervise::{Ended, Job};

/// Lets the process be one of its own helpers, if its arguments say so: the one that becomes the command, or the one that ends it.
pub(crate) fn as_helper(mut arguments: impl Iterator<Item = OsString>) -> Option<Exit> {
    let kind = arguments.nth(1)?;
    match kind.to_str()? {
        launch::HELPER => Some(launch::become_command(arguments)),
        guard::HELPER => Some(guard::watch(arguments)),
        _ => None,
    }
}

/// How long before the end of the lease KILL is sent.
const LEAD: Duration = Duration::from_millis(100);
/// No process can be ended in less.
const SHORTEST_MARGIN: Duration = Duration::from_millis(20);

/// Runs the command under the lock.
pub(crate) async fn run(options: &Run, store: &StoreOptions) -> Result<Exit, Failure> {
    let config = configuration(options)?;
    let mut fatal = Fatal::listen()?;
    let signals = Signals::listen()?;
    let name = config.name().as_str().to_owned();
    let job = Job {
        command: options.command.clone(),
        name: name.clone(),
        node: store
            .node
            .clone()
            .unwrap_or_else(|| host_node_name().to_string()),
        is_locked: true,
        kill_after: kill_after(options)?,
        lead: LEAD.min(options.at_most / 20),
        ends_on_loss: options.on_lost == OnLost::Term,
        leaves_processes: options.leave_processes,
        is_quiet: options.quiet,
    };
    let pings = Pings::new(options, &name)?;
    if options.is_rehearsal {
        return rehearsal::rehearse(config, options, &job, store).await;
    }
    events::tell(options.verbose, options.quiet)?;
    let asked = async {
        let witness = Witness::new(store::open_to_lock(store).await?);
        let executor = LockingTaskExecutor::new(witness.clone());
        Ok::<_, Failure>((witness, executor))
    };
    let (witness, executor) = match asked.await {
        Ok(opened) => opened,
        Err(failure) => return without_lock(failure, options, job, signals, &pings).await,
    };
    let has_begun = Rc::new(Cell::new(false));
    let body = async {
        has_begun.set(true);
        pings.begin();
        supervise::supervise(&job, signals).await
    };
    let locked = executor.execute_with_error(config, body, Ended::error);
    let mut locked = Box::pin(locked);
    let outcome = loop {
        tokio::select! {
            outcome = &mut locked => break outcome,
            signal = fatal.next() => if !has_begun.get() {
                return Ok(Exit::of_signal(signal));
            },
        }
    };
    drop(locked);
    match outcome {
        Ok(Outcome::Executed(ended)) => {
            tokio::select! {
                () = pings.end(ended.exit) => {}
                // Whoever ends the program does not want to wait for a service that is slow.
                _signal = fatal.next() => {}
            }
            Ok(ended.exit)
        }
        Ok(Outcome::Skipped(reason)) => Ok(skipped(options, &name, reason, witness.refusal())),
        Err(error) => {
            // The signals went with the body that did not begin.
            let signals = Signals::listen()?;
            without_lock(error.into(), options, job, signals, &pings).await
        }
    }
}

/// Runs the command although the store cannot be reached, if that was asked for.
async fn without_lock(
    failure: Failure,
    options: &Run,
    mut job: Job,
    signals: Signals,
    pings: &Pings,
) -> Result<Exit, Failure> {
    if options.on_error == OnError::Fail || failure.exit() != Exit::UNAVAILABLE {
        return Err(failure);
    }
    let text = format!(
        "running without a lock, as `--on-error run` says: {}",
        failure.message()
    );
    output::say_of(Level::Warning, &job.name, &text);
    job.is_locked = false;
    pings.begin();
    let exit = supervise::supervise(&job, signals).await.exit;
    pings.end(exit).await;
    Ok(exit)
}

/// Says why the command did not run.
fn skipped(options: &Run, name: &str, reason: SkipReason, refusal: Option<Refusal>) -> Exit {
    let is_busy = Exit::of_skip(reason) == Exit::BUSY;
    // What is given up is never passed over in silence.
    if reason == SkipReason::Exhausted || !(options.quiet || is_busy && options.quiet_busy) {
        let text = format!("skipped `{}`: {}", printable(name), told(reason, refusal));
        output::say_of(Level::Info, name, &text);
    }
    exit_of_skip(options, reason)
}

/// The exit code of a run that does not get its lock.
fn exit_of_skip(options: &Run, reason: SkipReason) -> Exit {
    let exit = Exit::of_skip(reason);
    if exit != Exit::BUSY {
        return exit;
    }
    let has_waited = options.wait.is_some_and(|wait| !wait.is_zero());
    match (options.busy_exit, reason) {
        (Some(chosen), _) => Exit(chosen),
        (None, SkipReason::Held | SkipReason::Contended) if has_waited => Exit::WAITED,
        (None, _) => exit,
    }
}

fn configuration(options: &Run) -> Result<LockConfiguration, Failure> {
    let name = match &options.name {
        Some(name) => name.clone(),
        None => name_of(&options.command),
    };
    configured(&name, options).map_err(|error| Failure::of_options(&error))
}

fn configured(name: &str, options: &Run) -> Result<LockConfiguration, LockError> {
    let mut config = LockConfiguration::new(name, options.at_most)?
        .with_at_least(options.at_least)?
        .with_timeout(options.timeout)?;
    if let Some(wait) = options.wait {
        config = config.with_wait(wait)?;
    }
    if let Some(period) = options.keep_alive {
        config = config.with_keep_alive_every(period)?;
    } else if !options.no_keep_alive {
        config = config.with_keep_alive()?;
    }
    if let Some(period) = options.once_per {
        config = config.with_once_per(period)?;
    }
    if let Some(instant) = &options.instant {
        config = match parse_timestamp(instant) {
            Some(time) => config.with_instant(time)?,
            None => config.with_instant_text(instant)?,
        };
    }
    if let Some(step) = options.step {
        config = config.with_step(step)?;
    }
    if let Some(attempts) = options.attempts {
        config = config.with_attempts(attempts)?;
    }
    // Not `Cancel`: to drop the supervision would leave the command running.
    Ok(config.with_on_lost(shedlock_runtime::OnLost::Notify))
}

/// How long the command has between TERM and KILL, such that both come before the lease ends.
fn kill_after(options: &Run) -> Result<Duration, Failure> {
    let default = (options.at_most / 5).min(Duration::from_secs(5));
    let Some(chosen) = options.kill_after else {
        return Ok(default.max(SHORTEST_MARGIN));
    };
    if chosen > options.at_most / 5 {
        return Err(Failure::usage(format!(
            "`--kill-after` is more than a fifth of `--at-most`: the lease could not be extended before TERM; give `--at-most {}` or more",
            format_duration(chosen * 5)
        )));
    }
    Ok(chosen.max(SHORTEST_MARGIN))
}

/// The name of the command's file and a hash of all its arguments: two commands never have one name by accident.
fn name_of(command: &[OsString]) -> String {
    let mut hash = Sha256::new();
    for part in command {
        // The length tells `a b` from `a`, `b`.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut name = command.first().map_or_else(String::new, |program| {
        let file = Path::new(program).file_name().unwrap_or(program);
        printable(&file.to_string_lossy())
            .chars()
            .take(40)
            .collect()
    });
    name.push('-');
    for byte in hash.finalize().iter().take(6) {
        let _written = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parts: &[&str]) -> String {
        name_of(&parts.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_name_of_a_command_depends_on_each_argument() {
        assert!(name(&["/usr/bin/rsync", "-a"]).starts_with("rsync-"));
        assert_ne!(name(&["a", "b c"]), name(&["a", "b", "c"]));
        assert_ne!(name(&["python", "a.py"]), name(&["python", "b.py"]));
        assert_eq!(name(&["python", "a.py"]), "python-e5bf1ce4231f");
        assert!(name(&["x".repeat(300).as_str()]).chars().count() <= 64);
    }
}
