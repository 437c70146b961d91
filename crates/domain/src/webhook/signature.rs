//! Secrets and signatures, by the Standard Webhooks specification.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{refusal::Refusal, time::Millis};

/// How the text of a secret begins.
const PREFIX: &str = "whsec_";

/// The header with the id of the message.
pub const ID: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// The secret of a webhook: 24 to 64 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    key: Vec<u8>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl Secret {
    /// The secret made of random bytes.
    pub fn new(random: &[u8; 32]) -> Self {
        let text = format!("{PREFIX}{}", STANDARD.encode(random));
        Self { text, key: random.to_vec() }
    }

    /// Reads the text of a secret.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let key = text.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok());
        let key = key.filter(|key| (24..=64).contains(&key.len())).ok_or(Refusal::invalid(
            "secret must be whsec_ and 24 to 64 bytes as base64: leave it out for a random one",
        ))?;
        Ok(Self { text: text.to_owned(), key })
    }

    /// The text, as its owner keeps it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The signature of a message.
    fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes any key");
        for part in [id, ".", &seconds.to_string(), ".", body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The headers of an attempt to send a message: one signature for each secret.
pub fn headers<'a>(
    secrets: impl Iterator<Item = &'a Secret>,
    id: &str,
    body: &str,
    now: Millis,
) -> [(&'static str, String); 3] {
    let seconds = now.0.div_euclid(1_000);
    let signatures: Vec<_> = secrets.map(|secret| secret.sign(id, seconds, body)).collect();
    [(ID, id.to_owned()), (TIMESTAMP, seconds.to_string()), (SIGNATURE, signatures.join(" "))]
}

#[cfg(test)]
mod tests {
    use super::{Secret, headers};
    use crate::time::Millis;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let sent = headers([&secret].into_iter(), id, body, Millis(1_614_265_330_999));
        assert_eq!(sent[0].1, id);
        assert_eq!(sent[1].1, "1614265330");
        assert_eq!(sent[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = Secret::new(&[7; 32]);
        let [.., (_, both)] = headers([&secret, &other].into_iter(), id, body, Millis(0));
        assert_eq!(both.split(' ').count(), 2, "{both}");
    }

    #[test]
    fn a_secret_has_24_to_64_bytes() {
        let random = Secret::new(&[0xfb; 32]);
        assert_eq!(Secret::parse(random.as_str()).unwrap(), random);
        assert_eq!(format!("{random:?}"), "Secret");
        let base64 = |text: &str| Secret::parse(&format!("whsec_{text}")).is_ok();
        assert!(base64(&"AAAA".repeat(8)), "24 bytes");
        assert!(!base64(&"AAAA".repeat(7)), "21 bytes");
        assert!(base64(&format!("{}AA==", "AAAA".repeat(21))), "64 bytes");
        assert!(!base64(&"AAAA".repeat(22)), "66 bytes");
        assert!(!base64(&"*".repeat(32)));
        assert!(Secret::parse(&"AAAA".repeat(8)).is_err(), "the prefix is missing");
    }
}
