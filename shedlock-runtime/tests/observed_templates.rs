//! However many names there are, there is a limit to the series. In a program of its own: what it fills stays full.
#![cfg(feature = "metrics")]

use metrics_exporter_prometheus::PrometheusBuilder;
use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};

#[tokio::test]
async fn past_a_thousand_templates_all_others_are_one() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let memory = InMemoryLockProvider::new();
    let take = async |name: &str| {
        let config = LockConfiguration::new(name, "10m").unwrap();
        let lock = memory.try_lock(config).await.unwrap().unwrap();
        lock.unlock().await.unwrap();
    };
    // Names made from data, as by an expression: nothing says what they were made from.
    for n in 0..1_100 {
        take(&format!("user-{n}")).await;
    }
    take("user-7").await;
    take("user-1050").await;
    let text = recorder.handle().render();
    let acquired = |lock: &str| {
        let series = format!("shedlock_acquired{{lock=\"{lock}\",provider=\"memory\"}} ");
        let mut values = text.lines().filter_map(|line| line.strip_prefix(&series));
        values.next().map(|value| value.parse::<u64>().unwrap())
    };
    assert_eq!(acquired("user-7"), Some(2));
    assert_eq!(acquired("user-999"), Some(1));
    assert_eq!(acquired("user-1000"), None);
    assert_eq!(acquired("_other"), Some(101));
    let series = text
        .lines()
        .filter(|line| line.starts_with("shedlock_acquired{"));
    assert_eq!(series.count(), 1_001);
    let held = "shedlock_held{lock=\"_other\",provider=\"memory\"} 0";
    assert!(text.lines().any(|line| line == held));
}
