//! What must be there before a task can be told about: flows, roles and projects. Written as rows,
//! because the operations that make them are other cases' business.

use octopoid_store::{Result, engine::Value};

use crate::world::{MACHINE, SCOPE, World};

const FLOW: &str = "INSERT INTO flows (scope, name, states, transitions, registered_at, updated_at, child_flow) \
     VALUES (?1, ?2, ?3, ?4, 0, 0, ?5)";

const ROLE: &str = "INSERT INTO roles (name, scope, claims_from, orchestrator_id, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5)";

const PROJECT: &str = "INSERT INTO projects (id, title, status, branch, auto_accept, created_at, scope) \
     VALUES (?1, ?1, 'active', ?2, 0, 0, ?3)";

/// A flow in the making.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// The scope that registers it.
    pub scope: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its states beside the built-in ones.
    pub states: &'a [&'a str],
    /// The steps that it allows.
    pub steps: &'a [(&'a str, &'a str)],
    /// The steps that it allows the tasks of a project besides.
    pub child_steps: &'a [(&'a str, &'a str)],
}

impl Default for Flow<'_> {
    /// The flow the shipped client registers: work is accepted from review only.
    fn default() -> Self {
        Self {
            scope: SCOPE,
            name: "default",
            states: &["provisional"],
            steps: &[
                ("incoming", "claimed"),
                ("claimed", "provisional"),
                ("provisional", "done"),
                ("provisional", "incoming"),
            ],
            child_steps: &[],
        }
    }
}

impl World {
    /// Someone registers a flow.
    pub async fn registers(&self, flow: Flow<'_>) -> Result<()> {
        let mut states = vec!["incoming", "claimed", "done", "failed"];
        states.extend(flow.states);
        let states = serde_json::Value::from(states).to_string();
        let child = (!flow.child_steps.is_empty()).then(|| transitions(flow.child_steps));
        let parameters = vec![
            flow.scope.into(),
            flow.name.into(),
            states.into(),
            transitions(flow.steps).into(),
            child.into(),
        ];
        self.runs(FLOW, parameters).await.map(drop)
    }

    /// Someone registers a role in a scope.
    pub async fn registers_role(&self, scope: &str, name: &str, claims_from: &str) -> Result<()> {
        let parameters =
            vec![name.into(), scope.into(), claims_from.into(), MACHINE.into(), self.now().into()];
        self.runs(ROLE, parameters).await.map(drop)
    }

    /// Someone makes a project; `None` is a project of no scope.
    pub async fn makes_project(&self, id: &str, branch: &str, scope: Option<&str>) -> Result<()> {
        let parameters = vec![id.into(), branch.into(), Value::from(scope)];
        self.runs(PROJECT, parameters).await.map(drop)
    }
}

fn transitions(steps: &[(&str, &str)]) -> String {
    let steps =
        steps.iter().map(|(from, to)| serde_json::json!({ "from": from, "to": to })).collect();
    serde_json::Value::Array(steps).to_string()
}
