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
        let text = format!("{KEY_PREFIX}{}", hex::encode(app.secret()));
        let hash = hex::encode(hash(&text));
        Self { text, hash }
    }
}
