//! What the errors of the client tell of a failed request.

use std::error::Error as StdError;

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

/// What a store says that refuses a request because it has too many: S3, Azure, and S3 in its message.
const IS_BUSY: [&str; 3] = ["SlowDown", "ServerBusy", "Reduce your request rate"];

/// Whether the same request may have another answer a moment later.
pub(crate) fn may_pass(error: &Error) -> bool {
    use HttpErrorKind as Kind;
    match http(error) {
        Some(kind) => kind != Kind::Decode,
        None => matches!(status(&error.to_string()), Some(408 | 429 | 500..=599)),
    }
}

/// Whether the store may have carried out the request that failed.
pub(crate) fn may_be_done(error: &Error) -> bool {
    let text = error.to_string();
    // The client says so if it has sent a request more than once by itself, and says only how the last one failed.
    if text.contains(" retries, max_retries: ") {
        return true;
    }
    match http(error) {
        Some(kind) => kind != HttpErrorKind::Connect,
        // "Busy" and "no room" are said before anything is done. A proxy in front of the store answers 503, too, and may have passed the
        // request on.
        None => match status(&text) {
            Some(507) => false,
            Some(503) => !IS_BUSY.iter().any(|said| text.contains(said)),
            status => matches!(status, Some(408 | 500..=599)),
        },
    }
}

/// How the HTTP client failed; `None` if the store has answered.
pub(super) fn http(error: &Error) -> Option<HttpErrorKind> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<HttpError>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// The status in the message of an error. The type that has the status as a number is not public.
pub(super) fn status(text: &str) -> Option<u16> {
    let (_, after) = text.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}
