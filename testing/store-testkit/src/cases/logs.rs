//! Logs of runs: what is appended, what is read, and how long they are kept.

use octopoid_domain::log::{LOG_BYTES_MAX, LogPart, OPEN_MS};
use octopoid_store::Result as Answer;
use serde_json::json;

use crate::{
    Failure, Verdict, World, ensure, ensure_eq, ensure_refused,
    world::{DAY, LEASE, SCOPE, read},
};

cases! {
    text_is_appended_where_the_log_ends,
    what_is_there_already_is_not_written_twice,
    a_gap_is_refused_with_the_expected_offset,
    a_log_is_read_in_parts,
    only_the_newest_part_of_a_log_is_kept,
    a_log_is_taken_until_ten_minutes_after_the_end_of_its_run,
    a_lapsed_run_goes_on_with_its_log_and_stays_lapsed,
    a_log_is_for_the_token_of_its_run,
    the_log_of_another_scope_is_not_found,
    logs_go_with_their_task,
    logs_are_forgotten_some_time_after_their_task_is_over,
}

/// Someone creates a task, and the agent claims it. Returns the token.
async fn leased(world: &World, id: &str) -> Result<String, Failure> {
    world.creates_with(id, json!({ "type": id })).await?;
    let claimed = world.claims_leased(json!({ "type_filter": [id] })).await?;
    Ok(claimed.ok_or_else(|| Failure::new("there is a task"))?.token.to_string())
}

/// The agent appends text; so much of the log is kept.
async fn appends_keeping(
    world: &World,
    (id, token): (&str, &str),
    offset: i64,
    text: &str,
    kept: usize,
) -> Answer<i64> {
    let body = read(&json!({ "lease_token": token, "offset": offset, "text": text }))?;
    world.store.append_log(id, None, &body, kept, world.stamp()).await
}

async fn appends(world: &World, task: (&str, &str), offset: i64, text: &str) -> Answer<i64> {
    appends_keeping(world, task, offset, text, LOG_BYTES_MAX).await
}

/// A part of the log of a task's first run.
async fn part(world: &World, id: &str, offset: i64, limit: usize) -> Answer<LogPart> {
    world.store.read_log(id, 1, None, (offset, limit), world.now()).await
}

/// The whole log of a task's first run.
async fn log(world: &World, id: &str) -> Answer<String> {
    Ok(part(world, id, 0, LOG_BYTES_MAX).await?.text)
}

async fn text_is_appended_where_the_log_ends(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    let task = ("a", &*token);
    ensure_eq!(log(world, "a").await?, "");
    ensure_eq!(appends(world, task, 0, "").await?, 0, "an empty text asks for the offset");
    ensure_eq!(appends(world, task, 0, "eins\n").await?, 5);
    ensure_eq!(appends(world, task, 5, "fünf\n").await?, 11, "offsets count bytes");
    ensure_eq!(appends(world, task, 11, "").await?, 11);
    ensure_eq!(log(world, "a").await?, "eins\nfünf\n");
    let read = world.reads("a").await?;
    ensure_eq!((read.version, &*read.queue), (2, "claimed"), "the task stays as it was");
    Ok(())
}

async fn what_is_there_already_is_not_written_twice(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    let task = ("a", &*token);
    appends(world, task, 0, "one ").await?;
    ensure_eq!(appends(world, task, 0, "one ").await?, 4, "the same again");
    ensure_eq!(appends(world, task, 0, "one two ").await?, 8, "the same and more");
    ensure_eq!(appends(world, task, 4, "two").await?, 8, "a part of it");
    ensure_eq!(appends(world, task, 7, " three").await?, 13);
    ensure_eq!(log(world, "a").await?, "one two three");
    Ok(())
}

async fn a_gap_is_refused_with_the_expected_offset(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    let task = ("a", &*token);
    let words = "Failed to append to the log: expected offset 0, found 1";
    ensure_refused!(appends(world, task, 1, "x").await, "log_gap", words);
    appends(world, task, 0, "ü").await?;
    let words = "Failed to append to the log: expected offset 2, found 3";
    ensure_refused!(appends(world, task, 3, "x").await, "log_gap", words);
    ensure_refused!(appends(world, task, 1, "ä").await, "log_gap");
    ensure_eq!(log(world, "a").await?, "ü");
    Ok(())
}

async fn a_log_is_read_in_parts(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    let task = ("a", &*token);
    let mut offset = 0;
    for text in ["abc", "defü", "g"] {
        offset = appends(world, task, offset, text).await?;
    }
    let mut parts = Vec::new();
    let mut offset = 0;
    loop {
        let part = part(world, "a", offset, 4).await?;
        if part.text.is_empty() {
            break;
        }
        ensure_eq!((part.offset, part.is_complete), (offset, false));
        offset = part.next_offset;
        parts.push(part.text);
    }
    ensure_eq!(parts, ["abcd", "efü", "g"]);
    ensure_eq!(offset, 9);
    let beyond = part(world, "a", 99, 4).await?;
    ensure_eq!((beyond.offset, beyond.next_offset), (9, 9), "beyond the end is the end");
    Ok(())
}

async fn only_the_newest_part_of_a_log_is_kept(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    let task = ("a", &*token);
    let mut offset = 0;
    for text in ["0123", "4567", "89", "abcd", "ef"] {
        offset = appends_keeping(world, task, offset, text, 6).await?;
    }
    ensure_eq!(offset, 16, "offsets go on");
    let kept = part(world, "a", 0, 100).await?;
    ensure_eq!((kept.offset, &*kept.text, kept.next_offset), (10, "abcdef", 16));
    ensure_eq!(part(world, "a", 13, 2).await?.text, "de");
    ensure_eq!(appends_keeping(world, task, 14, "efg", 6).await?, 17);
    let kept = part(world, "a", 0, 100).await?;
    ensure_eq!((kept.offset, &*kept.text), (10, "abcdefg"), "a piece is kept as a whole");
    Ok(())
}

async fn a_log_is_taken_until_ten_minutes_after_the_end_of_its_run(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    let task = ("a", &*token);
    appends(world, task, 0, "before ").await?;
    world.submits("a").await?;
    appends(world, task, 7, "after ").await?;
    world.passes(OPEN_MS);
    appends(world, task, 13, "late").await?;
    ensure!(!part(world, "a", 0, 100).await?.is_complete);
    world.passes(1);
    let end = world.now().plus(-OPEN_MS - 1).to_iso();
    let words = format!(
        "Failed to append to the log: Run 1 was submitted at {end}; its log is taken until 10 \
         minutes after that"
    );
    ensure_refused!(appends(world, task, 17, "too late").await, "lease_lost", words);
    let whole = part(world, "a", 0, 100).await?;
    ensure_eq!((&*whole.text, whole.is_complete), ("before after late", true));
    ensure!(!part(world, "a", 0, 3).await?.is_complete, "there is more");
    Ok(())
}

async fn a_lapsed_run_goes_on_with_its_log_and_stays_lapsed(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    let lapsed = world.reads("a").await?;
    world.passes(OPEN_MS + 1);
    ensure_eq!(appends(world, ("a", &token), 0, "asleep").await?, 6);
    ensure_eq!(world.reads("a").await?, lapsed);
    ensure!(!part(world, "a", 0, 100).await?.is_complete, "its token is current");
    Ok(())
}

async fn a_log_is_for_the_token_of_its_run(world: &World) -> Verdict {
    let (token, other) = (leased(world, "a").await?, leased(world, "b").await?);
    let words = "Failed to append to the log: The lease token is not one of this task";
    ensure_refused!(appends(world, ("a", &other), 0, "x").await, "lease_lost", words);
    ensure_refused!(appends(world, ("c", &token), 0, "x").await, "task_not_found");
    world.requeues("a").await?;
    world.picks("a").await?;
    ensure_eq!(appends(world, ("a", &token), 0, "the first").await?, 9);
    let second = world.store.read_log("a", 2, None, (0, 100), world.now()).await?;
    ensure_eq!(second.text, "", "each run has its own");
    let none = world.store.read_log("a", 3, None, (0, 100), world.now()).await;
    ensure_refused!(none, "not_found", "Task has no run 3");
    ensure_refused!(part(world, "c", 0, 100).await, "task_not_found");
    Ok(())
}

async fn the_log_of_another_scope_is_not_found(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    let body = read(&json!({ "lease_token": token, "offset": 0, "text": "x" }))?;
    let store = &world.store;
    let appended = store.append_log("a", Some("t"), &body, LOG_BYTES_MAX, world.stamp()).await;
    ensure_refused!(appended, "task_not_found");
    let read = store.read_log("a", 1, Some("t"), (0, 100), world.now()).await;
    ensure_refused!(read, "task_not_found");
    let appended = store.append_log("a", Some(SCOPE), &body, LOG_BYTES_MAX, world.stamp()).await;
    ensure_eq!(appended?, 1);
    Ok(())
}

/// How many pieces of logs there are.
async fn pieces(world: &World) -> Answer<usize> {
    Ok(world.runs("SELECT 1 FROM run_logs", Vec::new()).await?.len())
}

async fn logs_go_with_their_task(world: &World) -> Verdict {
    let token = leased(world, "a").await?;
    appends(world, ("a", &token), 0, "x").await?;
    world.deletes("a").await?;
    ensure_eq!(pieces(world).await?, 0);
    ensure_refused!(appends(world, ("a", &token), 1, "x").await, "task_not_found");
    world.creates("a").await?;
    ensure_refused!(appends(world, ("a", &token), 1, "x").await, "lease_lost");
    Ok(())
}

async fn logs_are_forgotten_some_time_after_their_task_is_over(world: &World) -> Verdict {
    for id in ["done", "failed", "open"] {
        let token = leased(world, id).await?;
        appends_keeping(world, (id, &token), 0, "one", 2).await?;
        appends_keeping(world, (id, &token), 3, "two", 2).await?;
    }
    world.submits("done").await?;
    world.accepts("done").await?;
    world.forces("failed", "failed").await?;
    let forgets = async || {
        let before = world.now().plus(-14 * DAY);
        world.store.forget_logs(before, 2, world.stamp()).await
    };
    world.passes(14 * DAY);
    ensure_eq!(forgets().await?, (0, false), "it is not time yet");
    ensure_eq!(pieces(world).await?, 6);
    world.passes(1);
    let mut forgotten = 0;
    loop {
        let (count, has_more) = forgets().await?;
        forgotten += count;
        if !has_more {
            break;
        }
    }
    ensure_eq!((forgotten, pieces(world).await?), (2, 2));
    ensure_eq!(log(world, "done").await?, "");
    ensure_eq!(log(world, "open").await?, "two");
    world.forces("open", "done").await?;
    world.passes(14 * DAY + 1);
    ensure_eq!(forgets().await?, (1, false), "it is looked at again");
    Ok(())
}
