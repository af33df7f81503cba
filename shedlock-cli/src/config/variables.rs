//! Variables of the environment that stand for options: `SHEDLOCK_AT_MOST` for `--at-most`.

use std::env;
use std::ffi::{OsStr, OsString};

use clap::builder::{BoolishValueParser, Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};
use serde_json::Value;

use super::defaults::{Defaults, alternatives};
use crate::exit::Failure;

/// A variable that is set, and not empty.
struct Variable {
    option: String,
    name: String,
    value: Value,
}

/// The command line without its variables. clap would not let an argument count before a variable that excludes it.
pub(super) fn left_out(command: Command) -> Command {
    let command = command.mut_args(|option| option.env(Resettable::Reset));
    command.mut_subcommands(left_out)
}

/// What variables say of the options of `program` and of its `command`, without the options that the arguments have `given` or exclude.
pub(super) fn read(
    program: &Command,
    command: Option<&str>,
    given: &[String],
) -> Result<Defaults, super::Unusable> {
    let command = command.and_then(|name| program.find_subcommand(name));
    let options = program
        .get_arguments()
        .chain(command.into_iter().flat_map(Command::get_arguments));
    let mut set = Vec::new();
    for option in options {
        let id = option.get_id().as_str();
        let is_void = given
            .iter()
            .any(|given| given == id || alternatives(id).any(|alternative| alternative == given));
        if !is_void && let Some(variable) = read_one(option)? {
            set.push(variable);
        }
    }
    refuse_contradictions(&set)?;
    let mut defaults = Defaults::default();
    defaults.add(set.into_iter().map(|set| (set.option, set.value)));
    Ok(defaults)
}

fn read_one(option: &Arg) -> Result<Option<Variable>, super::Unusable> {
    let Some(name) = option.get_env().and_then(OsStr::to_str) else {
        return Ok(None);
    };
    let Some(text) = env::var_os(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let value = checked(option, &text).map_err(|mut error| {
        let tip = StyledStr::from(format!("the value is that of the variable `{name}`"));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
        error
    })?;
    Ok(Some(Variable {
        option: option.get_id().to_string(),
        name: name.to_owned(),
        value,
    }))
}

/// The value, if the option accepts it. It is asked alone: what is required beside it, an argument or the file may give.
fn checked(option: &Arg, text: &OsStr) -> Result<Value, clap::Error> {
    let is_flag = !option.get_action().takes_values();
    let parser = if is_flag {
        BoolishValueParser::new().into()
    } else {
        option.get_value_parser().clone()
    };
    let id = option.get_id().clone();
    let alone = Arg::new(id.clone())
        .long(option.get_long().unwrap_or_default().to_owned())
        .value_names(option.get_value_names().unwrap_or_default().to_owned())
        .value_parser(parser);
    let mut argument = OsString::from(format!("--{}=", option.get_long().unwrap_or_default()));
    argument.push(text);
    let mut matches = Command::new("shedlock")
        .no_binary_name(true)
        .arg(alone)
        .try_get_matches_from([argument])?;
    if is_flag {
        let flag = matches.remove_one::<bool>(id.as_str());
        return Ok(Value::Bool(flag.unwrap_or_default()));
    }
    // A text that is not UTF-8 was refused: paths have no such variables.
    Ok(Value::String(text.to_string_lossy().into_owned()))
}

fn refuse_contradictions(set: &[Variable]) -> Result<(), Failure> {
    let counts = |variable: &&Variable| variable.value != Value::Bool(false);
    for one in set.iter().filter(counts) {
        let other = set
            .iter()
            .filter(counts)
            .find(|other| alternatives(&one.option).any(|alternative| alternative == other.option));
        if let Some(other) = other {
            return Err(Failure::usage(format!(
                "the variables `{}` and `{}` exclude each other; unset one of them",
                one.name, other.name
            )));
        }
    }
    Ok(())
}
