//! Signing in: a browser exchanges a code that it got in a link for a key.
//!
//! The request needs no key, and is made under no scope, so its path is not below `/api/v1`.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use octopoid_domain::{
    Refusal,
    key::{SignIn, SignedIn},
};
use octopoid_store::StoreError;

use crate::{
    app::App,
    audit,
    auth::{Caller, hash},
    body::Body,
    json::Json,
    keys::FreshKey,
    openapi::Problems,
    problem::Problem,
};

/// Exchange a code for a key.
///
/// A code is a key with the permission `login`. It can be exchanged once. The new key has the
/// permission `manage` and expires after 30 days. 403 `invalid_code`: the code is unknown, was used
/// or revoked, or has expired.
#[utoipa::path(post, path = "/login", tag = "admin", request_body = SignIn, security(()),
    responses((status = 200, body = SignedIn), Problems))]
pub(crate) async fn sign_in(
    State(app): State<App>,
    Body(body): Body<SignIn>,
) -> Result<Response, Problem> {
    let code = hex::encode(hash(&body.into_code()?));
    let stamp = app.stamp();
    let fresh = FreshKey::new(&app);
    let key = app.store.sign_in(&code, &fresh.hash, stamp).await.inspect_err(|error| {
        if matches!(error, StoreError::Refused(Refusal::InvalidCode)) {
            app.refusals.keys.note(stamp.now);
        }
    })?;
    audit::other("key.issued", &Caller::Anyone, &key.id, Some(&key.scope));
    let answer = SignedIn {
        api_key: fresh.text,
        scope: key.scope,
        permission: key.permission,
        expires_at: key.expires_at,
    };
    let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((headers, Json(answer)).into_response())
}
