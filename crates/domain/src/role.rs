//! Roles: what kinds of agents a scope has, and from which queue each claims.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    input::{Id, Prose, Text},
    limits::{NOTE_BYTES_MAX, ROLES_MAX, check_each, check_id, check_keys},
    queue,
    refusal::Refusal,
    time::{Millis, seconds},
};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Role {
    /// Its name, unique in its scope.
    pub name: String,
    /// The description.
    pub description: Option<String>,
    /// The queue to claim from.
    pub claims_from: String,
    /// The orchestrator that last registered it.
    pub orchestrator_id: String,
    /// When it was last registered.
    #[serde(with = "seconds")]
    #[schema(value_type = String)]
    pub created_at: Millis,
    /// The scope of the orchestrator.
    pub scope: String,
}

/// A role in the body of a registration.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewRole {
    /// A role without a name is ignored.
    pub name: Text,
    /// Default: `incoming`.
    pub claims_from: Text,
    /// The description.
    pub description: Prose,
}

/// The body that registers the roles of an orchestrator.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RolesRegistration {
    /// Required: the orchestrator, which must be registered.
    pub orchestrator_id: Id,
    /// Required: its roles.
    #[schema(value_type = Vec<NewRole>)]
    pub roles: Value,
}

/// Roles to store, each name once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The orchestrator.
    pub orchestrator_id: String,
    /// Its roles.
    pub roles: Vec<Named>,
}

/// A role to store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// The queue its agents claim from.
    pub claims_from: String,
    /// What they do.
    pub description: Option<String>,
}

impl RolesRegistration {
    /// What this body registers. The last of several roles with one name wins.
    pub fn check(self) -> Result<Registration, Refusal> {
        let (Some(orchestrator_id), Value::Array(items)) = (self.orchestrator_id.0, self.roles)
        else {
            return Err(Refusal::invalid("Missing required fields: orchestrator_id, roles"));
        };
        check_keys(&[("orchestrator_id", &orchestrator_id)])?;
        if items.len() > ROLES_MAX {
            return Err(Refusal::invalid(format!("Too many roles: at most {ROLES_MAX}")));
        }
        let mut roles: Vec<Named> = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let Some(role) = named(index, item)? else {
                continue;
            };
            match roles.iter_mut().find(|known| known.name == role.name) {
                Some(known) => *known = role,
                None => roles.push(role),
            }
        }
        Ok(Registration { orchestrator_id, roles })
    }
}

fn named(index: usize, item: Value) -> Result<Option<Named>, Refusal> {
    // A value that is not an object has no name.
    if !item.is_object() {
        return Ok(None);
    }
    let role: NewRole = serde_path_to_error::deserialize(item).map_err(|error| {
        Refusal::invalid(format!(
            "Invalid value for roles[{index}].{}: {}",
            error.path(),
            error.inner()
        ))
    })?;
    if let Some(name) = &role.name.0 {
        check_id(&format!("roles[{index}].name"), name)?;
    }
    check_keys(&[(&format!("roles[{index}].claims_from"), &role.claims_from)])?;
    let description = format!("roles[{index}].description");
    check_each(NOTE_BYTES_MAX, &[(&description, &role.description)])?;
    Ok(role.name.0.map(|name| Named {
        name,
        claims_from: role.claims_from.0.unwrap_or_else(|| queue::INCOMING.to_owned()),
        description: role.description.0,
    }))
}

#[cfg(test)]
mod tests {
    use super::{Registration, RolesRegistration};
    use crate::input::parse_body;

    fn check(body: &str) -> Result<Registration, String> {
        let body: RolesRegistration = parse_body(body.as_bytes()).unwrap();
        body.check().map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn orchestrator_and_a_list_of_roles_are_required() {
        let text = "Missing required fields: orchestrator_id, roles";
        for body in [
            "{}",
            r#"{"orchestrator_id":"o"}"#,
            r#"{"orchestrator_id":"","roles":[]}"#,
            r#"{"orchestrator_id":"o","roles":"review"}"#,
            r#"{"orchestrator_id":"o","roles":null}"#,
            r#"{"roles":[]}"#,
        ] {
            assert_eq!(check(body), Err(text.to_owned()), "{body}");
        }
    }

    #[test]
    fn roles_without_a_name_are_passed_over_and_the_rest_claim_from_incoming() {
        let body =
            r#"{"orchestrator_id":"o","roles":[{},null,"b",["c"],{"name":""},{"name":"a"}]}"#;
        let roles = check(body).unwrap().roles;
        assert_eq!(roles.len(), 1);
        assert_eq!(roles[0].name, "a");
        assert_eq!(roles[0].claims_from, "incoming");
    }

    #[test]
    fn the_last_of_several_with_one_name_wins() {
        let body = r#"{"orchestrator_id":"o","roles":[{"name":"a"},{"name":"b"},
            {"name":"a","claims_from":"provisional"}]}"#;
        let roles = check(body).unwrap().roles;
        assert_eq!(roles.len(), 2);
        assert_eq!(roles[0].claims_from, "provisional");
    }

    #[test]
    fn a_refusal_names_the_field() {
        let text = |roles: &str| {
            check(&format!(r#"{{"orchestrator_id":"o","roles":{roles}}}"#)).unwrap_err()
        };
        let refused = text(r#"[{"name":"a"},{"name":"b","claims_from":5}]"#);
        assert!(refused.starts_with("Invalid value for roles[1].claims_from: "), "{refused}");
        let many = format!("[{}]", vec!["null"; 1001].join(","));
        assert_eq!(text(&many), "Too many roles: at most 1000");
    }
}
