//! How the program speaks: colours, and lines for programs.

use crate::support::{Site, ended};

#[test]
fn colours_are_for_terminals_unless_somebody_wants_them() {
    let site = Site::new();
    assert_eq!(site.run(["run", "--name", "a", "--", "true"]).code, 0);
    let is_coloured = |arguments: &[&str], variable: Option<&str>| {
        let mut list = site.command(["list"].iter().chain(arguments));
        if let Some(variable) = variable {
            list.env(variable, "1");
        }
        let shown = ended(&mut list);
        assert_eq!(shown.code, 0, "{shown:?}");
        shown.out.contains('\u{1b}')
    };
    assert!(!is_coloured(&[], None), "a pipe is no terminal");
    assert!(is_coloured(&["--color", "always"], None));
    assert!(
        is_coloured(&["--color", "always"], Some("NO_COLOR")),
        "an argument counts more"
    );
    assert!(is_coloured(&[], Some("CLICOLOR_FORCE")));
    assert!(!is_coloured(&["--color", "never"], Some("CLICOLOR_FORCE")));
    let refused = site.run(["--color", "always", "list", "--nonsense"]);
    assert!(refused.err.contains('\u{1b}'), "{refused:?}");
    assert_eq!(site.run(["--color", "blue", "list"]).code, 64);
}

#[test]
fn each_line_on_stderr_may_be_an_object() {
    let site = Site::new();
    let lines = |arguments: &[&str]| -> Vec<serde_json::Value> {
        let ran = ended(site.command(arguments).env("SHEDLOCK_LOG_FORMAT", "json"));
        let lines = ran.err.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
        });
        lines.collect()
    };
    let told = lines(&["run", "--name", "a", "-v", "--", "true"]);
    assert!(told.len() >= 2, "{told:?}");
    for line in &told {
        assert_eq!(
            (&line["level"], &line["lock"]),
            (&"info".into(), &"a".into())
        );
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    assert!(
        told[0]["message"]
            .as_str()
            .unwrap()
            .contains("acquired for 1m"),
        "{told:?}"
    );

    // The process that becomes the command speaks for itself.
    let told = lines(&["run", "--name", "a", "--", "./nothing"]);
    assert_eq!(told[0]["level"], "error", "{told:?}");
    assert!(
        told[0]["message"]
            .as_str()
            .unwrap()
            .contains("`./nothing` does not exist")
    );

    assert_eq!(site.run(["lock", "a", "--at-most", "10m"]).code, 0);
    let told = lines(&["run", "--name", "a", "--", "true"]);
    assert_eq!(told[0]["lock"], "a", "{told:?}");
    assert!(
        told[0]["message"].as_str().unwrap().contains("held by"),
        "{told:?}"
    );
}
