//! `shedlock run --dry-run`: what would be done.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use humantime::format_duration;
use shedlock_runtime::{
    AcquireRequest, LockAdmin as _, LockConfiguration, LockInfo, LockProvider as _, SkipReason,
    printable, short_duration,
};

use super::supervise::Job;
use crate::args::{Run, StoreOptions};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::store::{self, Store};

/// Prints what a run would do now, and ends with the exit code that it would have if it were skipped.
pub(super) async fn rehearse(
    config: LockConfiguration,
    options: &Run,
    job: &Job,
    store: &StoreOptions,
) -> Result<Exit, Failure> {
    let place = store::place(store)?;
    let store = store::open(store).await?;
    let record = store.get(config.name().as_str()).await?;
    let lines = [
        ("lock", printable(&job.name).into_owned()),
        ("store", place),
        ("node", printable(store.info().node_name()).into_owned()),
        ("lease", lease(options, job)),
        ("at least", format_duration(config.at_least()).to_string()),
        ("command", command(job)),
        ("now", state(record.as_ref())),
    ];
    let mut text = String::new();
    for (what, value) in lines {
        // Writing to a text does not fail.
        let _written = writeln!(text, "{what:<9} {value}");
    }
    let (result, exit) = match refused(config, record, &*store) {
        None => ("the command would run".to_owned(), Exit::SUCCESS),
        Some(reason) => would_skip(reason, options),
    };
    let _written = writeln!(text, "{:<9} {result}", "result");
    output::print(&text)?;
    Ok(exit)
}

fn lease(options: &Run, job: &Job) -> String {
    let at_most = format_duration(options.at_most);
    if options.no_keep_alive && options.keep_alive.is_none() {
        if !job.ends_on_loss {
            return format!("{at_most}, not extended: the command goes on without the lock then");
        }
        let margin = job.kill_after + job.lead;
        let term = format_duration(options.at_most.saturating_sub(margin));
        return format!("{at_most}, not extended: the command gets TERM after {term}");
    }
    let period = options.keep_alive.unwrap_or(options.at_most / 2);
    let period = format_duration(period);
    format!("{at_most}, extended every {period} while the command runs")
}

/// The command as a shell would read it.
fn command(job: &Job) -> String {
    let parts: Vec<_> = job
        .command
        .iter()
        .map(|part| part.to_string_lossy())
        .collect();
    let parts = parts.iter().map(AsRef::as_ref);
    // No argument has a zero byte in it.
    let line = shlex::try_join(parts).unwrap_or_default();
    printable(&line).into_owned()
}

fn state(record: Option<&LockInfo>) -> String {
    let Some(lock) = record.filter(|lock| lock.is_held()) else {
        return "free".to_owned();
    };
    let left = Duration::from_secs(lock.remaining.as_secs().max(1));
    let left = short_duration(left);
    if lock.paused {
        return format!("paused for another {left}");
    }
    format!("held by {} for another {left}", printable(&lock.node))
}

/// Why the store would refuse the lock now. Of the slot, the store's clock decides in the end.
fn refused(
    config: LockConfiguration,
    record: Option<LockInfo>,
    store: &dyn Store,
) -> Option<SkipReason> {
    if let Some(lock) = record.as_ref().filter(|lock| lock.is_held()) {
        return Some(if lock.paused {
            SkipReason::Paused
        } else {
            SkipReason::Held
        });
    }
    let request = AcquireRequest::new(config, store.info().clock().boot());
    let rule = request.position_rule()?;
    let position = record.and_then(|lock| lock.position);
    rule.next(position, SystemTime::now()).err()
}

fn would_skip(reason: SkipReason, options: &Run) -> (String, Exit) {
    let exit = super::exit_of_skip(options, reason);
    let code = exit.0;
    let text = match options.wait.filter(|wait| !wait.is_zero()) {
        Some(wait) if reason == SkipReason::Held => {
            let wait = format_duration(wait);
            format!(
                "the lock would be waited for, {wait} at most, exit code {code} if it is still held then"
            )
        }
        _ => format!("the command would be skipped, exit code {code}: {reason}"),
    };
    (text, exit)
}
