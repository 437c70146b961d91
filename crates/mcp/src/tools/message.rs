//! `message`: tells, asks and answers.

use futures_util::FutureExt as _;
use octopoid_domain::{
    action::{Action, QUESTION},
    message::Message,
};
use serde_json::json;

use super::{Caller, Outcome, Tool};
use crate::{
    arguments::Arguments,
    backend::Call,
    failure::Failure,
    parameter::{Kind, optional, required},
};

pub(super) const TOOL: Tool = Tool {
    name: "message",
    title: "Write a message",
    description: "Write on a task's thread (to agent reaches the one that works on it), ask a person \
                  about a task, or answer an open question.",
    is_read: false,
    is_idempotent: false,
    parameters: &[
        required("text", Kind::Text, ""),
        optional("task_id", Kind::Text, "To write or ask about"),
        optional("to", Kind::Text, "agent, or a name"),
        optional("ask", Kind::Flag, "Ask a person; the task waits for the answer"),
        optional("question_id", Kind::Text, "Question that this answers"),
        optional("from", Kind::Text, "Your name"),
    ],
    run: |caller, arguments| run(caller, arguments).boxed(),
};

async fn run(caller: Caller<'_>, arguments: Arguments) -> Outcome {
    let (text, from) = (arguments.required("text"), caller.agent(arguments.text("from")));
    if let Some(question) = arguments.text("question_id") {
        let body = json!({"result": text, "by": from});
        let action: Action =
            caller.ask(Call::post(&["actions", question, "complete"], body)).await?;
        let Action { id, entity_type, entity_id, .. } = action;
        return Ok(format!(
            "{id} is answered. The {entity_type} {entity_id} no longer waits for it."
        ));
    }
    let Some(task) = arguments.text("task_id") else {
        return Err(Failure::new("`task_id` is required, or `question_id` to answer a question"));
    };
    if arguments.is_set("ask") {
        let body = json!({
            "entity_type": "task",
            "entity_id": task,
            "action_type": QUESTION,
            "label": text,
            "proposed_by": from,
        });
        let action: Action = caller.ask(Call::post(&["actions"], body)).await?;
        return Ok(format!("{} asks a person. board lists open questions.", action.id));
    }
    let body = json!({
        "task_id": task,
        "from_actor": from,
        "to_actor": arguments.text("to"),
        "type": "comment",
        "content": text,
    });
    let message: Message = caller.ask(Call::post(&["messages"], body)).await?;
    Ok(format!("{} is on the thread of {task}.", message.id))
}
