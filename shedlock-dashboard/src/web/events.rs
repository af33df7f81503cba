//! A stream that says when there is a new snapshot.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use shedlock_runtime::format_timestamp;

use super::reader::View;
use super::site::Site;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The data of one event. What changed is for the reader to ask: a thousand locks, sent every two seconds to everybody, are too much.
#[derive(Debug, Serialize)]
struct Notice<'a> {
    read_at: Option<String>,
    locks: usize,
    warnings: usize,
    failure: Option<&'a str>,
}

impl<'a> Notice<'a> {
    fn new(view: &'a View) -> Self {
        let snapshot = view.snapshot.as_deref();
        Self {
            read_at: snapshot.map(|snapshot| format_timestamp(snapshot.read_at)),
            locks: snapshot.map_or(0, |snapshot| snapshot.locks.len()),
            warnings: snapshot.map_or(0, |snapshot| snapshot.warnings.len()),
            failure: view.failure.as_deref(),
        }
    }
}

pub(super) async fn events(State(site): State<Arc<Site>>) -> Response {
    let Ok(place) = Arc::clone(&site.streams).try_acquire_owned() else {
        let full = "too many streams are open\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "30")], full).into_response();
    };
    let views = site.reader.views();
    let ended = site.ended.subscribe();
    // The place and both receivers go with the stream, when the client does.
    let notices = stream::unfold(
        (views, ended, place),
        async |(mut views, mut ended, place)| {
            let view = tokio::select! {
                changed = views.changed() => {
                    changed.ok()?;
                    views.borrow_and_update().clone()
                }
                _ended = ended.changed() => return None,
            };
            // Texts and numbers: there is nothing in them that is not JSON.
            let event = Event::default().event("snapshot");
            let event = event.json_data(Notice::new(&view)).ok()?;
            Some((Ok::<_, Infallible>(event), (views, ended, place)))
        },
    );
    Sse::new(notices)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}
