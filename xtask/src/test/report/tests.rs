use super::Report;
use crate::process::Ended;
use crate::servers::{Need, default_needs};
use std::process::{Command, ExitStatus};
use std::time::Duration;

fn exit(code: u8) -> ExitStatus {
    Command::new("sh")
        .args(["-c", &format!("exit {code}")])
        .status()
        .unwrap()
}

fn report(lines: &str, log: &str, can_be_had: &[&Need], end: &Ended) -> Report {
    let mut report = Report::default();
    let lines: Vec<_> = lines.lines().map(str::to_owned).collect();
    report.add_program("program", &lines, end);
    report.add_skips(log, can_be_had);
    report.close();
    report
}

const GOOD: &str = "
running 3 tests
test a ... ok
test b ... ignored, needs a moon
test c - compile ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 1 test
test d ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

#[test]
fn binaries_are_added_up() {
    let report = report(GOOD, "", &[], &Ended::Exit(exit(0)));
    assert_eq!(report.closing_line(), "3 passed, 0 failed, 1 skipped");
    assert_eq!(report.skipped, ["b: needs a moon"]);
    assert!(report.passed());
}

#[test]
fn a_failed_test_is_named() {
    let lines = "running 2 tests
test a ... FAILED
test b ... ok
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
    let report = report(lines, "", &[], &Ended::Exit(exit(101)));
    assert_eq!(report.closing_line(), "1 passed, 1 failed, 0 skipped");
    assert_eq!(report.failed, ["a"]);
    assert!(!report.passed());
}

#[test]
fn a_failed_test_with_a_broken_line_still_counts() {
    let lines = "running 2 tests
test a ... something else
FAILED
test b ... FAILED
test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
    let report = report(lines, "", &[], &Ended::Exit(exit(101)));
    assert_eq!(report.closing_line(), "0 passed, 2 failed, 0 skipped");
}

#[test]
fn what_does_not_compile_is_one_failure() {
    let report = report("", "", &[], &Ended::Exit(exit(101)));
    assert_eq!(report.closing_line(), "0 passed, 1 failed, 0 skipped");
}

#[test]
fn a_run_without_tests_fails() {
    assert!(!report("", "", &[], &Ended::Exit(exit(0))).passed());
    let filtered = "running 0 tests
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 37 filtered out";
    assert!(!report(filtered, "", &[], &Ended::Exit(exit(0))).passed());
}

#[test]
fn a_program_that_died_is_a_failure() {
    let lines = format!("{GOOD}\nrunning 2 tests\ntest a ... ok\n");
    let report = report(&lines, "", &[], &Ended::Exit(exit(101)));
    assert_eq!(report.closing_line(), "3 passed, 1 failed, 1 skipped");
}

#[test]
fn a_program_that_hangs_is_named_with_its_test() {
    let lines = "running 3 tests
test slow has been running for over 60 seconds
test a ... ok
test hangs has been running for over 60 seconds
test slow ... ok";
    let report = report(lines, "", &[], &Ended::TimedOut(Duration::from_secs(90)));
    assert_eq!(
        report.failed,
        ["program: stopped after 90 s without an end, while these ran: hangs"]
    );
}

#[test]
fn a_program_that_stays_after_its_tests_is_a_failure() {
    let report = report(GOOD, "", &[], &Ended::TimedOut(Duration::from_secs(60)));
    assert_eq!(report.closing_line(), "3 passed, 1 failed, 1 skipped");
}

#[test]
fn programs_do_not_hide_each_other() {
    let mut report = Report::default();
    let died = ["running 2 tests", "test a ... FAILED"].map(str::to_owned);
    report.add_program("one", &died, &Ended::Exit(exit(101)));
    let torn = ["running 1 test", "test result: FAILED. 0 passed; 1 failed;"].map(str::to_owned);
    report.add_program("two", &torn, &Ended::Exit(exit(101)));
    report.add_program("three", &[], &Ended::Exit(exit(1)));
    assert_eq!(
        report.failed,
        [
            "a",
            "one: exit status: 101",
            "a test whose name was not readable",
            "three: exit status: 1"
        ]
    );
}

#[test]
fn logged_skips_are_taken_off_the_passed() {
    let log = "SKIPPED a: no PostgreSQL here\n";
    let report = report(GOOD, log, &[], &Ended::Exit(exit(0)));
    assert_eq!(report.closing_line(), "2 passed, 0 failed, 2 skipped");
    assert_eq!(report.skipped[1], "a: no PostgreSQL here");
    assert!(report.passed());
}

#[test]
fn a_skip_of_what_can_be_had_is_a_failure() {
    let all = default_needs(true);
    let log = "SKIPPED a: PostgreSQL cannot be started\n";
    let report = report(GOOD, log, &all, &Ended::Exit(exit(0)));
    assert_eq!(report.closing_line(), "2 passed, 1 failed, 1 skipped");
    assert!(!report.passed());
}

#[test]
fn a_skip_of_what_has_to_be_built_is_no_failure() {
    let log = "SKIPPED a: etcd 3.6 cannot be had\n";
    let report = report(GOOD, log, &default_needs(false), &Ended::Exit(exit(0)));
    assert_eq!(report.closing_line(), "2 passed, 0 failed, 2 skipped");
    assert!(report.passed());
}

#[test]
fn a_child_process_is_no_test() {
    let lines = GOOD.replace("needs a moon", "runs as the child of `a`");
    let report = report(&lines, "", &[], &Ended::Exit(exit(0)));
    assert_eq!(report.closing_line(), "3 passed, 0 failed, 0 skipped");
}

#[test]
fn other_skips_are_no_failure() {
    let log = "SKIPPED postgresql::a: MariaDB cannot be started\nSKIPPED d: needs namespaces\n";
    let report = report(GOOD, log, &default_needs(false)[..1], &Ended::Exit(exit(0)));
    assert_eq!(report.closing_line(), "1 passed, 0 failed, 3 skipped");
    assert!(report.passed());
}

#[test]
fn other_lines_say_nothing() {
    let lines =
        "running two tests\nrunning 5 tests of yours\ntest a has been running for over 60 seconds";
    let report = report(&format!("{GOOD}{lines}"), "", &[], &Ended::Exit(exit(0)));
    assert_eq!(report.closing_line(), "3 passed, 0 failed, 1 skipped");
}
