//! Options from variables of the environment.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::support::{Ended, Site, ended};

fn with(site: &Site, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = site.command(arguments);
    ended(command.envs(variables.iter().copied()))
}

/// What a run would do, with these options and variables.
fn rehearsed(site: &Site, options: &[&str], variables: &[(&str, &str)]) -> String {
    let run = ["run", "--name", "a", "--dry-run"];
    let shown = with(
        site,
        &[&run[..], options, &["--", "true"]].concat(),
        variables,
    );
    assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{shown:?}");
    shown.out
}

fn configure(site: &Site, text: &str) {
    fs::create_dir_all(site.path(".config/shedlock")).expect("a folder");
    fs::write(site.path(".config/shedlock/config.toml"), text).expect("a file");
}

#[test]
fn an_argument_counts_before_a_variable_and_that_before_the_file() {
    let site = Site::new();
    configure(
        &site,
        "[run]\nat_most = \"2h\"\n[lock.a]\nat_most = \"3h\"\n",
    );
    let variable = [("SHEDLOCK_AT_MOST", "4h")];
    for (options, variables, lease) in [
        (&[][..], &[][..], "3h, "),
        (&[], &variable, "4h, "),
        (&["--at-most", "5h"], &variable, "5h, "),
        // As if it were not there.
        (&[], &[("SHEDLOCK_AT_MOST", "")], "3h, "),
        // Nobody reads it.
        (
            &["--at-most", "5h"],
            &[("SHEDLOCK_AT_MOST", "long")],
            "5h, ",
        ),
    ] {
        let shown = rehearsed(&site, options, variables);
        assert!(shown.contains(&format!("lease     {lease}")), "{shown}");
    }
}

#[test]
fn scripts_have_the_same_variables() {
    let site = Site::new();
    let taken = with(&site, &["lock", "a"], &[("SHEDLOCK_AT_MOST", "10m")]);
    assert_eq!(taken.code, 0, "{taken:?}");
    let variables = [
        ("SHEDLOCK_AT_MOST", "20m"),
        ("SHEDLOCK_TOKEN", taken.out.trim()),
    ];
    assert_eq!(with(&site, &["extend", "a"], &variables).code, 0);
    let shown = with(&site, &["list"], &[("SHEDLOCK_NDJSON", "1")]);
    let lock: serde_json::Value = serde_json::from_str(&shown.out).expect("one object");
    let left = lock["remaining_ms"].as_u64().expect("a number");
    assert!(
        (15 * 60 * 1_000..=20 * 60 * 1_000).contains(&left),
        "{lock}"
    );
}

#[test]
fn flags_are_switched_on_and_off() {
    let site = Site::new();
    configure(&site, "[run]\nno_keep_alive = true\n");
    let ended = "not extended: the command gets TERM after";
    assert!(rehearsed(&site, &[], &[]).contains(ended));
    for off in ["false", "0", "no", "off"] {
        let shown = rehearsed(&site, &[], &[("SHEDLOCK_NO_KEEP_ALIVE", off)]);
        assert!(!shown.contains(ended), "{off}: {shown}");
    }
    let keeps = [("SHEDLOCK_KEEP_ALIVE", "7s")];
    assert!(rehearsed(&site, &[], &keeps).contains("every 7s"));
    let shown = rehearsed(&site, &["--no-keep-alive"], &keeps);
    assert!(shown.contains(ended), "{shown}");
    let shown = with(
        &site,
        &["run", "--name", "a", "--", "touch", "ran"],
        &[("SHEDLOCK_DRY_RUN", "yes")],
    );
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(!site.path("ran").exists());
}

#[test]
fn an_argument_ends_what_a_variable_says_otherwise() {
    let site = Site::new();
    let run = |name: &str, options: &[&str], variables: &[(&str, &str)]| {
        let run = [&["run", "--name", name], options, &["--", "true"]].concat();
        with(&site, &run, variables)
    };
    let instant = [("SHEDLOCK_INSTANT", "order-17")];
    assert_eq!(run("a", &[], &instant).code, 0);
    assert_eq!(run("a", &[], &instant).code, 80);
    // The step counts, and not the instant, which is done.
    assert_eq!(run("b", &["--step", "1"], &instant).code, 0);
    assert_eq!(run("b", &["--step", "1"], &instant).code, 80);

    let listed = with(&site, &["list", "--csv"], &[("SHEDLOCK_JSON", "true")]);
    assert!(listed.out.starts_with("name,"), "{listed:?}");
    let both = [("SHEDLOCK_STEP", "1"), ("SHEDLOCK_ONCE_PER", "1h")];
    let refused = run("c", &[], &both);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(
        refused.err.contains("`SHEDLOCK_STEP`") && refused.err.contains("`SHEDLOCK_ONCE_PER`"),
        "{refused:?}"
    );
    assert_eq!(run("c", &["--instant", "x"], &both).code, 0);
}

#[test]
fn attempts_count_for_any_slot_wherever_it_was_said() {
    let site = Site::new();
    configure(&site, "[lock.a]\nonce_per = \"300d\"\n");
    let failing = |name: &str, options: &[&str], variables: &[(&str, &str)]| {
        let run = [&["run", "--name", name, "-q"], options, &["--", "false"]].concat();
        with(&site, &run, variables).code
    };
    assert_eq!(failing("a", &["--attempts", "2"], &[]), 1);
    let attempts = [("SHEDLOCK_ATTEMPTS", "2")];
    assert_eq!(failing("a", &[], &attempts), 1);
    assert_eq!(failing("a", &[], &attempts), 81);
    // A lock without slots has nothing to attempt.
    for _ in 0..3 {
        assert_eq!(failing("b", &[], &attempts), 1);
    }
}

#[test]
fn a_value_that_is_wrong_is_told_with_the_variable() {
    let site = Site::new();
    let run = ["run", "--name", "a", "--", "true"];
    for (variable, value, part) in [
        ("SHEDLOCK_AT_MOST", "10 parsecs", "10 parsecs"),
        ("SHEDLOCK_BUSY_EXIT", "300", "300"),
        ("SHEDLOCK_ON_LOST", "kill", "term, warn"),
        ("SHEDLOCK_QUIET", "maybe", "maybe"),
        ("SHEDLOCK_COLOR", "blue", "always"),
        ("SHEDLOCK_LOG_FORMAT", "xml", "text, json"),
    ] {
        let refused = with(&site, &run, &[(variable, value)]);
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (64, ""),
            "{refused:?}"
        );
        assert!(
            refused.err.contains(&format!("variable `{variable}`")) && refused.err.contains(part),
            "{refused:?}"
        );
        // Another command has no such option; and help is always to be had.
        assert_eq!(
            with(&site, &["run", "--help"], &[(variable, value)]).code,
            0
        );
    }
    assert_eq!(
        with(&site, &["list"], &[("SHEDLOCK_AT_MOST", "long")]).code,
        0
    );
    let mut odd = site.command(run);
    let refused = ended(odd.env("SHEDLOCK_NODE", OsStr::from_bytes(b"web-\xff")));
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(refused.err.contains("SHEDLOCK_NODE"), "{refused:?}");
}

#[test]
fn the_variables_of_a_command_are_no_options_of_a_run_inside_of_it() {
    let site = Site::new();
    let inner =
        "shedlock run -- true; echo $?; shedlock run --name b -- sh -c 'echo $SHEDLOCK_NAME'";
    let script = format!(
        "shedlock --node web-5 run --name a -- sh -c \"{}\"",
        inner.replace('$', "\\$")
    );
    let ran = ended(&mut site.shell(&script));
    assert_eq!(ran.out, "64\nb\n", "{ran:?}");
    assert!(site.run(["history", "b", "--csv"]).out.contains("web-5"));
}

#[test]
fn help_and_manual_page_name_the_variables_and_no_secret() {
    let site = Site::new();
    let variables = [
        ("SHEDLOCK_PING", "https://hc.example/s3cret"),
        ("SHEDLOCK_AT_LEAST", "3m"),
    ];
    for (page, is_long) in [
        (["run", "--help"], true),
        (["man", "run"], true),
        (["run", "-h"], false),
    ] {
        let shown = with(&site, &page, &variables).out;
        assert!(
            shown.contains("--once-per") || shown.contains("once\\-per"),
            "{shown}"
        );
        assert_eq!(shown.contains("SHEDLOCK_ONCE_PER"), is_long, "{shown}");
        assert!(
            !shown.contains("s3cret") && !shown.contains("SHEDLOCK_NAME="),
            "{shown}"
        );
    }
}
