//! The options of the commands other than `run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, value_parser};
use clap_complete::Shell;

use super::duration;

/// The options of `lock`.
#[derive(Debug, Args)]
pub(crate) struct LockOptions {
    /// The name of the lock
    pub(crate) name: String,
    /// The lease: how long the lock stays taken unless it is extended or released
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SHEDLOCK_AT_MOST")]
    pub(crate) at_most: Duration,
    /// How long the lock stays taken even if it is released earlier
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s", env = "SHEDLOCK_AT_LEAST")]
    pub(crate) at_least: Duration,
    /// Wait this long for the lock
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SHEDLOCK_WAIT")]
    pub(crate) wait: Option<Duration>,
    /// How long one question to the store may take
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s", env = "SHEDLOCK_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// The token that `lock` has printed. No argument, because arguments are in the list of processes.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// A file with the token that `lock` has printed; `-` is stdin [default: the variable `SHEDLOCK_TOKEN`]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// The options of `extend`.
#[derive(Debug, Args)]
pub(crate) struct Extend {
    /// The name of the lock
    pub(crate) name: String,
    /// When the lease ends, counted from now
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SHEDLOCK_AT_MOST")]
    pub(crate) at_most: Duration,
    #[command(flatten)]
    pub(crate) token: Token,
}

/// The options of `unlock`.
#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// The name of the lock
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) token: Token,
}

/// How locks and runs are printed.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Format {
    /// Print JSON
    #[arg(long, group = "format", env = "SHEDLOCK_JSON")]
    pub(crate) json: bool,
    /// Print JSON, one object a line
    #[arg(long, group = "format", env = "SHEDLOCK_NDJSON")]
    pub(crate) ndjson: bool,
    /// Print comma-separated values
    #[arg(long, group = "format", env = "SHEDLOCK_CSV")]
    pub(crate) csv: bool,
    /// Print times of day in UTC instead of the local time zone
    #[arg(long, env = "SHEDLOCK_UTC")]
    pub(crate) utc: bool,
}

/// The options of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only locks whose names begin so
    #[arg(value_name = "PREFIX", default_value = "")]
    pub(crate) prefix: String,
    /// Only locks that are taken
    #[arg(long)]
    pub(crate) held: bool,
    /// Show the list again and again, until you press Ctrl-C
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub(crate) watch: bool,
    /// How long `--watch` waits between two lists
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1s", requires = "watch", env = "SHEDLOCK_EVERY")]
    pub(crate) every: Duration,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// One lock, printed.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The name of the lock
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// The options of `wait`.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// The name of the lock
    pub(crate) name: String,
    /// Give up after this time, with exit code 124
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

/// The options of `release`.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The name of the lock
    pub(crate) name: String,
    /// Say that you know: the holder is not asked, and what it runs goes on
    #[arg(long, required = true)]
    pub(crate) force: bool,
    /// Why, for whoever looks at the lock later
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// The options of `pause`.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// The name of the lock
    pub(crate) name: String,
    /// How long every node skips the lock
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub(crate) length: Duration,
    /// Why, for whoever looks at the lock later
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

/// What `migrate` does.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Migrate {
    /// Print what the store needs, without connecting to it
    Print,
    /// Make what the store needs, if it is not there
    Run,
    /// Check what the store has
    Check,
}

/// The options of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// The options of `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The command whose page is printed; without it, the page of the program
    pub(crate) command: Option<String>,
}

/// What is done with a crontab.
#[derive(Debug, Subcommand)]
pub(crate) enum Cron {
    /// Propose a crontab whose jobs go through `shedlock run`: print the difference, and change nothing
    Wrap(Wrap),
}

/// The options of `cron wrap`.
#[derive(Debug, Args)]
pub(crate) struct Wrap {
    /// The crontab; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Each line has the name of a user before the command, as in `/etc/crontab` and in `/etc/cron.d`, where this is known
    #[arg(long)]
    pub(crate) system: bool,
}

/// The options of `bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How often each question is asked, for five seconds each at most
    #[arg(long, value_name = "NUMBER", default_value = "200", value_parser = count)]
    pub(crate) count: usize,
    /// Print JSON, one object a figure
    #[arg(long, env = "SHEDLOCK_JSON")]
    pub(crate) json: bool,
}

/// The options of `torture`.
#[derive(Debug, Args)]
pub(crate) struct Torture {
    /// How long the contenders compete
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub(crate) length: Duration,
    /// How many contenders there are, each with a connection of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = value_parser!(u16).range(2..=256))]
    pub(crate) contenders: u16,
    /// For how many locks they compete
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = value_parser!(u16).range(1..=256))]
    pub(crate) locks: u16,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1_000_000) => Ok(count),
        _ => Err("give a number from 1 to 1000000".to_owned()),
    }
}
