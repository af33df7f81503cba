//! What every answer says to the browser, and which requests are not taken from one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::site::Site;

/// The page loads nothing from elsewhere, and runs and shows nothing that is not a file of its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) async fn harden(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Refuses requests for hosts that the program has not named, if it has named some.
pub(super) async fn check_host(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    if site.hosts.is_empty() || names(&request).is_some_and(|host| site.hosts.contains(&host)) {
        return next.run(request).await;
    }
    let refused = "this page does not answer for this host\n";
    (StatusCode::MISDIRECTED_REQUEST, refused).into_response()
}

/// The host that the request names, in lower case and without a port.
fn names(request: &Request) -> Option<String> {
    let host = if let Some(host) = request.uri().host() {
        host.to_owned()
    } else {
        let host = request.headers().get(HOST)?.to_str().ok()?;
        host.parse::<Authority>().ok()?.host().to_owned()
    };
    Some(host.to_ascii_lowercase())
}

/// Whether a browser says that the request comes from a page of another site. Other programs send no such header.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers
        .get(FETCH_SITE)
        .is_some_and(|site| site != "same-origin" && site != "none")
}
