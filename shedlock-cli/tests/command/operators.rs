//! What operators see and do.

use crate::support::{Running, Site, until};

#[test]
fn a_lock_is_seen_in_each_format() {
    let site = Site::new();
    let node = |arguments: &[&str]| site.run(["--node", "web-2"].iter().chain(arguments));
    assert_eq!(node(&["lock", "held", "--at-most", "10m"]).code, 0);
    assert_eq!(node(&["run", "--name", "free", "--", "true"]).code, 0);
    assert_eq!(
        node(&[
            "pause",
            "paused",
            "--for",
            "2h",
            "--reason",
            "the mail server moves"
        ])
        .code,
        0
    );

    let table = site.run(["list"]).out;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(
        lines[0].starts_with("NAME") && lines[1].starts_with("free    free"),
        "{table}"
    );
    assert!(
        lines[2].contains("web-2") && lines[2].contains("█ 9m 5"),
        "{table}"
    );
    assert!(lines[3].ends_with("the mail server moves"), "{table}");
    // Aligned: the second column begins at the same place in each line.
    let at = lines[0].find("STATE").unwrap();
    assert!(
        lines[1..]
            .iter()
            .all(|line| line.as_bytes()[at - 1] == b' ' && line.as_bytes()[at] != b' '),
        "{table}"
    );

    let json: serde_json::Value = serde_json::from_str(&site.run(["list", "--json"]).out).unwrap();
    assert_eq!(json[1]["name"], "held");
    assert_eq!(json[1]["node"], "web-2");
    assert_eq!(json[2]["state"], "paused");
    assert_eq!(site.run(["list", "--ndjson"]).out.lines().count(), 3);
    assert_eq!(site.run(["list", "--held", "--csv"]).out.lines().count(), 3);
    assert_eq!(site.run(["list", "pau", "--csv"]).out.lines().count(), 2);
    let one: serde_json::Value =
        serde_json::from_str(&site.run(["get", "held", "--json"]).out).unwrap();
    assert_eq!(one["state"], "held");
}

#[test]
fn nothing_shows_the_secret_of_a_lock() {
    let site = Site::new();
    let token = site.run(["lock", "a", "--at-most", "10m"]).out;
    let secret = token.trim_end().rsplit("%23").next().unwrap().to_owned();
    assert_eq!(secret.len(), 32, "{token}");
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["get", "a", "--csv"],
        &["doctor", "--name", "a"],
    ] {
        let shown = site.run(arguments);
        assert!(
            !shown.out.contains(&secret) && !shown.err.contains(&secret),
            "{shown:?}"
        );
    }
}

#[test]
fn an_unknown_lock_is_free() {
    let site = Site::new();
    let shown = site.run(["get", "nothing"]);
    assert_eq!((shown.code, shown.out.as_str()), (0, ""));
    assert!(shown.err.contains("no record of `nothing`"), "{shown:?}");
    assert_eq!(site.run(["wait", "nothing"]).code, 0);
    let released = site.run(["release", "nothing", "--force", "--reason", "x"]);
    assert!(released.err.contains("was free"), "{released:?}");
}

#[test]
fn a_pause_is_kept_and_ended() {
    let site = Site::new();
    assert_eq!(site.run(["pause", "a", "--for", "1h"]).code, 0);
    assert_eq!(site.run(["run", "--name", "a", "--", "true"]).code, 75);
    assert!(site.run(["resume", "a"]).err.contains("resumed"));
    assert!(site.run(["resume", "a"]).err.contains("was not paused"));
    assert_eq!(site.run(["run", "--name", "a", "--", "true"]).code, 0);
    assert_eq!(site.run(["pause", "a", "--for", "0s"]).code, 64);
}

#[test]
fn the_runs_of_a_lock_are_kept_and_shown() {
    let site = Site::new();
    assert_eq!(site.run(["run", "--name", "a", "--", "true"]).code, 0);
    let fails = ["run", "--name", "a", "--", "sh", "-c", "exit 3"];
    assert_eq!(site.run(fails).code, 3);
    assert_eq!(site.run(["run", "--name", "b", "--", "true"]).code, 0);
    let shown = site.run(["history", "a", "--csv"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let rows: Vec<_> = shown.out.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{shown:?}");
    assert!(rows[0].starts_with("a,failed,"), "{shown:?}");
    assert!(rows[0].ends_with("exit code 3"), "{shown:?}");
    assert!(rows[1].starts_with("a,completed,"), "{shown:?}");
}

#[test]
fn a_store_without_a_history_says_so() {
    let site = Site::new();
    let url = format!("sqlite://{}", site.path("plain.db").display());
    let plain = |rest: &[&str]| site.run(["--store", &url].iter().chain(rest));
    assert_eq!(plain(&["migrate", "run"]).code, 0);
    let shown = plain(&["history", "a"]);
    assert_eq!(shown.code, 78, "{shown:?}");
    assert!(shown.err.contains("?history=90d"), "{shown:?}");
    let none = site.run(["--store", "redis://127.0.0.1:1?history=90d", "list"]);
    assert_eq!(none.code, 64, "{none:?}");
    assert!(none.err.contains("keep no history"), "{none:?}");
    let odd = site.run(["--store", &format!("{url}?history=soon"), "list"]);
    assert_eq!(odd.code, 64, "{odd:?}");
    let printed = site.run(["--store", &format!("{url}?history=90d"), "migrate", "print"]);
    assert!(printed.out.contains("`shedlock_history`"), "{printed:?}");
}

#[test]
fn the_list_can_be_watched() {
    let site = Site::new();
    let out = std::fs::File::create(site.path("frames")).unwrap();
    let mut watch = site.command(["list", "--watch", "--every", "50ms", "--ndjson"]);
    let mut watching = watch.stdout(out).spawn().unwrap();
    assert_eq!(site.run(["run", "--name", "a", "--", "true"]).code, 0);
    until("the new lock is seen", || {
        site.read("frames").contains("\"a\"")
    });
    crate::support::send(watching.id(), nix::sys::signal::Signal::SIGINT);
    assert_eq!(watching.wait().unwrap().code(), Some(0));
}

#[test]
fn the_doctor_finds_a_sound_store_sound() {
    let site = Site::new();
    let found = site.run(["doctor"]);
    assert_eq!(found.code, 0, "{found:?}");
    for check in [
        "connection",
        "schema",
        "fencing",
        "records",
        "clock",
        "trial",
    ] {
        assert!(
            found
                .out
                .lines()
                .any(|line| line.starts_with("ok") && line.contains(check)),
            "{found:?}"
        );
    }
    let json = site.run(["doctor", "--json", "--read-only"]).out;
    for line in json.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(finding["level"], "ok", "{finding}");
    }
    assert!(!json.contains("trial"), "{json}");
}

#[test]
fn the_doctor_says_what_a_store_lacks() {
    let place = Site::new();
    let site = Site::with_store(format!("sqlite://{}", place.path("x.db").display()));
    let found = site.run(["doctor"]);
    assert_eq!(found.code, 78, "{found:?}");
    assert!(
        found.out.contains("ERROR    schema") && found.out.contains("CREATE TABLE"),
        "{found:?}"
    );
    assert_eq!(site.run(["migrate", "check"]).code, 78);
    assert_eq!(site.run(["migrate", "run"]).code, 0);
    assert_eq!(site.run(["migrate", "run"]).code, 0, "again is no harm");
    assert_eq!(site.run(["migrate", "check"]).code, 0);
    assert_eq!(site.run(["doctor"]).code, 0);

    let nowhere = Site::with_store(crate::exit_codes::NOWHERE).run(["doctor"]);
    assert_eq!(nowhere.code, 69);
    assert!(
        nowhere.out.starts_with("ERROR    connection"),
        "{nowhere:?}"
    );
}

#[test]
fn the_schema_is_printed_without_a_connection() {
    let site = Site::with_store("postgres://app@127.0.0.1:1/app?table=ops.locks");
    let printed = site.run(["migrate", "print"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(
        printed
            .out
            .starts_with("CREATE TABLE IF NOT EXISTS \"ops\".\"locks\""),
        "{printed:?}"
    );
    assert!(printed.out.ends_with(";\n"), "{printed:?}");
    let printed = Site::with_store("redis://127.0.0.1:1").run(["migrate", "print"]);
    assert_eq!(printed.out, "-- Redis needs no schema\n");
}

#[test]
fn completions_and_pages_are_made() {
    let site = Site::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let made = site.run(["completions", shell]);
        assert_eq!(made.code, 0);
        for option in [
            "once-per",
            "dry-run",
            "ping",
            "log-format",
            "color",
            "config",
        ] {
            assert!(made.out.contains(option), "{shell}: {option}");
        }
    }
    let script = site.run(["completions", "bash"]).out;
    let mut bash = std::process::Command::new("bash");
    let checked = bash.args(["-n", "-c", &script]).status();
    assert!(checked.unwrap().success());
    assert!(site.run(["man"]).out.contains(".TH shedlock"));
    let page = site.run(["man", "run"]).out;
    for option in [
        "once\\-per",
        "dry\\-run",
        "ping",
        "log\\-format",
        "color",
        "config",
    ] {
        assert!(page.contains(option), "{option}");
    }
    assert!(site.run(["man", "cron"]).out.contains("wrap"));
    assert!(site.run(["help", "cron", "wrap"]).out.contains("--system"));
    assert_eq!(site.run(["man", "nothing"]).code, 64);
}

#[test]
fn a_second_look_at_a_held_lock_shows_its_holder() {
    let site = Site::new();
    let mut command = site.command([
        "--node",
        "web-7",
        "run",
        "--name",
        "a",
        "--",
        "sh",
        "-c",
        "touch begun; sleep 600",
    ]);
    let running = Running::start(&mut command);
    until("it has begun", || site.path("begun").exists());
    assert!(site.run(["get", "a"]).out.contains("web-7"));
    drop(running);
    assert!(site.is_free("a"));
}
