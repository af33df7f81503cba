//! `cron wrap`.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Site, ended};

const CRONTAB: &str = "\
SHEDLOCK_STORE_FILE=store
# Nightly.
30 2 * * * cd /tmp && echo report \\%: $(date +\\%Y) >>\"$OUT\"
@hourly echo $GREETING from cron >>$OUT%input
@reboot /usr/bin/warm-up
";

/// What cron hands to the shell for a line: a `%` ends the command, unless a backslash is before it, which is then dropped.
fn as_cron_reads_it(line: &str, fields: usize) -> String {
    let mut rest = line;
    for _ in 0..fields {
        rest = rest.split_once(' ').expect("a field").1;
    }
    let hidden = rest.replace("\\%", "\u{0}");
    let command = hidden.split('%').next().expect("a command");
    command.replace('\u{0}', "%")
}

#[test]
fn the_proposal_is_a_patch_and_its_lines_do_what_the_old_ones_did() {
    let site = Site::new();
    fs::write(site.path("crontab"), CRONTAB).unwrap();
    let proposed = site.run(["cron", "wrap", "crontab"]);
    assert_eq!(proposed.code, 0, "{proposed:?}");
    assert!(
        proposed.err.contains("2 lines go through `shedlock run`"),
        "{proposed:?}"
    );
    assert!(!proposed.err.contains("warning"), "{proposed:?}");
    assert_eq!(site.read("crontab"), CRONTAB, "nothing is changed");

    fs::write(site.path("patch"), &proposed.out).unwrap();
    let mut patch = Command::new("patch");
    let patched = patch.args(["crontab", "patch"]).current_dir(site.path(""));
    assert!(patched.stdout(Stdio::null()).status().unwrap().success());
    let new = site.read("crontab");
    let jobs: Vec<_> = new
        .lines()
        .filter(|line| line.contains(" run --name "))
        .collect();
    assert_eq!(jobs.len(), 2, "{new}");
    for (job, fields) in [(jobs[0], 5), (jobs[1], 1)] {
        let command = as_cron_reads_it(job, fields);
        let ran = ended(
            site.shell(&command)
                .env("OUT", site.path("out"))
                .env("GREETING", "hello"),
        );
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{command}");
    }
    let out = site.read("out");
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with("report %: 20"), "{out}");
    assert_eq!(lines[1], "hello from cron");
    let names = site.run(["list", "--csv"]).out;
    assert!(
        names.contains("\necho,") && names.contains("\necho-2,"),
        "{names}"
    );
    // A second proposal has nothing to say.
    let again = site.run(["cron", "wrap", "crontab"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""), "{again:?}");
}

#[test]
fn a_crontab_without_a_store_is_warned_of() {
    let site = Site::new();
    let wrapped = ended(&mut site.shell("echo '* * * * * job' | shedlock cron wrap -"));
    assert_eq!(wrapped.code, 0);
    assert!(wrapped.out.contains("+* * * * * "), "{wrapped:?}");
    assert!(
        wrapped.err.contains("SHEDLOCK_STORE_FILE=FILE"),
        "{wrapped:?}"
    );
    fs::write(site.path("mine.toml"), "store_file = \"store\"\n").unwrap();
    let script = "echo '* * * * * job' | SHEDLOCK_CONFIG=mine.toml shedlock cron wrap -";
    let configured = ended(&mut site.shell(script));
    assert!(
        !configured.err.contains("SHEDLOCK_STORE_FILE"),
        "{configured:?}"
    );
    let missing = site.run(["cron", "wrap", "nothing"]);
    assert_eq!(missing.code, 64);
    assert!(
        missing.err.contains("cannot read the crontab `nothing`"),
        "{missing:?}"
    );
}
