//! Who may do what: what each operation needs of its caller, checked before its handler runs.
//!
//! [`OPERATIONS`] names every operation. A test compares it with the OpenAPI document; an operation
//! that it does not name is open to the administrator only. Keys have a [`Permission`]. Callers
//! without a key, where keys are optional, may do what any key may do, except to manage keys.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use octopoid_domain::key::Permission;
use serde_json::Value;
use utoipa::openapi::{OpenApi, security::SecurityRequirement};

use crate::{app::App, auth::Caller, body::peek, mcp, problem::Problem, run_keys};

/// What an operation needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A key with this permission, or no key.
    Key(Permission),
    /// A key that manages, a key for work and a lease token in the body, or no key. Here the token
    /// only has to be there: the operation compares it with the task's, see
    /// [`Caller::acts_by_token`].
    LeaseToken,
    /// A key that manages its scope, or the administrator's token.
    Keeper,
    /// The administrator's token.
    Administrator,
}

/// For a key that may only read.
const READ: Need = Need::Key(Permission::Read);
/// For a key of agents and of the machines that run them.
const WORK: Need = Need::Key(Permission::Work);
/// For a key that manages its scope.
const MANAGE: Need = Need::Key(Permission::Manage);

/// Every operation under `/api/v1`, by method and path, and what it needs.
const OPERATIONS: &[(&str, &str, Need)] = &[
    ("GET", "/api/v1/tasks", READ),
    ("POST", "/api/v1/tasks", WORK),
    ("POST", "/api/v1/tasks/claim", WORK),
    ("GET", "/api/v1/tasks/{id}", READ),
    ("PATCH", "/api/v1/tasks/{id}", MANAGE),
    ("DELETE", "/api/v1/tasks/{id}", MANAGE),
    ("POST", "/api/v1/tasks/{id}/submit", WORK),
    ("POST", "/api/v1/tasks/{id}/renew", WORK),
    ("POST", "/api/v1/tasks/{id}/fail", WORK),
    ("POST", "/api/v1/tasks/{id}/cancel", MANAGE),
    ("POST", "/api/v1/tasks/{id}/retry", MANAGE),
    ("POST", "/api/v1/tasks/{id}/accept", Need::LeaseToken),
    ("POST", "/api/v1/tasks/{id}/reject", Need::LeaseToken),
    ("POST", "/api/v1/tasks/{id}/requeue", Need::LeaseToken),
    ("POST", "/api/v1/tasks/{id}/force-queue", MANAGE),
    ("POST", "/api/v1/tasks/{id}/hooks/{hook}/complete", MANAGE),
    ("GET", "/api/v1/tasks/{id}/history", READ),
    ("GET", "/api/v1/tasks/{id}/why", READ),
    ("GET", "/api/v1/tasks/{id}/messages", READ),
    ("GET", "/api/v1/tasks/{id}/runs", READ),
    ("GET", "/api/v1/tasks/{id}/runs/{run}", READ),
    ("GET", "/api/v1/tasks/{id}/runs/{run}/log", READ),
    ("POST", "/api/v1/tasks/{id}/log", WORK),
    ("GET", "/api/v1/runs", READ),
    ("GET", "/api/v1/summary", READ),
    ("GET", "/api/v1/projects", READ),
    ("POST", "/api/v1/projects", MANAGE),
    ("GET", "/api/v1/projects/{id}", READ),
    ("PATCH", "/api/v1/projects/{id}", MANAGE),
    ("DELETE", "/api/v1/projects/{id}", MANAGE),
    ("GET", "/api/v1/projects/{id}/tasks", READ),
    ("GET", "/api/v1/drafts", READ),
    ("POST", "/api/v1/drafts", WORK),
    ("GET", "/api/v1/drafts/{id}", READ),
    ("PATCH", "/api/v1/drafts/{id}", MANAGE),
    ("DELETE", "/api/v1/drafts/{id}", MANAGE),
    ("POST", "/api/v1/drafts/{id}/promote", MANAGE),
    ("GET", "/api/v1/messages", READ),
    ("POST", "/api/v1/messages", WORK),
    ("GET", "/api/v1/actions", READ),
    ("POST", "/api/v1/actions", WORK),
    ("PATCH", "/api/v1/actions/{id}", MANAGE),
    ("POST", "/api/v1/actions/{id}/execute", MANAGE),
    ("POST", "/api/v1/actions/{id}/complete", MANAGE),
    ("POST", "/api/v1/actions/{id}/fail", MANAGE),
    ("GET", "/api/v1/orchestrators", READ),
    ("POST", "/api/v1/orchestrators/register", WORK),
    ("GET", "/api/v1/orchestrators/{id}", READ),
    ("PATCH", "/api/v1/orchestrators/{id}", MANAGE),
    ("POST", "/api/v1/orchestrators/{id}/heartbeat", WORK),
    // A key replaces itself only.
    ("POST", "/api/v1/orchestrators/scopes/{scope}/rotate-key", READ),
    ("GET", "/api/v1/roles", READ),
    ("POST", "/api/v1/roles/register", MANAGE),
    ("GET", "/api/v1/roles/{name}", READ),
    ("GET", "/api/v1/flows", READ),
    ("GET", "/api/v1/flows/{name}", READ),
    ("PUT", "/api/v1/flows/{name}", MANAGE),
    ("DELETE", "/api/v1/flows/{name}", MANAGE),
    ("GET", "/api/v1/pauses", READ),
    ("PUT", "/api/v1/pauses/{target}", MANAGE),
    ("DELETE", "/api/v1/pauses/{target}", MANAGE),
    // Even the address of a webhook may be a secret.
    ("GET", "/api/v1/webhooks", MANAGE),
    ("POST", "/api/v1/webhooks", MANAGE),
    ("GET", "/api/v1/webhooks/{id}", MANAGE),
    ("PATCH", "/api/v1/webhooks/{id}", MANAGE),
    ("DELETE", "/api/v1/webhooks/{id}", MANAGE),
    ("POST", "/api/v1/webhooks/{id}/test", MANAGE),
    ("POST", "/api/v1/webhooks/{id}/rotate-secret", MANAGE),
    ("GET", "/api/v1/webhooks/{id}/deliveries", MANAGE),
    ("GET", "/api/v1/scheduler/poll", READ),
    ("GET", "/api/v1/events", READ),
    ("GET", "/api/v1/scopes", READ),
    ("GET", "/api/v1/admin/keys", Need::Keeper),
    ("POST", "/api/v1/admin/keys", Need::Keeper),
    ("DELETE", "/api/v1/admin/keys/{id}", Need::Keeper),
    ("POST", "/api/v1/admin/jobs/run", Need::Administrator),
];

/// Paths that would also be the id or the name in another path, whose other methods they answer.
const ALSO_NAMES: [(&str, &str); 2] = [
    ("/api/v1/tasks/claim", "/api/v1/tasks/{id}"),
    ("/api/v1/roles/register", "/api/v1/roles/{name}"),
];

/// What each operation needs: every request asks.
static NEEDS: LazyLock<HashMap<(&str, &str), Need>> = LazyLock::new(|| {
    OPERATIONS.iter().map(|(method, path, need)| ((*method, *path), *need)).collect()
});

/// What an operation needs, if it is known.
fn find(method: &str, path: &str) -> Option<Need> {
    NEEDS.get(&(method, path)).copied()
}

impl Need {
    /// What the operation behind a route needs.
    fn of(method: &Method, path: &str) -> Self {
        // A HEAD is answered by the handler of the GET.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let named = || {
            let (_, path) = ALSO_NAMES.into_iter().find(|(known, _)| *known == path)?;
            find(method.as_str(), path)
        };
        find(method.as_str(), path).or_else(named).unwrap_or(Self::Administrator)
    }

    /// Refuses a caller who may not do this. `has_token` says whether the body has a lease token.
    fn check(self, caller: &Caller, app: &App, has_token: bool) -> Result<(), Problem> {
        let permission = match caller {
            // What the agent of a run may do is not a permission of keys, see `run_keys`.
            Caller::Administrator | Caller::Run { .. } => return Ok(()),
            Caller::Anyone => {
                return match self {
                    Self::Key(_) | Self::LeaseToken => Ok(()),
                    Self::Keeper | Self::Administrator => Err(self.closed(app)),
                };
            }
            Caller::Holder { permission, .. } => *permission,
        };
        let is_met = match self {
            Self::Key(needed) => permission >= needed,
            Self::LeaseToken if caller.acts_by_token() => has_token,
            Self::LeaseToken | Self::Keeper => permission == Permission::Manage,
            Self::Administrator => return Err(self.closed(app)),
        };
        if is_met { Ok(()) } else { Err(self.insufficient(permission)) }
    }

    /// Refuses a key whose permission does not suffice.
    fn insufficient(self, permission: Permission) -> Problem {
        if permission == Permission::Login {
            return forbidden(
                "This key is a code for signing in, and opens nothing: exchange it for an API key \
                 with POST /login",
            );
        }
        let needed = match self {
            Self::Key(needed) => needed.as_str(),
            Self::LeaseToken if permission == Permission::Read => "work",
            Self::LeaseToken | Self::Keeper | Self::Administrator => "manage",
        };
        let remedy = match self {
            Self::LeaseToken if permission == Permission::Read => " and the lease_token of a claim",
            Self::LeaseToken => ", or the lease_token of a claim in the body",
            _ => "",
        };
        let own = permission.as_str();
        forbidden(format!(
            "This needs a key with the permission \"{needed}\"{remedy}; the key has \"{own}\""
        ))
    }

    /// Refuses a caller who has no part in administration. A server without an administrator does
    /// not reveal these operations.
    fn closed(self, app: &App) -> Problem {
        if app.settings.admin_key_hash.is_none() {
            return Problem::no_endpoint(app.now().to_iso());
        }
        forbidden(match self {
            Self::Keeper => {
                "Only the holder of API_SECRET_KEY, or of a key with the permission \"manage\", \
                 may do this"
            }
            _ => "Only the holder of API_SECRET_KEY may do this",
        })
    }

    /// The alternatives as the document has them: lists of roles, of which a caller needs one.
    fn roles(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Key(Permission::Login | Permission::Read) => &[&["read"]],
            Self::Key(Permission::Work) => &[&["work"]],
            Self::Key(Permission::Manage) | Self::Keeper => &[&["manage"]],
            Self::LeaseToken => &[&["manage"], &["work", "lease_token"]],
            Self::Administrator => &[&["administrator"]],
        }
    }
}

pub(crate) fn forbidden(text: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", text)
}

/// Checks whether the caller may do what it asks for. Runs between the routes and their handlers,
/// so that a path or a method that does not exist is answered as such.
pub(crate) async fn check(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match permit(&app, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn permit(app: &App, request: &mut Request) -> Result<(), Problem> {
    // What is outside the versioned prefix has no caller, and needs none.
    let Some(caller) = request.extensions().get::<Caller>() else { return Ok(()) };
    let path = request.extensions().get::<MatchedPath>();
    if path.is_some_and(|path| path.as_str() == mcp::PATH) {
        // What a tool calls is checked by itself.
        return Ok(());
    }
    let need = path.map_or(Need::Administrator, |path| Need::of(request.method(), path.as_str()));
    // Only these two look at the body, and only for them there is a copy of the caller and a larger
    // future.
    if let Caller::Run { task_id, .. } = caller {
        let task_id = task_id.clone();
        return Box::pin(run_keys::check(app, &task_id, request)).await;
    }
    if need == Need::LeaseToken && caller.acts_by_token() {
        let caller = caller.clone();
        let body = Box::pin(peek(request, app)).await?;
        return need.check(&caller, app, has_lease_token(&body));
    }
    need.check(caller, app, false)
}

/// Whether a body names a lease token. A body that cannot be read names none, because some
/// operations do without one.
fn has_lease_token(body: &[u8]) -> bool {
    let body = octopoid_domain::input::parse_body::<Value>(body);
    body.is_ok_and(|body| body["lease_token"].as_str().is_some_and(|token| !token.is_empty()))
}

/// Adds to the document what each operation needs.
pub(crate) fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("GET", &mut item.get),
            ("POST", &mut item.post),
            ("PATCH", &mut item.patch),
            ("PUT", &mut item.put),
            ("DELETE", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let (Some(operation), Some(need)) = (operation, find(method, path)) {
                operation.security = Some(requirements(need));
            }
        }
    }
}

/// Without a key, if keys are optional, or with one of these roles.
fn requirements(need: Need) -> Vec<SecurityRequirement> {
    let is_optional = matches!(need, Need::Key(_) | Need::LeaseToken);
    let none = is_optional.then(SecurityRequirement::default);
    let roles = need.roles().iter().map(|roles| SecurityRequirement::new("key", roles.to_vec()));
    none.into_iter().chain(roles).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::Method;
    use octopoid_domain::key::Permission;
    use serde_json::Value;

    use super::{ALSO_NAMES, Need, OPERATIONS, READ, has_lease_token};

    #[test]
    fn the_table_names_the_operations_of_the_document_and_no_others() {
        let document: Value = serde_json::from_str(crate::openapi::document()).unwrap();
        let mut operations = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                if path.starts_with("/api/v1/") {
                    operations.insert((method.to_uppercase(), path.clone()));
                }
            }
        }
        let named: BTreeSet<_> = OPERATIONS
            .iter()
            .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(named, operations, "add new operations to OPERATIONS in {}", file!());
        assert_eq!(named.len(), OPERATIONS.len(), "an operation is named twice");
    }

    #[test]
    fn to_read_is_enough_for_reading_and_for_nothing_else() {
        for (method, path, need) in OPERATIONS {
            let is_secret = path.contains("/admin/") || path.contains("/webhooks");
            let is_read = *method == "GET" && !is_secret;
            let is_rotation = path.ends_with("/rotate-key");
            assert_eq!(*need == READ, is_read || is_rotation, "{method} {path}");
            if ["PATCH", "PUT", "DELETE"].contains(method) {
                let manages = [Need::Key(Permission::Manage), Need::Keeper].contains(need);
                assert!(manages, "{method} {path}");
            }
        }
    }

    #[test]
    fn what_the_table_does_not_name_is_the_administrators() {
        assert_eq!(Need::of(&Method::POST, "/api/v1/new"), Need::Administrator);
        assert_eq!(Need::of(&Method::GET, "/api/v1/tasks/{id}/new"), Need::Administrator);
        assert_eq!(Need::of(&Method::TRACE, "/api/v1/tasks"), Need::Administrator);
        assert_eq!(Need::of(&Method::HEAD, "/api/v1/tasks"), READ);
    }

    #[test]
    fn a_path_that_is_also_a_name_needs_what_the_other_path_needs() {
        for (path, named) in ALSO_NAMES {
            assert_eq!(Need::of(&Method::GET, path), Need::of(&Method::GET, named));
        }
        let manage = Need::Key(Permission::Manage);
        assert_eq!(Need::of(&Method::DELETE, "/api/v1/tasks/claim"), manage);
        let work = Need::Key(Permission::Work);
        assert_eq!(Need::of(&Method::POST, "/api/v1/tasks/claim"), work);
    }

    #[test]
    fn a_lease_token_is_text_that_is_not_empty() {
        assert!(has_lease_token(br#"{"lease_token":"x"}"#));
        assert!(has_lease_token(br#"{"lease_token":"","lease_token":"x"}"#));
        for body in [
            "",
            "{",
            "[]",
            "\"lease_token\"",
            "{}",
            r#"{"lease_token":""}"#,
            r#"{"lease_token":null}"#,
            r#"{"lease_token":7}"#,
            r#"{"lease_token":["x"]}"#,
            r#"{"lease_token":"x","lease_token":""}"#,
        ] {
            assert!(!has_lease_token(body.as_bytes()), "{body}");
        }
    }
}
