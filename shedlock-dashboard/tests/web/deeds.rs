//! What operators do, and what others cannot.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use shedlock_runtime::{
    EventKind, InMemoryLockProvider, ListenerGuard, Lock, LockAdmin as _, LockConfiguration,
    LockEvent, LockProviderExt as _, SchedulerLock,
};
use shedlock_testkit::requests::until;

use crate::scene::Scene;
use crate::support::{Answer, TOKEN, ask, dashboard, get};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");
const BEARER: (&str, &str) = ("authorization", "Bearer jM0wd8pXq2Rk7vTz");

fn guarded(provider: &InMemoryLockProvider) -> Router {
    let built = dashboard(Arc::new(provider.clone())).operator("ada", TOKEN);
    built.build().unwrap().router()
}

async fn take(provider: &InMemoryLockProvider, name: &str) -> Lock {
    let config = LockConfiguration::new(name, "5m").unwrap();
    provider.try_lock(config).await.unwrap().unwrap()
}

async fn form(router: &Router, name: &str, fields: &[(&str, &str)]) -> Answer {
    let body = serde_urlencoded::to_string(fields).unwrap();
    let path = format!("/lock?name={name}");
    ask(router, Method::POST, &path, &[FORM], &body).await
}

async fn program(router: &Router, deed: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let path = format!("/api/v1/lock/{deed}");
    ask(router, Method::POST, &path, headers, body).await
}

#[tokio::test]
async fn a_form_pauses_and_resumes() {
    let provider = InMemoryLockProvider::new();
    let router = guarded(&provider);
    let _lock = take(&provider, "mail").await;
    let pause = [
        ("deed", "pause"),
        ("for", "2h"),
        ("why", "new mail server"),
        ("token", TOKEN),
    ];
    let answer = form(&router, "mail", &pause).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(answer.header("location"), "lock?name=mail&done=paused");
    let info = provider.get("mail").await.unwrap().unwrap();
    assert!(info.paused);
    assert_eq!(info.reason.as_deref(), Some("ada: new mail server"));
    assert!(info.remaining > Duration::from_secs(7_100));
    let page = get(&router, "/lock?name=mail&done=paused").await.text;
    assert!(page.contains("ada: new mail server"), "{page}");
    assert!(page.contains("Paused. A run in progress"), "{page}");

    let resume = [("deed", "resume"), ("why", "done"), ("token", TOKEN)];
    let answer = form(&router, "mail", &resume).await;
    assert_eq!(answer.header("location"), "lock?name=mail&done=resumed");
    assert!(!provider.get("mail").await.unwrap().unwrap().paused);
}

#[tokio::test]
async fn a_release_asks_for_the_name() {
    let provider = InMemoryLockProvider::new();
    let router = guarded(&provider);
    let _lock = take(&provider, "mail").await;
    let release = |confirm| {
        [
            ("deed", "release"),
            ("confirm", confirm),
            ("why", "web-2 <gone>"),
            ("token", TOKEN),
        ]
    };
    let refused = form(&router, "mail", &release("male")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text.contains("is not the name of this lock"));
    // What was typed is still there; the token is not.
    assert!(refused.text.contains("value=\"web-2 &lt;gone&gt;\""));
    assert!(!refused.text.contains(TOKEN));
    assert!(provider.get("mail").await.unwrap().unwrap().is_held());
    let done = form(&router, "mail", &release("mail")).await;
    assert_eq!(done.header("location"), "lock?name=mail&done=released");
    assert!(!provider.get("mail").await.unwrap().unwrap().is_held());
}

/// Hears what operators do with the lock.
fn listen(lock: &'static str) -> (Arc<Mutex<Vec<String>>>, ListenerGuard) {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let events = Arc::clone(&heard);
    let listening = SchedulerLock::listen(move |event: &LockEvent| {
        if event.lock.as_str() != lock {
            return;
        }
        let told = match &event.kind {
            EventKind::Paused { reason, .. } => format!("paused, {reason}"),
            EventKind::ForceReleased { reason } => format!("released, {reason}"),
            EventKind::Resumed => "resumed".to_owned(),
            _ => return,
        };
        events.lock().unwrap().push(told);
    });
    (heard, listening.unwrap())
}

/// The store may do what it was asked for after the client has gone.
#[tokio::test]
async fn a_deed_is_an_event_although_its_client_goes_away() {
    let (heard, _listening) = listen("abandoned");
    let gate = Arc::default();
    let scene = Scene::new().held("abandoned", "web-1", 60, 60, 1);
    let built = dashboard(Arc::new(scene.gated(&gate))).operator("ada", TOKEN);
    let router = built.build().unwrap().router();
    let body = r#"{"name":"abandoned","why":"it hangs"}"#;
    tokio::select! {
        answer = program(&router, "release", &[JSON, BEARER], body) => panic!("{answer:?}"),
        () = gate.asked.notified() => {}
    }
    gate.opened.notify_one();
    until("it is heard", async || !heard.lock().unwrap().is_empty()).await;
    assert_eq!(*heard.lock().unwrap(), ["released, ada: it hangs"]);
}

#[tokio::test]
async fn a_deed_is_an_event_with_who_and_why() {
    let (heard, listening) = listen("heard");
    let provider = InMemoryLockProvider::new();
    let router = guarded(&provider);
    let _lock = take(&provider, "heard").await;
    for (deed, body, done) in [
        (
            "release",
            r#"{"name":"heard","why":"it hangs"}"#,
            "released",
        ),
        (
            "pause",
            r#"{"name":"heard","why":"it hangs","for":"10m"}"#,
            "paused",
        ),
        ("resume", r#"{"name":"heard","why":"mended"}"#, "resumed"),
    ] {
        let answer = program(&router, deed, &[JSON, BEARER], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let json = answer.json();
        assert_eq!(json["done"], done);
        assert_eq!(json["changed"], true);
    }
    // The listener hears on a thread of its own.
    until("all is heard", async || heard.lock().unwrap().len() == 3).await;
    assert_eq!(
        *heard.lock().unwrap(),
        [
            "released, ada: it hangs",
            "paused, ada: it hangs",
            "resumed"
        ]
    );
    drop(listening);
}

#[tokio::test]
async fn without_operators_nothing_is_changed() {
    let provider = InMemoryLockProvider::new();
    let router = dashboard(Arc::new(provider.clone()))
        .build()
        .unwrap()
        .router();
    let _lock = take(&provider, "mail").await;
    let fields = [
        ("deed", "pause"),
        ("for", "2h"),
        ("why", "x"),
        ("token", ""),
    ];
    assert_eq!(
        form(&router, "mail", &fields).await.status,
        StatusCode::FORBIDDEN
    );
    let body = r#"{"name":"mail","why":"x"}"#;
    let answer = program(&router, "release", &[JSON, BEARER], body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let page = get(&router, "/lock?name=mail").await.text;
    assert!(page.contains("read-only") && !page.contains("method=\"post\""));
    for path in ["/locks", "/api/v1/snapshot", "/healthz", "/dashboard.js"] {
        let answer = ask(&router, Method::POST, path, &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert!(provider.get("mail").await.unwrap().unwrap().is_held());
}

#[tokio::test]
async fn a_wrong_token_or_another_site_changes_nothing() {
    let provider = InMemoryLockProvider::new();
    let router = guarded(&provider);
    let _lock = take(&provider, "mail").await;
    let body = r#"{"name":"mail","why":"x","for":"1h"}"#;
    for headers in [
        &[JSON][..],
        &[JSON, ("authorization", "Bearer wrong")],
        &[JSON, ("authorization", "Basic jM0wd8pXq2Rk7vTz")],
    ] {
        for deed in ["pause", "resume", "release"] {
            let answer = program(&router, deed, headers, body).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    let fields = [
        ("deed", "pause"),
        ("for", "2h"),
        ("why", "x"),
        ("token", "y"),
    ];
    let refused = form(&router, "mail", &fields).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let elsewhere = [JSON, BEARER, ("sec-fetch-site", "cross-site")];
    let answer = program(&router, "release", &elsewhere, body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let info = provider.get("mail").await.unwrap().unwrap();
    assert!(info.is_held() && !info.paused);
}

#[tokio::test]
async fn bad_input_is_refused_with_what_is_wrong() {
    let provider = InMemoryLockProvider::new();
    let router = guarded(&provider);
    for (deed, body, part) in [
        (
            "pause",
            r#"{"name":"mail","why":" ","for":"1h"}"#,
            "say why",
        ),
        ("pause", r#"{"name":"mail","why":"x"}"#, "duration"),
        ("pause", r#"{"name":"mail","why":"x","for":"soon"}"#, "soon"),
        ("pause", r#"{"name":"","why":"x","for":"1h"}"#, "empty"),
        ("release", r#"{"name":"a\nb","why":"x"}"#, "control"),
    ] {
        let answer = program(&router, deed, &[JSON, BEARER], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(part), "{body}: {error}");
    }
    for (body, status) in [
        ("{", 400),
        ("{}", 422),
        (r#"{"name":"a","why":"b","x":1}"#, 422),
    ] {
        let answer = program(&router, "pause", &[JSON, BEARER], body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
    }
    let untyped = program(&router, "pause", &[BEARER], "{}").await;
    assert_eq!(untyped.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let still = Arc::new(Scene::new().free("mail"));
    let built = dashboard(still).operator("ada", TOKEN).build().unwrap();
    let body = r#"{"name":"mail","why":"x"}"#;
    let answer = program(&built.router(), "release", &[JSON, BEARER], body).await;
    assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn a_lock_that_was_free_is_not_changed() {
    let provider = InMemoryLockProvider::new();
    let router = guarded(&provider);
    let body = r#"{"name":"mail","why":"x"}"#;
    for (deed, done) in [("release", "was_free"), ("resume", "was_not_paused")] {
        let json = program(&router, deed, &[JSON, BEARER], body).await.json();
        assert_eq!(
            (&json["done"], &json["changed"]),
            (&done.into(), &false.into())
        );
    }
}
