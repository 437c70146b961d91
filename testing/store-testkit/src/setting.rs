//! What must be there before a task can be told about: flows, roles and projects.

use octopoid_domain::{
    Millis,
    flow::NewFlow,
    orchestrator::{self, Status},
    pause::{NewPause, Pause},
    project::NewProject,
    role,
    why::{Waiting, Why},
};
use octopoid_store::{Result, lists::Filter};
use serde_json::{Value, json};

use crate::world::{SCOPE, World, read};

/// How long a machine may be silent and count as alive.
const SILENCE: i64 = 120_000;

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
        let new: NewFlow = read(&json!({
            "states": states,
            "transitions": transitions(flow.steps),
            "child_flow": { "transitions": transitions(flow.child_steps) },
        }))?;
        self.store.put_flow(flow.scope, flow.name, &new, self.stamp()).await.map(drop)
    }

    /// A machine of a scope registers a role.
    pub async fn registers_role(&self, scope: &str, name: &str, claims_from: &str) -> Result<()> {
        let machine: orchestrator::Registration =
            read(&json!({ "cluster": "machine", "machine_id": scope, "scope": scope }))?;
        let machine = machine.into_orchestrator(None, self.now())?;
        let hash = format!("hash of the key of {scope}");
        self.store.register_orchestrator(&machine, &hash, None, self.stamp()).await?;
        let roles: role::RolesRegistration = read(&json!({
            "orchestrator_id": machine.id,
            "roles": [{ "name": name, "claims_from": claims_from }],
        }))?;
        let roles = roles.check()?;
        self.store.register_roles(&roles, None, self.stamp()).await.map(drop)
    }

    /// A person pauses a target, until an instant or a deletion.
    pub async fn pauses(&self, target: &str, until: Option<Millis>) -> Result<Pause> {
        self.pauses_in(SCOPE, target, until).await
    }

    /// The same in another scope.
    pub async fn pauses_in(
        &self,
        scope: &str,
        target: &str,
        until: Option<Millis>,
    ) -> Result<Pause> {
        let until = until.map(Millis::to_iso);
        let new: NewPause = read(&json!({ "reason": "lunch", "by": "ann", "until": until }))?;
        let stamp = self.stamp();
        self.store.put_pause(&new.into_pause(scope, target, stamp.now)?, stamp).await
    }

    /// A person ends a pause.
    pub async fn resumes(&self, target: &str) -> Result<()> {
        self.store.delete_pause(SCOPE, target, self.stamp()).await
    }

    /// A machine registers, unless it has, and its operator gives it a status. Returns its id.
    pub async fn has_machine(&self, name: &str, status: Status) -> Result<String> {
        let machine: orchestrator::Registration =
            read(&json!({ "cluster": "machine", "machine_id": name, "scope": SCOPE }))?;
        let machine = machine.into_orchestrator(None, self.now())?;
        let hash = format!("hash of the key of {name}");
        self.store.register_orchestrator(&machine, &hash, None, self.stamp()).await?;
        let stamp = self.stamp();
        self.store.set_orchestrator_status(&machine.id, None, status, stamp).await?;
        Ok(machine.id)
    }

    /// Why a task waits.
    pub async fn explains(&self, id: &str) -> Result<Why> {
        let silent_since = self.now().plus(-SILENCE);
        self.store.explain_task(id, None, silent_since, self.now()).await
    }

    /// The first reason why each of the tasks that a filter finds waits, by its id.
    pub async fn explains_all(&self, filter: &Filter) -> Result<Vec<(String, Option<Waiting>)>> {
        let tasks = self.tasks(filter).await?;
        let waiting = self.store.explain_tasks(&filter.scope, &tasks, self.now()).await?;
        Ok(tasks.into_iter().map(|task| task.id).zip(waiting).collect())
    }

    /// Someone makes a project; `None` is a project of no scope.
    pub async fn makes_project(&self, id: &str, branch: &str, scope: Option<&str>) -> Result<()> {
        let body = json!({ "id": id, "title": id, "branch": branch, "scope": scope });
        let new: NewProject = read(&body)?;
        let new = new.into_project(None, self.now())?;
        self.store.create_project(new, self.stamp()).await.map(drop)
    }
}

fn transitions(steps: &[(&str, &str)]) -> Value {
    steps.iter().map(|(from, to)| json!({ "from": from, "to": to })).collect()
}
