//! The user's own defaults, from variables of the environment and from a file. What they say becomes the defaults of the options, so an
//! argument counts before a variable, and that before the file.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _, parser::ValueSource};

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::secret::{FileText, Secret};

mod defaults;
mod file;
mod keys;
mod variables;

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

/// Reads the command line, with the defaults of the variables and the file.
pub(crate) fn command_line(arguments: impl Iterator<Item = OsString>) -> Result<Cli, Unusable> {
    let arguments: Vec<_> = arguments.collect();
    let documented = Cli::command();
    let command = variables::left_out(documented.clone());
    // What is wrong is told by the second reading. Here, it must not hide which file is meant.
    let hints = command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(&arguments);
    let Ok(hints) = hints else {
        // Help, whose reader may have a file that is wrong. The short one has no room for variables.
        let is_short = arguments.iter().any(|argument| argument == "-h");
        let told = if is_short { command } else { documented };
        return Ok(Cli::from_arg_matches(
            &told.try_get_matches_from(arguments)?,
        )?);
    };
    let color = hints.get_one::<clap::ColorChoice>("color");
    let command = command.color(color.copied().unwrap_or_default());
    let asked = Asked::of(&hints);
    let file = read(&hints)?;
    let mut defaults = file.as_ref().map_or_else(Defaults::default, |file| {
        file.defaults(asked.takes_lock(), asked.lock.as_deref())
    });
    let name = asked.command.as_deref();
    defaults.add_all(variables::read(&documented, name, &asked.given)?);
    defaults.yield_to(&asked.given);
    let command = with_defaults(command, name, &defaults);
    let mut cli = Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)?;
    cli.store.configured = file.and_then(|file| file.store());
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
    command: Option<String>,
    lock: Option<String>,
    /// The options that the arguments give.
    given: Vec<String>,
}

impl Asked {
    fn of(hints: &ArgMatches) -> Self {
        let mut asked = Self::default();
        asked.note(hints);
        if let Some((command, options)) = hints.subcommand() {
            asked.command = Some(command.to_owned());
            asked.note(options);
            if asked.takes_lock() {
                asked.lock = options.get_one::<String>("name").cloned();
            }
        }
        asked
    }

    fn note(&mut self, options: &ArgMatches) {
        let given = options
            .ids()
            .filter(|id| options.value_source(id.as_str()) == Some(ValueSource::CommandLine));
        self.given.extend(given.map(|id| id.as_str().to_owned()));
    }

    fn takes_lock(&self) -> bool {
        let command = self.command.as_deref();
        command.is_some_and(|command| TAKING.contains(&command))
    }
}

/// Makes the values the defaults of the options of these names, of the program and of its command `name`.
fn with_defaults(mut program: Command, name: Option<&str>, defaults: &Defaults) -> Command {
    program = with_own_defaults(program, defaults);
    match name {
        Some(name) => program.mut_subcommand(name, |command| with_own_defaults(command, defaults)),
        None => program,
    }
}

fn with_own_defaults(mut command: Command, defaults: &Defaults) -> Command {
    let has = |command: &Command, option: &str| {
        let mut known = command.get_arguments();
        known.any(|known| known.get_id() == option)
    };
    for (option, value) in defaults.values() {
        if has(&command, option) {
            command = command.mut_arg(option, |known| known.default_value(value).required(false));
        }
    }
    if defaults.has_position() && has(&command, "attempts") {
        command = command.mut_arg("attempts", |attempts| attempts.requires(Resettable::Reset));
    }
    command
}
