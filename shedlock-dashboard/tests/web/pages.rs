//! Pages as HTML, without a browser.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use shedlock_runtime::{
    InMemoryLockProvider, LockConfiguration, LockProviderExt as _, LockingTaskExecutor, RunOutcome,
    SchedulerLock,
};
use shedlock_testkit::requests::until;

use crate::scene::Scene;
use crate::support::{dashboard, get};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

fn scene() -> Arc<Scene> {
    let scene = Scene::new()
        .held("nightly", "web-2", 60, 240, 13)
        .free("mail")
        .runs("mail", &["web-1", "web-3"], 60, 30);
    Arc::new(scene)
}

#[tokio::test]
async fn every_path_answers_and_is_hardened() {
    let router = dashboard(scene()).build().unwrap().router();
    for (path, status, kind) in [
        ("/", 303, ""),
        ("/locks", 200, "text/html; charset=utf-8"),
        ("/lock?name=mail", 200, "text/html; charset=utf-8"),
        ("/lock?name=none", 404, "text/html; charset=utf-8"),
        ("/dashboard.css", 200, "text/css"),
        ("/dashboard.js", 200, "text/javascript"),
        ("/icon.svg", 200, "image/svg+xml"),
        ("/api/v1/snapshot", 200, "application/json"),
        ("/api/v1/lock?name=mail", 200, "application/json"),
        ("/api/v1/openapi.json", 200, "application/json"),
        ("/healthz", 200, "text/plain; charset=utf-8"),
        ("/../etc/passwd", 404, "text/plain; charset=utf-8"),
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("content-type"), kind, "{path}");
        assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn the_pages_work_under_any_path() {
    let inner = dashboard(scene()).build().unwrap().router();
    let nested = Router::new()
        .nest("/admin/locks", inner.clone())
        .nest("/slash/", inner.clone())
        .nest_service("/service", inner);
    for (asked, led_to) in [
        ("/admin/locks", "locks/locks"),
        ("/slash/", "locks"),
        ("/service", "service/locks"),
        ("/service/", "locks"),
    ] {
        let answer = get(&nested, asked).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{asked}");
        assert_eq!(answer.header("location"), led_to, "{asked}");
    }
    for page in ["/admin/locks/locks", "/slash/locks", "/service/locks"] {
        let answer = get(&nested, page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        for attribute in ["href=\"/", "src=\"/", "action=\"/", "http:", "https:"] {
            assert!(!answer.text.contains(attribute), "{page}: {attribute}");
        }
    }
}

#[tokio::test]
async fn the_list_has_everything_without_a_script() {
    let router = dashboard(scene()).build().unwrap().router();
    let page = get(&router, "/locks").await.text;
    for part in [
        "nightly",
        "web-2",
        "</svg>held</span>",
        "4m",
        "13",
        "read at",
        "0 runs in the last 1h, held now by web-2",
        "9 of the last 10 runs completed",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // A policy without 'unsafe-inline' would refuse them.
    assert!(!page.contains(" style=") && !page.contains("<style"));
    assert!(!page.contains(" onclick") && !page.contains("<script>"));
}

#[tokio::test]
async fn names_nodes_and_texts_are_escaped() {
    let evil = "<script>alert(1)</script>\"'&\u{202e}";
    let scene = Scene::new()
        .held(evil, evil, 60, 240, 13)
        .unreadable("broken", evil)
        .paused("rest", evil)
        .run("broken", evil, 60, 5, RunOutcome::Failed, 3);
    let built = dashboard(Arc::new(scene)).title(evil).build().unwrap();
    let router = built.router();
    let query = serde_urlencoded::to_string([("name", evil)]).unwrap();
    for path in [
        "/locks".to_owned(),
        format!("/lock?{query}"),
        "/lock?name=broken".to_owned(),
        "/lock?name=rest".to_owned(),
        format!("/locks?q={query}&state={query}&sort={query}"),
    ] {
        let page = get(&router, &path).await.text;
        assert!(!page.contains("<script>alert"), "{path}: {page}");
        assert!(!page.contains("<b>paper"), "{path}: {page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{path}: {page}");
        let shown = page.replace("data-key=\"r <", "");
        assert!(shown.contains("\\u{202e}"), "{path}");
    }
}

#[tokio::test]
async fn any_name_can_be_opened() {
    let names = ["..", ".", "a/b", "a?b#c&d=e", "%2e%2e", "+ +", "\u{1f512}"];
    let scene = names
        .iter()
        .fold(Scene::new(), |scene, name| scene.free(name));
    let router = dashboard(Arc::new(scene)).build().unwrap().router();
    let list = get(&router, "/locks").await.text;
    for name in names {
        let query = serde_urlencoded::to_string([("name", name)]).unwrap();
        assert!(list.contains(&format!("href=\"lock?{query}\"")), "{name}");
        let page = get(&router, &format!("/lock?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{name}");
        let json = get(&router, &format!("/api/v1/lock?{query}")).await.json();
        assert_eq!(json["name"], name);
    }
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_paged() {
    let mut scene = Scene::new().paused("backup", "ada: moving");
    for at in 0..120 {
        scene = scene.held(
            &format!("job-{at:03}"),
            &format!("web-{}", at % 7),
            60,
            60 + at,
            at,
        );
    }
    let router = dashboard(Arc::new(scene)).build().unwrap().router();
    let rows = async |query: &str| {
        let page = get(&router, &format!("/locks?{query}")).await.text;
        let rows: Vec<String> = page
            .split("data-row=\"\" data-key=\"r ")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        rows
    };
    assert_eq!(rows("").await.len(), 50);
    assert_eq!(rows("page=3").await.len(), 21);
    assert_eq!(rows("page=99").await.len(), 21);
    assert_eq!(rows("page=x").await.len(), 50);
    assert_eq!(rows("state=paused").await, ["backup"]);
    assert_eq!(rows("q=JOB-11").await.len(), 10);
    assert_eq!(rows("q=web-3").await.len(), 17);
    assert_eq!(rows("q=none").await.len(), 0);
    assert_eq!(rows("sort=name").await[0], "backup");
    assert_eq!(rows("sort=left").await[0], "job-000");
    assert_eq!(rows("").await[0], "job-000");
}

#[tokio::test]
async fn skips_of_this_process_are_shown_and_said_to_be_of_this_process() {
    let provider = InMemoryLockProvider::new();
    let built = dashboard(Arc::new(provider.clone())).build().unwrap();
    let router = built.router();
    let config = || LockConfiguration::new("skipped-here", "5m").unwrap();
    let _held = provider.try_lock(config()).await.unwrap().unwrap();
    let page = get(&router, "/lock?name=skipped-here").await.text;
    assert!(!page.contains("kipped by this process"), "{page}");

    let listening = SchedulerLock::listen(built.listener()).unwrap();
    let executor = LockingTaskExecutor::new(provider.clone());
    let skipped = executor.execute(config(), async {}).await.unwrap();
    assert!(!skipped.was_executed());
    // The listener hears of it on a thread of its own.
    let lists_it = async || {
        let page = get(&router, "/lock?name=skipped-here").await.text;
        page.contains("<li><time")
    };
    until("the skip is listed", lists_it).await;
    let page = get(&router, "/lock?name=skipped-here").await.text;
    assert!(page.contains("Skipped by this process"), "{page}");
    assert!(page.contains("</time> held"), "{page}");
    assert!(page.contains("class=\"skip\""), "{page}");
    let list = get(&router, "/locks").await.text;
    assert!(list.contains("skipped here 1 time"), "{list}");
    assert!(list.contains("skips of other processes are not known here"));
    drop(listening);
}
