//! `cargo xtask servers`: lists the servers and programs that the tests can use, and installs them.
//!
//! [`needs`] is the table of them and says where each comes from. Debian's packages go into the system. Everything else
//! goes into a cache folder of the user ([`cache`]), one folder for each server and version.

mod cache;
mod debian;
mod download;
mod find;
mod go;
mod installation;
mod krate;
mod listing;
mod maven;
mod needs;
mod npm;
mod releases;
mod source;
#[cfg(test)]
mod tests;
mod wheel;

pub(crate) use installation::{can_install, set_up};
pub(crate) use needs::{Missing, Need, default_needs, named_in, release};

/// Options of `cargo xtask servers`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List what the tests can use: found or missing, version, and where it comes from
    List,
    /// Install the servers with these names, or all that are missing
    Install {
        /// Also the servers that have to be built from source, which takes minutes
        #[arg(long)]
        all_servers: bool,
        /// Names of the list, in any case and with or without their spaces
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Runs the verb. The answer is whether nothing that was asked for is missing.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    match &args.command {
        None | Some(Command::List) => {
            listing::print();
            Ok(true)
        }
        Some(Command::Install { all_servers, names }) => {
            let wanted = if names.is_empty() {
                needs::default_needs(*all_servers)
            } else {
                needs::named(names)?
            };
            Ok(installation::install_and_report(&wanted).is_empty())
        }
    }
}
