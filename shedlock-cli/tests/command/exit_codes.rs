//! One test for each exit code.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Site, ended, until};

/// Nothing listens on this port.
pub(crate) const NOWHERE: &str = "postgres://app@127.0.0.1:1/app";

#[test]
fn the_code_of_the_command_comes_through_and_the_lock_is_released() {
    let site = Site::new();
    for code in [0, 1, 7, 63, 64, 75, 255] {
        let ran = site.run([
            "run",
            "--name",
            "a",
            "--",
            "sh",
            "-c",
            &format!("exit {code}"),
        ]);
        assert_eq!((ran.code, ran.err.as_str()), (code, ""));
        assert!(site.is_free("a"));
    }
}

#[test]
fn a_command_that_a_signal_ended_has_the_code_that_shells_give_it() {
    let site = Site::new();
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139)] {
        let ran = site.run([
            "run",
            "--name",
            "a",
            "--",
            "sh",
            "-c",
            &format!("kill -{signal} $$"),
        ]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(site.is_free("a"));
    }
}

#[test]
fn wrong_usage_is_64() {
    let site = Site::new();
    for arguments in [
        &["run"][..],
        &["lst"],
        &["run", "--name", "a", "--at-most", "x", "true"],
    ] {
        assert_eq!(site.run(arguments).code, 64, "{arguments:?}");
    }
    assert_eq!(site.run(["--help"]).code, 0);
    assert_eq!(site.run(["--version"]).code, 0);
}

#[test]
fn a_store_that_cannot_be_reached_is_69_and_the_command_does_not_run() {
    let site = Site::with_store(NOWHERE);
    let ran = site.run(["run", "--name", "a", "--", "touch", "ran"]);
    assert_eq!(ran.code, 69, "{ran:?}");
    assert!(ran.err.contains("could not be reached"), "{ran:?}");
    assert!(!site.path("ran").exists());
}

#[test]
fn without_a_store_a_command_runs_only_if_that_was_asked_for_in_words() {
    let site = Site::with_store(NOWHERE);
    let script = "test -z \"$SHEDLOCK_FENCE$SHEDLOCK_DEADLINE\" && exit 5";
    let ran = site.run([
        "run",
        "--name",
        "a",
        "--on-error",
        "run",
        "--",
        "sh",
        "-c",
        script,
    ]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("running without a lock"), "{ran:?}");
    // An error that is none of the store's reach is no reason to run.
    let file = format!("sqlite://{}", site.path("no-table.db").display());
    let site = Site::with_store(file);
    let ran = site.run([
        "run",
        "--name",
        "a",
        "--on-error",
        "run",
        "--",
        "touch",
        "ran",
    ]);
    assert_eq!(ran.code, 78, "{ran:?}");
    assert!(!site.path("ran").exists());
}

#[test]
fn a_lock_that_is_held_is_75_or_what_was_asked_for() {
    let site = Site::new();
    let taken = site.run(["--node", "web-2", "lock", "a", "--at-most", "10m"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    let skipped = site.run(["run", "--name", "a", "--", "touch", "ran"]);
    assert_eq!(skipped.code, 75);
    let told = "shedlock: skipped `a`: held by web-2 for another 9m ";
    assert!(skipped.err.starts_with(told), "{skipped:?}");
    let quiet = [
        "run",
        "--name",
        "a",
        "--busy-exit",
        "0",
        "--quiet-busy",
        "--",
        "touch",
        "ran",
    ];
    let skipped = site.run(quiet);
    assert_eq!((skipped.code, skipped.err.as_str()), (0, ""));
    assert!(!site.path("ran").exists());
}

#[test]
fn a_paused_lock_is_75() {
    let site = Site::new();
    assert_eq!(site.run(["pause", "a", "--for", "1h"]).code, 0);
    let skipped = site.run(["run", "--name", "a", "--wait", "100ms", "--", "true"]);
    assert_eq!(skipped.code, 75);
    assert!(
        skipped.err.contains("paused for another 59m"),
        "{skipped:?}"
    );
}

#[test]
fn a_table_that_is_missing_is_78_and_the_message_has_the_remedy() {
    let site = Site::new();
    let store = format!("sqlite://{}", site.path("other.db").display());
    let ran = site.run(["--store", &store, "run", "--name", "a", "--", "true"]);
    assert_eq!(ran.code, 78, "{ran:?}");
    assert!(
        ran.err
            .contains("run `shedlock migrate run` or run: CREATE TABLE"),
        "{ran:?}"
    );
    assert_eq!(site.run(["--store", &store, "migrate", "run"]).code, 0);
    assert_eq!(
        site.run(["--store", &store, "run", "--name", "a", "--", "true"])
            .code,
        0
    );
}

#[test]
fn a_lease_that_ends_before_the_command_is_79() {
    let site = Site::new();
    let options = [
        "run",
        "--name",
        "a",
        "--no-keep-alive",
        "--at-most",
        "3s",
        "--",
        "sleep",
        "600",
    ];
    let ran = site.run(options);
    assert_eq!(ran.code, 79, "{ran:?}");
    assert!(ran.err.contains("the lock is lost"), "{ran:?}");
}

#[test]
fn what_ran_already_is_80_and_what_is_given_up_is_81() {
    let site = Site::new();
    let once = |command| site.run(["run", "--name", "a", "--once-per", "300d", "--", command]);
    assert_eq!(once("true").code, 0);
    let skipped = once("true");
    assert_eq!(skipped.code, 80, "{skipped:?}");
    assert!(skipped.err.contains("it ran already"), "{skipped:?}");

    let tried = |command| {
        let options = [
            "run",
            "--name",
            "b",
            "--instant",
            "order-17",
            "--attempts",
            "2",
            "-q",
        ];
        site.run(options.into_iter().chain(["--", command]))
    };
    assert_eq!(tried("false").code, 1);
    assert_eq!(tried("false").code, 1);
    let given_up = tried("true");
    assert_eq!(given_up.code, 81);
    // Never in silence, not even with `-q`.
    assert!(
        given_up.err.contains("all attempts are used up"),
        "{given_up:?}"
    );
}

#[test]
fn steps_follow_each_other() {
    let site = Site::new();
    let step = |number, command| site.run(["run", "--name", "a", "--step", number, "--", command]);
    assert_eq!(step("2", "true").code, 75);
    assert_eq!(step("1", "false").code, 1);
    assert_eq!(step("1", "true").code, 0);
    assert_eq!(step("1", "true").code, 80);
    assert_eq!(step("2", "true").code, 0);
}

#[test]
fn a_wait_that_is_over_is_124() {
    let site = Site::new();
    assert_eq!(site.run(["lock", "a", "--at-most", "10m"]).code, 0);
    let ran = site.run(["run", "--name", "a", "--wait", "200ms", "--", "true"]);
    assert_eq!(ran.code, 124, "{ran:?}");
    let waited = site.run(["wait", "a", "--timeout", "200ms"]);
    assert_eq!(waited.code, 124, "{waited:?}");
    assert_eq!(
        site.run(["lock", "a", "--at-most", "1m", "--wait", "100ms"])
            .code,
        124
    );
}

#[test]
fn a_wait_that_is_over_is_busy_exit_where_that_was_chosen() {
    let site = Site::new();
    assert_eq!(site.run(["lock", "a", "--at-most", "10m"]).code, 0);
    let ended = |more: &[&str], variable: Option<&str>| {
        let options = ["run", "--name", "a", "--wait", "100ms"];
        let mut command = site.command(options.iter().chain(more));
        command.args(["--", "true"]);
        if let Some(variable) = variable {
            command.env("SHEDLOCK_BUSY_EXIT", variable);
        }
        ended(&mut command).code
    };
    for (chosen, variable, code) in [
        (&["--busy-exit", "0"][..], None, 0),
        (&["--busy-exit", "75"], None, 75),
        (&[], Some("3"), 3),
        (&[], None, 124),
    ] {
        assert_eq!(ended(chosen, variable), code, "{chosen:?}");
        let rehearsed = [chosen, &["--dry-run"]].concat();
        assert_eq!(ended(&rehearsed, variable), code, "{rehearsed:?}");
    }
    let file = site.path("config.toml");
    std::fs::write(&file, "[run]\nbusy_exit = 4\n").unwrap();
    let file = ["--config", file.to_str().unwrap()];
    assert_eq!(ended(&file, None), 4, "the file");
}

#[test]
fn a_wait_that_succeeds_runs_the_command() {
    let site = Site::new();
    let holder = site.start(
        "a",
        &[],
        "touch holds; while test ! -e go; do sleep 0.05; done",
    );
    until("the first holds the lock", || site.path("holds").exists());
    let waiting = site.start("a", &["--wait", "50s"], "touch second");
    let watching = crate::support::Running::start(&mut site.command(["wait", "a"]));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!site.path("second").exists());
    File::create(site.path("go")).unwrap();
    assert_eq!(holder.wait().code, 0);
    assert_eq!(waiting.wait().code, 0);
    assert_eq!(watching.wait().code, 0);
    assert!(site.path("second").exists());
}

#[test]
fn a_token_that_cannot_be_printed_is_125_and_the_lock_is_released() {
    let site = Site::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = site.command(["lock", "a", "--at-most", "10m"]);
    let status = command.stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(125));
    assert!(site.is_free("a"));
}

#[test]
fn a_command_that_does_not_exist_is_127_and_one_that_is_none_126() {
    let site = Site::new();
    std::fs::write(site.path("data"), "no program").unwrap();
    for (command, code) in [
        ("./nothing", 127),
        ("no-such-command-xyz", 127),
        ("./data", 126),
        ("/", 126),
    ] {
        let ran = site.run(["run", "--name", "a", "--", command]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains(command), "{ran:?}");
        assert!(site.is_free("a"), "{command}");
    }
}

#[test]
fn a_signal_before_the_command_has_begun_is_128_and_its_number() {
    let site = Site::new();
    assert_eq!(site.run(["lock", "a", "--at-most", "10m"]).code, 0);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let waiting = site.start("a", &["--wait", "10m", "-v"], "touch ran");
        // It has its handlers when it has opened the store.
        until("it has started", || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", waiting.id()));
            let caught = status.unwrap_or_default();
            let caught = caught
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:").map(str::to_owned));
            let caught = u64::from_str_radix(caught.unwrap_or_default().trim(), 16).unwrap_or(0);
            caught >> (signal as u32 - 1) & 1 == 1
        });
        waiting.signal(signal);
        assert_eq!(waiting.wait().code, code);
    }
    assert!(!site.path("ran").exists());
}

#[test]
fn a_fresh_machine_needs_nothing() {
    let site = Site::new();
    let ran = ended(&mut site.shell("shedlock run --name backup -- echo done"));
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, "done\n", "")
    );
    assert!(site.path("state/shedlock/shedlock.db").exists());
    let folder = std::fs::metadata(site.path("state/shedlock")).unwrap();
    assert_eq!(
        folder.permissions().mode() & 0o777,
        0o700,
        "others could read it"
    );
}
