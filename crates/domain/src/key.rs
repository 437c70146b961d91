//! API keys: who may act for a scope, what they may do there, and until when. The text of a key is
//! shown once and never kept; only its hash reaches the store, and no type here holds either.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    input::{Count, Instant, Prose, Text},
    limits::{TITLE_BYTES_MAX, check_each, check_id},
    refusal::Refusal,
    text::shown,
    time::Millis,
    words::words,
};

/// How long a key's `last_used_at` may lag behind, in milliseconds: a busy agent would otherwise
/// add a write to each of its requests.
pub const TOUCH_INTERVAL_MS: i64 = 60_000;

/// The default and the maximum life of a code for signing in, in milliseconds: a day.
pub const CODE_LIFE_MS: i64 = 24 * 60 * 60 * 1_000;

/// The life of the key that a code is exchanged for, in milliseconds: 30 days.
pub const BOARD_KEY_LIFE_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// The label of the keys that codes are exchanged for.
pub const BOARD_KEY_LABEL: &str = "board";

words!(
    /// What the holder of a key may do in its scope. Each permission includes those before it.
    #[derive(Default, PartialOrd, Ord)]
    Permission {
        /// Make no request. The key is a code that signs a browser in once.
        Login = "login",
        /// Read everything, change nothing.
        Read = "read",
        /// Do the work of agents and of the machines that run them.
        Work = "work",
        /// Everything, including the keys of the scope. Keys that were issued without a permission have
        /// this one.
        #[default]
        Manage = "manage",
    }
);

/// A key, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// The id, which does not reveal the key.
    pub id: String,
    /// The scope.
    pub scope: String,
    /// The label.
    pub label: Option<String>,
    /// What its holder may do.
    pub permission: Permission,
    /// When it was issued.
    pub created_at: Millis,
    /// When it was last used, accurate to a minute.
    pub last_used_at: Option<Millis>,
    /// When it expires; null means never.
    pub expires_at: Option<Millis>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Millis>,
    /// When it ends because it was rotated, if it goes on working for a while.
    pub overlap_ends_at: Option<Millis>,
}

impl Key {
    /// When it ends, unless it is revoked before; `None` means never.
    pub fn ends_at(&self) -> Option<Millis> {
        [self.expires_at, self.overlap_ends_at].into_iter().flatten().min()
    }
}

/// The body that issues a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewKey {
    /// The scope. Required from the administrator; default: the scope of the key of the request.
    pub scope: Text,
    /// The label.
    pub label: Prose,
    /// What its holder may do: `read`, `work` or `manage`; `login` for a code that signs a browser in
    /// once. Default: `manage`.
    pub permission: Text,
    /// When it expires. Default: never. A code lives for 24 hours at most, which is its default.
    pub expires_at: Instant,
}

/// What a key is issued for, once its body was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The tenant.
    pub scope: String,
    /// The label.
    pub label: Option<String>,
    /// What its holder may do.
    pub permission: Permission,
    /// When it ends.
    pub expires_at: Option<Millis>,
}

impl NewKey {
    /// What this body asks for. `within` is the scope of the caller's key, and the default.
    pub fn into_grant(self, within: Option<&str>, now: Millis) -> Result<Grant, Refusal> {
        let scope = self.scope.0.or_else(|| within.map(str::to_owned));
        let scope = scope.ok_or(Refusal::invalid("Missing required field: scope"))?;
        check_id("scope", &scope)?;
        check_each(TITLE_BYTES_MAX, &[("label", &self.label)])?;
        let permission = permission(self.permission.0.as_deref())?;
        let mut expires_at = self.expires_at.0;
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::invalid("expires_at must be in the future"));
        }
        if permission == Permission::Login {
            let last = now.plus(CODE_LIFE_MS);
            if *expires_at.get_or_insert(last) > last {
                return Err(Refusal::invalid(
                    "expires_at must be within 24 hours for the permission \"login\": leave it out \
                     for 24 hours",
                ));
            }
        }
        Ok(Grant { scope, label: self.label.0, permission, expires_at })
    }
}

/// The permission that a body names, or else the default.
fn permission(word: Option<&str>) -> Result<Permission, Refusal> {
    let Some(word) = word else { return Ok(Permission::default()) };
    Permission::parse(word).ok_or_else(|| {
        let valid = Permission::ALL.map(Permission::as_str).join(", ");
        let word = shown(word);
        Refusal::invalid(format!("Invalid permission \"{word}\". Valid permissions: {valid}"))
    })
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

/// The body that exchanges a code for a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SignIn {
    /// The code: the value of a key with the permission `login`.
    pub code: Text,
}

impl SignIn {
    /// The code.
    pub fn into_code(self) -> Result<String, Refusal> {
        self.code.0.ok_or(Refusal::invalid("Missing required field: code"))
    }
}

/// The key that a code was exchanged for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// The value of the key, shown only once.
    pub api_key: String,
    /// Its scope.
    pub scope: String,
    /// What its holder may do.
    pub permission: Permission,
    /// When it expires.
    pub expires_at: Option<Millis>,
}

/// The longest time for which replaced keys may go on working, in seconds: a week.
pub const OVERLAP_SECONDS_MAX: i64 = 7 * 86_400;

/// The body that rotates a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Rotate {
    /// How long the replaced keys go on working, at most 604,800 seconds. Default: 0, they are
    /// revoked at once.
    #[schema(value_type = i64)]
    pub overlap_seconds: Count,
}

impl Rotate {
    /// The overlap in milliseconds.
    pub fn overlap_ms(&self) -> Result<i64, Refusal> {
        overlap_ms(self.overlap_seconds)
    }
}

/// An overlap in milliseconds, of a key or of the secret of a webhook.
pub(crate) fn overlap_ms(Count(seconds): Count) -> Result<i64, Refusal> {
    match seconds {
        0..=OVERLAP_SECONDS_MAX => Ok(seconds * 1_000),
        _ => Err(Refusal::invalid(format!(
            "overlap_seconds must be from 0 to {OVERLAP_SECONDS_MAX}, which is a week"
        ))),
    }
}

/// The response to a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotated {
    /// The value of the new key, shown only once.
    pub api_key: String,
    /// The scope of the key.
    pub scope: String,
    /// When the new key expires; null means never.
    pub expires_at: Option<Millis>,
}

#[cfg(test)]
mod tests {
    use super::{Grant, NewKey, Permission};
    use crate::{input::parse_body, time::Millis};

    fn grant_within(body: &str, within: Option<&str>) -> Result<Grant, String> {
        let body: NewKey = parse_body(body.as_bytes()).unwrap();
        body.into_grant(within, Millis(1_000)).map_err(|refusal| refusal.to_string())
    }

    fn grant(body: &str) -> Result<Grant, String> {
        grant_within(body, None)
    }

    #[test]
    fn a_grant_needs_a_scope_and_a_future() {
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

    #[test]
    fn a_scope_that_is_left_out_is_the_callers() {
        assert_eq!(grant_within("{}", Some("own")).unwrap().scope, "own");
        assert_eq!(grant_within(r#"{"scope":"s"}"#, Some("own")).unwrap().scope, "s");
    }

    #[test]
    fn a_grant_is_of_a_permission_that_there_is() {
        let permission = |word: &str| {
            let grant = grant(&format!(r#"{{"scope":"s","permission":{word}}}"#));
            grant.map(|grant| grant.permission)
        };
        for known in Permission::ALL {
            assert_eq!(permission(&format!("\"{}\"", known.as_str())), Ok(known));
        }
        for falsy in ["null", "\"\"", "0", "false"] {
            assert_eq!(permission(falsy), Ok(Permission::Manage), "{falsy}");
        }
        for unknown in ["Read", "admin", " work"] {
            let valid = "login, read, work, manage";
            let text = format!("Invalid permission \"{unknown}\". Valid permissions: {valid}");
            assert_eq!(permission(&format!("\"{unknown}\"")), Err(text));
        }
    }

    #[test]
    fn a_code_lives_for_a_day_at_most() {
        let expiry = |fields: &str| {
            let grant = grant(&format!(r#"{{"scope":"s","permission":"login"{fields}}}"#));
            grant.map(|grant| grant.expires_at)
        };
        assert_eq!(expiry(""), Ok(Some(Millis(86_401_000))));
        for end in ["1970-01-01T00:00:02Z", "1970-01-02T00:00:01Z"] {
            assert!(expiry(&format!(r#","expires_at":"{end}""#)).is_ok(), "{end}");
        }
        let late = expiry(r#","expires_at":"1970-01-02T00:00:01.001Z""#).unwrap_err();
        assert!(late.starts_with("expires_at must be within 24 hours"), "{late}");
        let past = expiry(r#","expires_at":"1970-01-01T00:00:01Z""#).unwrap_err();
        assert_eq!(past, "expires_at must be in the future");
    }

    #[test]
    fn each_permission_includes_those_before_it() {
        assert!(Permission::Login < Permission::Read);
        assert!(Permission::Read < Permission::Work && Permission::Work < Permission::Manage);
        for permission in Permission::ALL {
            let word = serde_json::to_value(permission).unwrap();
            assert_eq!(word, permission.as_str());
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
        }
    }
}
