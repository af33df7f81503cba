//! Which path is what.
//!
//! All pages lie at one depth, and name each other and their files relatively, so that they work under any path. The name of a lock is a
//! parameter and no part of a path: a name may be `..` or have a slash in it, which browsers and proxies change in a path.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::query::{ListQuery, LockQuery};
use super::site::Site;
use super::{LONGEST_BODY, api, deeds, events, guard, page};

pub(super) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(entrance))
        .route("/locks", get(locks))
        .route("/lock", get(lock).post(deeds::from_form))
        .route("/healthz", get(async || "ok\n"))
        .route("/dashboard.css", get(async || file("text/css", STYLE)))
        .route(
            "/dashboard.js",
            get(async || file("text/javascript", SCRIPT)),
        )
        .route("/icon.svg", get(async || file("image/svg+xml", ICON)))
        .route("/api/v1/snapshot", get(api::snapshot))
        .route("/api/v1/lock", get(api::lock))
        .route("/api/v1/lock/pause", post(deeds::pause))
        .route("/api/v1/lock/resume", post(deeds::resume))
        .route("/api/v1/lock/release", post(deeds::release))
        .route("/api/v1/events", get(events::events))
        .route(
            "/api/v1/openapi.json",
            get(async || file("application/json", OPENAPI)),
        )
        .fallback(async || (StatusCode::NOT_FOUND, "there is no such page\n"))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn_with_state(Arc::clone(&site), guard::check_host))
        .layer(map_response(guard::harden))
        .with_state(site)
}

const STYLE: &str = include_str!("../assets/dashboard.css");
const SCRIPT: &str = include_str!("../assets/dashboard.js");
const ICON: &str = include_str!("../assets/icon.svg");
const OPENAPI: &str = include_str!("../assets/openapi.json");

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind)], text)
}

/// Leads to the list, by a path that is relative to the path as the browser knows it: a router that is mounted does not see that one.
async fn entrance(OriginalUri(asked): OriginalUri) -> Response {
    let last = asked.path().rsplit('/').next().unwrap_or_default();
    let to = match last {
        "" => "locks".to_owned(),
        mounted => format!("{mounted}/locks"),
    };
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

async fn locks(State(site): State<Arc<Site>>, Query(query): Query<ListQuery>) -> Response {
    let view = site.reader.view().await;
    let status = match view.snapshot {
        Some(_) => StatusCode::OK,
        None => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, page::html(page::list(&site, &view, &query))).into_response()
}

async fn lock(State(site): State<Arc<Site>>, Query(query): Query<LockQuery>) -> Response {
    let view = site.reader.view().await;
    let known = |snapshot: &Arc<crate::Snapshot>| snapshot.lock(&query.name).is_some();
    let status = match &view.snapshot {
        None => StatusCode::SERVICE_UNAVAILABLE,
        Some(snapshot) if known(snapshot) => StatusCode::OK,
        Some(_) => StatusCode::NOT_FOUND,
    };
    let page = page::lock(&site, &view, &query, &page::Said::of(&query));
    (status, page::html(page)).into_response()
}
