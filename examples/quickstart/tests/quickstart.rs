//! The quickstart as a user runs it: it ends by itself and has shown what it is there to show.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

#[expect(unreachable_pub, reason = "the other examples' library exports it")]
#[path = "../../built_example.rs"]
mod built_example;
use built_example::built_example;

/// It takes 15 seconds by the clock, whatever the machine; the rest is for starting three processes on a busy one.
const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test]
async fn the_quickstart_shows_a_takeover_and_ends_well() {
    let child = Command::new(built_example("quickstart"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = timeout(LIMIT, child.wait_with_output())
        .await
        .expect("the quickstart ends by itself")
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines = |what: &str| text.lines().filter(|line| line.contains(what)).count();

    assert_eq!(output.status.code(), Some(0), "{text}{errors}");
    assert!(!text.contains('\u{1b}'), "no colours in a file: {text}");
    // The node that takes over says whose lease had ended, and nothing else is wrong.
    let told: Vec<&str> = errors.lines().collect();
    assert_eq!(told.len(), 1, "{text}{errors}");
    assert!(told[0].contains("took over `quickstart`"), "{errors}");

    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("  t+"))
        .collect();
    assert_eq!(rows.len(), 13, "{text}");
    for row in &rows {
        for node in ["node-1", "node-2", "node-3"] {
            assert!(row.contains(node), "{row}");
        }
        assert!(row.matches("RAN").count() <= 1, "{row}");
    }
    assert_eq!(lines(">> KILL"), 1, "{text}");
    assert_eq!(lines("RAN, KILLED"), 1, "{text}");
    assert_eq!(lines(">> TAKEOVER"), 1, "{text}");
    assert_eq!(lines("OK: "), 1, "{text}");

    // The node that took over is not the one that died, and that one never comes back.
    let killed = rows.iter().position(|row| row.contains("KILLED")).unwrap();
    let dead: BTreeSet<&str> = rows[killed + 1..]
        .iter()
        .map(|row| row.split("dead").next().unwrap())
        .map(|before| before.trim_end().rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(dead.len(), 1, "{text}");
    let takeover = format!(">> TAKEOVER by {}", dead.first().unwrap());
    assert_eq!(lines(&takeover), 0, "{text}");
}
