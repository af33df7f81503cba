//! Counts what cargo's test binaries say and what the skip log adds to it.

use crate::process::Ended;
use crate::servers::{self, Need};

/// How the `#[ignore]` reason of a function begins that is no test, but what a
/// test starts in a process of its own.
const CHILD: &str = "runs as the child of";

/// The result of a run of the tests.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
    /// Test binaries that said how many tests they run, and those that said how it went.
    begun: usize,
    ended: usize,
    /// How many of the failed belong to binaries that have ended.
    settled: usize,
}

impl Report {
    /// Takes one line that `cargo test` printed.
    pub(crate) fn add_line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.ended += 1;
            self.passed += count_before(counts, " passed;");
            self.settle(count_before(counts, " failed;"));
        } else if is_running_line(line) {
            self.begun += 1;
        } else if let Some(test) = line.strip_prefix("test ") {
            self.add_test(test);
        }
    }

    fn add_test(&mut self, test: &str) {
        let Some((name, outcome)) = test.rsplit_once(" ... ") else {
            return;
        };
        if outcome == "FAILED" || outcome.starts_with("FAILED ") {
            self.failed.push(name.to_owned());
        } else if let Some(reason) = outcome.strip_prefix("ignored") {
            let reason = reason.trim_start_matches([',', ' ']);
            if reason.starts_with(CHILD) {
                return;
            }
            let reason = if reason.is_empty() {
                "marked as ignored"
            } else {
                reason
            };
            self.skipped.push(format!("{name}: {reason}"));
        }
    }

    /// Counts failed tests whose line cannot be read, because other output was printed in the middle of the line.
    fn settle(&mut self, failed: usize) {
        let named = self.failed.len() - self.settled;
        for _ in named..failed {
            self.failed
                .push("a test whose name was not readable".to_owned());
        }
        self.settled = self.failed.len();
    }

    /// Takes the skip log. Its tests passed as far as libtest knows, so they are
    /// taken off that count. A skip whose reason names one of `can_be_had` is a failure.
    pub(crate) fn add_skips(&mut self, log: &str, can_be_had: &[&Need]) {
        for skip in log.lines().filter_map(|line| line.strip_prefix("SKIPPED ")) {
            self.passed = self.passed.saturating_sub(1);
            self.add_skip(skip, can_be_had);
        }
    }

    /// Takes what was not run: its name and, after a colon, the reason.
    pub(crate) fn add_skip(&mut self, skip: &str, can_be_had: &[&Need]) {
        let reason = skip.split_once(": ").map_or("", |(_, reason)| reason);
        let named = servers::named_in(reason);
        if named.is_some_and(|named| can_be_had.iter().any(|need| need.name == named.name)) {
            self.failed
                .push(format!("{skip} (in CI, where it can be had)"));
        } else {
            self.skipped.push(skip.to_owned());
        }
    }

    /// Adds a test program that has ended. A failure of the program that none of its tests reports counts as one failed test.
    pub(crate) fn add_program(&mut self, name: &str, lines: &[String], ended: &Ended) {
        let failed_before = self.failed.len();
        let unfinished_before = self.begun - self.ended;
        for line in lines {
            self.add_line(line);
        }
        let unfinished = self.begun - self.ended > unfinished_before;
        let unexplained = !ended.success() && self.failed.len() == failed_before;
        if unfinished {
            self.settled = self.failed.len();
        }
        if unfinished || unexplained || matches!(ended, Ended::TimedOut(_)) {
            self.add_failure(format!("{name}: {ended}{}", running(lines)));
        }
    }

    /// Adds a failure that kept tests from running.
    pub(crate) fn add_failure(&mut self, what: String) {
        self.failed.push(what);
        self.settled = self.failed.len();
    }

    /// Ends the report. A run without any test fails, because its filter may have a typing error.
    pub(crate) fn close(&mut self) {
        if self.passed + self.skipped.len() + self.failed.len() == 0 {
            self.failed.push("no test was run".to_owned());
        }
    }

    /// Adds a failed check that is no test.
    pub(crate) fn add_failed_step(&mut self, step: &str) {
        self.failed.push(format!("step {step}"));
    }

    pub(crate) fn passed(&self) -> bool {
        self.failed.is_empty()
    }

    /// Lists what did not pass, by name.
    pub(crate) fn print_details(&self) {
        for (title, names) in [("skipped", &self.skipped), ("failed", &self.failed)] {
            if !names.is_empty() {
                println!("\n{title}:");
                for name in names {
                    println!("  {name}");
                }
            }
        }
        println!();
    }

    /// `N passed, N failed, N skipped`.
    pub(crate) fn closing_line(&self) -> String {
        let (failed, skipped) = (self.failed.len(), self.skipped.len());
        format!("{} passed, {failed} failed, {skipped} skipped", self.passed)
    }
}

/// The tests that libtest reported as slow and that did not end, for a message.
fn running(lines: &[String]) -> String {
    let slow = lines.iter().filter_map(|line| {
        let test = line.strip_prefix("test ")?;
        test.split_once(" has been running for")
            .map(|(name, _)| name)
    });
    let ended = |name: &str| {
        let begin = format!("test {name} ... ");
        lines.iter().any(|line| line.starts_with(&begin))
    };
    let names: Vec<_> = slow.filter(|name| !ended(name)).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(", while these ran: {}", names.join(", "))
}

/// `running 1 test` or `running 7 tests`.
fn is_running_line(line: &str) -> bool {
    line.strip_prefix("running ")
        .and_then(|rest| {
            rest.strip_suffix(" tests")
                .or_else(|| rest.strip_suffix(" test"))
        })
        .is_some_and(|number| number.parse::<usize>().is_ok())
}

/// The number that stands right before `word`.
fn count_before(text: &str, word: &str) -> usize {
    text.split_once(word)
        .and_then(|(before, _)| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
