//! What agents, people and the next attempts tell each other.

use serde_json::json;

use crate::site::{Site, WORK};

/// Keeps the prompt, for the test to read.
const KEEP: &str = "cat > \"$HOME/prompt-$OCTOPOID_ATTEMPT\"\n";

fn says(outcome: &str) -> String {
    format!("{KEEP}printf '{outcome}\\n' > \"$OCTOPOID_OUTCOME_FILE\"\n")
}

#[test]
fn a_question_is_answered_and_the_next_attempt_knows() {
    let site = Site::new();
    let id = site.add("'Choose a port' --content 'Listen.\n## Acceptance\nA test'");
    let (task, run) = site.again(&id, "", &says("needs_input\\nWhich port, 80 or 8080?"));
    assert_eq!(run.run.reason.as_deref(), Some("needs_input"));
    assert_eq!((&*task.queue, task.blocked_by.as_deref()), ("incoming", Some("awaiting-input")));
    let prompt = site.file("prompt-1");
    assert!(prompt.contains("\n# Choose a port\n\nListen.\n"), "{prompt}");
    assert!(prompt.contains("\n## Acceptance\n\nA test\n"), "{prompt}");
    let questions = site.json(&format!("action list --task {id} --json id,label"));
    assert_eq!(questions[0]["label"], "Which port, 80 or 8080?");
    site.ok(&format!(
        "action approve {} --answer 'Take 8080.'",
        questions[0]["id"].as_str().unwrap()
    ));

    let (task, _) = site.again(&id, "", &format!("{KEEP}{WORK}"));
    assert_eq!(task.queue, "provisional");
    let prompt = site.file("prompt-2");
    assert!(prompt.contains("* alice answered: Take 8080.\n"), "{prompt}");
    assert!(prompt.contains("Run 1 was failed (needs_input): Which port, 80 or 8080?"), "{prompt}");
}

#[test]
fn a_blocked_agent_waits_for_a_person() {
    let site = Site::new();
    let id = site.add("Work");
    let (task, run) = site.again(&id, "", &says("blocked\\nThe registry is down."));
    assert_eq!(run.run.reason.as_deref(), Some("blocked"));
    assert_eq!(run.run.message.as_deref(), Some("The registry is down."));
    assert_eq!(task.blocked_by.as_deref(), Some("awaiting-input"));
    assert_eq!(
        site.json(&format!("action list --task {id} --json label"))[0]["label"],
        "The registry is down."
    );
}

#[test]
fn a_running_agent_is_heard_and_spoken_to() {
    let site = Site::new();
    let id = site.add("Work");
    let agent = "cat > \"$HOME/prompt-$OCTOPOID_ATTEMPT\"
        echo '40% porting the parser' > \"$OCTOPOID_PROGRESS_FILE\"
        echo '{\"step\":3}' > \"$OCTOPOID_CHECKPOINT_FILE\"
        until grep -q 'Use tabs' \"$OCTOPOID_MESSAGES_FILE\"; do sleep 0.1; done 2> /dev/null
        cp \"$OCTOPOID_MESSAGES_FILE\" \"$HOME/messages\"
        printf 'failed\\nIt cannot be done with tabs.\\n' > \"$OCTOPOID_OUTCOME_FILE\"";
    let mut runner = site.start("--once --lease 15s", agent);
    let run = site.reported(&id);
    let progress = run.run.progress.unwrap();
    assert_eq!(progress.message.as_deref(), Some("porting the parser"));
    assert_eq!(progress.percent, Some(40.0));
    assert_eq!(run.checkpoint, json!({ "step": 3 }));
    site.ok(&format!("message send {id} 'Use tabs' --from bob"));
    runner.ends_well();
    let message: serde_json::Value = serde_json::from_str(site.file("messages").trim()).unwrap();
    assert_eq!((&message["from"], &message["content"]), (&json!("bob"), &json!("Use tabs")));
    let run = site.last_run(&id).run;
    assert_eq!(run.reason.as_deref(), Some("other"));
    assert_eq!(run.message.as_deref(), Some("It cannot be done with tabs."));

    site.again(&id, "", &format!("{KEEP}{WORK}"));
    let prompt = site.file("prompt-2");
    assert!(prompt.contains("Run 1 was failed (other): It cannot be done with tabs."), "{prompt}");
    assert!(prompt.contains("## Notes of the attempt before\n\n{\n  \"step\": 3\n}"), "{prompt}");
}

#[test]
fn a_rejection_reaches_the_next_attempt_in_the_same_work() {
    let site = Site::new();
    let id = site.add("Work");
    let agent = format!("{WORK}printf 'done\\nI wrote it.\\n' > \"$OCTOPOID_OUTCOME_FILE\"\n");
    let (_, run) = site.again(&id, "", &agent);
    assert_eq!(run.run.summary.as_deref(), Some("I wrote it."));
    site.ok(&format!("task reject {id} --reason 'It has no test.'"));
    let more = format!("{KEEP}echo test > test.txt; git add -A; git commit --quiet -m Test");
    let (task, run) = site.again(&id, "", &more);
    assert_eq!(task.queue, "provisional");
    let prompt = site.file("prompt-2");
    assert!(prompt.contains("* alice rejected the work: It has no test.\n"), "{prompt}");
    assert!(prompt.contains("It said: I wrote it."), "{prompt}");
    assert_eq!(site.commits(&id), ["Test", "Work"]);
    assert_eq!(run.result["files_changed"], 2);
}
