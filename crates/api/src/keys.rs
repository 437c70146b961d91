//! Making keys: the one place where the text of a new key exists.

use crate::{
    app::App,
    auth::{KEY_PREFIX, hash},
};

/// A key that was just made.
pub(crate) struct FreshKey {
    /// What its holder gets to see, once.
    pub(crate) text: String,
    /// What is stored.
    pub(crate) hash: String,
}

impl FreshKey {
    /// A random key.
    pub(crate) fn new(app: &App) -> Self {
        let text = key_text(app.secret());
        let hash = hex::encode(hash(&text));
        Self { text, hash }
    }
}

/// The text of a key: the prefix, 28 random bytes, and the CRC-32 of that text, by which scanners
/// for leaked secrets tell a key from other text. Keys of older servers have 32 random bytes, so the
/// server does not check it.
fn key_text(mut secret: [u8; 32]) -> String {
    const RANDOM: usize = 28;
    let text = format!("{KEY_PREFIX}{}", hex::encode(&secret[..RANDOM]));
    secret[RANDOM..].copy_from_slice(&crc32fast::hash(text.as_bytes()).to_be_bytes());
    text + &hex::encode(&secret[RANDOM..])
}

#[cfg(test)]
mod tests {
    use super::key_text;

    /// The checksum was computed with another program, Python's `zlib.crc32`.
    #[test]
    fn a_key_ends_with_its_checksum() {
        let expected = "a6174a94";
        assert_eq!(key_text([0xab; 32]), format!("oct_{}{expected}", "ab".repeat(28)));
        assert_eq!(key_text([0; 32]).len(), 68);
    }
}
