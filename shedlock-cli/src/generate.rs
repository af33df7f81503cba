//! What is made from the command line's own description: completions and manual pages.

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::args::{self, Cli, Completions};
use crate::exit::{Exit, Failure};
use crate::output;

/// Prints the completions for a shell.
pub(crate) fn completions(options: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "shedlock", &mut script);
    print(&script)
}

/// Prints the manual page of the program or of one command.
pub(crate) fn man(options: &args::Man) -> Result<Exit, Failure> {
    let mut program = Cli::command();
    // Passes the options of the program on to its commands.
    program.build();
    let page = match &options.command {
        None => program,
        Some(name) => {
            let command = program.find_subcommand(name).ok_or_else(|| {
                Failure::usage(format!("there is no command `{}`", name.escape_default()))
            })?;
            // The name of a page has no blanks.
            command.clone().display_name(format!("shedlock-{name}"))
        }
    };
    let mut text = Vec::new();
    let rendered = Man::new(page).render(&mut text);
    rendered.map_err(|error| Failure::internal(format!("cannot make the page: {error}")))?;
    print(&text)
}

fn print(text: &[u8]) -> Result<Exit, Failure> {
    output::print(&String::from_utf8_lossy(text))?;
    Ok(Exit::SUCCESS)
}
