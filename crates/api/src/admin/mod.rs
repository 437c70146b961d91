//! For the holder of the administrator's token. To everybody else these routes do not exist, or
//! are closed.

pub(crate) mod jobs;
pub(crate) mod keys;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};

use crate::{app::App, auth::Caller, problem::Problem};

/// Proof that the administrator is calling. Handlers take it before they read anything else.
pub(crate) struct Administrator;

impl FromRequestParts<App> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        // A server without an administrator does not reveal these routes.
        if app.settings.admin_key_hash.is_none() {
            return Err(Problem::no_endpoint(app.now().to_iso()));
        }
        match Caller::from_request_parts(parts, app).await? {
            Caller::Administrator => Ok(Self),
            Caller::Anyone | Caller::Holder { .. } => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "Only the holder of API_SECRET_KEY may do this",
            )),
        }
    }
}
