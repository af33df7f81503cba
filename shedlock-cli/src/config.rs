//! The file with the user's own defaults. What it says becomes the defaults of the options, so an argument counts before a variable of the
//! environment, and that before the file.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, parser::ValueSource};

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::secret::{FileText, Secret};

mod defaults;
mod file;
mod keys;

use defaults::Defaults;

/// The variable with the path of the file.
const VARIABLE: &str = "SHEDLOCK_CONFIG";
/// The commands that take a lock by its name, and whose options the file knows.
const TAKING: &[&str] = &["run", "lock", "extend"];

/// The store that the file names.
#[derive(Debug, Clone)]
pub(crate) enum ConfiguredStore {
    Url(Secret),
    File(PathBuf),
}

/// Why there is no command line.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// What clap has to say: an error, or the help that was asked for.
    Arguments(clap::Error),
    /// The file cannot be used.
    File(Failure),
}

impl From<clap::Error> for Unusable {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

impl From<Failure> for Unusable {
    fn from(failure: Failure) -> Self {
        Self::File(failure)
    }
}

/// Reads the command line, with the defaults of the file.
pub(crate) fn command_line(arguments: impl Iterator<Item = OsString>) -> Result<Cli, Unusable> {
    let arguments: Vec<_> = arguments.collect();
    let mut command = Cli::command();
    // What is wrong is told by the second reading. Here, it must not hide which file is meant.
    let hints = command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(&arguments);
    let mut store = None;
    if let Ok(hints) = &hints {
        let color = hints.get_one::<clap::ColorChoice>("color");
        command = command.color(color.copied().unwrap_or_default());
        if let Some(file) = read(hints)? {
            let asked = Asked::of(hints);
            command = in_commands(command, &file.defaults(asked.lock.as_deref(), &asked.given));
            command = file.globals(command);
            store = file.store();
        }
    }
    let mut cli = Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)?;
    cli.store.configured = store;
    Ok(cli)
}

/// The file that the arguments, the environment or the system's convention names. Only the last one need not exist.
fn read(hints: &ArgMatches) -> Result<Option<file::Configuration>, Failure> {
    let variable = env::var_os(VARIABLE).filter(|path| !path.is_empty());
    let named = hints.get_one::<PathBuf>("config").cloned();
    if let Some(path) = named.or(variable.map(PathBuf::from)) {
        let text = FileText::read(&path).map_err(|error| unreadable(&path, &error))?;
        return file::parse(&path, &text).map(Some);
    }
    let Some(path) = conventional() else {
        return Ok(None);
    };
    match FileText::read(&path) {
        Ok(text) => file::parse(&path, &text).map(Some),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(unreadable(&path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::new(
        Exit::CONFIGURATION,
        format!("cannot read the configuration `{path}`: {error}"),
    )
}

fn conventional() -> Option<PathBuf> {
    let folder = crate::folders::absolute("XDG_CONFIG_HOME")
        .or_else(|| Some(crate::folders::absolute("HOME")?.join(".config")));
    Some(folder?.join("shedlock/config.toml"))
}

/// What the first reading of the arguments says about the defaults that apply.
#[derive(Debug, Default)]
struct Asked {
    lock: Option<String>,
    /// The options that the arguments or the environment give.
    given: Vec<String>,
}

impl Asked {
    fn of(hints: &ArgMatches) -> Self {
        let Some((command, options)) = hints.subcommand() else {
            return Self::default();
        };
        if !TAKING.contains(&command) {
            return Self::default();
        }
        let is_given = |id: &clap::Id| {
            matches!(
                options.value_source(id.as_str()),
                Some(ValueSource::CommandLine | ValueSource::EnvVariable)
            )
        };
        Self {
            lock: options.get_one::<String>("name").cloned(),
            given: options
                .ids()
                .filter(|id| is_given(id))
                .map(|id| id.as_str().to_owned())
                .collect(),
        }
    }
}

/// Makes the values the defaults of the options of these names.
fn in_commands(mut command: clap::Command, defaults: &Defaults) -> clap::Command {
    for name in TAKING {
        command = command.mut_subcommand(name, |mut subcommand| {
            for (option, value) in defaults.values() {
                if subcommand
                    .get_arguments()
                    .any(|known| known.get_id() == option.as_str())
                {
                    subcommand = subcommand
                        .mut_arg(option, |known| known.default_value(value).required(false));
                }
            }
            subcommand
        });
    }
    command
}
