//! Pauses: work that is not handed out for a while.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    input::{Instant, Prose, Text},
    limits::{KEY_BYTES_MAX, PAUSES_MAX, TITLE_BYTES_MAX, check_bytes, check_each, check_keys},
    refusal::Refusal,
    text::shown,
    time::Millis,
};

/// A pause. Runs that have begun go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pause {
    /// The scope.
    pub scope: String,
    /// What is paused: `scope`, `queue:NAME`, `role:NAME` or `pool:NAME`.
    pub target: String,
    /// When it ends; null if only a deletion ends it.
    pub until: Option<Millis>,
    /// Why.
    pub reason: String,
    /// Who paused it: for an automatic pause, the agent whose run failed.
    pub by: String,
    /// Whether a failed run caused it, and not a person.
    pub is_automatic: bool,
    /// When it began.
    pub created_at: Millis,
}

/// The body that creates or changes a pause.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewPause {
    /// When it ends. Without it, only a deletion ends the pause.
    pub until: Instant,
    /// Required: why. At most 4,096 bytes.
    pub reason: Prose,
    /// Required: who pauses it.
    pub by: Text,
    /// Required without a key.
    pub scope: Text,
}

/// What a pause covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Everything in the scope.
    Scope,
    /// The tasks in a queue.
    Queue(&'a str),
    /// The tasks for a role.
    Role(&'a str),
    /// Claims that would use a pool, such as the account of a provider.
    Pool(&'a str),
}

impl<'a> Target<'a> {
    /// Reads a target as it is stored. Anything else is refused.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let named = |name: &'a str| (!name.is_empty()).then_some(name);
        let target = match text.split_once(':') {
            None if text == "scope" => Some(Self::Scope),
            Some(("queue", name)) => named(name).map(Self::Queue),
            Some(("role", name)) => named(name).map(Self::Role),
            Some(("pool", name)) => named(name).map(Self::Pool),
            _ => None,
        };
        let target = target.ok_or_else(|| {
            Refusal::invalid(format!(
                "Invalid target \"{}\". Valid targets: scope, queue:NAME, role:NAME, pool:NAME",
                shown(text)
            ))
        })?;
        check_bytes("target", text.split_once(':').map(|(_, name)| name), KEY_BYTES_MAX)?;
        Ok(target)
    }

    /// The target in the words of a sentence.
    pub fn in_words(self) -> String {
        match self {
            Self::Scope => "The scope".to_owned(),
            Self::Queue(name) => format!("Queue \"{}\"", shown(name)),
            Self::Role(name) => format!("Role \"{}\"", shown(name)),
            Self::Pool(name) => format!("Pool \"{}\"", shown(name)),
        }
    }
}

/// The target of a pool.
pub fn pool_target(pool: &str) -> String {
    format!("pool:{pool}")
}

impl NewPause {
    /// The pause that this body asks for.
    pub fn into_pause(self, scope: &str, target: &str, now: Millis) -> Result<Pause, Refusal> {
        Target::parse(target)?;
        let (Some(reason), Some(by)) = (self.reason.0, self.by.0) else {
            return Err(Refusal::invalid("Missing required fields: reason, by"));
        };
        check_bytes("scope", Some(scope), KEY_BYTES_MAX)?;
        check_each(TITLE_BYTES_MAX, &[("reason", &reason)])?;
        check_keys(&[("by", &by)])?;
        if self.until.0.is_some_and(|until| until <= now) {
            return Err(Refusal::invalid(
                "until is in the past: name a later instant, or leave it out to pause until the \
                 pause is deleted",
            ));
        }
        Ok(Pause {
            scope: scope.to_owned(),
            target: target.to_owned(),
            until: self.until.0,
            reason,
            by,
            is_automatic: false,
            created_at: now,
        })
    }
}

/// The refusal of another pause in a scope that has as many as it may have.
pub fn too_many_pauses() -> Refusal {
    Refusal::invalid(format!(
        "Too many pauses in this scope: at most {PAUSES_MAX}. Delete one that is not needed"
    ))
}

/// The longest time that a client is told to wait before it claims again, in seconds: pauses may be
/// deleted before they end.
pub const RETRY_SECONDS_MAX: i64 = 300;

/// After how many seconds it makes sense to repeat a claim for these roles, if one of these pauses
/// keeps everything from it: one of another target than a role, or those of all its roles.
pub fn retry_after_seconds(pauses: &[Pause], roles: &[String], now: Millis) -> Option<i64> {
    let left_ms = |pause: &Pause| match pause.until {
        Some(until) => until.0.saturating_sub(now.0),
        None => i64::MAX,
    };
    let of_role = |role: &String| {
        let is_of_role = |pause: &&Pause| pause.target.strip_prefix("role:") == Some(&**role);
        pauses.iter().find(is_of_role).map(left_ms)
    };
    // All pauses of other targets have to end, and one of those of the roles.
    let general = pauses.iter().filter(|pause| !pause.target.starts_with("role:")).map(left_ms);
    let of_roles = roles.iter().map(of_role).collect::<Option<Vec<_>>>();
    let of_roles = of_roles.and_then(|all| all.into_iter().min());
    let ms = general.chain(of_roles).max()?;
    Some((ms.saturating_add(999) / 1000).clamp(1, RETRY_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::{NewPause, Pause, Target, retry_after_seconds};
    use crate::{Millis, input::parse_body};

    const NOW: Millis = Millis(1_795_294_738_605);

    #[test]
    fn a_target_is_the_scope_or_something_with_a_name() {
        for (text, target) in [
            ("scope", Target::Scope),
            ("queue:incoming", Target::Queue("incoming")),
            ("role:a:b", Target::Role("a:b")),
            ("pool:anthropic", Target::Pool("anthropic")),
        ] {
            assert_eq!(Target::parse(text), Ok(target));
        }
        for text in ["", "Scope", "scope:x", "queue", "queue:", "task:x", ":x", "role"] {
            let refused = Target::parse(text).unwrap_err().to_string();
            let expected = format!(
                "Invalid target \"{text}\". Valid targets: scope, queue:NAME, role:NAME, pool:NAME"
            );
            assert_eq!(refused, expected);
        }
        assert!(Target::parse(&format!("role:{}", "r".repeat(512))).is_ok());
        let long = format!("role:{}", "r".repeat(513));
        let text = Target::parse(&long).unwrap_err().to_string();
        assert_eq!(text, "target is too long: at most 512 bytes");
    }

    #[test]
    fn a_pause_says_why_and_who_and_ends_later_if_at_all() {
        let pause = |body: &str| {
            let body: NewPause = parse_body(body.as_bytes()).unwrap();
            body.into_pause("s", "scope", NOW).map_err(|refusal| refusal.to_string())
        };
        let made = pause(r#"{"reason":"r","by":"b"}"#).unwrap();
        assert_eq!((made.until, made.is_automatic, made.created_at), (None, false, NOW));
        let until = NOW.plus(1).to_iso();
        let made = pause(&format!(r#"{{"reason":"r","by":"b","until":"{until}"}}"#)).unwrap();
        assert_eq!(made.until, Some(NOW.plus(1)));
        for body in ["{}", r#"{"reason":"r"}"#, r#"{"by":"b"}"#, r#"{"reason":"","by":"b"}"#] {
            assert_eq!(pause(body).unwrap_err(), "Missing required fields: reason, by");
        }
        let now = NOW.to_iso();
        let text = pause(&format!(r#"{{"reason":"r","by":"b","until":"{now}"}}"#)).unwrap_err();
        assert!(text.starts_with("until is in the past: name a later instant"), "{text}");
        let long = "r".repeat(4_097);
        let text = pause(&format!(r#"{{"reason":"{long}","by":"b"}}"#)).unwrap_err();
        assert_eq!(text, "reason is too long: at most 4096 bytes");
    }

    #[test]
    fn a_claim_is_told_to_wait_while_a_pause_keeps_everything_from_it() {
        let after = |pauses: &[(&str, Option<i64>)], roles: &[&str]| {
            let pause = |(target, left): &(&str, Option<i64>)| Pause {
                target: (*target).to_owned(),
                until: left.map(|ms| NOW.plus(ms)),
                ..Pause::default()
            };
            let pauses: Vec<_> = pauses.iter().map(pause).collect();
            let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
            retry_after_seconds(&pauses, &roles, NOW)
        };
        let rounded = |ms: i64| after(&[("scope", Some(ms))], &[]);
        assert_eq!(
            [1, 1_000, 1_001, 299_001, 86_400_000].map(rounded),
            [1, 1, 2, 300, 300].map(Some)
        );
        assert_eq!(after(&[("scope", None)], &["a"]), Some(300));
        assert_eq!(after(&[("queue:q", Some(5_000)), ("pool:p", Some(9_000))], &[]), Some(9));
        let (a, b) = (("role:a", Some(5_000)), ("role:b", Some(9_000)));
        assert_eq!(after(&[a], &[]), None);
        assert_eq!(after(&[a], &["a", "b"]), None);
        assert_eq!(after(&[a, b], &["a", "b"]), Some(5));
        assert_eq!(after(&[a, b, ("scope", Some(7_000))], &["a", "b"]), Some(7));
        assert_eq!(after(&[], &[]), None);
    }
}
