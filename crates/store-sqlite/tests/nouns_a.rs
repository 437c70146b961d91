//! Orchestrators, keys, roles, flows and polls on SQLite.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use octopoid_domain::{
    Millis,
    flow::{Flow, NewFlow},
    input::parse_body,
    key::{Grant, Key},
    orchestrator::{Orchestrator, Registration, Status},
    role::{Role, RolesRegistration},
    task::{ClaimRequest, NewTask},
};
use octopoid_store::{
    Result, Stamp, Store,
    lists::Page,
    orchestrators::{Filter, Outcome},
};
use octopoid_store_sqlite::{Location, Sqlite};
use serde_json::{Value, json};

const START: i64 = 1_795_294_738_605;
const MINUTE: i64 = 60_000;
const PAGE: Page = Page { limit: 50, offset: 0 };

/// A store in memory, and how far its clock has gone.
struct World {
    store: Store,
    writes: AtomicU64,
}

impl World {
    async fn new() -> Self {
        let store = Store::new(Arc::new(Sqlite::open(&Location::Memory).unwrap()));
        store.migrate(Millis(START)).await.unwrap();
        Self { store, writes: AtomicU64::new(0) }
    }

    /// A fresh stamp, so many milliseconds after the start.
    fn at(&self, ms: i64) -> Stamp {
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        Stamp::new(write << 20, Millis(START + ms))
    }

    async fn registers(&self, machine: &str, scope: &str, ms: i64) -> Outcome {
        self.tries_to_register(json!({"cluster": "c", "machine_id": machine, "scope": scope}), ms)
            .await
            .unwrap()
    }

    async fn tries_to_register(&self, body: Value, ms: i64) -> Result<Outcome> {
        self.tries_to_register_within(body, None, ms).await
    }

    async fn tries_to_register_within(
        &self,
        body: Value,
        within: Option<&str>,
        ms: i64,
    ) -> Result<Outcome> {
        let stamp = self.at(ms);
        let body: Registration = parse_body(body.to_string().as_bytes()).unwrap();
        let new = body.into_orchestrator(within, stamp.now).unwrap();
        let hash = format!("hash-{}", stamp.write_id);
        self.store.register_orchestrator(&new, &hash, within, stamp).await
    }

    async fn orchestrator(&self, id: &str) -> Orchestrator {
        self.store.get_orchestrator(id, None).await.unwrap()
    }

    async fn lists(&self, filter: Filter) -> Vec<String> {
        let listed = self.store.list_orchestrators(&filter).await.unwrap();
        listed.into_iter().map(|orchestrator| orchestrator.id).collect()
    }

    /// Issues a key with this hash for a scope.
    async fn issues(&self, hash: &str, scope: &str, label: Option<&str>, ms: i64) -> Key {
        let label = label.map(str::to_owned);
        let grant = Grant { scope: scope.to_owned(), label, expires_at: None };
        self.store.issue_key(hash, &grant, self.at(ms)).await.unwrap()
    }

    async fn key(&self, hash: &str) -> Key {
        self.store.find_key(hash).await.unwrap().unwrap()
    }

    async fn registers_roles(&self, orchestrator: &str, roles: Value, ms: i64) -> Vec<Role> {
        self.tries_to_register_roles(orchestrator, roles, None, ms).await.unwrap()
    }

    async fn tries_to_register_roles(
        &self,
        orchestrator: &str,
        roles: Value,
        within: Option<&str>,
        ms: i64,
    ) -> Result<Vec<Role>> {
        let body = json!({"orchestrator_id": orchestrator, "roles": roles});
        let body: RolesRegistration = parse_body(body.to_string().as_bytes()).unwrap();
        self.store.register_roles(&body.check().unwrap(), within, self.at(ms)).await
    }

    async fn puts_flow(&self, scope: &str, name: &str, fields: Value, ms: i64) -> Flow {
        let mut body = json!({
            "states": ["incoming", "claimed", "done", "failed", "provisional"],
            "transitions": [{"from": "claimed", "to": "provisional", "agent": "reviewer"}],
        });
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        let body: NewFlow = parse_body(body.to_string().as_bytes()).unwrap();
        self.store.put_flow(scope, name, &body, self.at(ms)).await.unwrap()
    }

    async fn creates(&self, id: &str, scope: &str, queue: &str) {
        let body = json!({"id": id, "file_path": id, "branch": "main", "scope": scope,
            "queue": queue, "role": "review", "hooks": "[]"});
        let body: NewTask = parse_body(body.to_string().as_bytes()).unwrap();
        let stamp = self.at(0);
        let task = body.into_task(None, stamp.now).unwrap();
        self.store.create_task(task, stamp).await.unwrap();
    }
}

/// The text of the refusal.
#[track_caller]
fn refusal<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    outcome.unwrap_err().to_string()
}

fn ids(keys: &[Key]) -> Vec<&str> {
    keys.iter().map(|key| &*key.id).collect()
}

// Orchestrators.

#[tokio::test]
async fn a_registration_is_stored_as_it_was_sent() {
    let world = World::new().await;
    let body = json!({"cluster": "prb", "machine_id": 7, "scope": "s", "hostname": "h",
        "repo_url": "https://x/y", "version": "2.0.0", "capabilities": {"roles": ["implement"]}});
    let outcome = world.tries_to_register(body, 0).await.unwrap();
    assert!(outcome.is_new);
    let expected = Orchestrator {
        id: "prb-7".into(),
        cluster: "prb".into(),
        machine_id: "7".into(),
        hostname: Some("h".into()),
        repo_url: "https://x/y".into(),
        registered_at: Millis(START),
        last_heartbeat: Millis(START),
        status: Status::Active,
        version: Some("2.0.0".into()),
        capabilities: Some(r#"{"roles":["implement"]}"#.into()),
        scope: "s".into(),
    };
    assert_eq!(outcome.orchestrator, expected);
    assert_eq!(world.orchestrator("prb-7").await, expected);
}

#[tokio::test]
async fn registering_again_overwrites_everything_but_the_first_time() {
    let world = World::new().await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "a", "hostname": "h",
        "repo_url": "r", "version": "1", "capabilities": "{}"});
    world.tries_to_register(body, 0).await.unwrap();
    let outcome = world.registers("m", "b", 500).await;
    assert!(!outcome.is_new);
    let found = world.orchestrator("c-m").await;
    assert_eq!(found, outcome.orchestrator);
    assert_eq!(found.registered_at, Millis(START));
    assert_eq!(found.last_heartbeat, Millis(START + 500));
    assert_eq!((found.hostname, found.version, found.capabilities), (None, None, None));
    assert_eq!((&*found.repo_url, &*found.scope), ("", "b"));
}

#[tokio::test]
async fn registering_ends_maintenance() {
    let world = World::new().await;
    world.registers("m", "s", 0).await;
    world.store.set_orchestrator_status("c-m", None, Status::Maintenance).await.unwrap();
    assert_eq!(world.registers("m", "s", 1).await.orchestrator.status, Status::Active);
}

#[tokio::test]
async fn an_id_belongs_to_the_pair_that_made_it() {
    let world = World::new().await;
    let body = |cluster: &str, machine: &str, scope: &str| json!({"cluster": cluster, "machine_id": machine, "scope": scope});
    world.tries_to_register(body("x-q", "z", "a"), 0).await.unwrap();
    let before = world.orchestrator("x-q-z").await;
    assert_eq!(
        refusal(world.tries_to_register(body("x", "q-z", "b"), 1).await),
        "Orchestrator x-q-z is already registered by another cluster and machine"
    );
    assert_eq!(world.orchestrator("x-q-z").await, before);
    let keys = world.store.list_keys(Some("b"), PAGE).await.unwrap();
    assert_eq!(keys.total, 0, "a refused registration hands out no key");
}

#[tokio::test]
async fn a_machine_may_move_to_another_scope_unless_the_caller_is_confined() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "b"});
    assert_eq!(
        refusal(world.tries_to_register_within(body.clone(), Some("b"), 1).await),
        "Orchestrator c-m is already registered in another scope"
    );
    assert_eq!(world.orchestrator("c-m").await.scope, "a");
    world.tries_to_register(body.clone(), 2).await.unwrap();
    assert_eq!(world.orchestrator("c-m").await.scope, "b");
    let again = world.tries_to_register_within(body, Some("b"), 3).await.unwrap();
    assert!(!again.is_new);
}

#[tokio::test]
async fn the_first_registration_of_a_scope_takes_its_only_first_key() {
    let world = World::new().await;
    assert!(world.registers("m1", "s", 0).await.is_key_issued);
    assert!(!world.registers("m1", "s", 1).await.is_key_issued);
    assert!(!world.registers("m2", "s", 2).await.is_key_issued);
    // A machine that moves into a scope without a key takes that scope's.
    let moved = world.registers("m1", "t", 3).await;
    assert!(!moved.is_new && moved.is_key_issued);
}

#[tokio::test]
async fn a_scope_whose_keys_are_revoked_has_had_its_first_key() {
    let world = World::new().await;
    let key = world.issues("h", "s", None, 0).await;
    world.store.revoke_key(&key.id, Millis(START)).await.unwrap();
    assert!(!world.registers("m", "s", 1).await.is_key_issued);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_first_registrations_at_once_one_gets_the_key() {
    let world = Arc::new(World::new().await);
    let tasks: Vec<_> = (0..16)
        .map(|machine| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.registers(&machine.to_string(), "s", 0).await })
        })
        .collect();
    let mut keys = 0;
    for task in tasks {
        let outcome = task.await.unwrap();
        assert!(outcome.is_new);
        keys += usize::from(outcome.is_key_issued);
    }
    assert_eq!(keys, 1);
    assert_eq!(world.store.list_keys(Some("s"), PAGE).await.unwrap().total, 1);
}

#[tokio::test]
async fn a_heartbeat_moves_the_clock_and_revives_only_the_offline() {
    let world = World::new().await;
    world.registers("m", "s", 0).await;
    let after = [
        (Status::Active, Status::Active),
        (Status::Offline, Status::Active),
        (Status::Maintenance, Status::Maintenance),
    ];
    for (number, (before, after)) in (1..).zip(after) {
        world.store.set_orchestrator_status("c-m", None, before).await.unwrap();
        let now = Millis(START + number);
        assert_eq!(world.store.note_heartbeat("c-m", None, now).await.unwrap(), now);
        let found = world.orchestrator("c-m").await;
        assert_eq!((found.status, found.last_heartbeat), (after, now));
    }
}

#[tokio::test]
async fn an_orchestrator_of_another_scope_is_not_found() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    for (id, within) in [("c-m", Some("b")), ("nobody", None)] {
        let store = &world.store;
        let texts = [
            refusal(store.get_orchestrator(id, within).await),
            refusal(store.note_heartbeat(id, within, Millis(START)).await),
            refusal(store.set_orchestrator_status(id, within, Status::Offline).await),
        ];
        assert_eq!(texts, ["Orchestrator not found"; 3]);
    }
    assert_eq!(world.orchestrator("c-m").await.status, Status::Active);
    assert!(world.store.get_orchestrator("c-m", Some("a")).await.is_ok());
}

#[tokio::test]
async fn orchestrators_are_listed_by_their_last_heartbeat() {
    let world = World::new().await;
    for (ms, machine) in [(0, "old"), (20, "new"), (10, "mid")] {
        world.registers(machine, "a", ms).await;
    }
    let all = Filter::default();
    assert_eq!(world.lists(all.clone()).await, ["c-new", "c-mid", "c-old"]);
    world.store.note_heartbeat("c-old", None, Millis(START + 30)).await.unwrap();
    assert_eq!(world.lists(all).await, ["c-old", "c-new", "c-mid"]);
}

#[tokio::test]
async fn the_list_of_orchestrators_is_filtered_by_scope_cluster_and_status() {
    let world = World::new().await;
    for (cluster, machine, scope, status) in [
        ("c", "1", "a", Status::Active),
        ("c", "2", "a", Status::Offline),
        ("d", "3", "a", Status::Maintenance),
        ("c", "4", "b", Status::Active),
    ] {
        let body = json!({"cluster": cluster, "machine_id": machine, "scope": scope});
        let id = world.tries_to_register(body, 0).await.unwrap().orchestrator.id;
        world.store.set_orchestrator_status(&id, None, status).await.unwrap();
    }
    let filter = |scope: &str, cluster: &str, statuses: &[&str]| Filter {
        scope: (!scope.is_empty()).then(|| scope.to_owned()),
        cluster: (!cluster.is_empty()).then(|| cluster.to_owned()),
        statuses: statuses.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(world.lists(filter("", "", &[])).await, ["c-1", "c-2", "c-4", "d-3"]);
    assert_eq!(world.lists(filter("a", "", &[])).await, ["c-1", "c-2", "d-3"]);
    assert_eq!(world.lists(filter("a", "c", &[])).await, ["c-1", "c-2"]);
    assert_eq!(world.lists(filter("", "c", &["active"])).await, ["c-1", "c-4"]);
    assert_eq!(world.lists(filter("a", "", &["offline", "maintenance"])).await, ["c-2", "d-3"]);
    assert!(world.lists(filter("", "", &["banana"])).await.is_empty());
}

#[tokio::test]
async fn only_active_orchestrators_that_fell_silent_are_marked_offline() {
    let world = World::new().await;
    for (machine, ms) in [("silent", 0), ("edge", 10), ("heard", 20), ("resting", 0)] {
        world.registers(machine, "s", ms).await;
    }
    world.store.set_orchestrator_status("c-resting", None, Status::Maintenance).await.unwrap();
    let since = Millis(START + 10);
    assert_eq!(world.store.mark_offline(since).await.unwrap(), ["c-silent"]);
    assert!(world.store.mark_offline(since).await.unwrap().is_empty());
    assert_eq!(world.orchestrator("c-silent").await.status, Status::Offline);
    assert_eq!(world.orchestrator("c-edge").await.status, Status::Active);
    assert_eq!(world.orchestrator("c-resting").await.status, Status::Maintenance);
}

// Keys.

#[tokio::test]
async fn a_key_is_found_by_its_hash_in_whatever_state_it_is() {
    let world = World::new().await;
    assert_eq!(world.store.find_key("h").await.unwrap(), None);
    let grant =
        Grant { scope: "s".into(), label: Some("ci".into()), expires_at: Some(Millis(START + 1)) };
    let issued = world.store.issue_key("h", &grant, world.at(0)).await.unwrap();
    assert!(issued.id.starts_with("key-"), "{}", issued.id);
    assert_eq!((&*issued.scope, issued.label.as_deref()), ("s", Some("ci")));
    assert_eq!((issued.created_at, issued.expires_at), (Millis(START), Some(Millis(START + 1))));
    assert_eq!((issued.last_used_at, issued.revoked_at), (None, None));
    assert_eq!(world.key("h").await, issued);
    let revoked = world.store.revoke_key(&issued.id, Millis(START + 5)).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(Millis(START + 5)));
    assert_eq!(world.key("h").await, revoked);
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_at_most_once_a_minute() {
    let world = World::new().await;
    let id = world.issues("h", "s", None, 0).await.id;
    for (ms, noted) in [(5, 5), (MINUTE, 5), (MINUTE + 5, MINUTE + 5)] {
        world.store.touch_key(&id, Millis(START + ms)).await.unwrap();
        assert_eq!(world.key("h").await.last_used_at, Some(Millis(START + noted)), "{ms}");
    }
}

#[tokio::test]
async fn revoking_twice_keeps_the_first_time() {
    let world = World::new().await;
    let id = world.issues("h", "s", None, 0).await.id;
    world.store.revoke_key(&id, Millis(START + 1)).await.unwrap();
    let again = world.store.revoke_key(&id, Millis(START + 2)).await.unwrap();
    assert_eq!(again.revoked_at, Some(Millis(START + 1)));
    let unknown = world.store.revoke_key("key-0", Millis(START)).await;
    assert_eq!(refusal(unknown), "API key not found");
}

#[tokio::test]
async fn keys_are_listed_by_scope_in_pages() {
    let world = World::new().await;
    let mut own = Vec::new();
    for (hash, scope) in [("1", "a"), ("2", "b"), ("3", "a"), ("4", "a")] {
        let key = world.issues(hash, scope, None, hash.parse().unwrap()).await;
        if scope == "a" {
            own.push(key.id);
        }
    }
    let a = world.store.list_keys(Some("a"), PAGE).await.unwrap();
    assert_eq!((ids(&a.items), a.total), (own.iter().map(|id| &**id).collect(), 3));
    let page = Page { limit: 1, offset: 1 };
    let second = world.store.list_keys(Some("a"), page).await.unwrap();
    assert_eq!((ids(&second.items), second.total), (vec![&*own[1]], 3));
    let all = world.store.list_keys(None, PAGE).await.unwrap();
    assert_eq!((all.items.len(), all.total), (4, 4));
}

#[tokio::test]
async fn a_holder_replaces_the_key_it_came_with_and_no_other() {
    let world = World::new().await;
    let mine = world.issues("mine", "s", Some("laptop"), 0).await;
    let other = world.issues("other", "s", Some("ci"), 1).await;
    let new = world.store.rotate_key("s", Some(&mine.id), "new", world.at(9)).await.unwrap();
    assert_eq!((new.label.as_deref(), new.expires_at), (Some("laptop"), None));
    assert_eq!(world.key("new").await, new);
    assert_eq!(world.key("mine").await.revoked_at, Some(Millis(START + 9)));
    assert_eq!(world.key("other").await, other);
}

#[tokio::test]
async fn a_rotation_keeps_the_expiry() {
    let world = World::new().await;
    let end = Some(Millis(START + MINUTE));
    let grant = Grant { scope: "s".into(), label: None, expires_at: end };
    let old = world.store.issue_key("old", &grant, world.at(0)).await.unwrap();
    let new = world.store.rotate_key("s", Some(&old.id), "new", world.at(1)).await.unwrap();
    assert_eq!(new.expires_at, end);
}

#[tokio::test]
async fn the_administrator_replaces_all_live_keys_of_the_scope() {
    let world = World::new().await;
    let revoked = world.issues("revoked", "s", None, 0).await;
    world.store.revoke_key(&revoked.id, Millis(START)).await.unwrap();
    world.issues("first", "s", Some("first"), 1).await;
    world.issues("last", "s", Some("last"), 2).await;
    let foreign = world.issues("foreign", "t", None, 3).await;
    let new = world.store.rotate_key("s", None, "new", world.at(9)).await.unwrap();
    assert_eq!(new.label.as_deref(), Some("last"));
    assert_eq!(world.key("new").await.revoked_at, None);
    for (hash, at) in [("revoked", 0), ("first", 9), ("last", 9)] {
        assert_eq!(world.key(hash).await.revoked_at, Some(Millis(START + at)), "{hash}");
    }
    assert_eq!(world.key("foreign").await, foreign);
}

#[tokio::test]
async fn there_must_be_a_live_key_to_rotate() {
    let world = World::new().await;
    let text = "No API key found for this scope";
    assert_eq!(refusal(world.store.rotate_key("s", None, "new", world.at(0)).await), text);
    let grant = Grant { scope: "s".into(), label: None, expires_at: Some(Millis(START + 5)) };
    let expired = world.store.issue_key("h", &grant, world.at(0)).await.unwrap();
    let late = world.store.rotate_key("s", Some(&expired.id), "new", world.at(5)).await;
    assert_eq!(refusal(late), text);
    // A key of another scope is none of this scope's.
    let foreign = world.issues("f", "t", None, 0).await;
    let foreign = world.store.rotate_key("s", Some(&foreign.id), "new", world.at(0)).await;
    assert_eq!(refusal(foreign), text);
    assert_eq!(world.store.find_key("new").await.unwrap(), None);
}

#[tokio::test]
async fn of_two_rotations_with_one_key_the_second_finds_none() {
    let world = World::new().await;
    let old = world.issues("old", "s", None, 0).await;
    world.store.rotate_key("s", Some(&old.id), "new", world.at(1)).await.unwrap();
    let again = world.store.rotate_key("s", Some(&old.id), "newer", world.at(2)).await;
    assert_eq!(refusal(again), "No API key found for this scope");
    assert_eq!(world.key("new").await.revoked_at, None);
}

// Roles.

#[tokio::test]
async fn roles_belong_to_the_scope_of_their_orchestrator() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    let roles = json!([{"name": "review", "claims_from": "provisional", "description": "Reads"},
        {"name": "implement"}]);
    let own = world.registers_roles("c-m", roles, 1).await;
    let implement = Role {
        name: "implement".into(),
        description: None,
        claims_from: "incoming".into(),
        orchestrator_id: "c-m".into(),
        created_at: Millis(START + 1),
        scope: "a".into(),
    };
    assert_eq!(own[0], implement);
    assert_eq!((&*own[1].name, &*own[1].claims_from), ("review", "provisional"));
    assert_eq!(own[1].description.as_deref(), Some("Reads"));
    assert_eq!(world.store.list_roles(Some("a")).await.unwrap(), own);
    assert!(world.store.list_roles(Some("b")).await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_registers_a_role_last_has_it_and_the_rest_stay() {
    let world = World::new().await;
    world.registers("m", "s", 0).await;
    world.registers("n", "s", 0).await;
    world.registers_roles("c-m", json!([{"name": "a"}, {"name": "b"}]), 1).await;
    let own = world.registers_roles("c-n", json!([{"name": "a", "claims_from": "x"}]), 2).await;
    assert_eq!(own.len(), 1);
    assert_eq!((&*own[0].claims_from, own[0].created_at), ("x", Millis(START + 2)));
    let left = world.registers_roles("c-m", json!([]), 3).await;
    assert_eq!(left.iter().map(|role| &*role.name).collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn a_role_of_one_name_may_differ_from_scope_to_scope() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    world.registers("n", "b", 0).await;
    world.registers_roles("c-m", json!([{"name": "review", "claims_from": "a"}]), 1).await;
    world.registers_roles("c-n", json!([{"name": "review", "claims_from": "b"}]), 2).await;
    for (scope, from) in [(Some("a"), "a"), (Some("b"), "b"), (Some("elsewhere"), "b"), (None, "b")]
    {
        let found = world.store.get_role("review", scope).await.unwrap();
        assert_eq!(found.claims_from, from, "{scope:?}");
    }
    assert_eq!(world.store.list_roles(None).await.unwrap().len(), 2);
    assert_eq!(refusal(world.store.get_role("banana", None).await), "Role not found");
}

#[tokio::test]
async fn a_claim_takes_from_where_its_first_role_claims_in_whatever_scope_it_is_registered() {
    let world = World::new().await;
    world.registers("m", "s", 0).await;
    let roles = json!([{"name": "review", "claims_from": "provisional"}]);
    world.registers_roles("c-m", roles, 1).await;
    world.creates("fresh", "t", "incoming").await;
    world.creates("submitted", "t", "provisional").await;
    let claim = json!({"orchestrator_id": "o", "agent_name": "a", "role_filter": "review"});
    let claim: ClaimRequest = parse_body(claim.to_string().as_bytes()).unwrap();
    let claimed = world.store.claim_task("t", &claim, world.at(2)).await.unwrap();
    assert_eq!(claimed.map(|task| task.id).as_deref(), Some("submitted"));
}

#[tokio::test]
async fn only_a_known_orchestrator_registers_roles() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    let roles = json!([{"name": "r"}]);
    let unknown = world.tries_to_register_roles("nobody", roles.clone(), None, 1).await;
    assert_eq!(refusal(unknown), "Orchestrator 'nobody' not found");
    let foreign = world.tries_to_register_roles("c-m", roles, Some("b"), 1).await;
    assert_eq!(refusal(foreign), "Orchestrator 'c-m' not found");
    assert!(world.store.list_roles(None).await.unwrap().is_empty());
}

// Flows.

#[tokio::test]
async fn a_flow_is_returned_as_it_was_given() {
    let world = World::new().await;
    let fields = json!({"description": "d", "child_flow": {"transitions": {"a -> b": {}}}});
    let put = world.puts_flow("s", "f", fields, 0).await;
    assert_eq!((&*put.name, &*put.scope), ("f", "s"));
    assert_eq!(put.states, r#"["incoming","claimed","done","failed","provisional"]"#);
    assert_eq!(put.transitions, r#"[{"from":"claimed","to":"provisional","agent":"reviewer"}]"#);
    assert_eq!(put.description.as_deref(), Some("d"));
    assert_eq!(put.child_flow, json!({"transitions": {"a -> b": {}}}));
    assert_eq!(world.store.get_flow("s", "f").await.unwrap(), put);
}

#[tokio::test]
async fn a_child_flow_keeps_its_kind() {
    let world = World::new().await;
    for child in [json!("name"), json!("{}"), json!({"a": 1}), json!([1]), json!(null), json!("")] {
        let fields = json!({ "child_flow": child });
        assert_eq!(world.puts_flow("s", "f", fields, 0).await.child_flow, child);
        assert_eq!(world.store.get_flow("s", "f").await.unwrap().child_flow, child);
    }
}

#[tokio::test]
async fn putting_a_flow_again_keeps_when_it_was_registered() {
    let world = World::new().await;
    world.puts_flow("s", "f", json!({"description": "d", "child_flow": "c"}), 0).await;
    let again = world.puts_flow("s", "f", json!({"transitions": []}), 5_000).await;
    assert_eq!(again.registered_at, Millis(START));
    assert_eq!(again.updated_at, Millis(START + 5_000));
    assert_eq!((&*again.transitions, again.description), ("[]", None));
    assert_eq!(again.child_flow, Value::Null);
    assert_eq!(world.store.list_flows("s").await.unwrap().len(), 1);
}

#[tokio::test]
async fn flows_are_listed_by_name_and_seen_only_in_their_scope() {
    let world = World::new().await;
    for name in ["b", "a", "default"] {
        world.puts_flow("s", name, json!({}), 0).await;
    }
    world.puts_flow("t", "other", json!({}), 0).await;
    let flows = world.store.list_flows("s").await.unwrap();
    assert_eq!(flows.iter().map(|flow| &*flow.name).collect::<Vec<_>>(), ["a", "b", "default"]);
    assert_eq!(refusal(world.store.get_flow("s", "other").await), "Flow not found");
}

#[tokio::test]
async fn a_deleted_flow_is_gone_from_its_scope_only() {
    let world = World::new().await;
    world.puts_flow("s", "f", json!({}), 0).await;
    world.puts_flow("t", "f", json!({}), 0).await;
    world.store.delete_flow("s", "f").await.unwrap();
    assert_eq!(refusal(world.store.get_flow("s", "f").await), "Flow not found");
    assert_eq!(refusal(world.store.delete_flow("s", "f").await), "Flow not found");
    assert!(world.store.get_flow("t", "f").await.is_ok());
}

// Polls.

#[tokio::test]
async fn a_poll_counts_three_queues_and_shows_what_waits_for_review() {
    let world = World::new().await;
    for (id, queue) in [
        ("1", "incoming"),
        ("2", "incoming"),
        ("3", "provisional"),
        ("4", "done"),
        ("5", "failed"),
        ("6", "elsewhere"),
        ("7", "claimed"),
    ] {
        world.creates(id, "s", queue).await;
    }
    world.creates("8", "t", "incoming").await;
    world.puts_flow("s", "default", json!({}), 0).await;
    world.puts_flow("t", "other", json!({}), 0).await;
    world.registers("m", "s", 0).await;
    let poll = world.store.poll(Some("c-m"), None, None).await.unwrap();
    let expected = json!({
        "queue_counts": {"incoming": 2, "claimed": 1, "provisional": 1},
        "provisional_tasks": [{"id": "3", "hooks": "[]", "pr_number": null, "claimed_by": null}],
        "orchestrator_registered": true,
        "scope": "s",
        "flows": {"default": {"states": ["incoming", "claimed", "done", "failed", "provisional"]}},
    });
    assert_eq!(serde_json::to_value(poll).unwrap(), expected);
}

#[tokio::test]
async fn a_poll_of_an_empty_scope_is_all_zeros() {
    let world = World::new().await;
    let poll = world.store.poll(None, Some("s"), None).await.unwrap();
    let expected = json!({
        "queue_counts": {"incoming": 0, "claimed": 0, "provisional": 0},
        "provisional_tasks": [],
        "orchestrator_registered": false,
        "scope": "s",
        "flows": {},
    });
    assert_eq!(serde_json::to_value(poll).unwrap(), expected);
}

#[tokio::test]
async fn the_scope_of_a_poll_is_the_one_named_or_else_the_orchestrators() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    let poll = world.store.poll(Some("c-m"), Some("b"), None).await.unwrap();
    assert_eq!((&*poll.scope, poll.orchestrator_registered), ("b", true));
    let text = "Missing scope. Provide orchestrator_id (with registered scope) or scope query \
                parameter.";
    for orchestrator in [None, Some("nobody")] {
        assert_eq!(refusal(world.store.poll(orchestrator, None, None).await), text);
    }
}

#[tokio::test]
async fn a_confined_poll_knows_no_orchestrators_of_others() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    let poll = world.store.poll(Some("c-m"), Some("b"), Some("b")).await.unwrap();
    assert!(!poll.orchestrator_registered);
    assert!(world.store.poll(Some("c-m"), None, Some("b")).await.is_err());
}
