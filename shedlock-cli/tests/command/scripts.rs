//! `lock`, `extend` and `unlock`.

use std::process::Stdio;

use crate::support::{Site, ended};

/// Takes the lock, and returns its token.
fn locked(site: &Site, more: &[&str]) -> String {
    let taken = site.run(["lock", "a", "--at-most", "1m"].iter().chain(more));
    assert_eq!((taken.code, taken.err.as_str()), (0, ""));
    let word = taken.out.trim_end();
    assert!(
        !word.is_empty() && !word.contains(char::is_whitespace),
        "{word}"
    );
    word.to_owned()
}

fn with_token(site: &Site, token: &str, arguments: &[&str]) -> (i32, String) {
    let mut command = site.command(arguments);
    let ran = ended(command.env("SHEDLOCK_TOKEN", token));
    assert!(!ran.err.contains(token), "{ran:?}");
    (ran.code, ran.err)
}

#[test]
fn the_script_of_the_readme_works() {
    let site = Site::new();
    let script = "\
        SHEDLOCK_TOKEN=$(shedlock lock deploy --at-most 10m) || exit\n\
        export SHEDLOCK_TOKEN\n\
        ! shedlock lock deploy --at-most 10m && shedlock extend deploy --at-most 20m\n\
        shedlock list --csv | cut -d, -f1,2\n\
        shedlock unlock deploy";
    let ran = ended(&mut site.shell(script));
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "name,state\ndeploy,held\n")
    );
    assert!(site.is_free("deploy"));
}

#[test]
fn a_token_extends_and_releases_its_lock_and_nobody_elses() {
    let site = Site::new();
    let old = locked(&site, &[]);
    assert_eq!(
        with_token(&site, &old, &["extend", "a", "--at-most", "10m"]).0,
        0
    );
    let shown = site.run(["get", "a", "--csv"]).out;
    let left = shown
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .nth(5)
        .unwrap()
        .parse::<u64>()
        .unwrap();
    assert!(left > 60_000, "{shown}");
    assert_eq!(with_token(&site, &old, &["unlock", "a"]).0, 0);
    assert!(site.is_free("a"));

    let new = locked(&site, &[]);
    for step in [&["extend", "a", "--at-most", "1m"][..], &["unlock", "a"]] {
        let (code, said) = with_token(&site, &old, step);
        assert_eq!(code, 79, "{said}");
    }
    assert!(!site.is_free("a"));
    assert_eq!(with_token(&site, &new, &["unlock", "a"]).0, 0);
}

#[test]
fn an_operator_is_stronger_than_a_token() {
    let site = Site::new();
    let token = locked(&site, &[]);
    assert_eq!(
        site.run(["release", "a", "--force", "--reason", "x"]).code,
        0
    );
    assert_eq!(
        with_token(&site, &token, &["extend", "a", "--at-most", "1m"]).0,
        79
    );
    assert_eq!(with_token(&site, &token, &["unlock", "a"]).0, 79);
    assert!(site.is_free("a"));
}

#[test]
fn at_least_holds_after_unlock() {
    let site = Site::new();
    let token = locked(&site, &["--at-least", "10m"]);
    assert_eq!(with_token(&site, &token, &["unlock", "a"]).0, 0);
    assert!(!site.is_free("a"));
}

#[test]
fn a_token_comes_from_a_file_or_stdin_as_well() {
    let site = Site::new();
    let token = locked(&site, &[]);
    std::fs::write(site.path("token"), format!("{token}\n")).unwrap();
    let extend = ["extend", "a", "--at-most", "1m", "--token-file", "token"];
    assert_eq!(site.run(extend).code, 0);
    let mut unlock = site.command(["unlock", "a", "--token-file", "-"]);
    let file = std::fs::File::open(site.path("token")).unwrap();
    assert_eq!(ended(unlock.stdin(Stdio::from(file))).code, 0);
    assert!(site.is_free("a"));
}

#[test]
fn no_token_and_a_wrong_one_are_wrong_usage() {
    let site = Site::new();
    assert_eq!(site.run(["unlock", "a"]).code, 64);
    let (code, said) = with_token(&site, "nonsense", &["unlock", "a"]);
    assert_eq!(code, 64);
    assert!(
        said.contains("not one that `shedlock lock` has printed"),
        "{said}"
    );
    let (code, _) = with_token(&site, "1.1.1.web-2", &["unlock", "a"]);
    assert_eq!(code, 64);
}
