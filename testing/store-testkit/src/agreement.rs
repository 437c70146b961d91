//! A program is run against the store and the model side by side.

mod journal;

use std::collections::BTreeMap;

use octopoid_domain::{
    Task,
    action::{EndAction, Outcome, QUESTION},
    decide::Request,
};
use octopoid_store::{
    Result, StoreError,
    engine::{Row as Found, Value as Cell},
    lists::Filter,
};
use serde_json::{Value, json};

use crate::{
    Verdict as Checked, World, audit, ensure, ensure_eq,
    model::{Answer, Model, Row, Run, STATES, STEPS, STRICT},
    program::{Caller, Claim, Create, Fail, IDS, Patch, SCOPES, Step, Token, Verdict},
    setting::Flow,
    world::{MACHINE, read},
};

/// What the model knows of runs, in its order.
const RUNS: &str = "SELECT task_id, run, scope, attempt, kind, source, agent, started_at, ended_at, \
     outcome, ended_by, reason FROM runs ORDER BY task_id, run";

/// The open questions, by task and age.
const QUESTIONS: &str = "SELECT id, entity_id FROM actions WHERE action_type = ?1 \
     AND status = 'proposed' ORDER BY entity_id, seq";

/// A token that was never given to anyone.
const UNKNOWN: &str = "olt_1_00000000000000000000000000000000";

/// The tokens of each id, the oldest first. The server keeps none of them.
type Tokens = BTreeMap<String, Vec<String>>;

/// Runs a program against the store and the model, and says where they part.
pub async fn agree(world: &World, program: &[Step]) -> Checked {
    agree_in_turn(&[world], program).await
}

/// The same where two of three steps are taken by one store and the third by another on the same
/// database, so that what one has kept was changed by the other.
pub async fn agree_with_two(world: &World, program: &[Step]) -> Checked {
    agree_in_turn(&[world, world, &world.beside()], program).await
}

async fn agree_in_turn(worlds: &[&World], program: &[Step]) -> Checked {
    let mut turns = worlds.iter().cycle();
    let mut next = || *turns.next().expect("there is a world");
    let world = next();
    for scope in SCOPES {
        let flow = Flow { scope, name: STRICT, states: &STATES, steps: &STEPS, ..Flow::default() };
        world.registers(flow).await?;
    }
    let (mut model, mut tokens) = (Model::default(), Tokens::new());
    let mut last = IDS[0];
    for (number, step) in program.iter().enumerate() {
        let step = &step.about(last);
        let answer = answer(next(), &mut tokens, step).await?;
        let mut expected = model.run(step);
        if let (Step::Claim(_), Answer::Task(row)) = (step, &expected) {
            last = IDS.into_iter().find(|id| *id == row.id).unwrap_or(last);
        }
        let place = format!("after step {number}, {step:?}");
        let rows = rows(world).await?;
        let is_right = model.settles(&mut expected, &rows);
        ensure!(is_right, "a delay ends within its bounds {place}: {rows:?}");
        ensure_eq!(answer, expected, "the answer {place}");
        ensure_eq!(model.strays(), Vec::new(), "who runs without a lease {place}");
        ensure_eq!(rows, model.rows(), "the tasks {place}");
        ensure_eq!(runs(world).await?, model.runs(), "the runs {place}");
        let open: Vec<_> = questions(world).await?.into_iter().map(|(_, task)| task).collect();
        ensure_eq!(open, model.open_questions(), "what questions are about {place}");
        for scope in SCOPES {
            for queue in ["done", "failed", "cancelled", "incoming"] {
                let counted = count(world, scope, queue).await?;
                let expected = model.count(scope, queue);
                ensure_eq!(counted, expected, "how many are {queue} in {scope} {place}");
            }
        }
    }
    let rows: BTreeMap<_, _> = model.rows().into_iter().map(|row| (row.id.clone(), row)).collect();
    for id in IDS {
        let history = world.history(id).await?;
        let told: Vec<_> = history.iter().map(|event| (&*event.event, &event.agent)).collect();
        let expected = model.history.get(id).map(Vec::as_slice).unwrap_or_default();
        let expected: Vec<_> = expected.iter().map(|(event, agent)| (*event, agent)).collect();
        ensure_eq!(told, expected, "the history of {id}");
        let queue = rows.get(id).map(|row| row.queue.clone());
        ensure_eq!(journal::replay(world, id).await?, queue, "where its history leads {id}");
    }
    audit::check(world).await
}

/// Does a step on the store.
async fn answer(world: &World, tokens: &mut Tokens, step: &Step) -> Result<Answer> {
    let outcome = match step {
        Step::Create(new) => world.creates_with(new.id, creation(world, new)).await.map(Some),
        Step::Claim(claim) => self::claim(world, tokens, claim).await,
        Step::Submit { id, caller, commits, turns } => {
            let mut body = body(world, tokens, id, *caller).await?;
            body["commits_count"] = (*commits).into();
            body["turns_used"] = (*turns).into();
            world.submits_with(id, body).await.map(Some)
        }
        Step::Fail(fail) => {
            let body = failure(world, tokens, fail).await?;
            world.fails_with(fail.id, body).await.map(Some)
        }
        Step::Renew { id, token, lease_ms } => {
            let body = json!({
                "lease_token": text(tokens, id, *token),
                "lease_duration_seconds": lease_ms / 1_000,
            });
            return refused(world.renews_with(id, body).await.map(|renewed| Answer::Renewed {
                run: renewed.run,
                ends_at: renewed.lease_expires_at.0,
                is_cancelled: renewed.is_cancelled,
            }));
        }
        Step::Judge { id, caller, verdict, queue } => {
            let mut body = body(world, tokens, id, *caller).await?;
            body["accepted_by"] = "reviewer".into();
            body["rejected_by"] = "reviewer".into();
            body["reason"] = "not yet".into();
            body["queue"] = (*queue).into();
            match verdict {
                Verdict::Accept => world.accepts_with(id, body).await.map(Some),
                Verdict::Reject => world.rejects_with(id, body).await.map(Some),
                Verdict::Requeue => world.requeues_with(id, body).await.map(Some),
            }
        }
        Step::Patch(patch) => {
            let mut body = update(world, patch);
            body["version"] = seen(world, patch.id, patch.age).await?;
            world.patches(patch.id, body).await.map(Some)
        }
        Step::Force { id, queue } => world.forces(id, queue).await.map(Some),
        Step::Cancel { id, age } => {
            let version = seen(world, id, *age).await?;
            let body = json!({ "by": "person", "reason": "not wanted", "version": version });
            world.changes(id, Request::Cancel(read(&body)?)).await.map(Some)
        }
        Step::Retry { id, age } => {
            let version = seen(world, id, *age).await?;
            let body = json!({ "by": "person", "version": version });
            world.changes(id, Request::Retry(read(&body)?)).await.map(Some)
        }
        Step::Delete { id } => world.deletes(id).await.map(|()| None),
        Step::Answer { .. } | Step::Tick { .. } | Step::Reap { .. } | Step::EndDelays => {
            return elsewhere(world, step).await;
        }
    };
    refused(outcome.map(|task| match task {
        Some(task) => Answer::Task(Box::new(task.into())),
        None => Answer::Nothing,
    }))
}

fn refused(answer: Result<Answer>) -> Result<Answer> {
    match answer {
        Err(StoreError::Refused(refusal)) => Ok(Answer::Refused(refusal.code())),
        answer => answer,
    }
}

/// Steps that are no request about a task.
async fn elsewhere(world: &World, step: &Step) -> Result<Answer> {
    match step {
        Step::Answer { id } => {
            let open = questions(world).await?;
            if let Some((question, _)) = open.into_iter().find(|(_, task)| task == id) {
                let body: EndAction = read(&json!({ "result": "do it", "by": "person" }))?;
                let ended = Outcome::Completed;
                world.store.end_action(&question, None, ended, body, world.stamp()).await?;
            }
        }
        Step::Tick { ms } => world.passes(*ms),
        Step::Reap { grace_ms } => {
            let ended_before = world.now().plus(-grace_ms);
            let released = world.releases(ended_before, 100).await?;
            let mut ids: Vec<_> = released.into_iter().map(|task| task.id).collect();
            ids.sort();
            return Ok(Answer::Released(ids));
        }
        _ => return Ok(Answer::Due(world.store.end_delays(100, world.stamp()).await?)),
    }
    Ok(Answer::Nothing)
}

async fn claim(world: &World, tokens: &mut Tokens, claim: &Claim) -> Result<Option<Task>> {
    let request = read(&json!({
        "agent_name": claim.agent, "orchestrator_id": MACHINE, "queue": claim.queue,
        "role_filter": claim.roles, "type_filter": claim.kinds, "in_place": claim.in_place,
        "lease_duration_seconds": claim.lease_ms / 1_000,
    }))?;
    let (secret, stamp) = (world.secret(), world.stamp());
    let claimed = world.store.claim_task(claim.scope, None, &request, &secret, stamp).await?;
    Ok(claimed.map(|claimed| {
        let token = claimed.token.to_string();
        tokens.entry(claimed.task.id.clone()).or_default().push(token);
        claimed.task
    }))
}

/// The token of a request as text.
fn text(tokens: &Tokens, id: &str, token: Token) -> Value {
    let of = |id: &str, nth: usize| {
        let newest_first = tokens.get(id).into_iter().flatten().rev();
        newest_first.map(String::as_str).nth(nth).unwrap_or(UNKNOWN).into()
    };
    match token {
        Token::Nothing => Value::Null,
        Token::Newest => of(id, 0),
        Token::Earlier => of(id, 1),
        Token::Of(other) => of(other, 0),
        Token::Malformed => "olt_1_2".into(),
    }
}

/// What a body says of its sender.
async fn body(world: &World, tokens: &Tokens, id: &str, caller: Caller) -> Result<Value> {
    Ok(json!({
        "lease_token": text(tokens, id, caller.token), "agent_name": caller.agent,
        "version": seen(world, id, caller.age).await?,
    }))
}

async fn failure(world: &World, tokens: &Tokens, fail: &Fail) -> Result<Value> {
    let mut body = body(world, tokens, fail.id, fail.caller).await?;
    body["reason"] = fail.reason.into();
    body["message"] = "it did not work".into();
    body["retry"] = if fail.is_final { "never" } else { "auto" }.into();
    body["not_before"] = instant(world, fail.delay_ms);
    Ok(body)
}

/// An instant so many milliseconds from now.
fn instant(world: &World, ms: Option<i64>) -> Value {
    ms.map(|ms| world.now().plus(ms).to_iso()).into()
}

fn creation(world: &World, new: &Create) -> Value {
    json!({
        "scope": new.scope, "queue": new.queue, "blocked_by": new.blocked_by.join(","),
        "role": new.role, "type": new.kind, "priority": new.priority,
        "flow": new.is_strict.then_some(STRICT), "max_attempts": new.max_attempts,
        "not_before": instant(world, new.delay_ms),
    })
}

fn update(world: &World, patch: &Patch) -> Value {
    let mut body = json!({});
    let mut set = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[field] = value;
        }
    };
    set("queue", patch.queue.map(Value::from));
    set("claimed_by", patch.claimed_by.map(Value::from));
    set("blocked_by", patch.blocked_by.as_ref().map(|list| list.join(",").into()));
    set("priority", patch.priority.map(Value::from));
    set("role", patch.role.map(Value::from));
    set("needs_intervention", patch.needs_intervention.map(Value::from));
    set("lease_expires_at", patch.lease_ms.map(|ms| instant(world, ms)));
    set("not_before", patch.delay_ms.map(|ms| instant(world, ms)));
    body
}

/// The version that a caller gives whose view of the task has this age.
async fn seen(world: &World, id: &str, age: Option<i64>) -> Result<Value> {
    let Some(age) = age else { return Ok(Value::Null) };
    match world.reads(id).await {
        Ok(task) => Ok((task.version - age).into()),
        Err(StoreError::Refused(_)) => Ok(1.into()),
        Err(error) => Err(error),
    }
}

async fn rows(world: &World) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for scope in SCOPES {
        let filter = Filter { scope: scope.to_owned(), ..Filter::default() };
        rows.extend(world.tasks(&filter).await?.into_iter().map(Row::from));
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(rows)
}

/// The cells of a row, one after the other.
struct Cells(std::vec::IntoIter<Cell>);

impl Cells {
    fn of(row: Found) -> Self {
        Self(row.into_iter())
    }

    fn text(&mut self) -> Option<String> {
        match self.0.next() {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<i64> {
        match self.0.next() {
            Some(Cell::Int(number)) => Some(number),
            _ => None,
        }
    }
}

async fn runs(world: &World) -> Result<Vec<Run>> {
    let rows = world.runs(RUNS, Vec::new()).await?;
    let read = |row| {
        let mut row = Cells::of(row);
        Run {
            task_id: row.text().unwrap_or_default(),
            run: row.number().unwrap_or_default(),
            scope: row.text().unwrap_or_default(),
            attempt: row.number(),
            kind: row.text().unwrap_or_default(),
            source: row.text().unwrap_or_default(),
            agent: row.text(),
            started_at: row.number().unwrap_or_default(),
            ended_at: row.number(),
            outcome: row.text().unwrap_or_default(),
            ended_by: row.text(),
            reason: row.text(),
        }
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The open questions and the tasks that they are about, the oldest of each task first.
async fn questions(world: &World) -> Result<Vec<(String, String)>> {
    let rows = world.runs(QUESTIONS, vec![QUESTION.into()]).await?;
    let read = |row| {
        let mut row = Cells::of(row);
        (row.text().unwrap_or_default(), row.text().unwrap_or_default())
    };
    Ok(rows.into_iter().map(read).collect())
}

async fn count(world: &World, scope: &str, queue: &str) -> Result<i64> {
    let queues = vec![queue.to_owned()];
    let filter = Filter { scope: scope.to_owned(), queues, ..Filter::default() };
    Ok(world.lists(filter).await?.1)
}
