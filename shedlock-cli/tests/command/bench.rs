//! `bench`.

use crate::support::Site;

#[test]
fn each_figure_is_measured_and_the_record_is_deleted() {
    let site = Site::new();
    let shown = site.run(["bench", "--count", "20", "--json"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{shown:?}");
    let figures: Vec<serde_json::Value> = shown
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let what: Vec<_> = figures
        .iter()
        .map(|figure| figure["what"].as_str().unwrap())
        .collect();
    assert_eq!(what, ["round trip", "refusal", "take and release"]);
    for figure in &figures {
        let micros = |field: &str| figure[field].as_u64().unwrap();
        assert!((1..=20).contains(&micros("count")), "{figure}");
        assert!(micros("p50_us") > 0, "{figure}");
        assert!(
            micros("p50_us") <= micros("p99_us") && micros("p99_us") <= micros("max_us"),
            "{figure}"
        );
    }
    assert_eq!(
        site.run(["list", "--csv"]).out.lines().count(),
        1,
        "only the header"
    );

    let shown = site.run(["bench", "--count", "1"]);
    assert!(
        shown.out.contains("P99") && shown.out.contains("take and release"),
        "{shown:?}"
    );
    assert_eq!(site.run(["bench", "--count", "0"]).code, 64);
    assert_eq!(
        site.run(["--store", crate::exit_codes::NOWHERE, "bench"])
            .code,
        69
    );
}
