//! Every line of the README that a user types, with what the program answers.

#[test]
fn what_the_readme_says_is_what_the_program_does() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let cases = trycmd::TestCases::new();
    cases.default_bin_path(env!("CARGO_BIN_EXE_shedlock"));
    cases
        .env("XDG_STATE_HOME", folder.path().display().to_string())
        .env("XDG_CONFIG_HOME", folder.path().display().to_string())
        .env("SHEDLOCK_NODE", "web-1")
        .env("TZ", "UTC");
    cases.case("tests/transcripts/*.trycmd");
}
