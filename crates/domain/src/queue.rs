//! The queues the server itself knows. A flow may name any others.

/// Waiting to be claimed.
pub const INCOMING: &str = "incoming";
/// An agent works on it under a lease.
pub const CLAIMED: &str = "claimed";
/// Submitted, waiting for review.
pub const PROVISIONAL: &str = "provisional";
/// The agent ran out of turns; another goes on.
pub const NEEDS_CONTINUATION: &str = "needs_continuation";
/// Finished.
pub const DONE: &str = "done";
/// Given up.
pub const FAILED: &str = "failed";
/// Not wanted any more.
pub const CANCELLED: &str = "cancelled";

/// All of these.
pub const KNOWN: [&str; 7] =
    [INCOMING, CLAIMED, PROVISIONAL, NEEDS_CONTINUATION, DONE, FAILED, CANCELLED];

/// The queues that are valid names whatever a flow says, in the order a flow must list them.
pub const BUILT_IN: [&str; 4] = [INCOMING, CLAIMED, DONE, FAILED];

/// The queues nothing can be claimed from: work there is held or over.
pub const NOT_CLAIMABLE: [&str; 4] = [CLAIMED, DONE, FAILED, CANCELLED];

/// The final queues, which grow without bound.
pub const FINISHED: [&str; 3] = [DONE, FAILED, CANCELLED];

/// Whether tasks in this queue are over.
pub fn is_finished(queue: &str) -> bool {
    FINISHED.contains(&queue)
}
