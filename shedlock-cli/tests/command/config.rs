//! The file with the user's own defaults.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Site, ended};

/// Writes the file that the system's convention names, for its owner alone.
fn write(site: &Site, text: &str) {
    fs::create_dir_all(site.path(".config/shedlock")).expect("a folder");
    fs::write(site.path(".config/shedlock/config.toml"), text).expect("a file");
    set_mode(site, 0o600);
}

fn set_mode(site: &Site, mode: u32) {
    let file = site.path(".config/shedlock/config.toml");
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("its owner");
}

fn refused(text: &str) -> String {
    let site = Site::new();
    write(&site, text);
    let ran = site.run(["list"]);
    assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{text}: {ran:?}");
    ran.err
}

/// What is left of the lease that `lock` has taken, in seconds.
fn lease(site: &Site, arguments: &[&str]) -> u64 {
    let mut lock = site.command(["lock", "a"].iter().chain(arguments));
    let taken = ended(&mut lock);
    assert_eq!(taken.code, 0, "{taken:?}");
    let lock = site.run(["get", "a", "--json"]).out;
    let lock: serde_json::Value = serde_json::from_str(&lock).expect("JSON");
    let freed = site.run(["release", "a", "--force", "--reason", "test"]);
    assert_eq!(freed.code, 0, "{freed:?}");
    lock["remaining_ms"]
        .as_u64()
        .expect("a number")
        .div_ceil(1_000)
}

#[test]
fn an_argument_counts_before_the_environment_and_that_before_the_file() {
    let site = Site::new();
    write(&site, "[run]\nbusy_exit = 4\n[lock.b]\nbusy_exit = 3\n");
    for name in ["a", "b"] {
        assert_eq!(site.run(["lock", name, "--at-most", "10m"]).code, 0);
    }
    let run = |name, more: &[&str], variable: Option<&str>| {
        let mut command = site.command(["run", "--name", name].iter().chain(more));
        command.args(["--", "true"]);
        if let Some(variable) = variable {
            command.env("SHEDLOCK_BUSY_EXIT", variable);
        }
        ended(&mut command).code
    };
    assert_eq!(run("a", &[], None), 4, "the table of all locks");
    assert_eq!(run("b", &[], None), 3, "the table of the lock");
    assert_eq!(run("b", &[], Some("2")), 2, "the environment");
    assert_eq!(
        run("b", &["--busy-exit", "1"], Some("2")),
        1,
        "the argument"
    );
}

#[test]
fn the_table_of_a_lock_is_for_scripts_as_well() {
    let site = Site::new();
    write(&site, "[lock.a]\nat_most = \"20m\"\n");
    assert_eq!(lease(&site, &[]), 20 * 60);
    assert_eq!(lease(&site, &["--at-most", "30m"]), 30 * 60);
    // Without a default, the lease of `lock` has to be given.
    assert_eq!(site.run(["lock", "b"]).code, 64);
}

#[test]
fn flags_may_stand_in_the_file() {
    let site = Site::new();
    write(
        &site,
        "node = \"web-9\"\n[run]\nquiet_busy = true\nbusy_exit = 0\n",
    );
    assert_eq!(site.run(["lock", "a", "--at-most", "10m"]).code, 0);
    assert!(site.run(["get", "a"]).out.contains("web-9"));
    let skipped = site.run(["run", "--name", "a", "--", "touch", "ran"]);
    assert_eq!((skipped.code, skipped.err.as_str()), (0, ""));
    assert!(!site.path("ran").exists());
}

#[test]
fn an_argument_ends_what_the_file_says_otherwise() {
    let site = Site::new();
    write(&site, "[run]\nkeep_alive = \"1s\"\nonce_per = \"300d\"\n");
    let once = || site.run(["run", "--name", "a", "--", "true"]).code;
    assert_eq!((once(), once()), (0, 80));
    let step = site.run(["run", "--name", "b", "--step", "1", "--", "true"]);
    assert_eq!(step.code, 0, "{step:?}");
    let shown = site.run([
        "run",
        "--name",
        "c",
        "--no-keep-alive",
        "--dry-run",
        "--",
        "true",
    ]);
    assert!(
        shown
            .out
            .contains("not extended: the command gets TERM after"),
        "{shown:?}"
    );
}

#[test]
fn the_file_names_the_store_unless_somebody_else_does() {
    let site = Site::new();
    let url = |name: &str| format!("sqlite://{}?history=90d", site.path(name).display());
    for name in ["file.db", "environment.db"] {
        assert_eq!(site.run(["--store", &url(name), "migrate", "run"]).code, 0);
    }
    let used = |name: &str| {
        let runs = site
            .run(["--store", &url(name), "history", "a", "--ndjson"])
            .out;
        runs.lines().count()
    };
    let run = || site.command(["run", "--name", "a", "--", "true"]);

    write(&site, &format!("store = \"{}\"\n", url("file.db")));
    assert_eq!(ended(&mut run()).code, 0);
    assert_eq!((used("file.db"), used("environment.db")), (1, 0));
    assert_eq!(
        ended(run().env("SHEDLOCK_STORE", url("environment.db"))).code,
        0
    );
    assert_eq!((used("file.db"), used("environment.db")), (1, 1));

    // Beside the file, wherever the program is started.
    write(&site, "store_file = \"store\"\n");
    fs::write(site.path(".config/shedlock/store"), url("file.db")).unwrap();
    assert_eq!(ended(&mut run()).code, 0);
    assert_eq!((used("file.db"), used("environment.db")), (2, 1));
}

#[test]
fn another_file_may_be_named() {
    let site = Site::new();
    write(&site, "this is not read");
    fs::write(site.path("mine.toml"), "node = \"web-8\"\n").unwrap();
    let node = |command: &mut std::process::Command| {
        let shown = ended(command);
        assert_eq!(shown.code, 0, "{shown:?}");
        shown.out.contains("web-8")
    };
    let rehearse = |more: &[&str]| {
        let all = ["run", "--name", "a", "--dry-run"].iter().chain(more);
        let mut command = site.command(all);
        command.args(["--", "true"]);
        command
    };
    assert!(node(&mut rehearse(&["--config", "mine.toml"])));
    assert!(node(rehearse(&[]).env("SHEDLOCK_CONFIG", "mine.toml")));
    let missing = site.run(["list", "--config", "nothing.toml"]);
    assert_eq!(missing.code, 78);
    assert!(
        missing
            .err
            .contains("cannot read the configuration `nothing.toml`"),
        "{missing:?}"
    );
    // Whoever looks for help may have a file that is wrong.
    assert_eq!(site.run(["--help"]).code, 0);
}

#[test]
fn a_key_that_means_nothing_is_told_with_the_nearest_one() {
    let said = refused("node = \"web-1\"\n[run]\nat_mots = \"10m\"\n");
    assert!(
        said.contains("line 3: unknown key `at_mots`; did you mean `at_most`?"),
        "{said}"
    );
    let said = refused("[lock.\"a b\"]\nbusy-exit = 0\n");
    assert!(said.contains("did you mean `busy_exit`?"), "{said}");
    let said = refused("stor_file = \"x\"\n");
    assert!(
        said.contains("line 1") && said.contains("`store_file`?"),
        "{said}"
    );
    let said = refused("at_most = \"10m\"\n");
    assert!(said.contains("belongs into the table `[run]`"), "{said}");
    let said = refused("[run]\nstore = \"x\"\n");
    assert!(said.contains("stands above all tables"), "{said}");
    let said = refused("[run]\nzzz = 1\n");
    assert!(
        said.contains("the keys here are") && said.contains("at_most"),
        "{said}"
    );
}

#[test]
fn a_value_that_is_wrong_is_told_with_its_line() {
    let said = refused("\n[run]\nat_most = \"10 parsecs\"\n");
    assert!(
        said.contains("line 3") && said.contains("10 parsecs"),
        "{said}"
    );
    let said = refused("[run]\non_lost = \"kill\"\n");
    assert!(said.contains("`term`") && said.contains("`warn`"), "{said}");
    let said = refused("[run]\nbusy_exit = 300\n");
    assert!(said.contains("line 2"), "{said}");
    let said = refused("store = \"redis://a\"\nstore_file = \"b\"\n");
    assert!(said.contains("`store` and `store_file`"), "{said}");
}

#[test]
fn a_secret_that_others_can_read_is_refused_and_not_repeated() {
    let site = Site::new();
    write(
        &site,
        "store = \"postgres://app:pa55word@127.0.0.1:1/app\"\n",
    );
    assert_eq!(site.run(["list"]).code, 69, "its owner may");
    set_mode(&site, 0o644);
    let refused = site.run(["list"]);
    assert_eq!(refused.code, 78);
    assert!(
        refused.err.contains("chmod 600") && refused.err.contains("0644"),
        "{refused:?}"
    );
    // Without a secret, everybody may read it.
    write(&site, "store = \"postgres://app@127.0.0.1:1/app\"\n");
    set_mode(&site, 0o644);
    assert_eq!(site.run(["list"]).code, 69);
    for text in [
        "store = \"postgres://app:pa55word@host/app\n",
        "store = [\"postgres://app:pa55word@host/app\"]\n",
        "postgres://app:pa55word@host/app\n",
        "store = \"postgres://app:pa55word@host/app\"\nstore_file = \"x\"\n",
    ] {
        let said = self::refused(text);
        assert!(!said.contains("pa55"), "{said}");
    }
}
