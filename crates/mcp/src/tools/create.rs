//! `task_create`: creates tasks, in an order if wished.

use std::{collections::HashMap, fmt::Write as _};

use futures_util::FutureExt as _;
use octopoid_domain::{
    TaskView,
    limits::BLOCKERS_MAX,
    task::{path_of, short_id},
    text::{listed, shown},
};
use serde_json::json;

use super::{Caller, Outcome, Tool, read};
use crate::{
    arguments::Arguments,
    backend::Call,
    failure::Failure,
    parameter::{Kind, Parameter, optional, required},
    text,
};

/// How many tasks one call may create: each is a request.
const TASKS_MAX: usize = 50;

/// The longest line about a task that was created: 50 fit into an answer.
const LINE_BYTES_MAX: usize = 150;

/// How many random ids are tried if they are taken.
const IDS_TRIED: u32 = 5;

const TASK: &[Parameter] = &[
    required("title", Kind::Text, ""),
    optional("content", Kind::Text, "What is to be done, in Markdown"),
    optional("key", Kind::Text, "Name for `after` in this call"),
    optional("after", Kind::Texts, "Ids of tasks, or keys of this call, to wait for"),
    optional("priority", Kind::Choice(&["P0", "P1", "P2", "P3"]), "P0 is most urgent"),
    optional("role", Kind::Text, ""),
    optional("project", Kind::Text, ""),
    optional("branch", Kind::Text, "Base branch"),
];

pub(super) const TOOL: Tool = Tool {
    name: "task_create",
    title: "Queue tasks",
    description: "Add one or more tasks to the queue. Each task should be one piece of work that can \
                  be reviewed by itself.",
    is_read: false,
    is_idempotent: false,
    parameters: &[required("tasks", Kind::Objects(TASK), "")],
    run: |caller, arguments| run(caller, arguments).boxed(),
};

async fn run(caller: Caller<'_>, arguments: Arguments) -> Outcome {
    let tasks = arguments.objects("tasks");
    if tasks.len() > TASKS_MAX {
        let text = format!("`tasks` has {} tasks: at most {TASKS_MAX} at once", tasks.len());
        return Err(Failure::new(text));
    }
    let keys = keys(&tasks)?;
    let order = in_order(&tasks, &keys)?;
    let mut ids = vec![String::new(); tasks.len()];
    let mut lines = Vec::new();
    for index in order {
        let after: Vec<_> = tasks[index]
            .texts("after")
            .into_iter()
            .map(|name| keys.get(name).map_or(name, |index| ids[*index].as_str()))
            .collect();
        let task = create(caller, &tasks[index], &after.join(",")).await;
        let task = task.map_err(|failure| partly(failure, &lines))?;
        let waits = task.blocked_by.as_ref().map(|ids| format!("  after {ids}"));
        let line = format!("* {}{}", text::line(&task), waits.unwrap_or_default());
        lines.push(text::bounded(&line, LINE_BYTES_MAX).into_owned());
        ids[index] = task.id;
    }
    let mut text = format!("Created:\n{}\n", lines.join("\n"));
    let _ = write!(text, "board shows what becomes of them; task_get shows one.");
    Ok(text)
}

/// Which task each key names.
fn keys(tasks: &[Arguments]) -> Result<HashMap<&str, usize>, Failure> {
    let mut keys = HashMap::new();
    for (index, task) in tasks.iter().enumerate() {
        if let Some(key) = task.text("key")
            && keys.insert(key, index).is_some()
        {
            let key = shown(key);
            let text = format!("Two tasks have the `key` {key}: each needs its own");
            return Err(Failure::new(text));
        }
    }
    Ok(keys)
}

/// The tasks, each after those that it waits for, otherwise as they were given.
fn in_order(tasks: &[Arguments], keys: &HashMap<&str, usize>) -> Result<Vec<usize>, Failure> {
    let mut needed = Vec::new();
    for task in tasks {
        let after = task.texts("after");
        if after.len() > BLOCKERS_MAX {
            let text = format!("`after` has {} entries: at most {BLOCKERS_MAX}", after.len());
            return Err(Failure::new(text));
        }
        needed.push(after.into_iter().filter_map(|name| keys.get(name).copied()).collect());
    }
    let needed: Vec<Vec<usize>> = needed;
    let mut order = Vec::new();
    while order.len() < tasks.len() {
        let is_ready = |index: &usize| {
            !order.contains(index) && needed[*index].iter().all(|other| order.contains(other))
        };
        let Some(next) = (0..tasks.len()).find(is_ready) else {
            let stuck = (0..tasks.len()).filter(|index| !order.contains(index));
            let names: Vec<_> = stuck.map(|index| tasks[index].required("title")).collect();
            let text = format!(
                "Nothing was created: tasks wait for each other in a circle ({}). Remove one entry \
                 from `after`",
                listed(&names)
            );
            return Err(Failure::new(text));
        };
        order.push(next);
    }
    Ok(order)
}

/// Creates a task under a random id; under another one if it is taken.
async fn create(caller: Caller<'_>, task: &Arguments, after: &str) -> Result<TaskView, Failure> {
    let defaults = caller.backend.defaults();
    let branch = task.text("branch").or(defaults.branch.as_deref()).unwrap_or("main");
    let mut tries = 0;
    loop {
        tries += 1;
        let id = short_id(caller.backend.random());
        let body = json!({
            "file_path": path_of(&id),
            "id": id,
            "title": task.required("title"),
            "content": task.text("content"),
            "priority": task.text("priority"),
            "role": task.text("role"),
            "project_id": task.text("project"),
            "blocked_by": if after.is_empty() { None } else { Some(after) },
            "branch": branch,
            "flow": defaults.flow,
        });
        let answer = caller.answer(Call::post(&["tasks"], body)).await?;
        let is_taken = answer.status == 409 && answer.body["code"] == "already_exists";
        if !is_taken || tries == IDS_TRIED {
            return read(&answer).map_err(|failure| caller.explained(failure));
        }
    }
}

/// Says which tasks were created before the one that failed.
fn partly(mut failure: Failure, lines: &[String]) -> Failure {
    if lines.is_empty() {
        failure.text.push_str(". Nothing was created");
    } else {
        let _ = write!(
            failure.text,
            ".\nThese tasks were created before it, do not create them again:\n{}",
            lines.join("\n")
        );
    }
    failure
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{TOOL, in_order, keys};
    use crate::arguments::Arguments;

    fn order(tasks: &Value) -> Result<Vec<usize>, String> {
        let arguments = Arguments::check(json!({"tasks": tasks}), TOOL.parameters).unwrap();
        let tasks = arguments.objects("tasks");
        let order = keys(&tasks).and_then(|keys| in_order(&tasks, &keys));
        order.map_err(|failure| failure.text)
    }

    #[test]
    fn tasks_are_created_after_those_they_wait_for() {
        let tasks = json!([
            {"title": "c", "key": "c", "after": ["a", "b", "elsewhere"]},
            {"title": "a", "key": "a"},
            {"title": "b", "key": "b", "after": ["a"]},
        ]);
        assert_eq!(order(&tasks), Ok(vec![1, 2, 0]));
    }

    #[test]
    fn circles_and_double_keys_are_refused_before_anything_is_created() {
        let circle = json!([
            {"title": "a", "key": "a", "after": ["b"]},
            {"title": "b", "key": "b", "after": ["a"]},
        ]);
        assert!(order(&circle).unwrap_err().contains("circle (a, b)"));
        let double = json!([{"title": "a", "key": "k"}, {"title": "b", "key": "k"}]);
        assert!(order(&double).unwrap_err().contains("`key` k"));
    }
}
