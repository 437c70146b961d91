//! What a registered flow allows and forbids.

use octopoid_domain::Task;
use serde_json::json;

use crate::{
    Verdict, World, ensure_eq, ensure_refused, setting::Flow, verdict::code, world::SCOPE,
};

cases! {
    a_flow_allows_the_steps_it_lists,
    a_flow_forbids_the_steps_it_does_not_list,
    a_flow_allows_what_nobody_would_have_without_it,
    a_task_follows_its_own_flow,
    a_task_without_a_flow_follows_the_default_one,
    a_flow_of_another_scope_has_no_say,
    a_flow_that_nobody_registered_has_no_say,
    the_tasks_of_a_project_may_also_take_the_child_flows_steps,
    a_flow_may_end_at_the_queue_it_began,
    releasing_asks_no_flow,
}

/// A flow of its own name, in which only a polished task may be accepted or sent back.
const POLISH: Flow<'_> = Flow {
    scope: SCOPE,
    name: "polish",
    states: &["polish"],
    steps: &[("polish", "done"), ("polish", "incoming")],
    child_steps: &[],
};

/// Puts a task of this flow into a queue.
async fn puts(world: &World, id: &str, flow: &str, queue: &str) -> octopoid_store::Result<Task> {
    let fields = json!({ "flow": flow, "queue": queue });
    world.creates_with(id, fields).await
}

async fn a_flow_allows_the_steps_it_lists(world: &World) -> Verdict {
    world.registers(Flow::default()).await?;
    for id in ["accepted", "rejected", "requeued"] {
        world.hands_in(id).await?;
    }
    ensure_eq!(world.accepts("accepted").await?.queue, "done", "accept");
    ensure_eq!(world.rejects("rejected").await?.queue, "incoming", "reject");
    ensure_eq!(world.requeues("requeued").await?.queue, "incoming", "requeue");
    Ok(())
}

/// The same steps from `claimed` are allowed as long as no flow is registered.
async fn a_flow_forbids_the_steps_it_does_not_list(world: &World) -> Verdict {
    world.registers(Flow::default()).await?;
    let held = world.works_on("a").await?;
    let no = |verb: &str, to: &str| {
        format!(
            "Failed to {verb} task: Invalid transition: \
             flow \"default\" does not allow claimed \u{2192} {to}"
        )
    };
    ensure_refused!(world.accepts("a").await, "wrong_state", no("accept", "done"));
    ensure_refused!(world.rejects("a").await, "wrong_state", no("reject", "incoming"));
    ensure_refused!(world.requeues("a").await, "wrong_state", no("requeue", "incoming"));
    ensure_eq!(world.reads("a").await?, held, "it stays as it was");
    Ok(())
}

async fn a_flow_allows_what_nobody_would_have_without_it(world: &World) -> Verdict {
    world.registers(POLISH).await?;
    for id in ["a", "b", "c"] {
        puts(world, id, "polish", "polish").await?;
    }
    ensure_eq!(world.accepts("a").await?.queue, "done", "accept from polish");
    ensure_eq!(world.rejects("b").await?.queue, "incoming", "reject from polish");
    ensure_eq!(world.requeues("c").await?.queue, "incoming", "requeue from polish");
    Ok(())
}

async fn a_task_follows_its_own_flow(world: &World) -> Verdict {
    world.registers(Flow::default()).await?;
    world.registers(POLISH).await?;
    puts(world, "a", "polish", "claimed").await?;
    world.forces("a", "polish").await?;
    let answer = world.forces("a", "provisional").await;
    ensure_refused!(answer, "invalid_queue");
    world.patches("a", json!({ "flow": "default" })).await?;
    ensure_refused!(world.accepts("a").await, "wrong_state");
    world.forces("a", "provisional").await?;
    world.accepts("a").await?;
    Ok(())
}

async fn a_task_without_a_flow_follows_the_default_one(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.patches("a", json!({ "flow": null })).await?;
    world.registers(Flow::default()).await?;
    ensure_refused!(world.accepts("a").await, "wrong_state");
    Ok(())
}

async fn a_flow_of_another_scope_has_no_say(world: &World) -> Verdict {
    world.registers(Flow { scope: "other", ..Flow::default() }).await?;
    world.works_on("a").await?;
    world.accepts("a").await?;
    Ok(())
}

async fn a_flow_that_nobody_registered_has_no_say(world: &World) -> Verdict {
    world.registers(Flow::default()).await?;
    puts(world, "a", "unknown", "claimed").await?;
    world.accepts("a").await?;
    puts(world, "b", "unknown", "anything").await?;
    ensure_refused!(world.accepts("b").await, "wrong_state");
    Ok(())
}

async fn the_tasks_of_a_project_may_also_take_the_child_flows_steps(world: &World) -> Verdict {
    let children = Flow {
        child_steps: &[("claimed", "done"), ("claimed", "children_complete")],
        ..Flow::default()
    };
    world.registers(children).await?;
    world.makes_project("p", "b", Some(SCOPE)).await?;
    for (id, project) in [("inside", Some("p")), ("outside", None)] {
        let fields = json!({ "project_id": project, "queue": "claimed" });
        world.creates_with(id, fields).await?;
    }
    ensure_refused!(world.accepts("outside").await, "wrong_state");
    let answer = world.forces("outside", "children_complete").await;
    ensure_refused!(answer, "invalid_queue");
    world.forces("inside", "children_complete").await?;
    ensure_refused!(world.accepts("inside").await, "wrong_state");
    world.forces("inside", "claimed").await?;
    ensure_eq!(world.accepts("inside").await?.queue, "done", "by the child flow");
    // The flow's own steps stay open to it.
    world.forces("inside", "provisional").await?;
    world.accepts("inside").await?;
    Ok(())
}

async fn a_flow_may_end_at_the_queue_it_began(world: &World) -> Verdict {
    let circle = Flow { steps: &[("done", "done")], ..Flow::default() };
    world.registers(circle).await?;
    world.creates_with("a", json!({ "queue": "done" })).await?;
    let again = world.accepts("a").await?;
    ensure_eq!(again.queue, "done", "it is still done");
    ensure_eq!(again.completed_at, Some(world.now()), "and finished now");
    Ok(())
}

async fn releasing_asks_no_flow(world: &World) -> Verdict {
    let strict = Flow { steps: &[], ..Flow::default() };
    world.registers(strict).await?;
    world.works_on("a").await?;
    ensure_eq!(code(&world.requeues("a").await), Some("wrong_state"), "nobody may put it back");
    world.passes(crate::world::LEASE + 1);
    ensure_eq!(world.reaps().await?, ["a"], "but the reaper does");
    ensure_eq!(world.reads("a").await?.queue, "incoming", "the queue");
    Ok(())
}
