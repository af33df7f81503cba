//! Six states of a store in a browser, light and dark, wide and narrow, with and without scripts.

use std::sync::Arc;

use axum::Router;
use serde_json::json;
use shedlock_dashboard::Dashboard;
use shedlock_runtime::RunOutcome;
use shedlock_testkit::server_or_skip;

use crate::browser::Browser;
use crate::scene::Scene;
use crate::support::{Server, TOKEN};

const JUDGE: &str = include_str!("judge.js");

fn empty() -> Scene {
    Scene::new()
}

fn held() -> Scene {
    Scene::new()
        .held("billing:invoices", "web-2", 95, 505, 13)
        .runs("billing:invoices", &["web-1", "web-2"], 700, 200)
        .held(
            "search:reindex",
            "worker-a.eu-central.example.com",
            3_400,
            30,
            41,
        )
        .runs(
            "search:reindex",
            &["worker-b", "worker-a.eu-central.example.com"],
            4_200,
            300,
        )
        .free("mail:digest")
        .runs("mail:digest", &["web-1", "web-3", "web-2"], 120, 45)
        .free("nightly_report")
}

fn at_least() -> Scene {
    Scene::new()
        .held("hourly:rates", "web-1", 240, 360, 9)
        .kept()
        .run("hourly:rates", "web-1", 240, 20, RunOutcome::Completed, 9)
        .run("hourly:rates", "web-2", 1_900, 25, RunOutcome::ShutDown, 8)
        .free("mail:digest")
}

fn paused() -> Scene {
    Scene::new()
        .paused("mail:digest", "ada: moving the mail server")
        .free("nightly_report")
        .runs("nightly_report", &["web-1"], 300, 60)
}

fn broken() -> Scene {
    Scene::new()
        .unreadable("legacy:export", "the record is not JSON")
        .expired("nightly_report", "web-4", 1_500, 77)
        .held("search:reindex", "web-3", 300, 300, 42)
        .run(
            "search:reindex",
            "web-1",
            1_500,
            900,
            RunOutcome::Crashed,
            41,
        )
        .run("search:reindex", "web-2", 2_700, 120, RunOutcome::Lost, 40)
        .run(
            "search:reindex",
            "web-2",
            3_300,
            120,
            RunOutcome::Panicked,
            39,
        )
        .free("mail:digest")
        .run("mail:digest", "web-2", 60, 12, RunOutcome::Failed, 2)
        .run("mail:digest", "web-1", 660, 12, RunOutcome::Failed, 1)
}

fn unreachable() -> Scene {
    let scene = Scene::new();
    scene.fail(Some(
        "the server at db.example.com:5432 refuses connections",
    ));
    scene
}

fn serve(scene: Scene) -> Server {
    let built = Dashboard::builder(Arc::new(scene)).title("Locks of the billing cluster");
    let router = built.operator("ada", TOKEN).build().unwrap().router();
    Server::start(Router::new().nest("/ops", router))
}

/// Shows the scene in each way, and expects these texts and the parts that a screen reader is told of.
fn judge(name: &str, scene: Scene, texts: &[&str], parts: &[(&str, &str)]) {
    let browser = server_or_skip!(Browser::shared());
    let server = serve(scene);
    let page = browser.page();
    for (scheme, width) in [
        ("light", 1280),
        ("dark", 1280),
        ("light", 360),
        ("dark", 360),
    ] {
        page.size(width, 900);
        page.colours(scheme);
        page.open(&server.url("/ops"));
        page.until("document.getElementById('live').textContent === 'Live'");
        let told = page.value("document.body.innerText.replace(/\\s+/g, ' ')");
        for text in texts {
            assert!(told.as_str().unwrap().contains(text), "{text} in {told}");
        }
        let judged = page.value(JUDGE);
        page.picture(&format!("{name}-{scheme}-{width}"));
        assert!(judged["texts"].as_u64().unwrap() > 5, "{judged}");
        assert_eq!(judged["faint"], json!([]), "{name} {scheme} {width}");
        assert_eq!(judged["wide"], json!([]), "{name} {scheme} {width}");
        assert_eq!(judged["scroll"], judged["width"], "{name} {scheme} {width}");
        let seen = page.parts();
        for (role, part) in parts {
            let is_it = |(r, n): &(String, String)| r == role && n.contains(part);
            assert!(seen.iter().any(is_it), "no {role} `{part}` in {seen:?}");
        }
    }
    // The answer 503 of an unreachable store is an error to the browser, and meant so.
    let mut errors = page.errors();
    errors.retain(|error| !(name == "unreachable" && error.contains("503")));
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn an_empty_store() {
    judge(
        "empty",
        empty(),
        &["No locks yet"],
        &[("heading", "No locks yet")],
    );
}

#[test]
fn held_locks() {
    let texts = ["4 locks", "2 held", "web-2", "1m 35s", "8m", "completed"];
    let parts = [
        ("columnheader", "Holder"),
        ("rowheader", "billing:invoices"),
        ("cell", "held"),
        ("searchbox", "Filter"),
        ("image", "held now by web-2"),
        ("image", "9 of the last 10 runs completed"),
    ];
    judge("held", held(), &texts, &parts);
}

#[test]
fn a_lock_that_is_kept() {
    let parts = [("cell", "at least"), ("image", "2 runs in the last")];
    judge(
        "at_least",
        at_least(),
        &["1 at least", "hourly:rates"],
        &parts,
    );
}

#[test]
fn a_paused_lock() {
    let texts = ["1 paused", "ada: moving the mail server"];
    judge("paused", paused(), &texts, &[("cell", "paused")]);
}

#[test]
fn broken_locks_with_warnings() {
    let texts = [
        "warnings",
        "the record is broken",
        "crashed on web-1",
        "crashed on web-4",
        "1 expired",
        "unreadable",
    ];
    let parts = [("region", "Warnings"), ("cell", "unreadable")];
    judge("broken", broken(), &texts, &parts);
}

#[test]
fn an_unreachable_store() {
    let texts = ["The store cannot be read.", "refuses connections"];
    judge("unreachable", unreachable(), &texts, &[("alert", "")]);
}

#[test]
fn one_lock_in_detail() {
    let browser = server_or_skip!(Browser::shared());
    let server = serve(broken());
    let page = browser.page();
    for (scheme, width) in [("light", 1280), ("dark", 1280), ("dark", 360)] {
        page.size(width, 900);
        page.colours(scheme);
        page.open(&server.url("/ops/lock?name=search%3Areindex"));
        page.until("document.getElementById('live').textContent === 'Live'");
        page.value("for (const each of document.querySelectorAll('details')) each.open = true");
        let judged = page.value(JUDGE);
        page.picture(&format!("detail-{scheme}-{width}"));
        assert_eq!(judged["faint"], json!([]), "{scheme} {width}");
        assert_eq!(judged["wide"], json!([]), "{scheme} {width}");
        let told = page.value("document.body.innerText");
        for text in [
            "panicked",
            "shedlock history search:reindex",
            "Release by force",
        ] {
            assert!(told.as_str().unwrap().contains(text), "{text} in {told}");
        }
    }
    assert_eq!(page.errors(), Vec::<String>::new());
}

#[test]
fn without_scripts_the_table_is_all_there() {
    let browser = server_or_skip!(Browser::shared());
    let server = serve(held());
    let page = browser.page();
    page.size(1280, 900);
    page.without_scripts();
    page.open(&server.url("/ops/locks?state=held"));
    let parts = page.parts();
    let rows = parts.iter().filter(|(role, _)| role == "rowheader").count();
    assert_eq!(rows, 2, "{parts:?}");
    // What needs the script is not offered, and the filter has a button.
    let has = |role: &str, name: &str| parts.iter().any(|(r, n)| r == role && n == name);
    assert!(has("button", "Show"), "{parts:?}");
    assert!(!has("button", "Pause updates") && !has("button", "Copy"));
}
