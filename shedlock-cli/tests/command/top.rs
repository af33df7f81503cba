//! `shedlock top` on a terminal, and its one frame for others.

use nix::sys::signal::Signal;
use shedlock_testkit::server_or_skip;

use crate::support::{Running, Site, is_alive, is_stopped, send, until};
use crate::tmux::Tmux;

/// Holds the lock `name` on the node `web-7` until it is dropped.
fn hold(site: &Site, name: &str) -> Running {
    let begun = format!("{name}.begun");
    let script = format!("touch {begun}; exec sleep 600");
    let run = ["--node", "web-7", "run", "--name", name, "--", "sh", "-c"];
    let running = Running::start(site.command(run).arg(script));
    until("it has begun", || site.path(&begun).exists());
    running
}

fn state(site: &Site, name: &str) -> String {
    let shown = site.run(["get", name, "--json"]);
    let lock: serde_json::Value = serde_json::from_str(&shown.out).expect("one lock");
    lock["state"].as_str().expect("a state").to_owned()
}

#[test]
fn an_operator_finds_pauses_resumes_and_releases_a_lock() {
    let site = Site::new();
    let tmux = server_or_skip!(Tmux::open(&site));
    assert_eq!(site.run(["run", "--name", "backup", "--", "true"]).code, 0);
    let _import = hold(&site, "import");
    tmux.types("shedlock top --every 100ms");
    tmux.press(&["Enter"]);
    tmux.until_it("both locks", |screen| {
        screen.contains("○ free      backup") && screen.contains("● held      import")
    });
    for part in ["web-7", "our clock agrees", "live"] {
        tmux.until(part);
    }

    tmux.types("fIMPO");
    tmux.until_it("backup is filtered out", |screen| {
        !screen.contains("backup")
    });
    tmux.press(&["Enter"]);
    tmux.until("filter: IMPO");
    tmux.resize("120", "30");
    tmux.until_it("the wide table", |screen| screen.contains("LAST"));

    tmux.types("p");
    tmux.until("Pause import");
    tmux.press(&["C-u"]);
    tmux.types("30m");
    tmux.press(&["Enter"]);
    tmux.types("moving the mail server");
    tmux.press(&["Enter"]);
    tmux.until("import is paused for 30m");
    tmux.until("‖ paused");
    assert_eq!(state(&site, "import"), "paused");

    tmux.types("u");
    tmux.until("import is resumed");
    tmux.until("○ free");
    assert_eq!(state(&site, "import"), "free");

    tmux.press(&["Escape"]);
    tmux.until("backup");
    let _deploy = hold(&site, "deploy");
    tmux.until("● held");
    tmux.press(&["Home"]);
    tmux.types("j");
    tmux.until("2 of 3");
    tmux.types("Kdeplo");
    tmux.press(&["Enter"]);
    tmux.until("this is not the name of the lock");
    assert_eq!(state(&site, "deploy"), "held");
    tmux.types("y");
    tmux.press(&["Enter"]);
    tmux.types("web-7 is on fire");
    tmux.press(&["Enter"]);
    tmux.until("deploy is released");
    until("it is free", || state(&site, "deploy") == "free");

    tmux.press(&["Enter"]);
    tmux.until("Lock deploy");
    tmux.until("reason    web-7 is on fire");
    tmux.types("q");
    tmux.until_it("the shell is back", |screen| {
        screen.contains("ready>") && !screen.contains("Lock deploy")
    });
    assert_eq!(tmux.variable("alternate_on"), "0");
}

/// Whether the terminal is as a shell needs it: its own screen, a cursor, lines and an echo.
fn assert_usable(tmux: &Tmux<'_>) {
    assert_eq!(tmux.variable("alternate_on"), "0");
    assert_eq!(tmux.variable("cursor_flag"), "1");
    tmux.types("stty -a | tr ';' ' '; echo 'stty' says");
    tmux.press(&["Enter"]);
    tmux.until("stty says");
    let screen = tmux.screen();
    for mode in [" icanon", " echo ", " isig"] {
        assert!(screen.replace('\n', " ").contains(mode), "{mode}\n{screen}");
    }
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_as_before() {
    let site = Site::new();
    let tmux = server_or_skip!(Tmux::open(&site));
    tmux.types("shedlock top; echo code $?");
    tmux.press(&["Enter"]);
    tmux.until("live");
    send(tmux.child(), Signal::SIGTERM);
    tmux.until("code 143");
    assert_usable(&tmux);
}

#[test]
fn a_panic_is_told_on_a_terminal_that_is_as_before() {
    let site = Site::with_store("redis://127.0.0.1:1");
    let tmux = server_or_skip!(Tmux::open(&site));
    // No thread can have such a stack: the one that reads the keys cannot be started, which the library for terminals answers with a panic.
    tmux.types("RUST_BACKTRACE=0 RUST_MIN_STACK=1152921504606846976 shedlock top; echo code $?");
    tmux.press(&["Enter"]);
    tmux.until("code 101");
    let screen = tmux.screen().replace('\n', "");
    assert!(
        screen.contains("panicked at") && screen.contains("failed to spawn thread"),
        "{screen}"
    );
    assert_usable(&tmux);
}

#[test]
fn it_can_be_stopped_and_continued_like_any_program() {
    let site = Site::new();
    let tmux = server_or_skip!(Tmux::open(&site));
    tmux.types("shedlock top");
    tmux.press(&["Enter"]);
    tmux.until("live");
    let top = tmux.child();
    tmux.press(&["C-z"]);
    until("it has stopped", || is_stopped(top));
    tmux.until_it("the shell", |screen| !screen.contains("live"));
    assert_usable(&tmux);
    tmux.types("fg");
    tmux.press(&["Enter"]);
    tmux.until("live");
    assert_eq!(tmux.variable("alternate_on"), "1");

    send(top, Signal::SIGTSTP);
    until("it has stopped", || is_stopped(top));
    until("the shell's screen", || {
        tmux.variable("alternate_on") == "0"
    });
    tmux.types("fg");
    tmux.press(&["Enter"]);
    tmux.until("live");

    // When the terminal goes, the program goes.
    tmux.close();
    until("it has ended", || !is_alive(top));
}

#[test]
fn one_frame_is_printed_for_others() {
    let site = Site::new();
    let _import = hold(&site, "import");
    let shown = site.run(["top", "--once", "--utc"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert_eq!(shown.out.lines().count(), 24, "{shown:?}");
    assert!(shown.out.starts_with("sqlite  store's time "), "{shown:?}");
    assert!(shown.out.contains("● held      import"), "{shown:?}");
    assert!(!shown.out.contains('\u{1b}'), "{shown:?}");
    let shown = site.run(["top", "--once", "--size", "130x12", "--filter", "nothing"]);
    assert_eq!(shown.out.lines().count(), 12, "{shown:?}");
    assert!(shown.out.contains("0 of 1 lock "), "{shown:?}");
}

#[test]
fn it_has_a_manual_page_and_completions() {
    let site = Site::new();
    let page = site.run(["man", "top"]);
    assert_eq!(page.code, 0, "{page:?}");
    assert!(
        page.out.contains("shedlock\\-top") && page.out.contains("\\-\\-once"),
        "{page:?}"
    );
    assert!(
        site.run(["completions", "bash"])
            .out
            .contains("shedlock__subcmd__top")
    );
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let site = Site::new();
    let shown = site.run(["top"]);
    assert_eq!(shown.code, 64, "{shown:?}");
    assert!(shown.err.contains("top --once"), "{shown:?}");
    let nowhere = Site::with_store("sqlite:///no/such/folder/x.db").run(["top", "--once"]);
    assert_ne!(nowhere.code, 0, "{nowhere:?}");
    assert_eq!(nowhere.out, "", "{nowhere:?}");
    for odd in [["--every", "1ms"], ["--size", "80"]] {
        let shown = site.run([&["top", "--once"], &odd[..]].concat());
        assert_eq!(shown.code, 64, "{shown:?}");
    }
}
