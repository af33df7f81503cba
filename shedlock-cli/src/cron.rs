//! `shedlock cron wrap`: proposes a crontab whose jobs go through `shedlock run`.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use similar::TextDiff;

use crate::args::{Cron, StoreOptions, Wrap};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::{self, Level};

mod line;

use line::{Job, Line};

/// Keeps a node whose clock is late from running a quick job again, and is over before the next minute.
const AT_LEAST: &str = "30s";
/// The variables that say which store is meant.
const STORE_VARIABLES: &[&str] = &["SHEDLOCK_STORE", "SHEDLOCK_STORE_FILE", "SHEDLOCK_CONFIG"];

pub(crate) fn cron(command: &Cron, store: &StoreOptions) -> Result<Exit, Failure> {
    match command {
        Cron::Wrap(options) => wrap(options, store),
    }
}

/// Prints the difference between the crontab and the one that is proposed. Changes nothing.
fn wrap(options: &Wrap, store: &StoreOptions) -> Result<Exit, Failure> {
    let old = read(&options.file)?;
    let has_users = options.system || is_of_system(&options.file);
    let proposal = propose(&old, has_users, &program());
    if proposal.wrapped == 0 {
        output::say(Level::Info, "no line has to be changed");
        return Ok(Exit::SUCCESS);
    }
    let name = options.file.display().to_string();
    let difference = TextDiff::from_lines(&old, &proposal.text);
    let mut difference = difference.unified_diff();
    output::print(&difference.header(&name, &name).to_string())?;
    let lines = match proposal.wrapped {
        1 => "one line goes".to_owned(),
        many => format!("{many} lines go"),
    };
    let text = format!("{lines} through `shedlock run` in this proposal; nothing was changed");
    output::say(Level::Info, &text);
    // The jobs of this user read the same configuration.
    let is_configured = !has_users && store.configured.is_some();
    if !(proposal.names_store || is_configured) {
        output::say(
            Level::Warning,
            "the crontab names no store, so each machine would have locks of its own; \
             put `SHEDLOCK_STORE_FILE=FILE` above its lines",
        );
    }
    Ok(Exit::SUCCESS)
}

fn read(file: &Path) -> Result<String, Failure> {
    input::read_file_or_stdin(file).map_err(|error| {
        let file = file.display();
        Failure::usage(format!("cannot read the crontab `{file}`: {error}"))
    })
}

/// Whether the lines of this file have the name of a user in them.
fn is_of_system(file: &Path) -> bool {
    file == Path::new("/etc/crontab") || file.parent() == Some(Path::new("/etc/cron.d"))
}

/// This program, as cron finds it: its `PATH` is short.
fn program() -> String {
    let path = env::current_exe()
        .ok()
        .and_then(|path| path.into_os_string().into_string().ok());
    path.unwrap_or_else(|| "shedlock".to_owned())
}

/// A crontab that was made of another one.
#[derive(Debug)]
struct Proposal {
    text: String,
    wrapped: usize,
    names_store: bool,
}

fn propose(old: &str, has_users: bool, program: &str) -> Proposal {
    let mut proposal = Proposal {
        text: String::with_capacity(old.len()),
        wrapped: 0,
        names_store: false,
    };
    let mut shell = "/bin/sh".to_owned();
    let mut names = BTreeMap::new();
    for whole in old.split_inclusive('\n') {
        let text = whole.trim_end_matches(['\n', '\r']);
        match line::parse(text, has_users) {
            Line::Variable { name, value } => {
                proposal.names_store |= STORE_VARIABLES.contains(&name);
                if name == "SHELL" {
                    value.clone_into(&mut shell);
                }
                proposal.text.push_str(whole);
            }
            Line::Job(job) if !job.is_wrapped() => {
                let wrapped = wrapped(&job, program, &shell, &mut names);
                let rest = whole.get(text.len()..).unwrap_or_default();
                proposal.text.push_str(&(wrapped + rest));
                proposal.wrapped += 1;
            }
            Line::Job(_) | Line::Other => proposal.text.push_str(whole),
        }
    }
    proposal
}

fn wrapped(
    job: &Job<'_>,
    program: &str,
    shell: &str,
    names: &mut BTreeMap<String, usize>,
) -> String {
    let name = job.name();
    let seen = names.entry(name.clone()).or_default();
    *seen += 1;
    let name = match *seen {
        1 => name,
        more => format!("{name}-{more}"),
    };
    let command = job.command_for(shell);
    let program = line::quoted(program);
    format!(
        "{}{program} run --name {name} --at-least {AT_LEAST} --busy-exit 0 --quiet-busy -- {command}{}",
        job.schedule, job.input
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(old: &str) -> String {
        propose(old, false, "shedlock").text
    }

    fn wrapped(name: &str, rest: &str) -> String {
        format!(
            "* * * * * shedlock run --name {name} --at-least 30s --busy-exit 0 --quiet-busy -- {rest}\n"
        )
    }

    #[test]
    fn what_is_no_job_of_the_fleet_stays_as_it_is() {
        for line in [
            "# * * * * * commented\n",
            "\n",
            "MAILTO = ops@example.com\n",
            "@reboot /usr/bin/warm-up\n",
            "* * * * * /opt/shedlock run --name a -- job\n",
            "* * * * *\n",
        ] {
            assert_eq!(proposed(line), line);
        }
    }

    #[test]
    fn each_job_has_a_name_of_its_own() {
        let old = "* * * * * /opt/sync.sh a\n* * * * * /opt/sync.sh b\n";
        let new = wrapped("sync", "/opt/sync.sh a") + &wrapped("sync-2", "/opt/sync.sh b");
        assert_eq!(proposed(old), new);
    }

    #[test]
    fn a_line_for_a_shell_gets_the_shell_that_cron_would_take() {
        let old = "* * * * * cd /srv && ./report.sh >out\n";
        assert_eq!(
            proposed(old),
            wrapped("report", "/bin/sh -c 'cd /srv && ./report.sh >out'")
        );
        let bash = "SHELL=/bin/bash\n";
        let new = wrapped("report", "/bin/bash -c 'cd /srv && ./report.sh >out'");
        assert_eq!(proposed(&(bash.to_owned() + old)), bash.to_owned() + &new);
    }

    #[test]
    fn the_input_and_the_percent_signs_of_cron_keep_their_meaning() {
        let old = "* * * * * mail -s 50\\% ops%Hello%World\n";
        assert_eq!(
            proposed(old),
            wrapped("mail", "mail -s 50\\% ops%Hello%World")
        );
        let old = "* * * * * tar czf x-$(date +\\%F).tgz /srv\n";
        let new = wrapped("tar", "/bin/sh -c 'tar czf x-$(date +\\%F).tgz /srv'");
        assert_eq!(proposed(old), new);
    }

    #[test]
    fn a_file_of_the_system_has_users() {
        let new = propose("@daily root job\n", true, "/opt/my tools/shedlock").text;
        assert!(
            new.starts_with("@daily root '/opt/my tools/shedlock' run --name job "),
            "{new}"
        );
    }

    #[test]
    fn a_last_line_without_an_end_stays_without_one() {
        assert!(proposed("* * * * * job").ends_with("-- job"));
    }
}
