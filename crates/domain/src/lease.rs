//! Lease tokens: how the agent that was given a lease proves that it is the one.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{input::Text, message::Message, run::run_number, time::Millis};

/// What every token begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "olt_";
/// The digits of a token's secret: 128 random bits.
const SECRET_DIGITS: usize = 32;

/// A lease token: `olt_<run>_<32 hexadecimal digits>`. Clients treat it as opaque.
///
/// It names the run, so that the run is found without an index of tokens. Only the hash of a token
/// is stored, except in the memory of idempotency keys, which returns it again for a day.
#[derive(Clone, PartialEq, Eq)]
pub struct LeaseToken {
    /// The run that the token was issued for.
    pub run: i64,
    secret: String,
}

impl LeaseToken {
    /// The token of a run, with this secret.
    pub fn new(run: i64, secret: &LeaseSecret) -> Self {
        Self { run, secret: secret.0.clone() }
    }

    /// Reads a token, or returns `None` if the text is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let (run, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let run = run_number(run)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_secret = secret.len() == SECRET_DIGITS && secret.bytes().all(is_digit);
        is_secret.then(|| Self { run, secret: secret.to_owned() })
    }

    /// SHA-256 of the secret, in hexadecimal digits.
    pub fn hash(&self) -> String {
        hash(&self.secret)
    }
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}_{}", self.run, self.secret)
    }
}

/// Hides the secret from logs.
impl fmt::Debug for LeaseToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LeaseToken(run {})", self.run)
    }
}

/// The secret of a token whose run is not known yet: the claim that creates the run numbers it.
#[derive(Clone)]
pub struct LeaseSecret(String);

impl LeaseSecret {
    /// A secret from 16 random bytes.
    pub fn new(random: [u8; SECRET_DIGITS / 2]) -> Self {
        Self(hex::encode(random))
    }

    /// SHA-256 of the secret, in hexadecimal digits.
    pub fn hash(&self) -> String {
        hash(&self.0)
    }

    /// The secret itself, for the memory of a claim that may have to be answered again.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl LeaseSecret {
    /// The secret of the run key, which is derived one-way: who knows the key does not know the
    /// token, and a repeated claim derives the same.
    fn of_run_key(&self) -> String {
        hash(&format!("run key {}", self.0))
    }

    /// The hash of the run key, which is stored.
    pub fn run_key_hash(&self) -> String {
        hash(&self.of_run_key())
    }
}

/// The key of an agent for its own run: `oct_run_<run>_<64 digits>_<the task's id in hexadecimal>`.
/// It names the run, so that the run is found without an index of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct RunKey {
    /// The task.
    pub task_id: String,
    /// The run.
    pub run: i64,
    secret: String,
}

/// What every run key begins with.
pub const RUN_KEY_PREFIX: &str = "oct_run_";

impl RunKey {
    /// The key of the run with this lease token.
    pub fn of(task_id: &str, token: &LeaseToken) -> Self {
        let secret = LeaseSecret(token.secret.clone()).of_run_key();
        Self { task_id: task_id.to_owned(), run: token.run, secret }
    }

    /// Reads a key, or returns `None` if the text is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(RUN_KEY_PREFIX)?.splitn(3, '_');
        let run = run_number(parts.next()?)?;
        let secret = parts.next()?.to_owned();
        let task_id = String::from_utf8(hex::decode(parts.next()?).ok()?).ok()?;
        Some(Self { task_id, run, secret })
    }

    /// SHA-256 of the secret, in hexadecimal digits: the only form that is stored.
    pub fn hash(&self) -> String {
        hash(&self.secret)
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (run, secret) = (self.run, &self.secret);
        write!(formatter, "{RUN_KEY_PREFIX}{run}_{secret}_{}", hex::encode(&self.task_id))
    }
}

/// Hides the secret from logs.
impl fmt::Debug for RunKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RunKey(run {} of {})", self.run, self.task_id)
    }
}

/// Hides the secret from logs.
impl fmt::Debug for LeaseSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LeaseSecret")
    }
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The lease token of a request body; `null` and the empty string count as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token(pub Option<LeaseToken>);

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().map(ToString::to_string).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(Some(text)) = Text::deserialize(deserializer)? else { return Ok(Self(None)) };
        let token = LeaseToken::parse(&text).ok_or_else(|| {
            D::Error::custom("malformed token; send the lease_token of the claim unchanged")
        })?;
        Ok(Self(Some(token)))
    }
}

/// What the server tells the holder of a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// Go on.
    #[default]
    Continue,
    /// The machine is being drained: finish and submit.
    WrapUp,
    /// The task is to be cancelled: stop, and report the failure `cancelled`.
    Stop,
}

impl Directive {
    /// What follows from the state of the task and of the machine.
    pub fn of(is_cancelled: bool, is_draining: bool) -> Self {
        match (is_cancelled, is_draining) {
            (true, _) => Self::Stop,
            (false, true) => Self::WrapUp,
            (false, false) => Self::Continue,
        }
    }

    /// The reason in words, if there is one.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Continue => None,
            Self::WrapUp => Some("The machine is being drained"),
            Self::Stop => Some("The task is cancelled"),
        }
    }
}

/// The answer to a renewal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Renewal {
    /// The task.
    pub task_id: String,
    /// The run.
    pub run: i64,
    /// When the lease ends.
    pub lease_expires_at: Millis,
    /// What the agent is to do.
    pub directive: Directive,
    /// Why, unless it is to go on.
    pub reason: Option<String>,
    /// Messages to `agent` or to the holder since the claim, after `messages_after`, at most 20.
    pub messages: Vec<Message>,
}

#[cfg(test)]
mod tests {
    use super::{LeaseSecret, LeaseToken, RunKey, Token};
    use serde_json::json;

    #[test]
    fn a_token_is_read_as_it_was_written_and_hides_its_secret() {
        let secret = LeaseSecret::new([0xab; 16]);
        let token = LeaseToken::new(12, &secret);
        let text = token.to_string();
        assert_eq!(text, format!("olt_12_{}", "ab".repeat(16)));
        assert_eq!(LeaseToken::parse(&text), Some(token.clone()));
        assert_eq!(token.hash(), secret.hash());
        assert_eq!(token.hash().len(), 64);
        assert!(!format!("{token:?} {secret:?}").contains("abab"));
    }

    #[test]
    fn a_run_key_is_read_as_it_was_written_and_does_not_show_the_token() {
        let secret = LeaseSecret::new([0xab; 16]);
        let key = RunKey::of("t_1/ü", &LeaseToken::new(3, &secret));
        let text = key.to_string();
        assert_eq!(RunKey::parse(&text), Some(key.clone()));
        assert!(!text.contains("abab"), "{text}");
        let digits = text.split('_').nth(3).unwrap().to_owned();
        assert!(!format!("{key:?}").contains(&digits));
        assert_eq!(key.hash(), secret.run_key_hash());
        assert_ne!(key.hash(), secret.hash());
        for bad in [
            "",
            "oct_1",
            "oct_run_x_ab_ab",
            "oct_run_0_ab_ab",
            "oct_run_9007199254740992_ab_ab",
            "oct_run_1_ab",
            "oct_run_1_ab_zz",
        ] {
            assert_eq!(RunKey::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_malformed_token_is_refused_and_an_empty_one_is_absent() {
        let secret = "0".repeat(32);
        for bad in [
            "x",
            "olt_1",
            "olt__",
            &format!("olt_0_{secret}"),
            &format!("olt_01_{secret}"),
            &format!("olt_-1_{secret}"),
            &format!("olt_+1_{secret}"),
            &format!("olt_9007199254740992_{secret}"),
            &format!("olt_1_{secret}0"),
            &format!("olt_1_{}", "A".repeat(32)),
        ] {
            assert_eq!(LeaseToken::parse(bad), None, "{bad}");
            assert!(serde_json::from_value::<Token>(json!(bad)).is_err(), "{bad}");
        }
        for absent in [json!(null), json!("")] {
            assert_eq!(serde_json::from_value::<Token>(absent).unwrap(), Token(None));
        }
    }
}
