//! A terminal that a test looks at and types into: a tmux server of its own.

use std::process::Command;

use shedlock_testkit::servers::Unavailable;

use crate::support::{Site, ended, until};

/// A terminal with a shell in it, in which `shedlock` is the program. It ends with the test.
pub(crate) struct Tmux<'a> {
    site: &'a Site,
}

impl<'a> Tmux<'a> {
    /// Opens a terminal of 80 columns and 24 lines.
    pub(crate) fn open(site: &'a Site) -> Result<Self, Unavailable> {
        if let Err(error) = Command::new("tmux").arg("-V").output() {
            let reason = format!("there is no `tmux`: {error}");
            let install = "apt-get install -y tmux";
            return Err(Unavailable::installable("tmux", reason, install));
        }
        let tmux = Self { site };
        // No configuration of the user's; with a prompt that no frame contains.
        let session = ["new-session", "-d", "-x", "80", "-y", "24"];
        let begun = tmux.ask([&session[..], &["env", "PS1=ready> ", "ENV=", "sh", "-i"]].concat());
        assert_eq!(begun.0, 0, "{begun:?}");
        tmux.until("ready>");
        Ok(tmux)
    }

    /// Runs one command of tmux; returns its exit code, and what it printed.
    fn ask<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> (i32, String) {
        let mut command = self.site.shell("exec tmux -u -f /dev/null -L top \"$@\"");
        command.arg("tmux").args(arguments);
        command.env("TMUX_TMPDIR", self.site.path(""));
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        let ended = ended(&mut command);
        (ended.code, ended.out + &ended.err)
    }

    /// Presses keys by their names, such as `Enter` and `C-c`.
    pub(crate) fn press(&self, keys: &[&str]) {
        let (code, said) = self.ask([&["send-keys"], keys].concat());
        assert_eq!(code, 0, "{said}");
    }

    pub(crate) fn types(&self, text: &str) {
        let (code, said) = self.ask(["send-keys", "-l", text]);
        assert_eq!(code, 0, "{said}");
    }

    /// What the terminal shows.
    pub(crate) fn screen(&self) -> String {
        self.ask(["capture-pane", "-p"]).1
    }

    /// Waits until the terminal shows `text`.
    #[track_caller]
    pub(crate) fn until(&self, text: &str) {
        self.until_it(&format!("{text} is shown"), |screen| screen.contains(text));
    }

    /// Waits until `is_so` for what the terminal shows.
    #[track_caller]
    pub(crate) fn until_it(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let mut screen = String::new();
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, || {
                screen = self.screen();
                is_so(&screen)
            });
        }));
        assert!(seen.is_ok(), "never: {what}\n{}", self.screen());
    }

    pub(crate) fn resize(&self, columns: &str, lines: &str) {
        let (code, said) = self.ask(["resize-window", "-x", columns, "-y", lines]);
        assert_eq!(code, 0, "{said}");
    }

    /// One of tmux's variables.
    pub(crate) fn variable(&self, name: &str) -> String {
        let format = format!("#{{{name}}}");
        let (code, said) = self.ask(["display-message", "-p", &format]);
        assert_eq!(code, 0, "{said}");
        said.trim().to_owned()
    }

    /// The process that the shell has started last.
    pub(crate) fn child(&self) -> u32 {
        let shell = self.variable("pane_pid");
        let children = format!("/proc/{shell}/task/{shell}/children");
        let mut child = None;
        until("the shell has a child", || {
            let children = std::fs::read_to_string(&children).unwrap_or_default();
            child = children
                .split_whitespace()
                .last()
                .and_then(|id| id.parse().ok());
            child.is_some()
        });
        child.expect("was found")
    }

    pub(crate) fn close(&self) {
        self.ask(["kill-server"]);
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
