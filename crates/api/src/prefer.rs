//! `Prefer: wait=N` (RFC 7240): how long a caller would rather wait than hear that there is nothing.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    response::Response,
};

/// The longest wait, in seconds. Proxies commonly cut a silent connection after a minute.
const WAIT_SECONDS_MAX: u64 = 50;

/// The header with preferences.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the caller would wait; nothing without the preference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    seconds: Option<u64>,
}

impl Wait {
    fn of(headers: &HeaderMap) -> Self {
        let preferences = headers.get_all(PREFER);
        let texts = preferences.iter().filter_map(|value| value.to_str().ok());
        let seconds = texts.flat_map(|text| text.split([',', ';'])).find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let is_wait = name.trim().eq_ignore_ascii_case("wait");
            let value = value.trim().trim_matches('"');
            is_wait.then(|| value.parse::<u64>().ok())?
        });
        // A preference that makes no sense is passed over, as the standard asks.
        Self { seconds: seconds.map(|seconds| seconds.min(WAIT_SECONDS_MAX)) }
    }

    /// Whether the caller named one.
    pub(crate) fn is_asked(self) -> bool {
        self.seconds.is_some()
    }

    /// The wait in milliseconds.
    pub(crate) fn ms(self) -> i64 {
        self.seconds.and_then(|seconds| i64::try_from(seconds * 1_000).ok()).unwrap_or_default()
    }

    /// Says in a response that the preference was heeded.
    pub(crate) fn applied(self, mut response: Response) -> Response {
        if let Some(seconds) = self.seconds {
            let wait = HeaderValue::from_str(&format!("wait={seconds}"));
            response.headers_mut().extend(wait.ok().map(|wait| (APPLIED, wait)));
        }
        response
    }
}

impl<S: Sync> FromRequestParts<S> for Wait {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{PREFER, Wait};

    fn seconds(preferences: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for preference in preferences {
            headers.append(PREFER, HeaderValue::from_static(preference));
        }
        Wait::of(&headers).seconds
    }

    #[test]
    fn a_wait_is_found_among_other_preferences_and_bounded() {
        assert_eq!(seconds(&["wait=10"]), Some(10));
        assert_eq!(seconds(&["respond-async, Wait = \"5\"; x=1"]), Some(5));
        assert_eq!(seconds(&["return=minimal", "wait=0"]), Some(0));
        assert_eq!(seconds(&["wait=3600"]), Some(50));
        for senseless in [&[][..], &["wait"], &["wait=soon"], &["wait=-1"], &["waiting=3"]] {
            assert_eq!(seconds(senseless), None, "{senseless:?}");
        }
    }
}
