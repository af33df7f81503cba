//! Signals to the program reach the command; I2, I3.

use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Running, Site, ended, is_alive, is_stopped, number_in, until};

/// Writes each signal that it gets, until it gets TERM.
fn listener(site: &Site) -> Running {
    let script = "\
        for s in HUP INT QUIT USR1 USR2 WINCH; do trap \"echo $s >>heard\" $s; done\n\
        trap 'echo TERM >>heard; exit 9' TERM\n\
        echo $$ >id\n\
        while :; do sleep 0.05; done";
    site.start("a", &["--at-most", "1m"], script)
}

#[test]
fn each_signal_is_handed_on_to_the_command() {
    let site = Site::new();
    let running = listener(&site);
    number_in(&site, "id");
    let signals = [
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGWINCH,
        Signal::SIGINT,
        Signal::SIGTERM,
    ];
    for signal in signals {
        let name = signal.as_str().trim_start_matches("SIG");
        running.signal(signal);
        until(&format!("{name} is heard"), || {
            site.read("heard").lines().any(|line| line == name)
        });
    }
    let ran = running.wait();
    assert_eq!(ran.code, 9, "{ran:?}");
    assert!(site.is_free("a"), "released after the command has ended");
}

#[test]
fn a_signal_reaches_the_whole_group() {
    let site = Site::new();
    let script = "sleep 600 & echo $! >grandchild; wait";
    let running = site.start("a", &[], script);
    let grandchild = number_in(&site, "grandchild");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait().code, 143);
    until("the grandchild has ended", || !is_alive(grandchild));
}

#[test]
fn a_second_interrupt_is_kill() {
    let site = Site::new();
    let script = "trap 'echo INT >>heard' INT; echo $$ >id; while :; do sleep 0.05; done";
    let running = site.start("a", &[], script);
    number_in(&site, "id");
    running.signal(Signal::SIGINT);
    until("INT is heard", || site.read("heard") == "INT\n");
    running.signal(Signal::SIGINT);
    let ran = running.wait();
    assert_eq!(ran.code, 137, "{ran:?}");
    assert!(site.is_free("a"));
}

#[test]
fn a_stop_stops_the_command_and_the_program_and_both_go_on() {
    let site = Site::new();
    let running = listener(&site);
    let child = number_in(&site, "id");
    running.signal(Signal::SIGTSTP);
    until("both are stopped", || {
        is_stopped(child) && is_stopped(running.id())
    });
    running.signal(Signal::SIGCONT);
    until("both go on", || {
        !is_stopped(child) && !is_stopped(running.id())
    });
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait().code, 9);
}

#[test]
fn after_a_stop_longer_than_the_lease_the_command_does_nothing_more() {
    let site = Site::new();
    let script = "echo $$ >id; while :; do date +%s%N >>steps; sleep 0.02; done";
    let running = site.start("a", &["--at-most", "3s"], script);
    let child = number_in(&site, "id");
    running.signal(Signal::SIGTSTP);
    until("both are stopped", || {
        is_stopped(child) && is_stopped(running.id())
    });
    let steps = site.read("steps");
    until("the lease has ended", || site.is_free("a"));
    // Another node may begin now.
    let second = site.run(["run", "--name", "a", "--", "true"]);
    assert_eq!(second.code, 0, "{second:?}");
    running.signal(Signal::SIGCONT);
    let ran = running.wait();
    assert_eq!(ran.code, 79, "{ran:?}");
    assert_eq!(site.read("steps"), steps, "it went on without the lock");
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let site = Site::new();
    let script = "trap '' HUP; exec shedlock run --name a -- sh -c 'echo $$ >id; exec sleep 600'";
    let running = Running::start(&mut site.shell(script));
    let child = number_in(&site, "id");
    running.signal(Signal::SIGHUP);
    crate::support::send(child, Signal::SIGHUP);
    sleep(Duration::from_millis(200));
    assert!(is_alive(child), "as under nohup");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait().code, 143);
}

#[test]
fn streams_are_the_commands_own() {
    let site = Site::new();
    let script = "echo in | shedlock run --name a -- sh -c 'cat; echo err >&2' | tr a-z A-Z";
    let ran = ended(&mut site.shell(script));
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("IN\n", "err\n"));
}
