//! Actions: what somebody proposes to do about a task, a draft or anything else, and what became
//! of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    input::{Id, Instant, JsonText, PatchJson, Prose, Text, instant_text},
    limits::{NOTE_BYTES_MAX, TITLE_BYTES_MAX, check_each, check_keys},
    refusal::Refusal,
    text::shown,
    time::Millis,
};

/// The kind of an action that names none.
pub const ACTION_TYPE_DEFAULT: &str = "proposal";

/// Where an action stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ActionStatus)]
pub enum Status {
    /// Somebody may ask for it to be executed.
    #[default]
    Proposed,
    /// Somebody has asked for it to be executed.
    ExecuteRequested,
    /// Somebody is at it.
    Executing,
    /// It was done.
    Completed,
    /// It was tried in vain.
    Failed,
    /// Nobody wants it any more.
    Expired,
}

impl Status {
    /// Every status, in the order the wire names them.
    pub const ALL: [Self; 6] = [
        Self::Proposed,
        Self::ExecuteRequested,
        Self::Executing,
        Self::Completed,
        Self::Failed,
        Self::Expired,
    ];

    /// The statuses an action never leaves: one that could be proposed again could run twice.
    pub const FINAL: [Self; 3] = [Self::Completed, Self::Failed, Self::Expired];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::ExecuteRequested => "execute_requested",
            Self::Executing => "executing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// The status with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Completed,
    /// It was tried in vain.
    Failed,
}

impl Outcome {
    /// The status it leads to.
    pub fn status(self) -> Status {
        match self {
            Self::Completed => Status::Completed,
            Self::Failed => Status::Failed,
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Completed => "complete",
            Self::Failed => "fail",
        }
    }
}

/// An action as it is stored and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Action {
    /// Made by the server: `act-<milliseconds>-<6 characters>`.
    pub id: String,
    /// What kind of thing it is about, such as `task` or `draft`.
    pub entity_type: String,
    /// Which one it is about.
    pub entity_id: String,
    /// A kind of action, by the clients' own convention.
    pub action_type: String,
    /// What it is called.
    pub label: String,
    /// What it would do.
    pub description: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// Who proposed it.
    pub proposed_by: String,
    /// When it was proposed.
    pub proposed_at: Millis,
    /// When somebody asked for it to be executed.
    pub executed_at: Option<Millis>,
    /// What came of it, as JSON text.
    pub result: Option<String>,
    /// From when on it may no longer be executed, as the client wrote it. Text that is no instant,
    /// which older servers took, means never.
    pub expires_at: Option<String>,
    /// Whatever else its author wants to keep with it, as JSON text.
    pub metadata: Option<String>,
    /// What the executor needs, as JSON text.
    pub action_data: Option<String>,
    /// The tenant it belongs to.
    pub scope: String,
}

impl Action {
    /// When it expires, if ever.
    pub fn expiry(&self) -> Option<Millis> {
        self.expires_at.as_deref().and_then(Millis::parse)
    }

    /// Why this action cannot be executed.
    pub fn why_not_executed(&self) -> Refusal {
        if self.status == Status::Proposed {
            return Refusal::invalid("Action has expired");
        }
        Refusal::invalid(format!(
            "Cannot execute action with status \"{}\". Only \"proposed\" actions can be executed.",
            self.status.as_str()
        ))
    }

    /// Why this action cannot end (again).
    pub fn why_not_ended(&self, outcome: Outcome) -> Refusal {
        Refusal::invalid(format!(
            "Cannot {} action with status \"{}\". Only \"proposed\", \"execute_requested\" or \
             \"executing\" actions can be {}.",
            outcome.verb(),
            self.status.as_str(),
            outcome.status().as_str(),
        ))
    }

    /// Why this action cannot take the status a patch asks for.
    pub fn why_not_patched(&self) -> Refusal {
        Refusal::invalid(format!(
            "Cannot change the status of an action with status \"{}\"",
            self.status.as_str()
        ))
    }
}

/// The body that proposes an action.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewAction {
    /// Required: what kind of thing it is about.
    pub entity_type: Text,
    /// Required: which one it is about.
    pub entity_id: Id,
    /// Required: what it is called.
    pub label: Prose,
    /// Required: who proposes it.
    pub proposed_by: Text,
    /// Required without a key.
    pub scope: Text,
    /// `proposal` if left out.
    pub action_type: Text,
    /// What it would do.
    pub description: Prose,
    /// From when on it may no longer be executed; never if left out.
    #[serde(deserialize_with = "instant_text")]
    #[schema(value_type = Instant)]
    pub expires_at: Text,
    /// Whatever else should be kept with it.
    pub metadata: JsonText,
    /// What the executor needs.
    pub action_data: JsonText,
}

impl NewAction {
    /// The action this body asks for, before the store has named it. `scope` is the caller's, for
    /// a body that names none.
    pub fn into_action(self, scope: Option<&str>, now: Millis) -> Result<Action, Refusal> {
        let (Some(entity_type), Some(entity_id), Some(label), Some(proposed_by)) =
            (self.entity_type.0, self.entity_id.0, self.label.0, self.proposed_by.0)
        else {
            return Err(Refusal::invalid(
                "Missing required fields: entity_type, entity_id, label, proposed_by",
            ));
        };
        let scope = self.scope.0.or_else(|| scope.map(str::to_owned)).ok_or(Refusal::invalid(
            "Missing required field: scope. All actions must belong to a scope.",
        ))?;
        check_keys(&[
            ("entity_type", &entity_type),
            ("entity_id", &entity_id),
            ("action_type", &self.action_type),
            ("proposed_by", &proposed_by),
            ("scope", &scope),
            ("expires_at", &self.expires_at),
        ])?;
        check_each(TITLE_BYTES_MAX, &[("label", &label)])?;
        check_each(NOTE_BYTES_MAX, &[("description", &self.description)])?;
        if self.expires_at.0.as_deref().is_some_and(|end| Millis::parse(end).is_none()) {
            return Err(Refusal::invalid("expires_at must be an ISO 8601 date and time"));
        }
        Ok(Action {
            id: String::new(),
            entity_type,
            entity_id,
            action_type: self.action_type.0.unwrap_or_else(|| ACTION_TYPE_DEFAULT.to_owned()),
            label,
            description: self.description.0,
            status: Status::Proposed,
            proposed_by,
            proposed_at: now,
            executed_at: None,
            result: None,
            expires_at: self.expires_at.0,
            metadata: self.metadata.0,
            action_data: self.action_data.0,
            scope,
        })
    }
}

/// The body that changes an action.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ActionPatch {
    /// Where it stands now.
    pub status: Text,
    /// What came of it; null clears it.
    pub result: PatchJson,
}

impl ActionPatch {
    /// The status asked for, if any. Refuses an unknown one, and a body that changes nothing.
    pub fn wanted(&self) -> Result<Option<Status>, Refusal> {
        let Some(name) = &self.status.0 else {
            if self.result.is_absent() {
                return Err(Refusal::invalid(
                    "No valid fields to update. Updatable fields: status, result",
                ));
            }
            return Ok(None);
        };
        Status::parse(name).map(Some).ok_or_else(|| {
            Refusal::invalid(format!(
                "Invalid status \"{}\". Valid statuses: {}",
                shown(name),
                Status::ALL.map(Status::as_str).join(", ")
            ))
        })
    }
}

/// The optional body that ends an action.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct EndAction {
    /// What came of it; what is stored stays if left out.
    pub result: PatchJson,
}

#[cfg(test)]
mod tests {
    use super::{ActionPatch, NewAction, Status};
    use crate::{input::parse_body, time::Millis};

    #[test]
    fn required_fields_are_asked_for_in_the_contracts_order() {
        let text = |body: &str| {
            let new: NewAction = parse_body(body.as_bytes()).unwrap();
            new.into_action(None, Millis(0)).unwrap_err().to_string()
        };
        assert_eq!(
            text(r#"{"entity_type":"task","entity_id":1,"label":"l"}"#),
            "Missing required fields: entity_type, entity_id, label, proposed_by"
        );
        assert_eq!(
            text(r#"{"entity_type":"task","entity_id":1,"label":"l","proposed_by":"p"}"#),
            "Missing required field: scope. All actions must belong to a scope."
        );
    }

    #[test]
    fn json_may_come_as_json_or_as_its_text() {
        let body = br#"{"entity_type":"draft","entity_id":5,"label":"l","proposed_by":"p",
            "action_data":{"b":[1]},"metadata":"m","expires_at":"2026-03-02 24:00"}"#;
        let new: NewAction = parse_body(body).unwrap();
        let action = new.into_action(Some("s"), Millis(0)).unwrap();
        assert_eq!(action.entity_id, "5");
        assert_eq!(action.action_data.as_deref(), Some(r#"{"b":[1]}"#));
        assert_eq!(action.metadata.as_deref(), Some("m"));
        assert_eq!(action.expires_at.as_deref(), Some("2026-03-02 24:00"));
        assert_eq!(action.expiry(), Millis::parse("2026-03-03T00:00:00Z"));
    }

    #[test]
    fn an_expiry_may_be_a_number_of_milliseconds() {
        let expiry = |value: &str| {
            let body = format!(
                r#"{{"entity_type":"t","entity_id":5,"label":"l","proposed_by":"p",
                "expires_at":{value}}}"#
            );
            let new =
                parse_body::<NewAction>(body.as_bytes()).map_err(|error| error.to_string())?;
            Ok(new.into_action(Some("s"), Millis(0)).unwrap().expires_at)
        };
        assert_eq!(expiry("1795294738605"), Ok(Some("2026-11-21T20:58:58.605Z".to_owned())));
        for falsy in ["0", "\"\"", "false", "null"] {
            assert_eq!(expiry(falsy), Ok(None), "{falsy}");
        }
        let error: String = expiry("1795294738").unwrap_err();
        assert!(error.contains("too small"), "{error}");
    }

    #[test]
    fn an_expiry_that_is_no_instant_is_refused() {
        for end in ["soon", "1772445600", "2026-03-02T10:00:00+19:00"] {
            let body = format!(
                r#"{{"entity_type":"t","entity_id":5,"label":"l","proposed_by":"p",
                "expires_at":"{end}"}}"#
            );
            let new: NewAction = parse_body(body.as_bytes()).unwrap();
            let text = new.into_action(Some("s"), Millis(0)).unwrap_err().to_string();
            assert_eq!(text, "expires_at must be an ISO 8601 date and time", "{end}");
        }
    }

    #[test]
    fn a_patch_names_a_known_status_or_a_result() {
        let wanted = |body: &str| {
            let patch: ActionPatch = parse_body(body.as_bytes()).unwrap();
            patch.wanted().map_err(|refusal| refusal.to_string())
        };
        assert_eq!(wanted(r#"{"status":"executing"}"#), Ok(Some(Status::Executing)));
        assert_eq!(wanted(r#"{"result":null}"#), Ok(None));
        assert_eq!(
            wanted(r#"{"status":"banana"}"#),
            Err("Invalid status \"banana\". Valid statuses: proposed, execute_requested, \
                 executing, completed, failed, expired"
                .to_owned())
        );
        assert_eq!(
            wanted(r#"{"status":"","label":"l"}"#),
            Err("No valid fields to update. Updatable fields: status, result".to_owned())
        );
    }
}
