//! Which git this is.

use std::{fmt, path::Path};

use super::{Error, Git};

/// A version of git. Its third number never decides about a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl Version {
    /// The oldest git that has `worktree remove`.
    pub const OLDEST: Self = Self { major: 2, minor: 17 };

    /// The first git that ends the fields of `worktree list` by zero bytes.
    pub(crate) const LISTS_WITH_ZEROS: Self = Self { major: 2, minor: 36 };

    /// Asks git. A version that cannot be read is taken for a future one.
    pub async fn installed(dir: &Path) -> Result<Self, Error> {
        let text = Git::at(dir).read("version").line().await?;
        Ok(Self::parse(&text).unwrap_or(Self { major: u32::MAX, minor: 0 }))
    }

    /// Reads `git version 2.39.5 (Apple Git-154)`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("git version ")?.split(['.', ' ', '-']);
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        Some(Self { major, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
