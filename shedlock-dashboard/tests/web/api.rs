//! The JSON, and its description.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;
use shedlock_runtime::RunOutcome;

use crate::scene::Scene;
use crate::support::{dashboard, get};

fn scene() -> Arc<Scene> {
    let scene = Scene::new()
        .held("nightly", "web-2", 60, 240, 13)
        .run("nightly", "web-1", 600, 30, RunOutcome::Failed, 12)
        .unreadable("broken", "not JSON");
    Arc::new(scene)
}

#[tokio::test]
async fn a_snapshot_has_every_lock_with_its_last_run() {
    let router = dashboard(scene()).build().unwrap().router();
    let json = get(&router, "/api/v1/snapshot").await.json();
    assert_eq!(json["provider"], "scene");
    assert_eq!(json["node"], "ops-1");
    assert_eq!(json["failure"], Value::Null);
    let nightly = &json["locks"][1];
    assert_eq!(nightly["name"], "nightly");
    assert_eq!(nightly["state"], "held");
    assert_eq!(nightly["node"], "web-2");
    assert_eq!(nightly["remaining_ms"], 240_000);
    assert_eq!(nightly["fencing_token"], 13);
    assert_eq!(nightly["last_run"]["outcome"], "failed");
    let kinds: Vec<_> = json["warnings"].as_array().unwrap().iter().collect();
    assert_eq!(kinds[0]["kind"], "unreadable");
    assert_eq!(kinds[0]["lock"], "broken");
    assert_eq!(kinds[1]["kind"], "failing");
}

#[tokio::test]
async fn one_lock_has_its_runs() {
    let router = dashboard(scene()).build().unwrap().router();
    let json = get(&router, "/api/v1/lock?name=nightly").await.json();
    assert_eq!(json["runs"][0]["error"], "out of <b>paper</b>");
    assert_eq!(json["runs"][0]["took_ms"], 30_000);
    assert_eq!(json["warnings"][0]["kind"], "failing");
    let unknown = get(&router, "/api/v1/lock?name=none").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(
        unknown.json()["error"],
        "the store has no record of this lock"
    );
}

/// The description names each field of each answer, and no other.
#[tokio::test]
async fn the_description_is_true() {
    let router = dashboard(scene()).build().unwrap().router();
    let described = get(&router, "/api/v1/openapi.json").await.json();
    assert_eq!(described["openapi"], "3.1.0");
    for (path, method) in
        described["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(move |method| (path, method.as_str()))
            })
    {
        let method = method.to_uppercase().parse().unwrap();
        if path != "/api/v1/events" {
            let answer = crate::support::ask(&router, method, path, &[], "").await;
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_ne!(answer.text, "there is no such page\n", "{path}");
        }
    }
    let snapshot = get(&router, "/api/v1/snapshot").await.json();
    assert_eq!(fields(&described, "Snapshot"), keys(&snapshot));
    let lock = get(&router, "/api/v1/lock?name=nightly").await.json();
    assert_eq!(fields(&described, "LockWithRuns"), keys(&lock));
    assert_eq!(fields(&described, "Lock"), keys(&snapshot["locks"][1]));
    assert_eq!(fields(&described, "Warning"), keys(&lock["warnings"][0]));
    assert_eq!(fields(&described, "Run"), keys(&lock["runs"][0]));
}

fn keys(object: &Value) -> BTreeSet<&str> {
    let object = object.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

fn fields<'a>(described: &'a Value, schema: &str) -> BTreeSet<&'a str> {
    let schema = &described["components"]["schemas"][schema];
    let all = schema["allOf"].as_array().into_iter().flatten();
    let parts = all.chain([schema]);
    parts
        .flat_map(|part| {
            let name = part["$ref"]
                .as_str()
                .and_then(|name| name.rsplit('/').next());
            let part = name.map_or(part, |name| &described["components"]["schemas"][name]);
            let properties = part["properties"].as_object();
            properties
                .into_iter()
                .flat_map(|properties| properties.keys())
        })
        .map(String::as_str)
        .collect()
}
