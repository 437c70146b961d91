use axum::extract::State;
use octopoid_domain::{
    Refusal,
    key::{Rotate, Rotated},
    text::shown,
};

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    json::Json,
    keys::FreshKey,
    openapi::{Answer, Problems},
    problem::Problem,
    query::Segment,
};

/// Replace a key.
///
/// The key of the request is revoked, at once or when `overlap_seconds` have passed. The new key has
/// its permission, label and expiry. The administrator's token replaces all keys of the scope with
/// one, which has those of the newest key with the highest permission.
#[utoipa::path(post, path = "/api/v1/orchestrators/scopes/{scope}/rotate-key",
    tag = "orchestrators",
    request_body = Rotate,
    params(("scope" = String, Path, description = "The tenant.")),
    responses((status = 200, body = Rotated), Problems))]
pub(crate) async fn rotate_key(
    State(app): State<App>,
    caller: Caller,
    Segment(scope): Segment,
    body: Option<Body<Rotate>>,
) -> Answer<Rotated> {
    let presented = match &caller {
        Caller::Anyone => {
            return Err(Problem::unauthorized(
                "Authentication required. Provide your current API key in the Authorization \
                 header.",
            ));
        }
        Caller::Holder { scope: own, .. } if *own != scope => {
            return Err(Refusal::Forbidden(format!(
                "Scope mismatch: authenticated as \"{}\" but rotating key for \"{}\"",
                shown(own),
                shown(&scope)
            ))
            .into());
        }
        Caller::Holder { key_id, .. } => Some(&**key_id),
        // `run_keys` admits no agent of a run to this.
        Caller::Run { .. } => return Err(Problem::internal()),
        Caller::Administrator => None,
    };
    let overlap_ms = body.map_or(Ok(0), |Body(body)| body.overlap_ms())?;
    let fresh = FreshKey::new(&app);
    let key = app.store.rotate_key(&scope, presented, &fresh.hash, overlap_ms, app.stamp()).await?;
    audit::other("key.rotated", &caller, &key.id, Some(&scope));
    Ok(Json(Rotated { api_key: fresh.text, scope, expires_at: key.expires_at }))
}
