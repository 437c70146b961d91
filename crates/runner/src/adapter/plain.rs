//! A program that is not known: its lines are shown, and its exit code counts.

use super::{Facts, Kind, Progress, append};
use crate::{classify::Status, facts::SUMMARY_BYTES_MAX, reasons};

/// Keeps the end of the output, and shows the line.
pub(super) fn read(facts: &mut Facts, line: &[u8]) -> Option<Progress> {
    append(&mut facts.plain_tail, line);
    let shown = &line[..line.len().min(SUMMARY_BYTES_MAX)];
    Progress::new(Kind::Text, &String::from_utf8_lossy(shown))
}

/// The exit codes that a command can use to say more than that it failed. They are those of
/// `sysexits.h`.
pub(super) fn end_of_code(code: i32) -> Option<Status> {
    match code {
        65 => Some(Status::Final(reasons::OTHER)),
        75 => Some(Status::Failed(reasons::SETUP_FAILED)),
        77 => Some(Status::Failed(reasons::PROVIDER_AUTH)),
        78 => Some(Status::Failed(reasons::BAD_CONFIG)),
        1..=125 => Some(Status::Failed(reasons::OTHER)),
        _ => None,
    }
}
