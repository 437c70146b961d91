//! Heartbeats: what machines say of themselves, and the leases that they renew.

use octopoid_domain::{
    Millis,
    heartbeat::{Heartbeat, LeaseAnswer, LeaseState, MachineDirective},
    lease::Directive,
    orchestrator::Status,
};
use octopoid_store::{RenewedLease, Result as Answer};
use serde_json::{Value, json};

use crate::{
    Failure, Verdict, World, ensure, ensure_eq, ensure_refused,
    world::{AGENT, LEASE, SCOPE, SECOND, read},
};

cases! {
    a_heartbeat_renews_the_leases_that_it_names,
    a_lease_that_has_expired_is_renewed_until_it_is_taken_back,
    a_lost_lease_harms_no_other,
    an_unknown_machine_renews_nothing,
    leases_of_another_scope_are_lost,
    messages_to_the_agent_are_told_until_it_has_heard_them,
    the_agents_of_a_machine_that_is_drained_are_told_to_finish,
    what_a_machine_says_of_itself_stays_until_it_says_something_else,
    a_plain_heartbeat_changes_no_task,
    a_heartbeat_tells_those_who_watch_what_it_has_renewed,
}

const MACHINE: &str = "c-m";

/// Someone creates a task, and the agent claims it. Returns the token.
async fn leased(world: &World, id: &str) -> Result<String, Failure> {
    world.creates_with(id, json!({ "type": id })).await?;
    claimed(world, json!({ "type_filter": [id] })).await
}

async fn claimed(world: &World, fields: Value) -> Result<String, Failure> {
    let claimed = world.claims_leased(fields).await?;
    Ok(claimed.ok_or_else(|| Failure::new("there is a task"))?.token.to_string())
}

async fn beats(world: &World, body: Value) -> Answer<Heartbeat> {
    beats_as(world, (MACHINE, None), body).await
}

async fn beats_as(
    world: &World,
    (machine, within): (&str, Option<&str>),
    body: Value,
) -> Answer<Heartbeat> {
    let beat = world.store.note_heartbeat(machine, within, &read(&body)?, world.stamp()).await?;
    Ok(beat.answer)
}

fn lease(id: &str, token: &str) -> Value {
    json!({ "task_id": id, "lease_token": token })
}

/// The states of leases in the answer to a heartbeat with them.
async fn states(world: &World, leases: Value) -> Result<Vec<LeaseState>, Failure> {
    let heard = beats(world, json!({ "leases": leases })).await?;
    Ok(heard.leases.unwrap_or_default().iter().map(|lease| lease.state).collect())
}

async fn a_heartbeat_renews_the_leases_that_it_names(world: &World) -> Verdict {
    world.nouns().registers("m", SCOPE, 0).await;
    let (a, b) = (leased(world, "a").await?, leased(world, "b").await?);
    world.hands_in("c").await?;
    let review = claimed(world, json!({ "queue": "provisional" })).await?;
    let other = world.works_on("d").await?;
    let before = world.reads("a").await?;
    world.passes(LEASE - SECOND);
    let mut long = lease("a", &a);
    long["lease_duration_seconds"] = 600.into();
    let body = json!({ "leases": [lease("c", &review), long, lease("b", &b)] });
    let heard = beats(world, body).await?;
    ensure_eq!(heard.last_heartbeat, world.now());
    ensure_eq!(heard.directive, MachineDirective::Continue);
    let expected = [("c", LEASE), ("a", 600 * SECOND), ("b", LEASE)].map(|(id, length)| {
        let until = world.now().plus(length);
        let answer = LeaseAnswer::renewed(until, Directive::Continue, false);
        LeaseAnswer { task_id: Some(id.to_owned()), ..answer }
    });
    ensure_eq!(heard.leases.as_deref(), Some(&expected[..]));
    let mut expected = before;
    expected.claim.expires_at = Some(world.now().plus(600 * SECOND));
    ensure_eq!(world.reads("a").await?, expected, "nothing else changes, not even the version");
    ensure_eq!(world.reads("d").await?, other);
    world.passes(2 * SECOND);
    ensure_eq!(world.reaps().await?, ["d"]);
    Ok(())
}

async fn a_lease_that_has_expired_is_renewed_until_it_is_taken_back(world: &World) -> Verdict {
    world.nouns().registers("m", SCOPE, 0).await;
    let token = leased(world, "a").await?;
    world.passes(LEASE + 1);
    let leases = json!([lease("a", &token)]);
    ensure_eq!(states(world, leases.clone()).await?, [LeaseState::Renewed]);
    world.passes(LEASE + 1);
    world.reaps().await?;
    let lapsed = world.reads("a").await?;
    let heard = beats(world, json!({ "leases": leases })).await?;
    let answer = heard.leases.unwrap_or_default().pop().unwrap_or_default();
    let expected = LeaseAnswer { task_id: Some("a".to_owned()), ..LeaseAnswer::lapsed(false) };
    ensure_eq!(answer, expected);
    ensure_eq!(world.reads("a").await?, lapsed, "a heartbeat resumes nothing");
    world.renews_with("a", json!({ "lease_token": token })).await?;
    ensure_eq!(states(world, leases).await?, [LeaseState::Renewed]);
    Ok(())
}

async fn a_lost_lease_harms_no_other(world: &World) -> Verdict {
    world.nouns().registers("m", SCOPE, 0).await;
    let (good, submitted) = (leased(world, "good").await?, leased(world, "submitted").await?);
    world.submits("submitted").await?;
    let again = leased(world, "again").await?;
    world.requeues("again").await?;
    world.picks("again").await?;
    let held = world.reads("again").await?;
    let unknown = format!("olt_1_{}", "0".repeat(32));
    let leases = json!([
        lease("submitted", &submitted),
        lease("again", &again),
        lease("good", &unknown),
        lease("good", &submitted),
        lease("nothing", &good),
        lease("good", "malformed"),
        { "lease_token": good },
        7,
        lease("good", &good),
        lease("good", &good),
    ]);
    world.passes(SECOND);
    let mut expected = [LeaseState::Lost; 10];
    expected[8..].fill(LeaseState::Renewed);
    ensure_eq!(states(world, leases).await?, expected);
    ensure_eq!(world.reads("again").await?, held);
    let until = world.reads("good").await?.claim.expires_at;
    ensure_eq!(until, Some(world.now().plus(LEASE)));
    Ok(())
}

async fn an_unknown_machine_renews_nothing(world: &World) -> Verdict {
    world.nouns().registers("m", SCOPE, 0).await;
    let token = leased(world, "a").await?;
    let before = world.reads("a").await?;
    world.passes(SECOND);
    let body = json!({ "leases": [lease("a", &token)] });
    for caller in [("nobody", None), (MACHINE, Some("t"))] {
        let refused = beats_as(world, caller, body.clone()).await;
        ensure_refused!(refused, "not_found", "Orchestrator not found");
    }
    let many = json!({ "leases": vec![lease("a", &token); 101] });
    ensure_refused!(beats(world, many).await, "invalid_request");
    ensure_eq!(world.reads("a").await?, before);
    Ok(())
}

async fn leases_of_another_scope_are_lost(world: &World) -> Verdict {
    world.nouns().registers("m", "t", 0).await;
    let token = leased(world, "a").await?;
    let before = world.reads("a").await?;
    world.passes(SECOND);
    let body = json!({ "leases": [lease("a", &token)] });
    let heard = beats_as(world, (MACHINE, Some("t")), body).await?;
    let answer = heard.leases.unwrap_or_default().pop().unwrap_or_default();
    ensure_eq!(answer, LeaseAnswer { task_id: Some("a".to_owned()), ..LeaseAnswer::lost() });
    ensure_eq!(world.reads("a").await?, before);
    Ok(())
}

async fn messages_to_the_agent_are_told_until_it_has_heard_them(world: &World) -> Verdict {
    let nouns = world.nouns();
    nouns.registers("m", SCOPE, 0).await;
    let write = async |task: &str, to: &str, kind: &str| {
        let fields = json!({ "task_id": task, "to_actor": to, "type": kind });
        nouns.writes_message(fields).await.id
    };
    write("a", "agent", "comment").await;
    // The messages above were written before the claim, and those below after it.
    world.passes(SECOND);
    let token = leased(world, "a").await?;
    let leases = json!({ "leases": [lease("a", &token)] });
    let has_messages = async || {
        let heard = beats(world, leases.clone()).await?;
        Ok::<_, Failure>(heard.leases.unwrap_or_default().iter().any(|lease| lease.has_messages))
    };
    ensure!(!has_messages().await?, "before the claim");
    let late = async |to: &str, kind: &str| {
        let message = read::<octopoid_domain::message::NewMessage>(&json!({
            "task_id": "a", "from_actor": "human", "to_actor": to, "type": kind, "content": "c",
            "scope": SCOPE,
        }))?;
        let stamp = world.stamp();
        let message = message.into_message(None, stamp.now)?;
        Ok::<_, Failure>(world.store.create_message(message, stamp).await?.id)
    };
    late("human", "comment").await?;
    late("agent", "action_command").await?;
    ensure!(!has_messages().await?, "none to the agent");
    for to in ["agent", AGENT] {
        let id = late(to, "comment").await?;
        ensure!(has_messages().await?, "one to {to}");
        let renewed = world.renews_with("a", json!({ "lease_token": token })).await?;
        ensure_eq!(renewed.messages.last().map(|message| &message.id), Some(&id));
        ensure!(has_messages().await?, "the agent has not confirmed it");
        let body = json!({ "lease_token": token, "messages_after": id });
        ensure_eq!(world.renews_with("a", body).await?.messages, []);
        ensure!(!has_messages().await?, "now it has");
    }
    Ok(())
}

async fn the_agents_of_a_machine_that_is_drained_are_told_to_finish(world: &World) -> Verdict {
    let nouns = world.nouns();
    nouns.registers("m", SCOPE, 0).await;
    let (a, b) = (leased(world, "a").await?, leased(world, "b").await?);
    world.cancels("b").await?;
    let body = json!({ "leases": [lease("a", &a), lease("b", &b)] });
    for (status, machine, directive) in [
        (Status::Active, MachineDirective::Continue, Directive::Continue),
        (Status::Draining, MachineDirective::Drain, Directive::WrapUp),
        (Status::Active, MachineDirective::Continue, Directive::Continue),
    ] {
        world.store.set_orchestrator_status(MACHINE, None, status, world.stamp()).await?;
        let heard = beats(world, body.clone()).await?;
        ensure_eq!(heard.directive, machine);
        let directives = heard.leases.unwrap_or_default();
        let directives: Vec<_> = directives.iter().map(|lease| lease.directive).collect();
        ensure_eq!(directives, [Some(directive), Some(Directive::Stop)]);
        ensure_eq!(nouns.orchestrator(MACHINE).await.status, status);
    }
    Ok(())
}

async fn what_a_machine_says_of_itself_stays_until_it_says_something_else(
    world: &World,
) -> Verdict {
    let nouns = world.nouns();
    let registered = nouns.registers("m", SCOPE, 0).await.orchestrator;
    ensure_eq!((&registered.slots, &registered.roles), (&None, &Value::Null));
    let body = json!({ "slots": 4, "busy": 1, "roles": ["implement"], "queues": ["incoming"],
        "pools": "anthropic", "version": "2" });
    beats(world, body).await?;
    let machine = nouns.orchestrator(MACHINE).await;
    ensure_eq!((machine.slots, machine.busy), (Some(4), Some(1)));
    let lists = (&machine.roles, &machine.queues, &machine.pools);
    let expected = (&json!(["implement"]), &json!(["incoming"]), &json!(["anthropic"]));
    ensure_eq!(lists, expected);
    ensure_eq!(machine.version.as_deref(), Some("2"));
    beats(world, json!({ "busy": 0, "roles": [] })).await?;
    let again = nouns.orchestrator(MACHINE).await;
    ensure_eq!((again.slots, again.busy), (Some(4), Some(0)));
    ensure_eq!((&again.roles, &again.queues), (&json!([]), &machine.queues));
    Ok(())
}

async fn a_plain_heartbeat_changes_no_task(world: &World) -> Verdict {
    let nouns = world.nouns();
    nouns.registers("m", SCOPE, 0).await;
    let before = world.works_on("a").await?;
    world.passes(SECOND);
    let heard = beats(world, json!({})).await?;
    ensure_eq!(heard.leases, None);
    ensure_eq!(beats(world, json!({ "leases": [] })).await?.leases, Some(Vec::new()));
    ensure_eq!(world.reads("a").await?, before);
    let machine = nouns.orchestrator(MACHINE).await;
    ensure_eq!(machine.last_heartbeat, Millis(world.now().0));
    Ok(())
}

async fn a_heartbeat_tells_those_who_watch_what_it_has_renewed(world: &World) -> Verdict {
    world.nouns().registers("m", SCOPE, 0).await;
    let (a, lapsed) = (leased(world, "a").await?, leased(world, "lapsed").await?);
    world.patches("lapsed", json!({ "lease_expires_at": 1_700_000_000_000_i64 })).await?;
    world.reaps().await?;
    world.creates_with("theirs", json!({ "scope": "other" })).await?;
    let request = read(&json!({ "agent_name": AGENT, "orchestrator_id": MACHINE }))?;
    let (secret, stamp) = (world.secret(), world.stamp());
    let theirs = world.store.claim_task("other", None, &request, &secret, stamp).await?;
    let theirs = theirs.map(|claimed| claimed.token.to_string()).unwrap_or_default();
    let leases = json!([lease("theirs", &theirs), lease("lapsed", &lapsed), lease("a", &a)]);
    let body = read(&json!({ "slots": 4, "busy": 2, "leases": leases }))?;
    let beat = world.store.note_heartbeat(MACHINE, None, &body, world.stamp()).await?;
    let said = (&*beat.scope, beat.status, beat.slots, beat.busy);
    ensure_eq!(said, (SCOPE, Status::Active, Some(4), Some(2)), "of the machine");
    let renewed = [("theirs", "other"), ("a", SCOPE)].map(|(id, scope)| RenewedLease {
        task_id: id.to_owned(),
        run: 1,
        scope: scope.to_owned(),
        lease_expires_at: world.now().plus(LEASE),
    });
    ensure_eq!(beat.renewed, renewed, "each in its own scope");
    let plain = read(&json!({}))?;
    let beat = world.store.note_heartbeat(MACHINE, None, &plain, world.stamp()).await?;
    ensure_eq!((beat.slots, beat.renewed.len()), (Some(4), 0), "what was said before stays");
    Ok(())
}
