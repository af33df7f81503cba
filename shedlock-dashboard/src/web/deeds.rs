//! What an operator does with a lock: pause, resume, release by force. Each deed is an event and a line in the log, with who and why.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{Query, State};
use axum::http::header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::{Deserialize, Serialize};
use shedlock_runtime::{ErrorKind, LockError, ToDuration as _, printable};
use tracing::{info, warn};

use super::body::InTime;
use super::deed::Deed;
use super::query::{LockQuery, encoded_name};
use super::site::Site;
use super::{api, body, guard, page};

/// The fields of a form of the page.
#[derive(Debug, Deserialize)]
pub(super) struct DeedForm {
    deed: Deed,
    #[serde(default)]
    why: String,
    #[serde(default, rename = "for")]
    length: String,
    /// The name, typed once more.
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    token: String,
}

/// The body of a request of a program. The token is in a header.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeedBody {
    name: String,
    why: String,
    #[serde(default, rename = "for")]
    length: String,
}

/// What came of a deed.
#[derive(Debug, Serialize)]
struct Answer {
    name: String,
    /// Whether the lock was changed: `false` if it was free or not paused.
    changed: bool,
    done: &'static str,
}

/// Why a deed is not done.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    text: String,
}

impl Refused {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }
}

impl From<LockError> for Refused {
    fn from(error: LockError) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidName | ErrorKind::InvalidDuration => StatusCode::BAD_REQUEST,
            ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::Indeterminate
            | ErrorKind::ReadOnly => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, printable(&error.to_string()))
    }
}

/// A deed, asked for and not allowed yet.
#[derive(Debug, Clone)]
struct Request {
    deed: Deed,
    name: String,
    why: String,
    length: String,
}

pub(super) async fn from_form(
    State(site): State<Arc<Site>>,
    Query(query): Query<LockQuery>,
    headers: HeaderMap,
    InTime(form): InTime<Result<Form<DeedForm>, FormRejection>>,
) -> Response {
    let form = match form {
        Some(Ok(Form(form))) => form,
        Some(Err(error)) => return (error.status(), error.body_text()).into_response(),
        None => return body::LATE.into_response(),
    };
    let request = Request {
        deed: form.deed,
        name: query.name.clone(),
        why: form.why,
        length: form.length,
    };
    let done = match allowed(&site, &headers, Some(&form.token), &request) {
        Ok(_) if form.deed == Deed::Release && form.confirm != query.name => Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "the name that you typed is not the name of this lock",
        )),
        Ok(who) => carry_out(&site, who, request.clone()).await,
        Err(refused) => Err(refused),
    };
    match done {
        Ok(done) => {
            let to = format!("lock?{}&done={}", encoded_name(&query.name), done.done);
            (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
        }
        Err(refused) => {
            let view = site.reader.view().await;
            let said = page::Said::refused(refused.text, request.deed, request.why, request.length);
            let page = page::lock(&site, &view, &query, &said);
            (refused.status, page::html(page)).into_response()
        }
    }
}

type Body = InTime<Result<Json<DeedBody>, JsonRejection>>;

pub(super) async fn pause(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    from_program(&site, Deed::Pause, &headers, body).await
}

pub(super) async fn resume(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    from_program(&site, Deed::Resume, &headers, body).await
}

pub(super) async fn release(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    from_program(&site, Deed::Release, &headers, body).await
}

async fn from_program(site: &Arc<Site>, deed: Deed, headers: &HeaderMap, body: Body) -> Response {
    let body = match body.0 {
        Some(Ok(Json(body))) => body,
        Some(Err(error)) => return api::failed(error.status(), &error.body_text()),
        None => {
            let (status, text) = body::LATE;
            return api::failed(status, text);
        }
    };
    let request = Request {
        deed,
        name: body.name,
        why: body.why,
        length: body.length,
    };
    let done = match allowed(site, headers, bearer(headers), &request) {
        Ok(who) => carry_out(site, who, request).await,
        Err(refused) => Err(refused),
    };
    match done {
        Ok(done) => Json(done).into_response(),
        Err(refused) => {
            let mut answer = api::failed(refused.status, &refused.text);
            if refused.status == StatusCode::UNAUTHORIZED {
                let bearer = HeaderValue::from_static("Bearer");
                answer.headers_mut().insert(WWW_AUTHENTICATE, bearer);
            }
            answer
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The name of the operator who asks. The token is in the request itself and in no cookie, so that no other site can send it.
fn allowed<'a>(
    site: &'a Site,
    headers: &HeaderMap,
    token: Option<&str>,
    request: &Request,
) -> Result<&'a str, Refused> {
    if site.operators.are_none() {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "this page is read-only: it has no operators",
        ));
    }
    if guard::is_from_elsewhere(headers) {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "the request comes from another site",
        ));
    }
    let token = token.unwrap_or_default();
    site.operators.who(token).ok_or_else(|| {
        let (lock, deed) = (printable(&request.name), request.deed.word());
        warn!(target: "shedlock", event = "dashboard.refused", lock.name = %lock, deed, "somebody without the token of an operator asked to {deed} `{lock}`");
        Refused::new(StatusCode::UNAUTHORIZED, "this is the token of no operator")
    })
}

async fn carry_out(site: &Arc<Site>, who: &str, request: Request) -> Result<Answer, Refused> {
    let began = Instant::now();
    // In a task of its own: the store may do it after the client has gone, and somebody must tell.
    let doing = tokio::spawn(do_and_tell(Arc::clone(site), who.to_owned(), request));
    let answer = doing.await.unwrap_or_else(|_panicked| {
        Err(Refused::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the program failed; look whether it was done",
        ))
    })?;
    // Whoever did it sees it on the next page.
    site.reader.view_after(began).await;
    Ok(answer)
}

async fn do_and_tell(site: Arc<Site>, who: String, request: Request) -> Result<Answer, Refused> {
    let (name, why) = (request.name, request.why.trim());
    if why.is_empty() {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "say why, for whoever looks at the lock later",
        ));
    }
    let reason = format!("{who}: {why}");
    let (changed, done) = match request.deed {
        Deed::Pause => {
            let until = SystemTime::now().checked_add(length(&request.length)?);
            let until = until
                .ok_or_else(|| Refused::new(StatusCode::BAD_REQUEST, "the pause is too long"))?;
            site.store.pause(&name, until, &reason).await?;
            (true, "paused")
        }
        Deed::Resume if site.store.resume(&name).await? => (true, "resumed"),
        Deed::Resume => (false, "was_not_paused"),
        Deed::Release if site.store.force_release(&name, &reason).await? => (true, "released"),
        Deed::Release => (false, "was_free"),
    };
    // The event of the store has who and why as its reason; that of a resumed lock has no reason, so this line has both.
    let (lock, why) = (printable(&name), printable(why));
    info!(target: "shedlock", event = "dashboard.deed", lock.name = %lock, done, who, %why, "{who}: `{lock}` {}: {why}", done.replace('_', " "));
    Ok(Answer {
        name,
        changed,
        done,
    })
}

fn length(text: &str) -> Result<Duration, Refused> {
    let length = text.trim().to_duration().map_err(LockError::from)?;
    Ok(length)
}
