//! Scopes: the tenants of a server, as an overview shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// So many scopes are listed.
pub const SCOPES_MAX: i64 = 1_000;

/// So many tasks, and so many machines, are counted of a scope that is asked for by itself.
pub const COUNT_MAX: i64 = 10_000;

/// The same in the list of all scopes.
pub const COUNT_OF_EACH_MAX: i64 = 1_000;

/// A scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scope {
    /// Its name.
    pub scope: String,
    /// The number of its tasks that are not finished.
    pub open_tasks: i64,
    /// The number of its orchestrators, whatever their status.
    pub machines: i64,
    /// Whether counting was stopped, so that there are more open tasks or machines.
    pub is_partial: bool,
}

/// The scopes of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scopes {
    /// The scopes, by name.
    pub scopes: Vec<Scope>,
    /// Whether there are more scopes than the 1,000 listed.
    pub is_partial: bool,
}

/// The scopes that a caller may see, and what it may do there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopeList {
    /// The scopes.
    #[serde(flatten)]
    pub seen: Scopes,
    /// What the caller may do: `read`, `work` or `manage` by its key, `manage` without a key, and
    /// `admin` with the administrator's token.
    pub permission: String,
}
