//! The orders of lists of tasks.

/// What a rank is multiplied by to make one number of it and a task's number, which is smaller.
const RANK: i64 = 1 << 44;

/// The order of a list of tasks. A task's place in it is a number, and the list goes up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Newest first.
    Newest,
    /// The most urgent first, then the oldest.
    UrgentOldest,
    /// The most urgent first, then the newest.
    UrgentNewest,
}

impl Sort {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Newest => "tasks",
            Self::UrgentOldest => "tasks by priority",
            Self::UrgentNewest => "tasks of a project",
        }
    }

    pub(super) fn order(self) -> &'static str {
        match self {
            Self::Newest => "number DESC",
            Self::UrgentOldest => "claim_rank, number",
            Self::UrgentNewest => "claim_rank, number DESC",
        }
    }

    /// The place of the row whose number has this name.
    pub(super) fn place(self, number: &str) -> String {
        match self {
            Self::Newest => format!("0 - {number}"),
            Self::UrgentOldest => format!("claim_rank * {RANK} + {number}"),
            Self::UrgentNewest => format!("claim_rank * {RANK} - {number}"),
        }
    }

    /// Rank and number of the row at a place. The newest first have no rank.
    pub(super) fn row(self, place: i64) -> (i64, i64) {
        match self {
            Self::Newest => (0, -place),
            Self::UrgentOldest => (place.div_euclid(RANK), place.rem_euclid(RANK)),
            Self::UrgentNewest => {
                ((-place).div_euclid(RANK).wrapping_neg(), (-place).rem_euclid(RANK))
            }
        }
    }

    /// How the numbers of later rows compare with that of an earlier one of the same rank.
    pub(super) fn later(self) -> &'static str {
        if self == Self::UrgentOldest { ">" } else { "<" }
    }
}

#[cfg(test)]
mod tests {
    use super::{RANK, Sort};

    #[test]
    fn a_place_tells_rank_and_number() {
        for (rank, number) in [(0, 1), (1, 7), (3, RANK - 1), (9, 123)] {
            assert_eq!(Sort::Newest.row(-number), (0, number));
            let place = rank * RANK + number;
            assert_eq!(Sort::UrgentOldest.row(place), (rank, number));
            let place = rank * RANK - number;
            assert_eq!(Sort::UrgentNewest.row(place), (rank, number));
        }
    }
}
