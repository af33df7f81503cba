//! What the macros refuse, and the exact words; `README.md` says how to refresh them.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/scheduler_lock/unsafe_function.rs");
    cases.compile_fail("fail/*/*.rs");
}
