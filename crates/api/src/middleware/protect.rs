//! Security headers for browsers.

use axum::http::{HeaderMap, HeaderValue, header};

/// An answer is what its content type says, whatever it looks like.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A page loads nothing but its own script, style and document, and is shown in no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Adds the headers.
pub(super) fn complete(is_page: bool, headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if is_page {
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    }
}
