//! What the example prints is what its text promises: silence but for the job that outlives its lease, and metrics.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use shedlock_examples::built_example;
use tokio::process::Command;

/// The program takes three seconds.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn it_shows_the_loss_the_metrics_and_what_the_listener_hears() {
    let running = Command::new(built_example("observe"))
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, running).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");

    let lines = text.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut seen: Vec<_> = lines
        .iter()
        .map(|line| {
            let field = |name: &str| line["fields"][name].as_str().unwrap();
            (
                line["level"].as_str().unwrap(),
                field("event"),
                field("lock.name"),
            )
        })
        .collect();
    // On a machine with much else to do, which is not what this is about.
    seen.retain(|(_, event, _)| *event != "lock.starved");
    let expected = [
        ("WARN", "lock.expiring", "too_slow"),
        ("ERROR", "lock.lost", "too_slow"),
        ("ERROR", "lock.overrun", "too_slow"),
    ];
    assert_eq!(seen, expected, "{text}");

    let has = |line: &str| {
        assert!(
            text.lines().any(|found| found.starts_with(line)),
            "no `{line}` in {text}"
        );
    };
    has("PAGE: too_slow lost its lock (deadline)");
    has("ping: import completed after ");
    has("shedlock_acquired{lock=\"sync-{tenant}\",provider=\"memory\"} 3");
    has("shedlock_skipped{lock=\"sync-{tenant}\",provider=\"memory\",reason=\"held\"} 1");
    has("shedlock_overruns{lock=\"too_slow\",provider=\"memory\"} 1");
    has("shedlock_extensions{lock=\"import\",provider=\"memory\",ok=\"true\"} ");
    has(
        "shedlock_body_seconds_bucket{lock=\"import\",provider=\"memory\",outcome=\"completed\",le=\"1\"} ",
    );
    has("shedlock_held{lock=\"import\",provider=\"memory\"} 0");
}

/// The page that tells how to do it quotes the program.
#[test]
fn the_readme_says_the_same() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = std::fs::read_to_string(folder.join("observe.rs")).unwrap();
    let readme = std::fs::read_to_string(folder.join("../observability/README.md")).unwrap();
    let squeezed = |text: &str| {
        text.split_whitespace()
            .collect::<String>()
            .replace(",)", ")")
            .replace(",]", "]")
    };
    let buckets = readme.split("// Without buckets").nth(1).unwrap();
    let buckets = buckets.split(".install()").next().unwrap();
    assert!(squeezed(&program).contains(&squeezed(buckets)), "{buckets}");
}
