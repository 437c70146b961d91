//! The list of tasks that a task waits for, and the detection of dependency cycles.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::{
    failure::AWAITING_INPUT,
    limits::{BLOCKERS_MAX, KEY_BYTES_MAX, check_bytes},
    refusal::Refusal,
};

/// Normalizes a list of blockers: no whitespace around ids, no duplicates.
pub fn blockers_text(list: &str) -> Option<String> {
    let ids = blockers(list);
    (!ids.is_empty()).then(|| ids.join(","))
}

/// The ids in a list of blockers, without duplicates, in order.
pub fn blockers(list: &str) -> Vec<&str> {
    let mut seen = HashSet::new();
    let ids = list.split(',').map(str::trim).filter(|id| !id.is_empty());
    ids.filter(|id| seen.insert(*id)).collect()
}

/// Rejects a list with too many ids, or with ids that are too long for an index key.
pub(crate) fn check_blockers(list: &str) -> Result<(), Refusal> {
    let ids = blockers(list);
    if ids.len() > BLOCKERS_MAX {
        return Err(Refusal::invalid(format!("Too many blockers: at most {BLOCKERS_MAX}")));
    }
    ids.iter().try_for_each(|id| check_bytes("blocked_by", Some(id), KEY_BYTES_MAX))
}

/// Rejects a task that waits for itself.
pub(crate) fn check_not_itself(id: &str, blocked_by: Option<&str>) -> Result<(), Refusal> {
    if blockers(blocked_by.unwrap_or_default()).contains(&id) {
        return Err(Refusal::invalid("A task cannot be blocked by itself"));
    }
    Ok(())
}

/// Rejects the id of a task that would be taken for the marker of tasks that wait for an answer.
pub(crate) fn check_no_marker(id: &str) -> Result<(), Refusal> {
    if id == AWAITING_INPUT {
        return Err(Refusal::invalid(
            "id must not be \"awaiting-input\": blocked_by has this name for tasks that wait for a \
             person's answer",
        ));
    }
    Ok(())
}

/// The maximum number of (task, blocker) pairs examined by the cycle check.
pub const LINKS_MAX: usize = 1_000;

/// The shortest dependency cycle of a task with these blockers. A link is a (task, blocker) pair.
pub fn cycle(id: &str, blockers: &[&str], links: &[(String, String)]) -> Option<Vec<String>> {
    let mut blockers_of: HashMap<&str, Vec<&str>> = HashMap::new();
    for (waiting, blocker) in links {
        blockers_of.entry(waiting).or_default().push(blocker);
    }
    // Each task with the one that waits for it on the way from the first.
    let mut seen: HashMap<&str, &str> = blockers.iter().map(|blocker| (*blocker, id)).collect();
    let mut next: VecDeque<&str> = blockers.iter().copied().collect();
    while let Some(waiting) = next.pop_front() {
        for blocker in blockers_of.get(waiting).into_iter().flatten() {
            if *blocker == id {
                let mut path = vec![id, waiting];
                while let Some(before) = seen.get(path[path.len() - 1]).filter(|at| **at != id) {
                    path.push(before);
                }
                path.push(id);
                return Some(path.into_iter().rev().map(str::to_owned).collect());
            }
            if !seen.contains_key(blocker) {
                seen.insert(blocker, waiting);
                next.push_back(blocker);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{blockers, blockers_text, check_blockers, cycle};

    fn links(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn a_cycle_is_named_by_its_shortest_way() {
        let links =
            links(&[("b", "c"), ("c", "d"), ("d", "a"), ("x", "c"), ("b", "y"), ("y", "a")]);
        let path = |blockers: &[&str]| cycle("a", blockers, &links).unwrap_or_default();
        assert_eq!(path(&["b"]), ["a", "b", "y", "a"]);
        assert_eq!(path(&["x"]), ["a", "x", "c", "d", "a"]);
        assert_eq!(path(&["d"]), ["a", "d", "a"]);
        assert_eq!(path(&["x", "d"]), ["a", "d", "a"]);
        assert_eq!(cycle("q", &["b"], &links), None);
    }

    #[test]
    fn a_cycle_among_others_ends_the_search() {
        let links = links(&[("b", "c"), ("c", "b")]);
        assert_eq!(cycle("a", &["b"], &links), None);
    }

    fn many(count: usize) -> String {
        (0..count).map(|number| format!("t{number}")).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn blockers_are_trimmed_and_named_once() {
        assert_eq!(blockers_text(" b, a,,b ").as_deref(), Some("b,a"));
        assert_eq!(blockers_text("awaiting-approval").as_deref(), Some("awaiting-approval"));
        assert_eq!(blockers_text(" , "), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test measures time")]
    fn a_list_as_long_as_a_body_takes_no_time() {
        let list = many(200_000);
        let start = std::time::Instant::now();
        assert_eq!(blockers(&list).len(), 200_000);
        // Comparing each with each takes minutes.
        assert!(start.elapsed().as_secs() < 5);
    }

    #[test]
    fn a_task_has_a_hundred_blockers_at_most_and_none_is_too_long() {
        assert_eq!(check_blockers(&format!("{},t0", many(100))), Ok(()));
        let text = |list: &str| check_blockers(list).unwrap_err().to_string();
        assert_eq!(text(&many(101)), "Too many blockers: at most 100");
        assert_eq!(check_blockers(&"a".repeat(512)), Ok(()));
        let long = format!("a,{}", "b".repeat(513));
        assert_eq!(text(&long), "blocked_by is too long: at most 512 bytes");
    }
}
