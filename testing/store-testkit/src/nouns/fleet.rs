//! The fleet and its keys: orchestrators, keys, roles, flows, and tasks for polls.

use octopoid_domain::{
    Millis,
    flow::{Flow, NewFlow},
    key::{Grant, Key, Permission},
    orchestrator::{Orchestrator, Registration},
    role::{Role, RolesRegistration},
    task::NewTask,
    webhook::{Attempt, NewWebhook, Rules, Webhook, message},
};
use octopoid_store::{
    DueWebhook, Result,
    orchestrators::{Filter, Outcome},
};
use serde_json::{Value, json};

use super::{DONE, Nouns, PAGE, read, with};

impl Nouns {
    /// Registers a machine in a scope.
    pub async fn registers(&self, machine: &str, scope: &str, ms: i64) -> Outcome {
        self.tries_to_register(json!({"cluster": "c", "machine_id": machine, "scope": scope}), ms)
            .await
            .expect(DONE)
    }

    /// Registers with this body, by a caller who may see all scopes.
    pub async fn tries_to_register(&self, body: Value, ms: i64) -> Result<Outcome> {
        self.tries_to_register_within(body, None, ms).await
    }

    /// The same by a caller who may be confined to a scope.
    pub async fn tries_to_register_within(
        &self,
        body: Value,
        within: Option<&str>,
        ms: i64,
    ) -> Result<Outcome> {
        let stamp = self.at(ms);
        let body: Registration = read(&body);
        let new = body.into_orchestrator(within, stamp.now).expect(DONE);
        let hash = format!("hash-{}", stamp.write_id);
        self.store.register_orchestrator(&new, &hash, within, stamp).await
    }

    /// An orchestrator as it is stored.
    pub async fn orchestrator(&self, id: &str) -> Orchestrator {
        self.store.get_orchestrator(id, None).await.expect(DONE)
    }

    /// The ids of the orchestrators that a filter finds.
    pub async fn lists(&self, filter: Filter) -> Vec<String> {
        let listed = self.store.list_orchestrators(&filter, &PAGE).await.expect(DONE);
        listed.items.into_iter().map(|orchestrator| orchestrator.id).collect()
    }

    /// Issues a key with this hash for a scope.
    pub async fn issues(&self, hash: &str, scope: &str, label: Option<&str>, ms: i64) -> Key {
        let label = label.map(str::to_owned);
        let grant = Grant {
            scope: scope.to_owned(),
            label,
            permission: Permission::Manage,
            expires_at: None,
        };
        self.store.issue_key(hash, &grant, self.at(ms)).await.expect(DONE)
    }

    /// The key with this hash.
    pub async fn key(&self, hash: &str) -> Key {
        self.store.find_key(hash).await.expect(DONE).expect(DONE)
    }

    /// Registers the roles of an orchestrator.
    pub async fn registers_roles(&self, orchestrator: &str, roles: Value, ms: i64) -> Vec<Role> {
        self.tries_to_register_roles(orchestrator, roles, None, ms).await.expect(DONE)
    }

    /// The same where it may be refused.
    pub async fn tries_to_register_roles(
        &self,
        orchestrator: &str,
        roles: Value,
        within: Option<&str>,
        ms: i64,
    ) -> Result<Vec<Role>> {
        let body = json!({"orchestrator_id": orchestrator, "roles": roles});
        let body: RolesRegistration = read(&body);
        self.store.register_roles(&body.check().expect(DONE), within, self.at(ms)).await
    }

    /// Registers a flow, with these fields besides the required ones.
    pub async fn puts_flow(&self, scope: &str, name: &str, fields: Value, ms: i64) -> Flow {
        let mut body = json!({
            "states": ["incoming", "claimed", "done", "failed", "provisional"],
            "transitions": [{"from": "claimed", "to": "provisional", "agent": "reviewer"}],
        });
        for (key, value) in fields.as_object().expect(DONE) {
            body[key] = value.clone();
        }
        let body: NewFlow = read(&body);
        self.store.put_flow(scope, name, &body, self.at(ms)).await.expect(DONE)
    }

    /// Creates a task in a queue, with what a poll shows.
    pub async fn creates(&self, id: &str, scope: &str, queue: &str) {
        let body = json!({"id": id, "file_path": id, "branch": "main", "scope": scope,
            "queue": queue, "role": "review", "hooks": "[]"});
        let body: NewTask = read(&body);
        let stamp = self.at(0);
        let task = body.into_task(None, stamp.now).expect(DONE);
        self.store.create_task(task, None, stamp).await.expect(DONE);
    }

    /// Creates a webhook, with these fields besides the required one.
    pub async fn creates_webhook(&self, scope: &str, fields: Value) -> Webhook {
        self.tries_to_create_webhook(scope, fields).await.expect(DONE)
    }

    /// The same where it may be refused.
    pub async fn tries_to_create_webhook(&self, scope: &str, fields: Value) -> Result<Webhook> {
        let stamp = self.stamp();
        let body: NewWebhook = read(&with(json!({"url": "https://example.com/hook"}), fields));
        let made = body.into_webhook(scope, Rules::default(), [7; 32], stamp.now).expect(DONE);
        self.store.create_webhook(&made.0, &made.1, stamp).await
    }

    /// Looks at all new events, and leases the webhooks that are due at some time.
    pub async fn leases_webhooks(&self, now: Millis) -> Vec<DueWebhook> {
        while self.store.notice_webhooks().await.expect(DONE) == octopoid_store::Noticed::Some {}
        let stamp = octopoid_store::Stamp { now, ..self.stamp() };
        self.store.lease_webhooks(10, stamp).await.expect(DONE)
    }

    /// The next message of a webhook that is leased, if there is one at some time.
    pub async fn next_message(&self, due: &DueWebhook, now: Millis) -> Option<message::Message> {
        let page = self.store.events_for_webhook(due).await.expect(DONE);
        match message::next(&due.webhook, &page.events, now) {
            message::Next::Send(message) => Some(*message),
            _ => None,
        }
    }

    /// Sends the next message, which a receiver answers with this status. Returns its type, and
    /// whether the webhook is still leased.
    pub async fn sends(
        &self,
        due: &mut DueWebhook,
        status: i64,
        now: Millis,
    ) -> Option<(String, bool)> {
        let message = self.next_message(due, now).await?;
        let attempt = Attempt { status: Some(status), ..Attempt::default() };
        let stamp = octopoid_store::Stamp { now, ..self.stamp() };
        let goes_on =
            self.store.record_attempt(due, &message, &attempt, 0, stamp).await.expect(DONE);
        if goes_on {
            due.delivered(message.end);
        }
        Some((message.name, goes_on))
    }
}
