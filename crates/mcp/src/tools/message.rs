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
        optional("ask", Kind::Flag, "Ask a person, and go on"),
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
        return Ok(format!(
            "{} asks a person; board lists open questions. The task does not wait for the answer: \
             if you need it to go on, task_finish with outcome fail and reason needs_input asks and \
             waits.",
            action.id
        ));
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

#[cfg(test)]
mod tests {
    use futures_util::{
        FutureExt as _,
        future::{BoxFuture, ready},
    };
    use serde_json::json;

    use crate::{
        backend::{Answer, Backend, Call, Defaults},
        tools,
    };

    /// An API that takes every question.
    #[derive(Default)]
    struct Api(Defaults);

    impl Backend for Api {
        fn scope_remedy(&self) -> &'static str {
            ""
        }

        fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, String>> {
            assert_eq!(call.path, "/api/v1/actions");
            let mut body = call.body;
            for (name, value) in [
                ("id", json!("act-1")),
                ("status", json!("proposed")),
                ("scope", json!("s")),
                ("proposed_at", json!("2026-11-21T20:58:58.605Z")),
            ] {
                body[name] = value;
            }
            ready(Ok(Answer { status: 201, body })).boxed()
        }

        fn random(&self) -> u32 {
            0
        }

        fn defaults(&self) -> &Defaults {
            &self.0
        }
    }

    #[test]
    fn who_asks_is_told_that_the_task_does_not_wait_and_what_waits() {
        let api = Api::default();
        let arguments = json!({"text": "Which colour?", "task_id": "t", "ask": true});
        let said = tools::call(&api, None, "message", arguments).now_or_never().unwrap();
        let text = said.unwrap();
        assert!(text.starts_with("act-1 asks a person"), "{text}");
        assert!(text.contains("The task does not wait for the answer"), "{text}");
        assert!(text.contains("reason needs_input"), "{text}");
    }
}
