//! The program itself is killed; I5, A7.

use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use crate::support::{Site, is_alive, number_in, until};

#[test]
fn when_the_program_is_killed_the_command_gets_term() {
    let site = Site::new();
    let script = "trap 'echo TERM >>heard; exit' TERM; echo $$ >id; while :; do sleep 0.05; done";
    let running = site.start("a", &["--at-most", "5s"], script);
    let child = number_in(&site, "id");
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code, -9);
    until("the command has ended", || !is_alive(child));
    assert_eq!(site.read("heard").lines().next(), Some("TERM"));
    // The lease is not extended any more.
    let next = site.run(["run", "--name", "a", "--wait", "50s", "--", "true"]);
    assert_eq!(next.code, 0, "{next:?}");
}

#[test]
fn when_the_program_is_killed_not_even_what_ignores_term_is_left() {
    let site = Site::new();
    let script = "\
        trap '' TERM\n\
        sh -c 'echo $$ >grandchild; while :; do sleep 0.05; done' &\n\
        echo $$ >id; while :; do sleep 0.05; done";
    let running = site.start("a", &["--at-most", "5s"], script);
    let (child, grandchild) = (number_in(&site, "id"), number_in(&site, "grandchild"));
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code, -9);
    until("all have ended", || {
        !is_alive(child) && !is_alive(grandchild)
    });
}

#[test]
fn when_the_program_is_killed_late_the_command_is_gone_before_the_lease_ends() {
    let site = Site::new();
    // Ignores TERM, and notes as long as it lives. It gets TERM three seconds before the end, and its guard has to do the rest.
    let script = "trap 'echo TERM >>heard' TERM; echo $$ >id; while :; do date +%s%N >>steps; sleep 0.02; done";
    let options = ["--no-keep-alive", "--at-most", "15s"];
    let running = site.start("a", &options, script);
    let child = number_in(&site, "id");
    until("TERM is heard", || !site.read("heard").is_empty());
    let shown = site.run(["get", "a", "--json"]).out;
    let ends = crate::loss::time_in(&shown, "since") + Duration::from_secs(15);
    until("half of the time between TERM and KILL is over", || {
        ends < SystemTime::now() + Duration::from_millis(1_500)
    });
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code, -9);
    until("the command has ended", || !is_alive(child));
    let last = crate::loss::last_step(&site);
    assert!(last < ends, "a step after the lease: {shown}");
}

#[test]
fn a_command_that_is_stopped_is_ended_as_well() {
    let site = Site::new();
    let running = site.start("a", &["--at-most", "5s"], "echo $$ >id; exec sleep 600");
    let child = number_in(&site, "id");
    crate::support::send(child, Signal::SIGSTOP);
    until("it is stopped", || {
        crate::support::state_of(child) == Some('T')
    });
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code, -9);
    until("the command has ended", || !is_alive(child));
}

#[test]
fn the_command_is_told_of_its_lock() {
    let site = Site::new();
    let script = "echo $SHEDLOCK_NAME $SHEDLOCK_NODE $SHEDLOCK_FENCE $SHEDLOCK_DEADLINE";
    let run = || {
        site.run([
            "--node", "web-2", "run", "--name", "a", "--", "sh", "-c", script,
        ])
    };
    let (first, second) = (run(), run());
    let words: Vec<_> = first.out.split_whitespace().collect();
    assert_eq!(words[..2], ["a", "web-2"], "{first:?}");
    let fence = |out: &str| {
        out.split_whitespace()
            .nth(2)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert!(
        fence(&first.out) < fence(&second.out),
        "{first:?} {second:?}"
    );
    let deadline = humantime::parse_rfc3339(words[3]).unwrap();
    let left = deadline.duration_since(SystemTime::now()).unwrap();
    assert!((30..=60).contains(&left.as_secs()), "{left:?}");
}

#[test]
fn at_least_keeps_the_lock_after_a_quick_run() {
    let site = Site::new();
    let run = || site.run(["run", "--name", "a", "--at-least", "10m", "--", "true"]);
    assert_eq!(run().code, 0);
    assert_eq!(run().code, 75);
}
