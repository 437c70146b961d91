use super::{Blocker, Code, Facts, OpenQuestion, Reason, advice, reasons};
use crate::{Claim, Millis, Task, pause::Pause};

const NOW: Millis = Millis(1_795_294_738_605);

fn facts(task: &Task) -> Facts<'_> {
    Facts {
        task,
        now: NOW,
        is_nameable: true,
        blockers: &[],
        links: &[],
        pauses: &[],
        question: None,
    }
}

fn task() -> Task {
    let queue = "incoming".to_owned();
    Task { id: "t".to_owned(), queue, role: Some("r".to_owned()), ..Task::default() }
}

fn codes(reasons: &[Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.code.as_str()).collect()
}

fn pause(target: &str, until: Option<Millis>) -> Pause {
    Pause {
        target: target.to_owned(),
        until,
        reason: "lunch".to_owned(),
        by: "ann".to_owned(),
        ..Pause::default()
    }
}

#[test]
fn a_task_that_nothing_keeps_has_no_reason() {
    assert_eq!(reasons(&facts(&task())), []);
    let others = [pause("queue:provisional", None), pause("role:x", None), pause("pool:p", None)];
    assert_eq!(reasons(&Facts { pauses: &others, ..facts(&task()) }), []);
}

#[test]
fn a_finished_task_says_how_it_is_taken_up_again() {
    for (queue, text) in [
        ("done", "It is done"),
        ("failed", "It has failed: retry it to have it tried again"),
        ("cancelled", "It was cancelled: retry it to take it up again"),
    ] {
        let over = Task { queue: queue.to_owned(), ..task() };
        let pauses = [pause("scope", None)];
        let told = reasons(&Facts { is_nameable: false, pauses: &pauses, ..facts(&over) });
        assert_eq!(codes(&told), ["finished"], "{queue}");
        assert_eq!(told[0].text, text);
    }
}

#[test]
fn a_held_task_says_by_whom_and_until_when() {
    let held = |queue: &str, end: Option<i64>| {
        let claim = Claim {
            by: Some("agent".to_owned()),
            expires_at: end.map(|ms| NOW.plus(ms)),
            queue: Some(queue.to_owned()),
            ..Claim::default()
        };
        let held = Task { queue: queue.to_owned(), claim, ..task() };
        reasons(&facts(&held)).into_iter().next()
    };
    let told = held("claimed", Some(1)).unwrap();
    assert_eq!((told.code, told.until), (Code::Held, Some(NOW.plus(1))));
    assert_eq!(told.holder.as_deref(), Some("agent"));
    let text = "It is held by agent until 2026-11-21T20:58:58.606Z, unless renewed";
    assert_eq!(told.text, text);
    assert!(held("claimed", Some(-1)).unwrap().text.contains("whose lease ended at 2026-11-21T"));
    assert!(held("claimed", None).unwrap().text.contains("without a lease"));
    assert!(held("provisional", Some(0)).is_some(), "the lease ends after its end");
    assert_eq!(held("provisional", Some(-1)), None, "another reviewer may claim it");
}

#[test]
fn a_blocker_says_in_which_queue_it_is_and_what_is_wrong_with_it() {
    let waiting = Task { blocked_by: Some("a,b,c,d,e".to_owned()), ..task() };
    let blocker = |id: &str, queue: Option<&str>| Blocker {
        id: id.to_owned(),
        queue: queue.map(str::to_owned),
    };
    let blockers = [
        blocker("a", Some("provisional")),
        blocker("b", Some("failed")),
        blocker("c", Some("cancelled")),
        blocker("d", None),
        blocker("e", Some("incoming")),
    ];
    let links = [("e", "f"), ("f", "t")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let told = reasons(&Facts { blockers: &blockers, links: &links, ..facts(&waiting) });
    assert_eq!(codes(&told), ["waits_for"; 5]);
    let ids: Vec<_> = told.iter().filter_map(|reason| reason.task_id.as_deref()).collect();
    assert_eq!(ids, ["a", "b", "c", "d", "e"]);
    for (reason, part) in told.iter().zip([
        "task a, which is in queue \"provisional\"",
        "task b, which has failed: retry",
        "task c, which was cancelled: retry",
        "\"d\", and the scope has no such task: create it",
        "task e, which waits for this task in turn (t, e, f, t): take one",
    ]) {
        assert!(reason.text.contains(part), "{}", reason.text);
    }
}

#[test]
fn a_task_that_waits_for_an_answer_names_the_question() {
    let waiting = Task { blocked_by: Some("awaiting-input,a".to_owned()), ..task() };
    let question = OpenQuestion { id: "act-1".to_owned(), label: "Which one?".to_owned() };
    let blockers = [
        Blocker { id: "awaiting-input".to_owned(), queue: None },
        Blocker { id: "a".to_owned(), queue: None },
    ];
    let at = Facts { blockers: &blockers, question: Some(&question), ..facts(&waiting) };
    let told = reasons(&at);
    assert_eq!(codes(&told), ["awaiting_input", "waits_for"]);
    let text = "It waits for a person's answer to \"Which one?\": complete action act-1";
    assert_eq!(told[0].text, text);
    let told = reasons(&Facts { question: None, ..at });
    assert!(told[0].text.contains("complete its open question"), "{}", told[0].text);
}

#[test]
fn delays_and_pauses_say_when_they_end() {
    let delayed = Task { not_before: Some(NOW.plus(1)), ..task() };
    let pauses = [
        pause("scope", None),
        pause("queue:incoming", Some(NOW.plus(2))),
        pause("role:r", Some(NOW.plus(3))),
    ];
    let told = reasons(&Facts { pauses: &pauses, ..facts(&delayed) });
    assert_eq!(codes(&told), ["not_before", "paused", "paused", "paused"]);
    let ends: Vec<_> = told.iter().map(|reason| reason.until).collect();
    assert_eq!(ends, [Some(1), None, Some(2), Some(3)].map(|ms| ms.map(|ms| NOW.plus(ms))));
    assert_eq!(told[0].text, "It is delayed until 2026-11-21T20:58:58.606Z");
    assert_eq!(told[1].text, "The scope is paused by ann until that pause is deleted: lunch");
    let text = "Queue \"incoming\" is paused by ann until 2026-11-21T20:58:58.607Z: lunch";
    assert_eq!(told[2].text, text);
    let over = Task { not_before: Some(NOW), ..task() };
    let told = reasons(&facts(&over));
    assert!(told[0].text.starts_with("Its delay ended at 2026"), "{}", told[0].text);
}

#[test]
fn a_queue_that_no_flow_has_is_claimed_by_nobody() {
    let lost = Task { queue: "lost".to_owned(), cancel_requested_at: Some(NOW), ..task() };
    let told = reasons(&Facts { is_nameable: false, ..facts(&lost) });
    assert_eq!(codes(&told), ["cancel_requested", "not_claimable_queue"]);
}

#[test]
fn advice_is_given_where_no_machine_takes_the_role_and_where_a_person_is_needed() {
    let roles = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let told =
        |task: &Task, machines: &[Option<Vec<String>>]| codes(&advice(task, machines)).join(",");
    assert_eq!(told(&task(), &[]), "no_machine");
    assert_eq!(told(&task(), &[roles(&["x"])]), "no_machine");
    assert_eq!(told(&task(), &[roles(&["x"]), roles(&["r"])]), "");
    assert_eq!(told(&task(), &[roles(&["x"]), None]), "");
    let any = Task { role: None, ..task() };
    assert_eq!(told(&any, &[roles(&["x"])]), "no_machine");
    assert_eq!(told(&any, &[None]), "");
    let flagged = Task { needs_intervention: true, ..task() };
    assert_eq!(told(&flagged, &[None]), "needs_intervention");
    let over = Task { queue: "failed".to_owned(), ..flagged };
    assert_eq!(told(&over, &[]), "");
}
