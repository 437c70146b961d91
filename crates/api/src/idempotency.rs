//! `Idempotency-Key`: requests that are carried out once, however often they are sent.
//!
//! A handler takes its body as [`Keyed`], lets an [`Attempt`] carry the operation out, and says how
//! the answer is found again if that was done before:
//!
//! ```text
//! let attempt = Attempt::new(&app, key, scope, StatusCode::CREATED);
//! let created = attempt.store.create_task(new, within, stamp).await;
//! let done = attempt.end(created, |was| async move { … was.subject … }).await?;
//! ```

use axum::{
    body::Body,
    extract::{FromRequest, MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use octopoid_domain::Refusal;
use octopoid_store::{Memory, Once, Store, StoreError, Terms};
use sha2::{Digest, Sha256};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterBuilder, ParameterIn},
    openapi::{Object, Type},
};

use crate::{app::App, body::read_body, etag::IfMatch, problem::Problem};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Characters of a key: fewer can be used twice by accident, and more are no key.
const KEY_CHARS_MIN: usize = 16;
const KEY_CHARS_MAX: usize = 255;

/// The key of a request, with what tells the request apart.
#[derive(Debug)]
pub(crate) struct Key {
    text: String,
    route: String,
    body_hash: String,
}

/// A body, and the key of the request if it has one.
pub(crate) struct Keyed<B>(pub(crate) Option<Key>, pub(crate) B);

impl<B: FromRequest<App, Rejection = Problem>> FromRequest<App> for Keyed<B> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let Some(key) = key(request.headers())? else {
            return Ok(Self(None, B::from_request(request, app).await?));
        };
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body, app).await?;
        let route = parts.extensions.get::<MatchedPath>();
        let route = route.map_or_else(String::new, |path| path.as_str().to_owned());
        // The path has the ids: the same key for another object is another request.
        let mut hash = Sha256::new();
        hash.update(parts.uri.path());
        hash.update("\n");
        hash.update(&bytes);
        let key = Key { text: key, route, body_hash: hex::encode(hash.finalize()) };
        let request = Request::from_parts(parts, Body::from(bytes));
        Ok(Self(Some(key), B::from_request(request, app).await?))
    }
}

/// The key in the headers, without the quotes around it.
fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let text = text.trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_printable = bare.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let is_key = is_printable && (KEY_CHARS_MIN..=KEY_CHARS_MAX).contains(&bare.len());
    if !is_key || values.next().is_some() {
        return Err(Refusal::invalid(format!(
            "Invalid Idempotency-Key: send one key of {KEY_CHARS_MIN} to {KEY_CHARS_MAX} printable \
             ASCII characters, such as a random UUID"
        )));
    }
    Ok(Some(bare.to_owned()))
}

/// The header in the document.
impl<B> IntoParams for Keyed<B> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![header(
            "Idempotency-Key",
            "16 to 255 printable ASCII characters. The same request with the same key is carried \
             out once in 24 hours; a repetition is answered with `Idempotency-Replayed: true`, and \
             another request with the same key with 422 `idempotency_mismatch`.",
        )]
    }
}

/// An optional header in the document.
pub(crate) fn header(name: &str, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(utoipa::openapi::Required::False)
        .description(Some(description))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

/// A request that is being carried out, at most once if it has a key.
pub(crate) struct Attempt {
    /// The operations, under the conditions of the request.
    pub(crate) store: Store,
    status: StatusCode,
}

impl Attempt {
    /// An attempt at a request of this scope, which is answered with this status.
    pub(crate) fn new(
        app: &App,
        key: Option<Key>,
        scope: Option<&str>,
        status: StatusCode,
    ) -> Self {
        Self::matching(app, key, scope, status, IfMatch::default())
    }

    /// The same on a version of a task.
    pub(crate) fn matching(
        app: &App,
        key: Option<Key>,
        scope: Option<&str>,
        status: StatusCode,
        if_match: IfMatch,
    ) -> Self {
        let once = key.map(|Key { text, route, body_hash }| Once {
            scope: scope.unwrap_or_default().to_owned(),
            route,
            key: text,
            body_hash,
            status: status.as_u16(),
        });
        let store = app.store.under(Terms { once, versions: if_match.versions() });
        Self { store, status }
    }

    /// What came of the operation, or, if the request was carried out before, what `again` finds of
    /// that now. An operation that is refused may be refused because it was done.
    pub(crate) async fn end<T, F>(
        self,
        result: Result<T, StoreError>,
        again: impl FnOnce(Memory) -> F,
    ) -> Result<Done<T>, Problem>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        match result {
            Ok(answer) => Ok(Done { status: self.status, is_replayed: false, answer: Ok(answer) }),
            // What is rare does not make the future of every request larger.
            Err(error) => Box::pin(self.recall(error, again)).await,
        }
    }

    async fn recall<T, F>(
        self,
        error: StoreError,
        again: impl FnOnce(Memory) -> F,
    ) -> Result<Done<T>, Problem>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let (refusal, memory) = match error {
            StoreError::Remembered(memory) => (None, Some(*memory)),
            StoreError::Refused(refusal) => (Some(refusal), self.store.recall().await?),
            error => return Err(error.into()),
        };
        match (refusal, memory) {
            (_, Some(memory)) => {
                let status = StatusCode::from_u16(memory.status).unwrap_or(self.status);
                let answer = again(memory).await.map_err(Problem::from);
                Ok(Done { status, is_replayed: true, answer })
            }
            (Some(refusal), None) => Err(refusal.into()),
            (None, None) => Err(Problem::internal()),
        }
    }
}

/// The answer to a request that was carried out, now or before.
pub(crate) struct Done<T> {
    status: StatusCode,
    is_replayed: bool,
    /// What was done before may be gone by now.
    answer: Result<T, Problem>,
}

impl<T> Done<T> {
    /// The same answer in another form.
    pub(crate) fn map<R>(self, form: impl FnOnce(T) -> R) -> Done<R> {
        let Self { status, is_replayed, answer } = self;
        Done { status, is_replayed, answer: answer.map(form) }
    }

    /// Writes down what was done now, and not before.
    #[must_use]
    pub(crate) fn noted(self, note: impl FnOnce(&T)) -> Self {
        if let (Ok(answer), false) = (&self.answer, self.is_replayed) {
            note(answer);
        }
        self
    }
}

impl<T: IntoResponse> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        let mut response = match self.answer {
            Ok(answer) => answer.into_response(),
            Err(problem) => problem.into_response(),
        };
        // A claim that found nothing has a status of its own.
        if response.status() == StatusCode::OK {
            *response.status_mut() = self.status;
        }
        if self.is_replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// What a handler of such a request returns.
pub(crate) type Outcome<T> = Result<Done<T>, Problem>;

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use octopoid_domain::Refusal;

    use super::{KEY, key};

    fn read(values: &[&[u8]]) -> Result<Option<String>, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(KEY, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers)
    }

    #[test]
    fn a_key_is_read_with_or_without_quotes() {
        let bare = Ok(Some("0123456789abcdef".to_owned()));
        assert_eq!(read(&[b"0123456789abcdef"]), bare);
        assert_eq!(read(&[b"\"0123456789abcdef\""]), bare);
        assert_eq!(read(&[b" \"0123456789abcdef\" "]), bare);
        assert_eq!(read(&[]), Ok(None));
        let long = "k".repeat(255);
        assert_eq!(read(&[long.as_bytes()]), Ok(Some(long.clone())));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = "k".repeat(256);
        for bad in [
            &b""[..],
            b"short",
            b"\"0123456789abcde\"",
            b"0123456789abcde\t",
            b"0123456789\tabcdef",
            "0123456789abcdeü".as_bytes(),
            b"0123456789abcde\xff",
            long.as_bytes(),
        ] {
            assert!(read(&[bad]).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        let one = b"0123456789abcdef";
        assert!(read(&[one, one]).is_err());
    }
}
