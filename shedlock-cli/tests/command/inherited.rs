//! Processes that the shell had started before it became the program by `exec`: they are none of the command's.

use nix::sys::signal::Signal;

use crate::support::{Running, Site, is_alive, number_in, send, until};

/// Runs the script, which becomes the program, to its end.
#[track_caller]
fn runs_to_its_end(site: &Site, script: &str) -> i32 {
    let running = Running::start(&mut site.shell(script));
    until("the program has ended", || !is_alive(running.id()));
    running.wait().code
}

#[test]
fn a_logger_that_reads_what_the_program_writes_is_not_waited_for() {
    let site = Site::new();
    // As `exec > >(cat >log) 2>&1` in bash: `cat` ends when nobody can write to it any more, the program included.
    let script = "mkfifo pipe; cat <pipe >log & exec >pipe 2>&1; exec shedlock run --name a -- sh -c 'echo done; exit 3'";
    assert_eq!(runs_to_its_end(&site, script), 3);
    assert!(site.is_free("a"));
    until("all is logged", || site.read("log") == "done\n");
}

#[test]
fn what_an_inherited_process_leaves_behind_is_not_waited_for() {
    let site = Site::new();
    // The orphan becomes a child of the program, which adopts those of the command.
    let script = "\
        sh -c 'echo $$ >parent; while test ! -e begun; do sleep 0.05; done; sleep 600 >/dev/null 2>&1 & echo $! >orphan' &\n\
        while test ! -s parent; do sleep 0.05; done\n\
        exec shedlock run --name a -- sh -c 'touch begun; while kill -0 $(cat parent); do sleep 0.05; done; exit 3'";
    let code = runs_to_its_end(&site, script);
    let orphan = number_in(&site, "orphan");
    let is_left = is_alive(orphan);
    send(orphan, Signal::SIGKILL);
    assert_eq!(code, 3);
    assert!(is_left);
}

#[test]
fn a_lock_that_is_lost_ends_the_command_and_no_inherited_process() {
    let site = Site::new();
    let script = "\
        setsid sleep 600 >/dev/null 2>&1 & echo $! >other\n\
        exec shedlock run --name a --at-most 4s -- sh -c '\
            setsid sh -c \"trap : TERM; echo \\$\\$ >daemon; while :; do sleep 0.05; done\" & wait'";
    let running = Running::start(&mut site.shell(script));
    let (other, daemon) = (number_in(&site, "other"), number_in(&site, "daemon"));
    crate::loss::take_away(&site);
    let ran = running.wait();
    let is_left = is_alive(other);
    send(other, Signal::SIGKILL);
    assert_eq!(ran.code, 79, "{ran:?}");
    assert!(is_left, "not a process of the command");
    assert!(!is_alive(daemon), "what has left the command's session");
}
