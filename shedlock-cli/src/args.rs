//! The command line: its commands, options and help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use shedlock_runtime::ToDuration as _;

use crate::config::ConfiguredStore;
use crate::output::LogFormat;

mod commands;
mod help;
mod run;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "top")]
mod top;

pub(crate) use commands::{
    Bench, Completions, Cron, Extend, Format, List, LockOptions, Man, Migrate, One, Pause, Release,
    Token, Torture, Unlock, Wait, Wrap,
};
pub(crate) use run::{OnError, OnLost, Run};
#[cfg(feature = "serve")]
pub(crate) use serve::Serve;
#[cfg(feature = "top")]
pub(crate) use top::Top;

/// Runs programs under a lock that a whole fleet respects, and shows and mends the locks of a store.
#[derive(Debug, Parser)]
#[command(name = "shedlock", version, after_long_help = help::PROGRAM, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) store: StoreOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    /// A file with the defaults of options [default: `SHEDLOCK_CONFIG`, or `shedlock/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Options")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How the program speaks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output", mut_arg("color", |color| color.help("When output is coloured").env("SHEDLOCK_COLOR")))]
pub(crate) struct OutputOptions {
    #[command(flatten)]
    pub(crate) color: colorchoice_clap::Color,
    /// What is said on stderr: lines for people, or a JSON object a line
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text, env = "SHEDLOCK_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// Where the locks are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreOptions {
    /// The URL of the store, without a password [default: the variable `SHEDLOCK_STORE`, or else a SQLite file of this user]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "store_file")]
    pub(crate) store: Option<String>,
    /// A file that contains the URL of the store [also: the variable `SHEDLOCK_STORE_FILE`]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) store_file: Option<PathBuf>,
    /// Accept a password in `--store`, where everybody on this machine can read it
    #[arg(long, global = true)]
    pub(crate) allow_insecure_dsn: bool,
    /// The name of this node [default: the name of the host]
    #[arg(long, global = true, value_name = "NAME", env = "SHEDLOCK_NODE")]
    pub(crate) node: Option<String>,
    /// The store that the configuration names.
    #[arg(skip)]
    pub(crate) configured: Option<ConfiguredStore>,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a command while holding a lock
    #[command(after_long_help = help::RUN)]
    Run(Run),
    /// Take a lock and print its token, for scripts
    #[command(after_long_help = help::SCRIPT)]
    Lock(LockOptions),
    /// Extend a lock that `lock` has taken
    Extend(Extend),
    /// Release a lock that `lock` has taken
    Unlock(Unlock),
    /// List the locks of the store
    List(List),
    /// Show the locks on the whole screen, with what looks wrong first
    #[cfg(feature = "top")]
    Top(Top),
    /// Show one lock
    Get(One),
    /// Show the runs of a lock, where the store keeps a history
    History(One),
    /// Wait until a lock is free, without taking it
    Wait(Wait),
    /// Free a lock whose holder is gone
    Release(Release),
    /// Make every node skip a lock for some time
    Pause(Pause),
    /// End a pause
    Resume(Resume),
    /// Print, check or make the table, index or bucket that the locks need
    #[command(subcommand)]
    Migrate(Migrate),
    /// Ask the store all that can go wrong with it, and say how to mend it
    Doctor(Doctor),
    /// Measure what locks cost on the store, with a lock of its own
    Bench(Bench),
    /// Let contenders compete for locks of their own, and judge whether the store kept them apart
    Torture(Torture),
    /// Bring the jobs of a crontab under locks
    #[command(subcommand)]
    Cron(Cron),
    /// Show the locks as a web page
    #[cfg(feature = "serve")]
    #[command(after_long_help = help::SERVE)]
    Serve(Serve),
    /// Print the completions for a shell
    Completions(Completions),
    /// Print a manual page
    Man(Man),
}

/// A lock, and nothing else.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The name of the lock
    pub(crate) name: String,
}

/// The options of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The lock that is taken and released to try the store out
    #[arg(long, value_name = "NAME", default_value = "shedlock-doctor")]
    pub(crate) name: String,
    /// Write nothing: do not take and release a lock
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Print JSON, one object a finding
    #[arg(long, env = "SHEDLOCK_JSON")]
    pub(crate) json: bool,
}

/// A duration as everywhere in ShedLock.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    text.to_duration().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// What is said each time, and what has a variable that `store`, `config`, `lock` or `serve` read themselves.
    const WITHOUT: &[&str] = &[
        // The names that the command of `run` gets of its lock must not become those of a `run` inside of it.
        "name",
        "name-from-command",
        "store",
        "store-file",
        "config",
        "token-file",
        "operator-tokens",
        "allow-insecure-dsn",
        "held",
        "watch",
        "filter",
        "once",
        "size",
        "read-only",
        "system",
        "count",
        "help",
        "version",
    ];
    /// What an operator does, and trials: said each time.
    const DEEDS: &[&str] = &["wait", "release", "pause", "resume", "torture"];

    fn check(command: &clap::Command) {
        for option in command.get_opts() {
            let long = option.get_long().expect("each option has a name");
            let rule = format!("SHEDLOCK_{}", long.to_uppercase().replace('-', "_"));
            let variable = option.get_env().and_then(|name| name.to_str());
            let has_none = WITHOUT.contains(&long) || DEEDS.contains(&command.get_name());
            let expected = (!has_none).then_some(rule.as_str());
            // `--json` means the same wherever it is.
            if variable.is_some() || long != "json" {
                assert_eq!(variable, expected, "{} --{long}", command.get_name());
            }
        }
        for command in command.get_subcommands() {
            check(command);
        }
    }

    #[test]
    fn each_option_has_the_variable_of_its_name() {
        check(&Cli::command());
    }
}
