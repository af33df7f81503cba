//! A terminal; I7.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::{Site, until};

/// Runs the shell script on a terminal of its own. `script` is util-linux's, which Debian always has.
fn on_a_terminal(site: &Site, script: &str) -> Command {
    let mut command = site.shell("exec script -qec \"$0\" /dev/null");
    command.arg(format!("sh -c '{script}'"));
    command
}

/// Types a line for the command of the shell script and one for the shell itself, which note what they `got` and what came `then`.
fn types_to_both(script: &str, got: &str) {
    let site = Site::new();
    let mut command = on_a_terminal(&site, script);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("`script` is there");
    let mut keyboard = child.stdin.take().expect("stdin is a pipe");
    keyboard
        .write_all(b"first\n")
        .expect("the terminal takes it");
    until("the command has read", || site.read("answer").contains(got));
    // The terminal is the shell's again.
    keyboard
        .write_all(b"second\n")
        .expect("the terminal takes it");
    until("the shell has read", || {
        site.read("answer").contains("then second")
    });
    drop(keyboard);
    child.wait().expect("`script` ends");
    assert!(site.is_free("a"));
}

#[test]
fn a_command_that_reads_from_the_terminal_gets_it() {
    let script = "shedlock run --name a -- sh -c \"read line; echo got \\$line >answer\"; read more; echo then $more >>answer";
    types_to_both(script, "got first");
}

#[test]
fn a_command_whose_stdin_is_elsewhere_gets_the_terminal_as_well() {
    // As `ssh` asks for a password, and `less` for keys.
    let script = "echo piped | shedlock run --name a -- sh -c \"read line </dev/tty; echo got \\$line \\$(cat) >answer\"; read more; echo then $more >>answer";
    types_to_both(script, "got first piped");
}

#[test]
fn the_interrupt_key_ends_the_command() {
    let site = Site::new();
    let script =
        "trap : INT; shedlock run --name a -- sh -c \"touch begun; exec sleep 600\"; echo $? >code";
    let mut command = on_a_terminal(&site, script);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    until("it has begun", || site.path("begun").exists());
    keyboard.write_all(b"\x03").unwrap();
    until("the code is noted", || site.read("code") == "130\n");
    drop(keyboard);
    child.wait().unwrap();
    assert!(site.is_free("a"));
}

#[test]
fn a_list_on_a_terminal_is_redrawn_in_place() {
    let site = Site::new();
    assert_eq!(site.run(["run", "--name", "a", "--", "true"]).code, 0);
    let script = "stty cols 100; shedlock list --watch --every 50ms & \
         until [ -e enough ]; do sleep 0.1; done; kill -INT $!; wait";
    let mut child = on_a_terminal(&site, script)
        .stdout(Stdio::piped())
        .spawn()
        .expect("`script` is there");
    let mut shown = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let mut out = Vec::new();
    let frames = |out: &[u8]| -> Vec<String> {
        let out = String::from_utf8_lossy(out);
        out.split("\x1b[H").skip(1).map(str::to_owned).collect()
    };
    while frames(&out).len() < 4 {
        let more = shown.read_until(b'H', &mut out).expect("a pipe");
        assert!(more > 0, "it has ended: {:?}", frames(&out));
    }
    std::fs::write(site.path("enough"), "").expect("it may be written");
    shown.read_to_end(&mut out).expect("a pipe");
    child.wait().expect("`script` ends");
    assert!(
        frames(&out)
            .iter()
            .all(|frame| frame.contains("NAME") && frame.contains("\x1b[K")),
        "{:?}",
        frames(&out)
    );
}
