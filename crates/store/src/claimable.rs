//! What keeps tasks from being handed out. Claims, their explanation, the filter `claimable` and the
//! codes of waiting tasks share these conditions, so that they cannot disagree.
//!
//! The column `claim_lane` says what a task's own row says: null if it cannot be claimed, `''` if a
//! reviewer holds it. Pauses change without the task, so every statement looks for them. A scope
//! mostly has no pause, and one probe finds that out.

/// Whether one of these targets of a scope is paused. Each is a condition on `pauses.target`.
macro_rules! is_paused {
    ($scope:literal, $now:literal; $($target:expr),+ $(,)?) => {
        const_format::concatcp!(
            "(EXISTS (SELECT 1 FROM pauses WHERE pauses.scope = ",
            $scope,
            ") AND (",
            $(
                "EXISTS (SELECT 1 FROM pauses WHERE pauses.scope = ",
                $scope,
                " AND pauses.target ",
                $target,
                " AND (pauses.until IS NULL OR pauses.until > ",
                $now,
                ")) OR ",
            )+
            "1 = 0))"
        )
    };
}

/// Whether a pause covers a task for every claim: one of its scope, its queue or its role.
macro_rules! is_covered {
    ($scope:literal, $now:literal) => {
        $crate::claimable::is_paused!(
            $scope, $now;
            "= 'scope'",
            "= 'queue:' || queue",
            "= 'role:' || COALESCE(role, '')"
        )
    };
}

/// Whether a claim would get a task, except that no claim may name its queue. A review that is held
/// can be claimed when its lease has ended.
macro_rules! is_claimable {
    ($scope:literal, $now:literal) => {
        const_format::concatcp!(
            "(claim_lane IS NOT NULL AND (claim_lane > '' OR lease_expires_at < ",
            $now,
            ") AND NOT ",
            $crate::claimable::is_covered!($scope, $now),
            ")"
        )
    };
}

/// Whether a claim may name the task's queue. `$queues` is a list of those that one may name, or
/// null if every queue may be named.
macro_rules! is_nameable {
    ($queues:literal) => {
        concat!("(", $queues, " IS NULL OR queue IN (SELECT value FROM json_each(", $queues, ")))")
    };
}

/// The code of the first reason why a claim would not get a task; null if one would. The order is
/// that of the domain's `why::Code`.
macro_rules! waiting_code {
    ($scope:literal, $now:literal, $queues:literal) => {
        const_format::concatcp!(
            "CASE WHEN ",
            $crate::claimable::is_claimable!($scope, $now),
            " AND ",
            $crate::claimable::is_nameable!($queues),
            " THEN NULL WHEN queue = 'done' OR queue = 'failed' OR queue = 'cancelled' \
             THEN 'finished' WHEN queue = 'claimed' \
             OR (claimed_in = queue AND lease_expires_at >= ",
            $now,
            ") THEN 'held' WHEN cancel_requested_at IS NOT NULL THEN 'cancel_requested' \
             WHEN NOT ",
            $crate::claimable::is_nameable!($queues),
            " THEN 'not_claimable_queue' WHEN ',' || blocked_by || ',' \
             <> replace(',' || blocked_by || ',', ',awaiting-input,', ',') THEN 'awaiting_input' \
             WHEN blocked_by IS NOT NULL THEN 'waits_for' \
             WHEN not_before IS NOT NULL THEN 'not_before' ELSE 'paused' END"
        )
    };
}

pub(crate) use {is_claimable, is_covered, is_nameable, is_paused, waiting_code};

#[cfg(test)]
mod tests {
    use octopoid_domain::{failure::AWAITING_INPUT, queue, why::Code};

    #[test]
    fn the_codes_are_those_of_the_domain_in_their_order() {
        let text = waiting_code!("?1", "?2", "?3");
        let codes: Vec<_> = text.split('\'').filter_map(Code::parse).collect();
        let blocking = Code::ALL.iter().copied().filter(|code| code.is_blocking());
        assert_eq!(codes, blocking.collect::<Vec<_>>());
        assert!(text.contains(AWAITING_INPUT));
        for queue in queue::FINISHED {
            assert!(text.contains(&format!("queue = '{queue}'")), "{queue}");
        }
    }
}
