//! The options of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration;

/// The options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address and port of the page; another machine reaches it only if the address is not that of this machine alone
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8043",
        env = "SHEDLOCK_LISTEN"
    )]
    pub(crate) listen: SocketAddr,
    /// A file with a line `name:token` for each operator; without operators, the page is read-only [also: the variable
    /// `SHEDLOCK_OPERATOR_TOKENS` with such lines]
    #[arg(long, value_name = "FILE")]
    pub(crate) operator_tokens: Option<PathBuf>,
    /// How long to wait between two reads of the store while somebody looks
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2s", env = "SHEDLOCK_REFRESH")]
    pub(crate) refresh: Duration,
    /// The title of the page
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Locks",
        env = "SHEDLOCK_TITLE"
    )]
    pub(crate) title: String,
    /// Answer requests for this host, too, as a proxy in front may pass them on; repeat it for more hosts
    #[arg(long = "host", value_name = "NAME", env = "SHEDLOCK_HOST")]
    pub(crate) hosts: Vec<String>,
}
