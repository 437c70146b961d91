//! Who is calling: the bearer key, and what its holder may see.

use axum::{
    extract::{FromRequestParts, Request},
    http::{Extensions, HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::future::{BoxFuture, join};
use octopoid_domain::{
    Millis, Refusal,
    input::Text,
    key::{Permission, TOUCH_INTERVAL_MS},
    lease::{RUN_KEY_PREFIX, RunKey},
    text::shown,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    app::{App, AuthMode},
    body::peek,
    mcp,
    problem::Problem,
    query::Params,
    rate_limit::Quota,
};

/// What every key begins with, so that scanners for leaked secrets find it.
pub const KEY_PREFIX: &str = "oct_";

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A caller without a key, if keys are optional.
    Anyone,
    /// The holder of a key, confined to its scope.
    Holder {
        /// The key's id.
        key_id: String,
        /// The key's scope.
        scope: String,
        /// What the key permits there.
        permission: Permission,
    },
    /// The agent of a run, confined to its own task.
    Run {
        /// The task.
        task_id: String,
        /// The run.
        run: i64,
        /// The scope.
        scope: String,
    },
    /// The holder of the administrator's token: every scope.
    Administrator,
}

impl Caller {
    /// The scope that confines the caller, if any.
    pub fn within(&self) -> Option<&str> {
        match self {
            Self::Holder { scope, .. } | Self::Run { scope, .. } => Some(scope),
            Self::Anyone | Self::Administrator => None,
        }
    }

    /// What the caller may do, in a word: the permission of its key, or what it may without one.
    pub fn permission(&self) -> &'static str {
        match self {
            Self::Anyone => Permission::Manage.as_str(),
            Self::Holder { permission, .. } => permission.as_str(),
            Self::Run { .. } => "run",
            Self::Administrator => "admin",
        }
    }

    /// Whether the caller may end what an agent holds only with the current lease token of that
    /// run: to requeue it, and, where the run is a review, to accept or reject it.
    pub fn acts_by_token(&self) -> bool {
        matches!(self, Self::Holder { permission: Permission::Work, .. })
    }

    /// The scope a request is about: the one it names, else the key's.
    pub fn scope<'a>(&'a self, named: Option<&'a str>) -> Option<&'a str> {
        named.or(self.within())
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// The caller that was authenticated, at each extraction. Routes outside the versioned prefix
    /// are not authenticated, and have no caller.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let path = parts.uri.path();
            tracing::error!(
                path,
                "a handler extracted the caller on a route without authentication"
            );
            Problem::internal()
        })
    }
}

/// A token of the administrator with fewer characters can be guessed.
const ADMIN_KEY_CHARS_MIN: usize = 16;

/// What is said about an [`AdminKey`] that is short.
pub const SHORT_ADMIN_KEY: &str =
    "API_SECRET_KEY has fewer than 16 characters and can be guessed: use a long random one";

/// The administrator's token, as it stands in `API_SECRET_KEY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminKey {
    /// Its hash.
    pub hash: [u8; 32],
    /// Whether it can be guessed.
    pub is_short: bool,
}

impl AdminKey {
    /// Reads the token. Blanks around it, such as the line's end in a file of secrets, are no part
    /// of it: HTTP takes them off headers too. Nothing else is no token.
    pub fn read(text: &str) -> Option<Self> {
        let token = text.trim();
        let is_short = token.chars().count() < ADMIN_KEY_CHARS_MIN;
        (!token.is_empty()).then(|| Self { hash: hash(token), is_short })
    }
}

/// SHA-256 of a key or token, the only form in which either is kept.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The answer to a request without a key that needs one.
const MISSING: &str = "Authentication required. Provide your API key in the Authorization header.";

/// Whether callers are authenticated on this path.
pub(crate) fn is_guarded(path: &str) -> bool {
    path.starts_with("/api/v1") || path == mcp::PATH
}

/// The header with a key, if one is presented.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(header::AUTHORIZATION).filter(|value| !value.is_empty())
}

/// Finds out who calls, before routing: an unknown path with a bad key is 401.
pub(crate) async fn authenticate(app: &App, mut request: Request, next: Next) -> Response {
    if !is_guarded(request.uri().path()) {
        // Signing in, which guesses could be made at, is a POST outside.
        let is_counted = request.method() == Method::POST;
        let counted = is_counted.then(|| app.rate_limits.admit_unknown(app, request.extensions()));
        return match counted {
            Some(Err(problem)) => problem.into_response(),
            Some(Ok(_)) | None => next.run(request).await,
        };
    }
    match admit(app, &mut request).await {
        Ok((unnoted, quota)) => {
            let answer = next.run(request);
            let mut answer = match unnoted.and_then(|key| note_use(app, key)) {
                Some(noting) => join(answer, noting).await.0,
                None => answer.await,
            };
            if let Some(quota) = quota {
                quota.tell(answer.headers_mut());
            }
            answer
        }
        Err(problem) => {
            if !problem.is_unauthorized() {
                return problem.into_response();
            }
            count_refusal(app, request.extensions(), problem).into_response()
        }
    }
}

/// Refuses a request that does not have the administrator's token, on a path of the host's own.
pub fn check_administrator(app: &App, request: &Request) -> Result<(), Problem> {
    let token = presented(request.headers())
        .ok_or(Problem::unauthorized(MISSING))
        .and_then(bearer_of)
        .map(hash);
    let refused = match token {
        Ok(token) if is_administrator(app, &token) => {
            return app.rate_limits.admit_administrator(app, request.extensions());
        }
        Ok(_) => Problem::unauthorized("Only the holder of API_SECRET_KEY may do this"),
        Err(problem) => problem,
    };
    Err(count_refusal(app, request.extensions(), refused))
}

/// Counts a request without a valid key. Returns the refusal, or the one that there were too many.
fn count_refusal(app: &App, extensions: &Extensions, refused: Problem) -> Problem {
    app.refusals.keys.note(app.now());
    app.rate_limits.admit_unknown(app, extensions).err().unwrap_or(refused)
}

/// Adds the caller to a request. Returns the key whose use is to be noted, and what is left of the
/// caller's rate limit.
async fn admit(
    app: &App,
    request: &mut Request,
) -> Result<(Option<String>, Option<Quota>), Problem> {
    let header = presented(request.headers()).cloned();
    let (caller, unnoted) = identify(app, header.as_ref()).await?;
    if caller == Caller::Administrator {
        app.rate_limits.admit_administrator(app, request.extensions())?;
    }
    let quota = app.rate_limits.admit(app, &caller, request.extensions())?;
    confine(app, &caller, request).await?;
    request.extensions_mut().insert(caller);
    Ok((unnoted, quota))
}

/// Refuses a request that names another scope than the one that confines its caller.
pub(crate) async fn confine(
    app: &App,
    caller: &Caller,
    request: &mut Request,
) -> Result<(), Problem> {
    let Some(scope) = caller.within() else { return Ok(()) };
    let query = Params::parse(request.uri().query().unwrap_or_default())?;
    check_scope(scope, query.get("scope"))?;
    if [Method::POST, Method::PATCH, Method::PUT].contains(request.method()) {
        check_body(app, scope, request).await?;
    }
    Ok(())
}

/// The caller, and the key whose use is to be noted.
async fn identify(
    app: &App,
    header: Option<&HeaderValue>,
) -> Result<(Caller, Option<String>), Problem> {
    let Some(header) = header else {
        return match app.settings.auth {
            AuthMode::Open => Ok((Caller::Anyone, None)),
            AuthMode::Required => Err(Problem::unauthorized(MISSING)),
        };
    };
    let token = bearer_of(header)?;
    let digest = hash(token);
    if is_administrator(app, &digest) {
        return Ok((Caller::Administrator, None));
    }
    if !token.starts_with(KEY_PREFIX) {
        return Err(Problem::unauthorized("Invalid API key format. Keys must start with oct_"));
    }
    if token.starts_with(RUN_KEY_PREFIX) {
        return Ok((find_run(app, token).await?, None));
    }
    find_holder(app, &digest).await
}

/// The token in the header.
fn bearer_of(header: &HeaderValue) -> Result<&str, Problem> {
    str::from_utf8(header.as_bytes())
        .ok()
        .and_then(bearer)
        .ok_or(Problem::unauthorized("Invalid Authorization header. Expected: Bearer <api_key>"))
}

fn is_administrator(app: &App, digest: &[u8; 32]) -> bool {
    app.settings.admin_key_hash.as_ref().is_some_and(|admin| bool::from(admin.ct_eq(digest)))
}

async fn find_run(app: &App, token: &str) -> Result<Caller, Problem> {
    let invalid = || Problem::unauthorized("Invalid run key, or its run has ended");
    let key = RunKey::parse(token).ok_or_else(invalid)?;
    let run = app.store.find_run_of_key(&key).await?.ok_or_else(invalid)?;
    Ok(Caller::Run { task_id: run.task_id, run: run.run, scope: run.scope })
}

async fn find_holder(app: &App, digest: &[u8; 32]) -> Result<(Caller, Option<String>), Problem> {
    let now = app.now();
    let invalid = || Problem::unauthorized("Invalid API key");
    let key = app.store.find_key(&hex::encode(digest)).await?.ok_or_else(invalid)?;
    if key.revoked_at.is_some() {
        return Err(invalid());
    }
    if key.ends_at().is_some_and(|end| end <= now) {
        return Err(Problem::unauthorized("API key has expired"));
    }
    let used = key.last_used_at.unwrap_or(Millis(0));
    let unnoted = (now >= used.plus(TOUCH_INTERVAL_MS)).then(|| key.id.clone());
    let caller = Caller::Holder { key_id: key.id, scope: key.scope, permission: key.permission };
    Ok((caller, unnoted))
}

/// The hash of the key in a request's headers, as keys are stored.
pub(crate) fn key_hash(headers: &HeaderMap) -> Option<String> {
    let token = str::from_utf8(presented(headers)?.as_bytes()).ok().and_then(bearer)?;
    Some(hex::encode(hash(token)))
}

/// `Bearer`, blanks, and everything after them.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(char::is_whitespace)?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn check_scope(own: &str, named: Option<&str>) -> Result<(), Problem> {
    match named {
        Some(named) if named != own => Err(Refusal::Forbidden(format!(
            "Scope mismatch: authenticated as \"{}\" but requested \"{}\"",
            shown(own),
            shown(named)
        ))
        .into()),
        _ => Ok(()),
    }
}

/// Looks at the scope a body names. A body that cannot be read as JSON is the handler's to refuse.
async fn check_body(app: &App, own: &str, request: &mut Request) -> Result<(), Problem> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Scoped {
        scope: Text,
    }
    let bytes = peek(request, app).await?;
    match octopoid_domain::input::parse_body::<Scoped>(&bytes) {
        Ok(body) => check_scope(own, body.scope.0.as_deref()),
        Err(_) => Ok(()),
    }
}

/// Notes that a key was used, once a minute at most. What is returned must run beside the
/// request; there is nothing to run if the host does it, or if it is too early.
fn note_use(app: &App, key: String) -> Option<BoxFuture<'static, ()>> {
    if !app.touches.is_due(&key, app.elapsed_ms()) {
        return None;
    }
    let own = app.clone();
    app.run_aside(Box::pin(async move {
        // The key is good all the same, and a database that takes no writes may still be read.
        if let Err(error) = own.store.touch_key(&key, own.now()).await {
            tracing::warn!(%error, key, "could not note the use of a key");
        }
    }))
}

#[cfg(test)]
mod tests {
    use axum::{
        extract::FromRequestParts,
        http::{Request, StatusCode},
        response::IntoResponse,
    };

    use octopoid_domain::key::Permission;

    use super::{AdminKey, Caller, bearer, hash};

    #[tokio::test]
    async fn a_caller_is_the_same_each_time_and_nobody_where_none_was_authenticated() {
        let (mut parts, ()) = Request::new(()).into_parts();
        let problem = Caller::from_request_parts(&mut parts, &()).await.unwrap_err();
        assert_eq!(problem.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
        let holder = Caller::Holder {
            key_id: "k".to_owned(),
            scope: "s".to_owned(),
            permission: Permission::Read,
        };
        parts.extensions.insert(holder.clone());
        for _ in 0..2 {
            assert_eq!(Caller::from_request_parts(&mut parts, &()).await.unwrap(), holder);
        }
    }

    #[test]
    fn the_administrators_token_is_read_without_blanks_around_it() {
        let key = AdminKey::read(" \t0123456789abcdef\r\n").unwrap();
        assert_eq!(key, AdminKey { hash: hash("0123456789abcdef"), is_short: false });
        assert!(AdminKey::read("0123456789abcde ").unwrap().is_short);
        assert_eq!(AdminKey::read(" \n"), None);
    }

    #[test]
    fn the_scheme_is_read_in_any_case_with_any_blanks() {
        assert_eq!(bearer("Bearer oct_1"), Some("oct_1"));
        assert_eq!(bearer("bearer \t oct_1"), Some("oct_1"));
        for bad in ["Bearer", "Bearer ", "Basic abc", "oct_1", ""] {
            assert_eq!(bearer(bad), None, "{bad}");
        }
    }
}
