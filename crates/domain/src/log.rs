//! Logs of runs: text that grows at its end, addressed by byte offsets of its UTF-8.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    decide::why_lost,
    input::PatchCount,
    lease::{LeaseToken, Token},
    refusal::Refusal,
    run::Run,
    time::Millis,
};

/// Bytes of text that one request may append.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Bytes of a run's log that are kept: the newest.
pub const LOG_BYTES_MAX: usize = 1 << 20;
/// How long after the end of a run text is taken, in milliseconds.
pub const OPEN_MS: i64 = 600_000;
/// How long the logs of a task are kept after it is over, in milliseconds: 14 days.
pub const RETAIN_MS: i64 = 14 * 86_400_000;
/// Bytes of a part of a log if the reader does not say.
pub const PART_BYTES_DEFAULT: usize = 64 << 10;
/// The largest part of a log that is read at once, in bytes.
pub const PART_BYTES_MAX: usize = 1 << 20;

/// The body that appends to a log.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Append {
    /// Required: the lease token of the claim.
    #[schema(value_type = Option<String>)]
    pub lease_token: Token,
    /// Required: where the text begins in the log, in bytes.
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub offset: PatchCount,
    /// Required: the text, at most 64 KiB. An empty text asks for the next offset.
    #[schema(value_type = String)]
    pub text: LogText,
}

/// Text of a log. No database may be given a NUL: it becomes U+001A, which has one byte as well, so
/// that offsets stay what the client counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogText(pub Option<String>);

impl<'de> Deserialize<'de> for LogText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let without_nul = |text: String| {
            if text.contains('\0') { text.replace('\0', "\u{1a}") } else { text }
        };
        Ok(Self(text.map(without_nul)))
    }
}

/// A request to append that has all it needs.
#[derive(Clone, Copy, Debug)]
pub struct Appending<'a> {
    /// The token.
    pub token: &'a LeaseToken,
    /// Where the text begins.
    pub offset: i64,
    /// The text.
    pub text: &'a str,
}

impl Append {
    /// The request, which must be complete and not too long.
    pub fn check(&self) -> Result<Appending<'_>, Refusal> {
        let missing = |field| Refusal::invalid(format!("Missing required field: {field}"));
        let token = self.lease_token.0.as_ref().ok_or_else(|| missing("lease_token"))?;
        let offset = self.offset.value().ok_or_else(|| missing("offset"))?.0;
        let text = self.text.0.as_deref().ok_or_else(|| missing("text"))?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(Refusal::invalid(format!(
                "text is too long: at most {TEXT_BYTES_MAX} bytes; send the rest with the next offset"
            )));
        }
        Ok(Appending { token, offset, text })
    }
}

impl<'a> Appending<'a> {
    /// The part of the text that a log of so many bytes does not have yet.
    pub fn rest(&self, end: i64) -> Result<&'a str, Refusal> {
        let refused = Refusal::LogGap { expected: end, found: self.offset };
        let Ok(known) = usize::try_from(end - self.offset) else { return Err(refused) };
        if known >= self.text.len() {
            return Ok("");
        }
        // What splits a character is not the text that was sent before.
        self.text.get(known..).ok_or(refused)
    }
}

/// What the log of a run is appended to under.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    /// The run of the task's current lease.
    pub lease_run: Option<i64>,
    /// The task's last run.
    pub last_run: i64,
    /// Who holds the task.
    pub by: Option<String>,
}

/// Refuses text for a run that is not the task's (`None`), or that ended too long ago. As long as
/// its token is current, a run that has lapsed goes on.
pub fn check_open(task: &Holder, run: Option<&Run>, now: Millis) -> Result<(), Refusal> {
    let lost = |closed: &str| {
        let why = why_lost(task.last_run, task.by.as_deref(), run);
        Err(Refusal::LogClosed { reason: format!("{why}{closed}") })
    };
    match run {
        None => lost(""),
        Some(run) if run.ended_by.as_deref() == Some("delete") => lost(""),
        Some(run) if is_closed(run, task.lease_run, now) => {
            lost("; its log is taken until 10 minutes after that")
        }
        Some(_) => Ok(()),
    }
}

/// Whether nothing more is appended to the log of a run.
pub fn is_closed(run: &Run, lease_run: Option<i64>, now: Millis) -> bool {
    let has_passed = |end: Millis| now > end.plus(OPEN_MS);
    lease_run != Some(run.run) && run.ended_at.is_some_and(has_passed)
}

/// The answer to text that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Appended {
    /// Where the next text begins.
    pub next_offset: i64,
}

/// A part of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPart {
    /// Where the text begins, in bytes. It is later than the offset asked for if what was there is
    /// not kept any more, and earlier if that is inside of a character.
    pub offset: i64,
    /// Where the next part begins.
    pub next_offset: i64,
    /// The text.
    pub text: String,
    /// Whether the log ends here: the run has ended, and its log is not taken any more.
    pub is_complete: bool,
}

impl LogPart {
    /// The part of at most `limit` bytes that begins at an offset, from the stored pieces around it,
    /// which follow each other. It has at least one character, if there is one.
    pub fn cut(pieces: Vec<(i64, String)>, offset: i64, limit: usize) -> Self {
        let mut part = Self { offset, next_offset: offset, ..Self::default() };
        for (start, piece) in pieces {
            let mut piece = &*piece;
            if part.text.is_empty() {
                let skipped = usize::try_from(part.offset - start).unwrap_or_default();
                let skipped = piece.floor_char_boundary(skipped);
                piece = &piece[skipped..];
                part.offset = start + length(skipped);
                part.next_offset = part.offset;
            }
            if start > part.next_offset {
                break;
            }
            let mut end = piece.floor_char_boundary(limit.saturating_sub(part.text.len()));
            let is_cut = end < piece.len();
            if part.text.is_empty() && end == 0 {
                end = piece.chars().next().map_or(0, char::len_utf8);
            }
            part.text.push_str(&piece[..end]);
            part.next_offset = part.offset + length(part.text.len());
            if is_cut {
                break;
            }
        }
        part
    }
}

/// Bytes as a number of the database.
pub fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Append, Holder, LogPart, OPEN_MS, check_open};
    use crate::{
        Millis,
        input::parse_body,
        run::{Outcome, Run},
    };

    fn append(offset: i64, text: &str) -> Append {
        let token = format!("olt_1_{}", "0".repeat(32));
        let body = json!({"lease_token": token, "offset": offset, "text": text});
        parse_body(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_overlapping_text_is_taken_from_the_end_of_the_log_on() {
        let append = append(10, "abü");
        let rest = |end| append.check().unwrap().rest(end).map_err(|error| error.to_string());
        assert_eq!(rest(10), Ok("abü"));
        assert_eq!(rest(11), Ok("bü"));
        assert_eq!(rest(12), Ok("ü"));
        assert_eq!(rest(14), Ok(""));
        assert_eq!(rest(99), Ok(""));
        let gap = "Failed to append to the log: expected offset 9, found 10";
        assert_eq!(rest(9), Err(gap.to_owned()));
        let split = "Failed to append to the log: expected offset 13, found 10";
        assert_eq!(rest(13), Err(split.to_owned()), "it splits a character");
    }

    #[test]
    fn all_fields_are_required_but_the_text_may_be_empty() {
        let text = |body: Value| {
            let body: Append = parse_body(body.to_string().as_bytes()).unwrap();
            body.check().map(drop).map_err(|refusal| refusal.to_string())
        };
        let token = format!("olt_1_{}", "0".repeat(32));
        let missing = |field: &str| Err(format!("Missing required field: {field}"));
        assert_eq!(text(json!({})), missing("lease_token"));
        assert_eq!(text(json!({"lease_token": token})), missing("offset"));
        assert_eq!(text(json!({"lease_token": token, "offset": 0})), missing("text"));
        assert_eq!(text(json!({"lease_token": token, "offset": 0, "text": ""})), Ok(()));
        let long = json!({"lease_token": token, "offset": 0, "text": "x".repeat(65_537)});
        let words = "text is too long: at most 65536 bytes; send the rest with the next offset";
        assert_eq!(text(long), Err(words.to_owned()));
        assert_eq!(append(0, "a\0b").text.0.as_deref(), Some("a\u{1a}b"));
    }

    #[test]
    fn a_log_is_open_while_its_token_is_current_and_ten_minutes_after_the_end() {
        let end = Millis(1_000);
        let ended = Run {
            run: 2,
            outcome: Outcome::Submitted,
            ended_at: Some(end),
            ended_by: Some("submit".to_owned()),
            ..Run::default()
        };
        let task = Holder { last_run: 2, ..Holder::default() };
        let last = end.plus(OPEN_MS);
        assert!(check_open(&task, Some(&ended), last).is_ok());
        let closed = check_open(&task, Some(&ended), last.plus(1)).unwrap_err();
        assert_eq!(
            closed.reason().unwrap(),
            "Run 2 was submitted at 1970-01-01T00:00:01.000Z; its log is taken until 10 minutes \
             after that"
        );
        let lapsed = Run { outcome: Outcome::Lapsed, ..ended.clone() };
        let held = Holder { lease_run: Some(2), ..task.clone() };
        assert!(check_open(&held, Some(&lapsed), last.plus(1)).is_ok());
        let deleted = Run { ended_by: Some("delete".to_owned()), ..ended };
        assert!(check_open(&task, Some(&deleted), end).is_err());
        let unknown = check_open(&task, None, end).unwrap_err();
        assert_eq!(unknown.code(), "lease_lost");
    }

    #[test]
    fn a_part_is_cut_between_characters() {
        let pieces = || vec![(10, "abü".to_owned()), (14, "cd".to_owned())];
        let part = |offset, limit| {
            let part = LogPart::cut(pieces(), offset, limit);
            (part.offset, part.text, part.next_offset)
        };
        assert_eq!(part(10, 100), (10, "abücd".to_owned(), 16));
        assert_eq!(part(11, 3), (11, "bü".to_owned(), 14));
        assert_eq!(part(11, 2), (11, "b".to_owned(), 12));
        assert_eq!(part(12, 1), (12, "ü".to_owned(), 14), "at least one character");
        assert_eq!(part(13, 9), (12, "ücd".to_owned(), 16), "inside of a character");
        assert_eq!(part(3, 2), (10, "ab".to_owned(), 12), "what was there is gone");
        assert_eq!(
            LogPart::cut(Vec::new(), 5, 9),
            LogPart { offset: 5, next_offset: 5, ..LogPart::default() }
        );
    }
}
