//! The store's password is in no argument, no output and no command's environment; I10.

use std::fs;

use crate::exit_codes::NOWHERE;
use crate::support::{Site, ended, number_in, until};

const SECRET: &str = "pa55word";

#[test]
fn a_password_in_an_argument_is_refused_and_not_repeated() {
    let site = Site::new();
    let url = format!("postgres://app:{SECRET}@127.0.0.1:1/app");
    let refused = site.run(["--store", &url, "list"]);
    assert_eq!(refused.code, 64);
    assert!(
        refused.err.contains("SHEDLOCK_STORE") && !refused.err.contains(SECRET),
        "{refused:?}"
    );
    let accepted = site.run(["--store", &url, "--allow-insecure-dsn", "list"]);
    assert_eq!(accepted.code, 69, "{accepted:?}");
    assert!(!accepted.err.contains(SECRET), "{accepted:?}");
}

#[test]
fn no_output_repeats_the_password() {
    for url in [
        format!("postgres://app:{SECRET}@127.0.0.1:1/app"),
        format!("mysql://app:{SECRET}@127.0.0.1:1/app"),
        format!("redis://:{SECRET}@127.0.0.1:1"),
        format!("postgres://app:{SECRET}@[::bad/app"),
        format!("postgres://app:{SECRET}@host:port/app"),
        format!("oracle://app:{SECRET}@host/app"),
        format!("app:{SECRET}@host"),
        format!("jdbc:postgresql://host/app?user=app&password={SECRET}"),
    ] {
        let site = Site::with_store(&url);
        for arguments in [
            &["list"][..],
            &["doctor"],
            &["migrate", "print"],
            &["run", "--name", "a", "-v", "--", "true"],
            &["--help"],
            &["run", "--help"],
            &["--nonsense"],
        ] {
            let said = site.run(arguments);
            assert!(
                !said.out.contains(SECRET) && !said.err.contains(SECRET),
                "{url} {arguments:?} {said:?}"
            );
        }
    }
}

#[test]
fn the_command_and_its_helpers_do_not_get_the_url() {
    let site = Site::with_store(NOWHERE.replace("app@", &format!("app:{SECRET}@")));
    let script = "echo $$ >id; while test ! -e go; do sleep 0.05; done";
    let mut command = site.command([
        "run",
        "--name",
        "a",
        "--on-error",
        "run",
        "--",
        "sh",
        "-c",
        script,
    ]);
    for name in ["SHEDLOCK_TOKEN", "SHEDLOCK_OPERATOR_TOKENS"] {
        command.env(name, SECRET);
    }
    command.env("OTHER", "kept");
    let running = crate::support::Running::start(&mut command);
    let child = number_in(&site, "id");
    let environment = fs::read(format!("/proc/{child}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(environment.contains("OTHER=kept") && environment.contains("SHEDLOCK_NAME=a"));
    assert!(!environment.contains(SECRET), "{environment}");
    // The program and its children: the command and the guard.
    let list = format!("/proc/{0}/task/{0}/children", running.id());
    let mut children = String::new();
    until("the guard is there", || {
        children = fs::read_to_string(&list).unwrap();
        children.split_whitespace().count() == 2
    });
    let children: Vec<_> = children.split_whitespace().collect();
    for process in children
        .iter()
        .copied()
        .chain([running.id().to_string().as_str()])
    {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap();
        assert!(!String::from_utf8_lossy(&line).contains(SECRET));
    }
    for process in children {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap();
        assert!(!String::from_utf8_lossy(&environment).contains(SECRET));
    }
    fs::write(site.path("go"), "").unwrap();
    assert_eq!(running.wait().code, 0);
}

#[test]
fn a_url_in_a_file_is_as_good() {
    let site = Site::new();
    fs::write(
        site.path("url"),
        format!("postgres://app:{SECRET}@127.0.0.1:1/app\n"),
    )
    .unwrap();
    let said = ended(&mut site.command(["--store-file", "url", "list"]));
    assert_eq!(said.code, 69);
    assert!(!said.err.contains(SECRET));
}
