//! Claims that fit one lane only, which then need not be looked for.

use const_format::concatcp;
use octopoid_domain::{Task, task::ClaimRequest};

use crate::{claimable::is_paused, idempotency::unless_done, record::Columns as _};

/// Takes the first task of a lane that is known. The role and the type are the only ones that the
/// claim names.
pub(super) const TAKE_FIRST: &str = concatcp!(
    "WITH fitting (lane) AS (SELECT (?3 ->> 0) || char(31) || (?4 ->> 0) WHERE NOT ",
    held_back!("(?3 ->> 0)", "?7"),
    ") ",
    take!("1", "1"),
    "WHERE seq = (SELECT (SELECT seq FROM tasks \
     WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 1) FROM fitting)",
    unless_done!("?14", "?15", "?16"),
    " RETURNING ",
    claimed!("tasks"),
    ", is_awaited"
);

/// Whether a claim fits one lane only.
pub(super) fn is_one(request: &ClaimRequest) -> bool {
    let is_one = |names: &[String]| matches!(names, [name] if !name.contains('\u{1f}'));
    is_one(&request.role_filter.0) && is_one(&request.type_filter.0)
}
