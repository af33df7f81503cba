//! The options of `run`.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::duration;

/// The options of `run`, named as the arguments of the attribute `#[scheduler_lock]`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("naming").required(true).args(["name", "name_from_command"]))]
pub(crate) struct Run {
    /// The name of the lock
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Make the name from the command and all its arguments
    #[arg(long)]
    pub(crate) name_from_command: bool,
    /// The lease: how long the lock stays taken if this node dies
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1m", env = "SHEDLOCK_AT_MOST")]
    pub(crate) at_most: Duration,
    /// How long the lock stays taken after a quick run
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s", env = "SHEDLOCK_AT_LEAST")]
    pub(crate) at_least: Duration,
    /// Wait this long for the lock instead of skipping at once
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SHEDLOCK_WAIT")]
    pub(crate) wait: Option<Duration>,
    /// How long one question to the store may take
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s", env = "SHEDLOCK_TIMEOUT")]
    pub(crate) timeout: Duration,
    /// How often the lease is extended while the command runs [default: every half `--at-most`]
    #[arg(long, value_name = "PERIOD", value_parser = duration, conflicts_with = "no_keep_alive", env = "SHEDLOCK_KEEP_ALIVE")]
    pub(crate) keep_alive: Option<Duration>,
    /// Do not extend the lease: a command that still runs gets TERM a little more than `--kill-after` before the lease ends, then KILL, and the exit code is 79
    #[arg(long, env = "SHEDLOCK_NO_KEEP_ALIVE")]
    pub(crate) no_keep_alive: bool,
    /// What happens to a command whose lock is lost
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnLost::Term, env = "SHEDLOCK_ON_LOST")]
    pub(crate) on_lost: OnLost,
    /// How long a command that has lost its lock may take to end after TERM, before KILL [default: a fifth of `--at-most`, at most 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SHEDLOCK_KILL_AFTER")]
    pub(crate) kill_after: Option<Duration>,
    /// Release the lock when the command itself ends, even if processes that it has started are left
    #[arg(long, env = "SHEDLOCK_LEAVE_PROCESSES")]
    pub(crate) leave_processes: bool,
    /// At most one run in each slot of this length: `1d` is from noon to noon UTC, `1h` from half past to half past
    #[arg(long, value_name = "PERIOD", value_parser = duration, group = "position", env = "SHEDLOCK_ONCE_PER")]
    pub(crate) once_per: Option<Duration>,
    /// At most one run for this time (RFC 3339), or for this text, such as the id of a message
    #[arg(
        long,
        value_name = "TIME|TEXT",
        group = "position",
        env = "SHEDLOCK_INSTANT"
    )]
    pub(crate) instant: Option<String>,
    /// Run this step of a chain, if the step before it is done
    #[arg(long, value_name = "NUMBER", group = "position", env = "SHEDLOCK_STEP")]
    pub(crate) step: Option<u64>,
    /// How often a failed run may be tried for its slot, instant or step
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "position",
        env = "SHEDLOCK_ATTEMPTS"
    )]
    pub(crate) attempts: Option<u32>,
    /// The exit code if another node holds the lock, also when `--wait` is over [default: 75, and 124 when `--wait` is over]
    #[arg(long, value_name = "CODE", env = "SHEDLOCK_BUSY_EXIT")]
    pub(crate) busy_exit: Option<u8>,
    /// Say nothing if another node holds the lock
    #[arg(long, env = "SHEDLOCK_QUIET_BUSY")]
    pub(crate) quiet_busy: bool,
    /// What happens if the store cannot be reached: `run` runs the command without a lock
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnError::Fail, env = "SHEDLOCK_ON_ERROR")]
    pub(crate) on_error: OnError,
    /// Ask for this URL when the command begins, with `/start` behind it, and when the command has ended: as it is for exit code 0, with the
    /// code behind it for others. As healthchecks.io has it [also: the variable `SHEDLOCK_PING`]
    #[cfg(feature = "ping")]
    #[arg(
        long,
        value_name = "URL",
        env = "SHEDLOCK_PING",
        hide_env = true,
        hide_default_value = true
    )]
    pub(crate) ping: Option<crate::secret::Secret>,
    /// Run nothing and take nothing: print what would be done, and end with the exit code for a lock that is free, held or done already
    #[arg(long = "dry-run", env = "SHEDLOCK_DRY_RUN")]
    pub(crate) is_rehearsal: bool,
    /// Say more on stderr
    #[arg(short, long, action = ArgAction::SetTrue, conflicts_with = "quiet", env = "SHEDLOCK_VERBOSE")]
    pub(crate) verbose: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, env = "SHEDLOCK_QUIET")]
    pub(crate) quiet: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What happens to a command whose lock is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnLost {
    /// The command is ended, and the exit code is 79
    Term,
    /// The command goes on without the lock
    Warn,
}

/// What happens if the store cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnError {
    /// The command does not run, and the exit code is 69
    Fail,
    /// The command runs without a lock, perhaps on several nodes at once
    Run,
}
