//! A lock that is lost while the command runs; I4, I6.

use nix::sys::signal::Signal;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{Site, is_alive, number_in, send, until};

/// An operator frees the lock, and another node takes it.
pub(crate) fn take_away(site: &Site) {
    let released = site.run(["release", "a", "--force", "--reason", "test"]);
    assert_eq!(released.code, 0, "{released:?}");
}

/// A time in what `get --json` shows.
pub(crate) fn time_in(shown: &str, field: &str) -> SystemTime {
    let line = shown.lines().find(|line| line.contains(field));
    let text = line.and_then(|line| line.split('"').nth(3));
    humantime::parse_rfc3339(text.expect("a field with a text")).expect("a time")
}

/// The last time that a command has noted, in nanoseconds.
pub(crate) fn last_step(site: &Site) -> SystemTime {
    let steps = site.read("steps");
    let last = steps.lines().last().and_then(|last| last.parse().ok());
    UNIX_EPOCH + Duration::from_nanos(last.expect("a step"))
}

#[test]
fn the_whole_group_gets_term_and_the_code_is_79() {
    let site = Site::new();
    let script = "\
        trap 'echo TERM >>heard; exit 0' TERM\n\
        sleep 600 & echo $! >grandchild; while :; do sleep 0.05; done";
    let running = site.start("a", &["--at-most", "4s"], script);
    let grandchild = number_in(&site, "grandchild");
    take_away(&site);
    let ran = running.wait();
    assert_eq!(ran.code, 79, "{ran:?}");
    assert!(ran.err.contains("the lock is lost"), "{ran:?}");
    assert_eq!(site.read("heard"), "TERM\n");
    assert!(!is_alive(grandchild));
}

#[test]
fn a_command_that_ignores_term_is_killed_with_all_that_it_has_started() {
    let site = Site::new();
    let script = "trap '' TERM; sh -c 'echo $$ >grandchild; while :; do sleep 0.05; done' & wait";
    let running = site.start("a", &["--at-most", "4s"], script);
    let grandchild = number_in(&site, "grandchild");
    take_away(&site);
    let ran = running.wait();
    assert_eq!(ran.code, 79, "{ran:?}");
    assert!(
        !is_alive(grandchild),
        "not even what has no parent any more"
    );
}

#[test]
fn without_extension_the_command_is_gone_before_the_lease_ends() {
    let site = Site::new();
    // Ignores TERM, and notes as long as it lives.
    let script = "trap '' TERM; while :; do date +%s%N >>steps; sleep 0.02; done";
    let began = Instant::now();
    let running = site.start("a", &["--no-keep-alive", "--at-most", "4s"], script);
    assert_eq!(running.wait().code, 79);
    assert!(
        began.elapsed() >= Duration::from_secs(3),
        "not before the time for TERM"
    );
    // The store's own dates: the release is after the last step, and before the end that the store had promised.
    let shown = site.run(["get", "a", "--json"]).out;
    assert!(
        last_step(&site) < time_in(&shown, "since") + Duration::from_secs(4),
        "a step after the lease: {shown}"
    );
}

#[test]
fn a_command_may_be_told_to_go_on() {
    let site = Site::new();
    let script = "touch begun; while test ! -e go; do sleep 0.05; done; exit 6";
    let running = site.start("a", &["--at-most", "2s", "--on-lost", "warn"], script);
    until("it has begun", || site.path("begun").exists());
    let stolen = || {
        take_away(&site);
        site.run(["lock", "a", "--at-most", "10m"]).code
    };
    assert_eq!(stolen(), 0);
    std::thread::sleep(Duration::from_secs(3));
    std::fs::write(site.path("go"), "").unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("the command goes on"), "{ran:?}");
    assert!(!site.is_free("a"), "the next holder's lock is untouched");
}

#[test]
fn a_process_in_a_session_of_its_own_is_found() {
    let site = Site::new();
    let script =
        "setsid sh -c 'trap \"\" TERM; echo $$ >daemon; while :; do sleep 0.05; done' & wait";
    let running = site.start("a", &["--at-most", "4s"], script);
    let daemon = number_in(&site, "daemon");
    take_away(&site);
    assert_eq!(running.wait().code, 79);
    assert!(!is_alive(daemon));
}

#[test]
fn the_lock_is_kept_until_the_last_process_has_ended() {
    let site = Site::new();
    // The command itself ends at once.
    let script = "setsid sh -c 'echo $$ >daemon; while test ! -e go; do sleep 0.05; done' & \
        while test ! -s daemon; do sleep 0.05; done; exit 4";
    let running = site.start("a", &[], script);
    let daemon = number_in(&site, "daemon");
    std::thread::sleep(Duration::from_millis(500));
    assert!(!site.is_free("a"));
    std::fs::write(site.path("go"), "").unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 4, "the code of the command itself: {ran:?}");
    assert!(
        ran.err.contains("the lock is kept until they end"),
        "{ran:?}"
    );
    assert!(!is_alive(daemon) && site.is_free("a"));
}

#[test]
fn what_is_left_may_be_left() {
    let site = Site::new();
    let script = "setsid sleep 600 >&- 2>&- & echo $! >daemon; exit 4";
    let ran = site.start("a", &["--leave-processes"], script).wait();
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(site.is_free("a"));
    let daemon = number_in(&site, "daemon");
    assert!(is_alive(daemon));
    send(daemon, Signal::SIGKILL);
}
