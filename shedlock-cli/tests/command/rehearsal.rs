//! `run --dry-run`.

use crate::support::Site;

fn rehearse(site: &Site, more: &[&str]) -> (i32, String) {
    let all = ["run", "--name", "a", "--dry-run"].iter().chain(more);
    let ran = site.run(all.chain(&["--", "touch", "it ran"]));
    assert_eq!(ran.err, "", "{ran:?}");
    (ran.code, ran.out)
}

#[test]
fn a_rehearsal_takes_nothing_and_runs_nothing() {
    let site = Site::new();
    let (code, shown) = rehearse(&site, &["--at-most", "10m", "--at-least", "30s"]);
    assert_eq!(code, 0, "{shown}");
    for line in [
        "lock      a\n",
        "/state/shedlock/shedlock.db\n",
        "lease     10m, extended every 5m while the command runs\n",
        "at least  30s\n",
        "command   touch 'it ran'\n",
        "now       free\n",
        "result    the command would run\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!site.path("it ran").exists());
    assert_eq!(site.run(["get", "a"]).out, "", "there is no record");
}

#[test]
fn a_rehearsal_tells_when_a_lease_that_is_not_extended_ends_the_command() {
    let site = Site::new();
    let told = |more: &[&str]| {
        let lease = ["--no-keep-alive", "--at-most", "1m"];
        rehearse(&site, &[&lease, more].concat()).1
    };
    let shown = told(&["--kill-after", "9900ms"]);
    let term = "lease     1m, not extended: the command gets TERM after 50s\n";
    assert!(shown.contains(term), "{shown}");
    let shown = told(&["--on-lost", "warn"]);
    let goes_on = "lease     1m, not extended: the command goes on without the lock then\n";
    assert!(shown.contains(goes_on), "{shown}");
}

#[test]
fn a_rehearsal_ends_as_a_skipped_run_would() {
    let site = Site::new();
    assert_eq!(
        site.run(["--node", "web-2", "lock", "a", "--at-most", "10m"])
            .code,
        0
    );
    let (code, shown) = rehearse(&site, &[]);
    assert_eq!(code, 75, "{shown}");
    assert!(
        shown.contains("now       held by web-2 for another 9m"),
        "{shown}"
    );
    assert_eq!(rehearse(&site, &["--busy-exit", "3"]).0, 3);
    let (_, shown) = rehearse(&site, &["--wait", "30s"]);
    let told = "waited for, 30s at most, exit code 124 if it is still held then";
    assert!(shown.contains(told), "{shown}");

    let freed = site.run(["release", "a", "--force", "--reason", "test"]);
    assert_eq!(freed.code, 0);
    assert_eq!(site.run(["pause", "a", "--for", "1h"]).code, 0);
    let (code, shown) = rehearse(&site, &[]);
    assert_eq!(code, 75);
    assert!(shown.contains("paused for another 59m"), "{shown}");
}

#[test]
fn a_rehearsal_knows_what_is_done() {
    let site = Site::new();
    let step = |number, command| {
        let ran = site.run(["run", "--name", "a", "--step", number, "--", command]);
        ran.code
    };
    assert_eq!(rehearse(&site, &["--step", "2"]).0, 75, "there is a gap");
    assert_eq!(step("1", "true"), 0);
    assert_eq!(rehearse(&site, &["--step", "1"]).0, 80);
    assert_eq!(rehearse(&site, &["--step", "2"]).0, 0);
    assert_eq!(step("2", "false"), 1);
    assert_eq!(rehearse(&site, &["--step", "2", "--attempts", "1"]).0, 81);
    assert_eq!(rehearse(&site, &["--step", "2", "--attempts", "2"]).0, 0);
}
