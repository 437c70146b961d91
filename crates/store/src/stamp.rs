//! What makes one write different from every other: its number and its time.

use octopoid_domain::{Millis, input::INTEGER_MAX};

/// The identity of one write. The write marks the rows it changes with its number, and its history
/// follows the mark: a refused write leaves no history, and one that changed fifty rows leaves
/// fifty events.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// A random number; with a row's id or its lease, it is unique.
    pub write_id: i64,
    /// When the write happens.
    pub now: Millis,
}

impl Stamp {
    /// A stamp from random bits and the host's clock.
    pub fn new(random: u64, now: Millis) -> Self {
        let random = i64::try_from(random >> 11).unwrap_or_default();
        Self { write_id: random & INTEGER_MAX, now }
    }

    /// An id made from the write's number: `<prefix>-<milliseconds>-<6 characters>`, the form the
    /// first server gave its ids.
    pub(crate) fn text_id(&self, prefix: &str) -> String {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut rest = self.write_id.unsigned_abs();
        let mut id = format!("{prefix}-{}-", self.now.0);
        for _ in 0..6 {
            let digit = usize::try_from(rest % 36).unwrap_or_default();
            id.push(char::from(DIGITS[digit]));
            rest /= 36;
        }
        id
    }
}
