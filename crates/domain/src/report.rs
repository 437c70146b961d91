//! What an agent reports about its run: the result at its end, and progress on the way.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    input::{Prose, json_text},
    limits::URL_BYTES_MAX,
    refusal::Refusal,
    run::Progress,
    text::cut,
    time::Millis,
};

/// Bytes of a result, and of everything in it.
pub const RESULT_BYTES_MAX: usize = 3 << 19;
/// Bytes of a patch that are kept.
pub const PATCH_BYTES_MAX: usize = 1 << 20;
/// Bytes of a summary, and of the end of a check's output, that are kept.
pub const SUMMARY_BYTES_MAX: usize = 8 << 10;
/// Checks of a result.
pub const CHECKS_MAX: usize = 100;
/// Bytes of a checkpoint.
pub const CHECKPOINT_BYTES_MAX: usize = 64 << 10;
/// Characters of a progress report.
pub const PROGRESS_CHARS_MAX: usize = 500;
/// Bytes of the message of a failure that are kept.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// The members of a result that are text.
const TEXTS: [&str; 6] = ["branch", "base_sha", "head_sha", "session_ref", "adapter", "pr_url"];
/// The members of a result that are numbers.
const COUNTS: [&str; 3] = ["files_changed", "insertions", "deletions"];

/// The result of a run: an object with the members `summary`, `branch`, `base_sha`, `head_sha`,
/// `files_changed`, `insertions`, `deletions`, `patch` (a unified diff), `checks` (objects with
/// `name`, `command`, `exit_code`, `seconds` and `tail`), `session_ref`, `adapter` and `pr_url`. All
/// are optional, and other members are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[schema(value_type = Object)]
pub struct RunResult(Map<String, Value>);

impl From<Map<String, Value>> for RunResult {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl RunResult {
    /// Keeps the beginning of a longer patch, and says so in `patch_truncated`.
    pub fn cut_patch(&mut self, bytes_max: usize) {
        let Some(Value::String(patch)) = self.0.get_mut("patch") else { return };
        if patch.len() > bytes_max {
            patch.truncate(patch.floor_char_boundary(bytes_max));
            self.0.insert("patch_truncated".to_owned(), true.into());
        }
    }

    /// Takes the patch out, and says so in `patch_truncated`. False: there is none.
    pub fn remove_patch(&mut self) -> bool {
        // The other members keep their order.
        let is_there = self.0.shift_remove("patch").is_some();
        if is_there {
            self.0.insert("patch_truncated".to_owned(), true.into());
        }
        is_there
    }

    /// Refuses a result that is too large to be stored.
    pub fn check(&self, bytes_max: usize) -> Result<(), Refusal> {
        if self.text().len() > bytes_max {
            return Err(Refusal::invalid(format!(
                "result is too long: at most {bytes_max} bytes. Shorten what is not the patch"
            )));
        }
        Ok(())
    }

    /// The JSON text that is stored.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The summary.
    pub fn summary(&self) -> Option<&str> {
        self.0.get("summary").and_then(Value::as_str)
    }

    /// What lists of tasks show of it.
    pub fn digest(&self) -> ResultDigest {
        let text = |name| self.0.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name| self.0.get(name).and_then(Value::as_i64);
        let is_whole = self.0.get("patch").is_some_and(Value::is_string).then_some(false);
        ResultDigest {
            branch: text("branch"),
            pr_url: text("pr_url"),
            files_changed: number("files_changed"),
            insertions: number("insertions"),
            deletions: number("deletions"),
            checks: self.0.get("checks").and_then(Value::as_array).map(|checks| count(checks)),
            patch_truncated: self.0.get("patch_truncated").and_then(Value::as_bool).or(is_whole),
        }
    }

    /// The names of the checks that failed.
    pub fn failed_checks(&self) -> Vec<&str> {
        let checks = self.0.get("checks").and_then(Value::as_array).into_iter().flatten();
        let failed = |check: &&Value| check["exit_code"].as_i64().is_some_and(|code| code != 0);
        checks.filter(failed).filter_map(|check| check["name"].as_str()).collect()
    }
}

/// What lists of tasks show of a result. `null` means unknown, never 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultDigest {
    /// The branch of the work.
    pub branch: Option<String>,
    /// The URL of the pull request.
    pub pr_url: Option<String>,
    /// The number of files that the work changes.
    pub files_changed: Option<i64>,
    /// The number of lines that it adds.
    pub insertions: Option<i64>,
    /// The number of lines that it removes.
    pub deletions: Option<i64>,
    /// How the checks ended; null if the result has no list of checks.
    pub checks: Option<CheckCounts>,
    /// Whether less than the whole patch is stored; null if the result has no patch.
    pub patch_truncated: Option<bool>,
}

/// How the checks of a result ended. A check without an exit code is in neither number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckCounts {
    /// The number of checks with the exit code 0.
    pub passed: i64,
    /// The number of checks with another exit code.
    pub failed: i64,
}

impl ResultDigest {
    /// Reads what [`Self::text`] wrote. Any other text gives an empty digest.
    pub fn stored(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The JSON text that is stored; `None` if nothing is known.
    pub fn text(&self) -> Option<String> {
        (*self != Self::default()).then(|| serde_json::to_string(self).unwrap_or_default())
    }
}

fn count(checks: &[Value]) -> CheckCounts {
    let mut counts = CheckCounts::default();
    for code in checks.iter().filter_map(|check| check["exit_code"].as_i64()) {
        let counted = if code == 0 { &mut counts.passed } else { &mut counts.failed };
        *counted += 1;
    }
    counts
}

impl<'de> Deserialize<'de> for RunResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Map::<String, Value>::deserialize(deserializer)?;
        check_members(&members).map_err(D::Error::custom)?;
        for name in ["summary", "patch"] {
            if let Some(Value::String(text)) = members.get_mut(name) {
                *text = json_text(std::mem::take(text));
            }
        }
        if let Some(Value::String(summary)) = members.get_mut("summary") {
            summary.truncate(summary.floor_char_boundary(SUMMARY_BYTES_MAX));
        }
        let checks = members.get_mut("checks").and_then(Value::as_array_mut);
        for check in checks.into_iter().flatten() {
            if let Some(Value::String(tail)) = check.get_mut("tail") {
                let start = tail.len().saturating_sub(SUMMARY_BYTES_MAX);
                tail.drain(..tail.ceil_char_boundary(start));
            }
        }
        Ok(Self(members))
    }
}

fn check_members(members: &Map<String, Value>) -> Result<(), String> {
    let is_text = |value: &Value| value.is_string() || value.is_null();
    for name in TEXTS.into_iter().chain(["summary", "patch"]) {
        let Some(value) = members.get(name) else { continue };
        if !is_text(value) {
            return Err(format!("{name} must be text"));
        }
        let is_long = value.as_str().is_some_and(|text| text.len() > URL_BYTES_MAX);
        if is_long && TEXTS.contains(&name) {
            return Err(format!("{name} is too long: at most {URL_BYTES_MAX} bytes"));
        }
    }
    for name in COUNTS {
        let value = members.get(name).filter(|value| !value.is_null());
        if value.is_some_and(|value| !value.is_u64()) {
            return Err(format!("{name} must be a whole number from 0"));
        }
    }
    check_checks(members.get("checks"))
}

fn check_checks(checks: Option<&Value>) -> Result<(), String> {
    let checks = match checks {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(checks)) => checks,
        Some(_) => return Err("checks must be a list".to_owned()),
    };
    if checks.len() > CHECKS_MAX {
        return Err(format!("Too many checks: at most {CHECKS_MAX}"));
    }
    for check in checks {
        let Value::Object(check) = check else {
            return Err("checks must be a list of objects".to_owned());
        };
        let is = |name, fits: fn(&Value) -> bool| {
            check.get(name).is_none_or(|value| value.is_null() || fits(value))
        };
        for name in ["name", "command", "tail"] {
            if !is(name, Value::is_string) {
                return Err(format!("checks: {name} must be text"));
            }
        }
        if !is("exit_code", Value::is_i64) || !is("seconds", Value::is_number) {
            return Err("checks: exit_code and seconds must be numbers".to_owned());
        }
    }
    Ok(())
}

/// A progress report in a request body.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewProgress {
    /// What the agent does; of a longer text the first 500 characters are kept.
    pub message: Prose,
    /// How far it is, from 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: Option<f64>,
}

impl NewProgress {
    /// The report, which must say something.
    pub fn at(&self, now: Millis) -> Result<Progress, Refusal> {
        if self.percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
            return Err(Refusal::invalid("Invalid value for progress.percent: 0 to 100"));
        }
        let shorten = |text: &str| text.chars().take(PROGRESS_CHARS_MAX).collect();
        let message = self.message.0.as_deref().map(shorten);
        Ok(Progress { message, percent: self.percent, at: now })
    }
}

/// A checkpoint: any JSON, which the next run is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Option<Object>)]
pub struct Checkpoint(pub Value);

impl Checkpoint {
    /// The JSON text that is stored; `None` for `null`, which keeps the one before.
    pub fn text(&self) -> Result<Option<String>, Refusal> {
        if self.0.is_null() {
            return Ok(None);
        }
        let text = self.0.to_string();
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err(Refusal::invalid(format!(
                "checkpoint is too long: at most {CHECKPOINT_BYTES_MAX} bytes"
            )));
        }
        Ok(Some(text))
    }
}

/// What is kept of the message of a failure.
pub(crate) fn kept_message(message: &Prose) -> Option<String> {
    message.0.as_deref().map(|message| cut(message, MESSAGE_BYTES_MAX).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{CheckCounts, Checkpoint, NewProgress, ResultDigest, RunResult, SUMMARY_BYTES_MAX};
    use crate::time::Millis;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Result<RunResult, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_result_is_kept_with_members_that_are_not_known() {
        let result = read(json!({"summary": "s", "extra": [1], "patch": null, "insertions": 3}));
        let result = result.unwrap();
        assert_eq!(result.summary(), Some("s"));
        assert!(result.text().contains("\"extra\":[1]"));
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "ü".repeat(SUMMARY_BYTES_MAX);
        let mut result = read(json!({
            "summary": long, "patch": "aü", "checks": [{"name": "t", "tail": format!("{long}z")}]
        }))
        .unwrap();
        assert_eq!(result.summary().map(str::len), Some(SUMMARY_BYTES_MAX));
        let tail = result.0["checks"][0]["tail"].as_str().unwrap();
        assert!(tail.ends_with("üz") && tail.len() <= SUMMARY_BYTES_MAX);
        result.cut_patch(3);
        assert_eq!(result.0.get("patch_truncated"), None);
        result.cut_patch(2);
        assert_eq!((&result.0["patch"], &result.0["patch_truncated"]), (&json!("a"), &json!(true)));
        assert!(result.check(10).is_err());
    }

    #[test]
    fn members_of_a_wrong_type_are_refused_by_name() {
        for (bad, text) in [
            (json!({"summary": 5}), "summary must be text"),
            (json!({"pr_url": "x".repeat(2_049)}), "pr_url is too long: at most 2048 bytes"),
            (json!({"deletions": -1}), "deletions must be a whole number from 0"),
            (json!({"checks": {}}), "checks must be a list"),
            (json!({"checks": [1]}), "checks must be a list of objects"),
            (json!({"checks": [{"name": 1}]}), "checks: name must be text"),
            (json!({"checks": vec![json!({}); 101]}), "Too many checks: at most 100"),
        ] {
            assert_eq!(read(bad), Err(text.to_owned()));
        }
        assert!(read(json!([])).is_err());
    }

    #[test]
    fn failed_checks_are_named() {
        let checks = json!([{"name": "a", "exit_code": 0}, {"name": "b", "exit_code": 2}, {}]);
        assert_eq!(read(json!({ "checks": checks })).unwrap().failed_checks(), ["b"]);
    }

    #[test]
    fn a_digest_knows_no_more_than_the_result_says() {
        let digest = |value| read(value).unwrap().digest();
        let nothing = digest(json!({"summary": "s", "branch": null, "insertions": null}));
        assert_eq!((nothing.text(), nothing), (None, ResultDigest::default()));
        let whole = digest(json!({
            "branch": "b", "insertions": 3, "files_changed": 0, "patch": "+a",
            "checks": [{"exit_code": 0}, {"exit_code": 2}, {"exit_code": -1}, {"name": "skipped"}],
        }));
        let expected = ResultDigest {
            branch: Some("b".to_owned()),
            insertions: Some(3),
            files_changed: Some(0),
            checks: Some(CheckCounts { passed: 1, failed: 2 }),
            patch_truncated: Some(false),
            ..ResultDigest::default()
        };
        assert_eq!(whole, expected);
        assert_eq!(ResultDigest::stored(&whole.text().unwrap()), whole);
        let none = Some(CheckCounts::default());
        assert_eq!(digest(json!({"checks": []})).checks, none, "there are none, and that is known");
        let mut cut = read(json!({"patch": "+a"})).unwrap();
        cut.remove_patch();
        assert_eq!(cut.digest().patch_truncated, Some(true));
    }

    #[test]
    fn progress_and_checkpoints_have_limits() {
        let progress = |value| serde_json::from_value::<NewProgress>(value).unwrap().at(Millis(7));
        let long = progress(json!({"message": "ü".repeat(501), "percent": 12.5})).unwrap();
        assert_eq!(long.message.map(|text| text.chars().count()), Some(500));
        assert!(progress(json!({"percent": 101})).is_err());
        assert!(progress(json!({"percent": -1})).is_err());
        let checkpoint = |value| Checkpoint(value).text().map_err(|error| error.to_string());
        assert_eq!(checkpoint(json!(null)), Ok(None));
        assert_eq!(checkpoint(json!({"a": 1})), Ok(Some("{\"a\":1}".to_owned())));
        assert!(checkpoint(json!("x".repeat(65_536))).is_err());
    }
}
