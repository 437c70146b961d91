//! The randomness of this program.

/// A number that cannot be predicted.
pub(crate) fn number() -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("a system that has sockets has random numbers");
    u32::from_le_bytes(bytes)
}
