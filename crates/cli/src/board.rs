//! Links to the board.

use octopoid_client::{Client, Result};
use octopoid_domain::{
    Millis,
    input::{Prose, Text},
    key::{NewKey, Permission},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

/// A link to the board.
#[derive(Serialize)]
pub(crate) struct Link {
    /// The address. It is a secret if it has a code.
    pub(crate) url: String,
    /// When its code expires; `None` if the link has no code.
    pub(crate) expires_at: Option<Millis>,
}

impl Link {
    /// The address of the board, with the scope that it shows.
    pub(crate) fn plain(server: &str, scope: Option<&str>) -> Self {
        let server = server.trim_end_matches('/');
        let query = scope.map(|scope| utf8_percent_encode(scope, NON_ALPHANUMERIC).to_string());
        let query = query.map(|scope| format!("?scope={scope}")).unwrap_or_default();
        Self { url: format!("{server}/{query}"), expires_at: None }
    }

    /// A link that signs one browser in, once. The key of the client must manage the scope. The code
    /// stands in the fragment, which browsers send to no server.
    pub(crate) async fn signing_in(client: &Client, server: &str, scope: &str) -> Result<Self> {
        let new = NewKey {
            scope: Text(Some(scope.to_owned())),
            label: Prose(Some("link to the board".to_owned())),
            permission: Text(Some(Permission::Login.as_str().to_owned())),
            ..NewKey::default()
        };
        let code = client.issue_key(&new).await?;
        let Self { url, .. } = Self::plain(server, Some(scope));
        Ok(Self { url: format!("{url}#k={}", code.api_key), expires_at: code.key.expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::Link;

    #[test]
    fn a_scope_is_one_parameter_whatever_it_holds() {
        let url = |scope| Link::plain("http://127.0.0.1:8787/", scope).url;
        assert_eq!(url(None), "http://127.0.0.1:8787/");
        assert_eq!(url(Some("parser")), "http://127.0.0.1:8787/?scope=parser");
        assert_eq!(url(Some("a&b#ü")), "http://127.0.0.1:8787/?scope=a%26b%23%C3%BC");
    }
}
