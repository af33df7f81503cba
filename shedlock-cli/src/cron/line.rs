//! One line of a crontab.

use std::path::Path;

/// What shells take for more than the words of one command.
const OPERATORS: &[char] = &['|', '&', ';', '<', '>', '(', ')', '`', '{', '}'];
/// Commands that no program of this name does.
const OF_THE_SHELL: &[&str] = &[
    ".", ":", "!", "[", "case", "cd", "eval", "exec", "exit", "export", "for", "if", "read", "set",
    "source", "test", "time", "trap", "ulimit", "umask", "unset", "until", "wait", "while",
];
/// Programs that run another one, which has the better name.
const RUNNERS: &[&str] = &[
    "bash",
    "chronic",
    "dash",
    "doas",
    "env",
    "flock",
    "ionice",
    "java",
    "nice",
    "node",
    "nohup",
    "perl",
    "php",
    "python",
    "python3",
    "ruby",
    "setsid",
    "sh",
    "sudo",
    "systemd-cat",
    "timeout",
    "zsh",
];
/// The longest name that is proposed; a number may follow it.
const LONGEST: usize = 48;

/// A line of a crontab.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A comment, an empty line, what only one machine does, or what cron would not understand either.
    Other,
    Variable {
        name: &'a str,
        value: &'a str,
    },
    Job(Job<'a>),
}

/// A job: when, what, and with which input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job<'a> {
    /// The fields before the command, with the blanks behind them.
    pub(super) schedule: &'a str,
    /// The command, with `\%` for a percent sign.
    command: &'a str,
    /// What the command reads, beginning with the `%` that parts the two; may be empty.
    pub(super) input: &'a str,
}

/// Reads a line. With `has_users`, the name of a user stands before the command.
pub(super) fn parse(line: &str, has_users: bool) -> Line<'_> {
    let text = line.trim_start();
    let Some(first) = text.chars().next().filter(|first| *first != '#') else {
        return Line::Other;
    };
    // A schedule begins with no letter.
    if first.is_alphabetic() || matches!(first, '_' | '"' | '\'') {
        return variable(text);
    }
    let fields = if first == '@' { 1 } else { 5 };
    if text.starts_with("@reboot") {
        return Line::Other;
    }
    let Some(command) = after_fields(line, fields + usize::from(has_users)) else {
        return Line::Other;
    };
    let (schedule, rest) = line.split_at(line.len() - command.len());
    let (command, input) = rest.split_at(end_of_command(rest));
    Line::Job(Job {
        schedule,
        command,
        input,
    })
}

fn variable(text: &str) -> Line<'_> {
    match text.split_once('=') {
        Some((name, value)) => Line::Variable {
            name: unquoted(name),
            value: unquoted(value),
        },
        None => Line::Other,
    }
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// What follows after so many fields and the blanks behind them; `None` if there is nothing.
fn after_fields(line: &str, fields: usize) -> Option<&str> {
    let mut rest = line.trim_start();
    for _ in 0..fields {
        let end = rest.find([' ', '\t'])?;
        rest = rest.get(end..)?.trim_start();
    }
    (!rest.is_empty()).then_some(rest)
}

/// Where the first `%` is that has no backslash before it, or else the end.
fn end_of_command(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if character == '%' && !is_escaped {
            return at;
        }
        is_escaped = character == '\\';
    }
    text.len()
}

/// The text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    // Only a zero byte cannot be quoted, and no file's text that cron reads has one.
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), String::from)
}

impl Job<'_> {
    /// Whether the command goes through `shedlock` as it is.
    pub(super) fn is_wrapped(&self) -> bool {
        let mut words = self.command.split_whitespace();
        words.any(|word| {
            Path::new(word)
                .file_name()
                .is_some_and(|name| name == "shedlock")
        })
    }

    /// The command as arguments, or as the text of a shell where only a shell understands it.
    pub(super) fn command_for(&self, shell: &str) -> String {
        let first = self.command.split_whitespace().next().unwrap_or_default();
        let needs_shell = self.command.contains(OPERATORS)
            || first.contains('=')
            || OF_THE_SHELL.contains(&first);
        if !needs_shell {
            return self.command.to_owned();
        }
        let text = quoted(&self.command.replace("\\%", "%"));
        format!("{shell} -c {}", text.replace('%', "\\%"))
    }

    /// A name for the lock: the first word that looks like the name of a program.
    pub(super) fn name(&self) -> String {
        let mut is_folder = false;
        for word in self
            .command
            .split(|c: char| c.is_whitespace() || OPERATORS.contains(&c))
        {
            let word = word.trim_matches(['"', '\'']);
            let skipped = std::mem::replace(&mut is_folder, word == "cd");
            let is_assignment = word.contains('=') || word.starts_with(['-', '$']);
            if skipped || is_assignment || OF_THE_SHELL.contains(&word) {
                continue;
            }
            let file = Path::new(word)
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let has_letters = file.starts_with(|c: char| c.is_ascii_alphabetic());
            if has_letters && !RUNNERS.contains(&file) {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                return file.chars().filter(|c| plain(*c)).take(LONGEST).collect();
            }
        }
        "job".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(line: &str) -> Job<'_> {
        match parse(line, false) {
            Line::Job(job) => job,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_name_is_the_program_s() {
        for (command, name) in [
            ("/usr/local/bin/nightly-report --all", "nightly-report"),
            ("cd /srv/app && ./backup.sh", "backup"),
            ("FOO=bar nice -n 10 /opt/import.py x", "import"),
            ("/usr/bin/env python3 /opt/sync.py", "sync"),
            ("timeout 10m \"/opt/my job.sh\"", "my"),
            ("sh -c 'true'", "true"),
            ("sh 123", "job"),
        ] {
            let line = format!("*/5 1-3 * jan mon {command}");
            assert_eq!(job(&line).name(), name, "{command}");
        }
    }

    #[test]
    fn a_line_is_taken_apart() {
        let found = job("  0\t2 * * *   job a\\%b%in%put");
        assert_eq!(
            (found.schedule, found.command, found.input),
            ("  0\t2 * * *   ", "job a\\%b", "%in%put")
        );
        assert_eq!(job("@hourly job").schedule, "@hourly ");
        assert_eq!(
            parse("\"A\" = 'b c'", false),
            Line::Variable {
                name: "A",
                value: "b c"
            }
        );
    }

    #[test]
    fn only_what_needs_a_shell_gets_one() {
        let of = |command: &str| job(&format!("* * * * * {command}")).command_for("/bin/sh");
        assert_eq!(of("job 'a b' $HOME"), "job 'a b' $HOME");
        assert_eq!(of("A=1 job"), "/bin/sh -c 'A=1 job'");
        assert_eq!(of("job | it's"), "/bin/sh -c \"job | it's\"");
        assert_eq!(of(". /etc/profile"), "/bin/sh -c '. /etc/profile'");
    }
}
