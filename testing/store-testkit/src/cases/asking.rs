//! Questions about tasks: what they hold, and who gets their answers.

use octopoid_domain::action::{Action, NewAction, Outcome};
use octopoid_store::{actions, lists::Page};
use serde_json::{Value, json};

use super::failing::{claims, fails, leased};
use crate::{
    Failure, Verdict, World, ensure, ensure_eq,
    world::{SCOPE, read},
};

cases! {
    a_question_holds_the_task_until_it_is_answered,
    a_task_waits_for_all_questions_about_it,
    a_task_goes_on_however_its_last_question_ends,
    an_answer_is_given_once,
    an_answer_before_the_first_claim_is_given_to_it,
}

/// The open questions and other actions.
pub(super) async fn questions(world: &World) -> Result<Vec<Action>, Failure> {
    let filter = actions::Filter {
        scope: SCOPE.to_owned(),
        status: Some("proposed".to_owned()),
        ..actions::Filter::default()
    };
    let listed = world.store.list_actions(&filter, &Page::first(10), world.now()).await?;
    Ok(listed.items)
}

/// The only open question.
async fn question(world: &World) -> Result<Action, Failure> {
    match &*questions(world).await? {
        [question] => Ok(question.clone()),
        found => Err(Failure::new(format!("one question is open: {found:?}"))),
    }
}

/// Somebody asks about a task.
async fn asks(world: &World, task: &str) -> Result<Action, Failure> {
    let question = json!({
        "entity_type": "task", "entity_id": task, "action_type": "question", "label": "And?",
        "proposed_by": "person", "scope": SCOPE,
    });
    let question: NewAction = read(&question)?;
    let question = question.into_action(None, world.now())?;
    Ok(world.store.create_action(question, world.stamp()).await?)
}

async fn ends(world: &World, action: &str, outcome: Outcome, body: Value) -> Verdict {
    let body = read(&body)?;
    world.store.end_action(action, None, outcome, body, world.stamp()).await?;
    Ok(())
}

async fn answers(world: &World, action: &str, body: Value) -> Verdict {
    ends(world, action, Outcome::Completed, body).await
}

async fn patches(world: &World, action: &str, patch: Value) -> Verdict {
    world.store.update_action(action, None, read(&patch)?, world.stamp()).await?;
    Ok(())
}

async fn a_question_holds_the_task_until_it_is_answered(world: &World) -> Verdict {
    world.creates_with("a", json!({ "type": "a", "blocked_by": null })).await?;
    let claimed = claims(world, "a").await?;
    let body = json!({ "reason": "needs_input", "message": "Which one?\nThe red or the blue?" });
    let task = fails(world, &claimed, body).await?;
    ensure_eq!((&*task.queue, task.blocked_by.as_deref()), ("incoming", Some("awaiting-input")));
    ensure!(task.needs_intervention && world.claims().await?.is_none());
    let question = question(world).await?;
    ensure_eq!((&*question.entity_id, &*question.action_type), ("a", "question"));
    ensure_eq!(question.label, "Which one?");
    ensure_eq!(question.description.as_deref(), Some("Which one?\nThe red or the blue?"));
    answers(world, &question.id, json!({ "result": "the red", "by": "ada" })).await?;
    let task = world.reads("a").await?;
    ensure_eq!((task.blocked_by.as_deref(), task.needs_intervention), (None, false));
    let next = claims(world, "a").await?;
    let [feedback] = &*next.before.feedback else {
        return Err(Failure::new("the answer is given to the next agent"));
    };
    ensure_eq!((&*feedback.kind, &*feedback.by, &*feedback.text), ("answer", "ada", "the red"));
    Ok(())
}

async fn a_task_waits_for_all_questions_about_it(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    fails(world, &claimed, json!({ "reason": "blocked" })).await?;
    let another = asks(world, "a").await?;
    answers(world, &another.id, json!({})).await?;
    ensure_eq!(world.reads("a").await?.blocked_by.as_deref(), Some("awaiting-input"));
    answers(world, &question(world).await?.id, json!({})).await?;
    ensure_eq!(world.reads("a").await?.blocked_by, None);
    Ok(())
}

async fn a_task_goes_on_however_its_last_question_ends(world: &World) -> Verdict {
    for way in ["fail", "completed", "failed", "expired"] {
        let claimed = leased(world, way).await?;
        fails(world, &claimed, json!({ "reason": "blocked" })).await?;
        let first = question(world).await?;
        let last = asks(world, way).await?;
        answers(world, &first.id, json!({ "result": "yes", "by": "ada" })).await?;
        patches(world, &last.id, json!({ "status": "executing" })).await?;
        ensure!(world.reads(way).await?.blocked_by.is_some(), "{way}: a question is open");
        match way {
            "fail" => ends(world, &last.id, Outcome::Failed, json!({ "by": "bob" })).await?,
            status => patches(world, &last.id, json!({ "status": status })).await?,
        }
        let task = world.reads(way).await?;
        ensure_eq!((task.blocked_by, task.needs_intervention), (None, false), "{way}");
        ensure_eq!(world.events(way).await?.last().map(String::as_str), Some("unblocked"), "{way}");
        let next = claims(world, way).await?;
        let told: Vec<_> =
            next.before.feedback.iter().map(|told| (&*told.by, &*told.text)).collect();
        let closed = "The question was closed without an answer";
        let last = match way {
            "fail" => ("bob", closed),
            "completed" => ("human", ""),
            _ => ("human", closed),
        };
        ensure_eq!(told, [last, ("ada", "yes")], "{way}");
    }
    Ok(())
}

async fn an_answer_is_given_once(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    fails(world, &claimed, json!({ "reason": "blocked" })).await?;
    let question = question(world).await?;
    for result in ["red", "rather blue"] {
        // The second time it only corrects the result of the action.
        let patch = json!({ "status": "completed", "result": result });
        patches(world, &question.id, patch).await?;
    }
    let next = claims(world, "a").await?;
    let told: Vec<_> = next.before.feedback.iter().map(|told| &*told.text).collect();
    ensure_eq!(told, ["red"]);
    Ok(())
}

async fn an_answer_before_the_first_claim_is_given_to_it(world: &World) -> Verdict {
    for id in ["a", "b"] {
        world.creates_with(id, json!({ "type": id })).await?;
    }
    let question = asks(world, "a").await?;
    answers(world, &question.id, json!({ "result": "the red", "by": "ada" })).await?;
    for (id, expected) in [("a", &["the red"][..]), ("b", &[])] {
        let first = claims(world, id).await?;
        let told: Vec<_> = first.before.feedback.iter().map(|told| &*told.text).collect();
        ensure_eq!(told, expected, "{id}");
        ensure!(first.before.previous.is_none() && first.before.checkpoint.is_none());
    }
    Ok(())
}
