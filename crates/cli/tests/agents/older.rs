//! Clients that know nothing of leases and runs, and the runner, on one queue.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
};

use octopoid_domain::run::Outcome;
use serde_json::{Value, json};

use crate::site::{Site, WORK, until};

const TASKS: usize = 12;

/// Sends a request as a simple client does. Returns the status and the body.
fn post(address: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "POST /api/v1/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// Claims and submits until there is nothing, then accepts. Returns the ids of its tasks.
fn work(address: &str) -> Vec<String> {
    let mut done = Vec::new();
    let claim = json!({ "orchestrator_id": "old", "agent_name": "old-1", "scope": "demo" });
    loop {
        let (status, task) = post(address, "tasks/claim", &claim);
        if status == 404 {
            return done;
        }
        assert_eq!(status, 200, "{task}");
        let id = task["id"].as_str().unwrap().to_owned();
        let submit = json!({ "commits_count": 1, "turns_used": 4, "scope": "demo" });
        let (status, task) = post(address, &format!("tasks/{id}/submit"), &submit);
        assert_eq!(status, 200, "{task}");
        done.push(id);
    }
}

#[test]
fn an_older_client_and_a_runner_do_every_task_once() {
    let site = Site::new();
    let ids: HashSet<_> = (0..TASKS).map(|number| site.add(&format!("'Work {number}'"))).collect();
    let address = site.url().replace("http://", "");
    let mut runner = site.start("--slots 2 --name new", WORK);
    // Both work at the same time: the runner has begun, and most of the tasks are left.
    runner.prints("\"claimed\"");
    let old = {
        let address = address.clone();
        thread::spawn(move || work(&address))
    };
    let of_old = old.join().unwrap();
    let of_new = until("the end of all tasks", || {
        let tasks: Vec<_> = ids.iter().map(|id| site.task(id)).collect();
        let is_done = tasks.iter().all(|task| task.queue == "provisional");
        is_done.then(|| {
            let ids = tasks.iter().map(|task| task.id.clone());
            ids.filter(|id| !of_old.contains(id)).collect::<Vec<_>>()
        })
    });
    runner.drain();
    assert!(!of_old.is_empty() && !of_new.is_empty(), "{of_old:?} {of_new:?}");
    for id in &ids {
        let runs = site.runs(id);
        assert_eq!(runs.len(), 1, "{runs:?}");
        assert_eq!(runs[0].outcome, Outcome::Submitted);
        let is_new = runs[0].agent.as_deref().unwrap().starts_with("new-");
        assert_eq!(is_new, of_new.contains(id));
        let accept = json!({ "accepted_by": "old", "scope": "demo" });
        let (status, task) = post(&address, &format!("tasks/{id}/accept"), &accept);
        assert_eq!((status, &task["queue"]), (200, &json!("done")), "{task}");
    }
}
