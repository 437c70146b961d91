//! API keys: who may act for a scope, and until when. The text of a key is shown once and never
//! kept; only its hash reaches the store, and no type here holds either.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    input::{Instant, Prose, Text},
    limits::{TITLE_BYTES_MAX, check_each, check_id},
    refusal::Refusal,
    time::Millis,
};

/// How long a key's `last_used_at` may lag behind, in milliseconds: a busy agent would otherwise
/// add a write to each of its requests.
pub const TOUCH_INTERVAL_MS: i64 = 60_000;

/// A key, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// The id, which does not reveal the key.
    pub id: String,
    /// The scope.
    pub scope: String,
    /// The label.
    pub label: Option<String>,
    /// When it was issued.
    pub created_at: Millis,
    /// When it was last used, accurate to a minute.
    pub last_used_at: Option<Millis>,
    /// When it expires; null means never.
    pub expires_at: Option<Millis>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Millis>,
}

/// The body that issues a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewKey {
    /// Required: the scope.
    pub scope: Text,
    /// The label.
    pub label: Prose,
    /// When it expires. Default: never.
    pub expires_at: Instant,
}

/// What a key is issued for, once its body was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The tenant.
    pub scope: String,
    /// The label.
    pub label: Option<String>,
    /// When it ends.
    pub expires_at: Option<Millis>,
}

impl NewKey {
    /// What this body asks for.
    pub fn into_grant(self, now: Millis) -> Result<Grant, Refusal> {
        let scope = self.scope.0;
        let scope = scope.ok_or(Refusal::invalid("Missing required field: scope"))?;
        check_id("scope", &scope)?;
        check_each(TITLE_BYTES_MAX, &[("label", &self.label)])?;
        let expires_at = self.expires_at.0;
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::invalid("expires_at must be in the future"));
        }
        Ok(Grant { scope, label: self.label.0, expires_at })
    }
}

/// The response with a new key, which is shown only once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Issued {
    /// The value of the key.
    pub api_key: String,
    /// The stored key.
    #[serde(flatten)]
    pub key: Key,
}

/// The response to a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotated {
    /// The value of the new key, shown only once.
    pub api_key: String,
    /// The scope of the key.
    pub scope: String,
}

#[cfg(test)]
mod tests {
    use super::NewKey;
    use crate::{input::parse_body, time::Millis};

    #[test]
    fn a_grant_needs_a_scope_and_a_future() {
        let grant = |body: &str| {
            let body: NewKey = parse_body(body.as_bytes()).unwrap();
            body.into_grant(Millis(1_000)).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(grant("{}"), Err("Missing required field: scope".to_owned()));
        assert_eq!(
            grant(r#"{"scope":"s","expires_at":"1970-01-01T00:00:01Z"}"#),
            Err("expires_at must be in the future".to_owned())
        );
        for falsy in ["0", "\"\"", "false", "null"] {
            let body = format!(r#"{{"scope":"s","expires_at":{falsy}}}"#);
            assert_eq!(grant(&body).unwrap().expires_at, None, "{falsy}");
        }
        let grant = grant(r#"{"scope":"s","label":"ci","expires_at":"1970-01-01T00:00:02Z"}"#);
        assert_eq!(grant.unwrap().expires_at, Some(Millis(2_000)));
    }
}
