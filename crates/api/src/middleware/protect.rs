//! Security headers for browsers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// An answer is what its content type says, whatever it looks like.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A page loads nothing but its own files, is shown in no frame, and turns no text into markup or
/// script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// A page uses no device, and pays nothing.
const FEATURES: HeaderValue = HeaderValue::from_static(
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
);

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// A page that opens this one, or is opened by it, has no handle on it.
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Adds the headers.
pub(super) fn complete(is_page: bool, headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if is_page {
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(header::REFERRER_POLICY, NO_REFERRER);
        headers.insert(PERMISSIONS_POLICY, FEATURES);
        headers.insert(OPENER_POLICY, SAME_ORIGIN);
    }
}
