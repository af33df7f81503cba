//! Bad input gets a clear message before any question to the store.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use crate::support::{Site, ended};

fn refused(arguments: &[&str]) -> String {
    let site = Site::new();
    let ran = site.run(arguments);
    assert_eq!(ran.code, 64, "{arguments:?}: {ran:?}");
    assert_eq!(ran.out, "");
    ran.err
}

#[test]
fn an_unknown_scheme_is_told_with_those_that_are_built_in() {
    let said = refused(&["--store", "oracle://db/x", "list"]);
    assert!(said.contains("no store has the scheme `oracle`"), "{said}");
    assert!(
        said.contains("`sqlite:///var/lib/app/shedlock.db`"),
        "{said}"
    );
    let said = refused(&["--store", "just text", "list"]);
    assert!(
        said.contains("has no scheme") && !said.contains("just text"),
        "{said}"
    );
}

#[cfg(not(feature = "nats"))]
#[test]
fn a_store_that_was_left_out_is_told_with_its_feature() {
    let said = refused(&["--store", "nats://host", "list"]);
    assert!(
        said.contains("cargo install shedlock-cli --features nats"),
        "{said}"
    );
}

#[test]
fn names_are_checked() {
    let long = "x".repeat(65);
    let said = refused(&["run", "--name", &long, "--", "true"]);
    assert!(
        said.contains("at most 64 characters") && said.contains("has 65"),
        "{said}"
    );
    let said = refused(&["run", "--name", "", "--", "true"]);
    assert!(said.contains("a lock name cannot be empty"), "{said}");
    let said = refused(&["run", "--name", "a\nb", "--", "true"]);
    assert!(!said.trim_end().contains('\n'), "{said}");
}

#[test]
fn a_command_and_one_name_are_needed() {
    assert!(refused(&["run", "--name", "a"]).contains("<COMMAND>"));
    assert!(refused(&["run", "--", "true"]).contains("--name"));
    let said = refused(&["run", "--name", "a", "--name-from-command", "--", "true"]);
    assert!(said.contains("cannot be used with"), "{said}");
}

#[test]
fn durations_and_combinations_are_checked() {
    let run = |more: &[&str]| refused(&[&["run", "--name", "a"], more, &["--", "true"]].concat());
    assert!(run(&["--at-most", "10 parsecs"]).contains("10 parsecs"));
    assert!(run(&["--at-most", "0s"]).contains("cannot be zero"));
    assert!(run(&["--kill-after", "30s"]).contains("--at-most 2m 30s"));
    assert!(run(&["--attempts", "3"]).contains("--once-per"));
    assert!(run(&["--once-per", "1h", "--step", "1"]).contains("cannot be used with"));
    // What the library calls a wrong configuration is a wrong option here.
    assert!(run(&["--step", "0"]).contains("a chain begins with step 1"));
    assert!(run(&["--instant", ""]).contains("empty text"));
    assert!(run(&["--step", "1", "--attempts", "0"]).contains("`attempts` is zero"));
    assert!(run(&["--at-most", "1ms"]).contains("300ms or more"));
    assert!(run(&["--keep-alive", "10m"]).contains("not shorter than `at_most`"));
    assert!(refused(&["release", "a", "--reason", "x"]).contains("--force"));
    assert!(refused(&["release", "a", "--force"]).contains("--reason"));
}

#[test]
fn a_command_may_have_options_of_its_own() {
    let site = Site::new();
    let ran = site.run(["run", "--name", "a", "--", "echo", "--name", "b", "--json"]);
    assert_eq!(ran.out, "--name b --json\n");
    let ran = site.run(["run", "--name", "a", "echo", "--name", "b", "--", "-q"]);
    assert_eq!(ran.out, "--name b -- -q\n");
    // A slip of the pen is not a command.
    let said = refused(&["run", "--name", "a", "--at-lesat", "10m", "--", "true"]);
    assert!(
        said.contains("'--at-lesat'") && said.contains("'--at-least'"),
        "{said}"
    );
}

#[test]
fn the_name_may_come_from_the_command() {
    let site = Site::new();
    let run = |text| site.run(["run", "--name-from-command", "--", "echo", text]);
    assert_eq!(run("a").code, 0);
    assert_eq!(run("b").code, 0);
    let names = site.run(["list", "--csv"]).out;
    assert_eq!(
        names
            .lines()
            .filter(|line| line.starts_with("echo-"))
            .count(),
        2,
        "{names}"
    );
}

#[test]
fn closed_streams_are_no_harm() {
    let site = Site::new();
    let ran = ended(&mut site.shell("shedlock run --name a -- echo out <&-"));
    assert_eq!((ran.code, ran.out.as_str()), (0, "out\n"));
    let ran = ended(&mut site.shell("shedlock run --name a -- true >&- 2>&-"));
    assert_eq!(ran.code, 0);
    // `yes` has no reader any more: SIGPIPE ends it.
    let script = "{ shedlock run --name a -- yes; echo $? >code; } | head -1; cat code";
    let ran = ended(&mut site.shell(script));
    assert_eq!(ran.out, "y\n141\n");
    assert_eq!(ran.err, "");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let site = Site::new();
    for name in ["a", "b", "c"] {
        assert_eq!(site.run(["run", "--name", name, "--", "true"]).code, 0);
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut list = site.command(["list"]);
    let output = list.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_disk_that_is_full_is_told() {
    let site = Site::new();
    for arguments in [
        &["list"][..],
        &["list", "--watch"],
        &["doctor"],
        &["top", "--once"],
        &["run", "--name", "a", "--dry-run", "--", "true"],
        &["torture", "--for", "100ms"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut command = site.command(arguments);
        let command = command.stdout(full.unwrap()).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
        assert!(said.contains("cannot write to stdout"), "{said}");
    }
}

#[test]
fn a_file_that_does_not_end_is_refused() {
    let site = Site::new();
    for (arguments, code) in [
        (["list", "--held", "--config", "/dev/zero"], 78),
        (["list", "--held", "--store-file", "/dev/zero"], 78),
        (["unlock", "a", "--token-file", "/dev/zero"], 64),
    ] {
        let ran = site.run(arguments);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains("longer than a mebibyte"), "{ran:?}");
    }
}

#[test]
fn what_is_not_utf8_is_told_and_not_left_out() {
    let site = Site::new();
    let odd = OsStr::from_bytes(b"\xff");
    let with = |arguments: &[&str], variable: &str| {
        let ran = ended(site.command(arguments).env(variable, odd));
        (ran.code, ran.err)
    };
    let (code, said) = with(&["unlock", "a"], "SHEDLOCK_TOKEN");
    assert_eq!(code, 64, "{said}");
    assert!(
        said.contains("not one that `shedlock lock` has printed"),
        "{said}"
    );
    let (code, said) = with(&["list"], "SHEDLOCK_STORE");
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("SHEDLOCK_STORE"), "{said}");
    #[cfg(feature = "serve")]
    {
        let serve = ["serve", "--listen", "127.0.0.1:0"];
        let (code, said) = with(&serve, "SHEDLOCK_OPERATOR_TOKENS");
        assert_eq!(code, 78, "{said}");
        assert!(said.contains("SHEDLOCK_OPERATOR_TOKENS"), "{said}");
    }
    let ran = ended(
        site.command(["run", "--name"])
            .arg(odd)
            .args(["--", "true"]),
    );
    assert_eq!(ran.code, 64, "{ran:?}");
    // The arguments of the command are its own.
    let ran = ended(
        site.command(["run", "--name", "a", "--", "printf", "%s"])
            .arg(odd),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn the_file_with_the_url_is_checked() {
    let site = Site::new();
    let ran = site.run(["--store-file", "nothing", "list"]);
    assert_eq!(ran.code, 78);
    assert!(
        ran.err
            .contains("cannot read the store's URL from `nothing`"),
        "{ran:?}"
    );
    std::fs::write(site.path("empty"), "\n").unwrap();
    assert_eq!(site.run(["--store-file", "empty", "list"]).code, 78);
    let url = format!("sqlite://{}\n", site.path("x.db").display());
    std::fs::write(site.path("url"), url).unwrap();
    assert_eq!(site.run(["--store-file", "url", "migrate", "run"]).code, 0);
    let mut list = site.command(["list"]);
    assert_eq!(ended(list.env("SHEDLOCK_STORE_FILE", "url")).code, 0);
}

#[test]
fn without_a_home_a_store_has_to_be_named() {
    let site = Site::new();
    let mut list = site.command(["list"]);
    let ran = ended(list.env_remove("HOME").env_remove("XDG_STATE_HOME"));
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("set `SHEDLOCK_STORE`"), "{ran:?}");
}
