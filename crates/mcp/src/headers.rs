//! The headers of HTTP that mirror a message, so that proxies can route it without reading it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The headers that mirror a message. Each may be there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `MCP-Protocol-Version`.
    pub version: Vec<String>,
    /// `Mcp-Method`.
    pub method: Vec<String>,
    /// `Mcp-Name`: of the tool that is called.
    pub name: Vec<String>,
}

/// What the headers say, each once.
pub(crate) struct Mirrored<'a> {
    pub(crate) version: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
    /// Decoded; `None` also if it cannot be decoded.
    pub(crate) name: Option<String>,
}

impl Headers {
    /// The values. A header that is there twice is an error with its name: those who read the first
    /// and those who read the last would disagree.
    pub(crate) fn read(&self) -> Result<Mirrored<'_>, &'static str> {
        let name = once("Mcp-Name", &self.name)?;
        Ok(Mirrored {
            version: once("MCP-Protocol-Version", &self.version)?,
            method: once("Mcp-Method", &self.method)?,
            name: name.and_then(decoded),
        })
    }
}

fn once<'a>(name: &'static str, values: &'a [String]) -> Result<Option<&'a str>, &'static str> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(name),
    }
}

/// The value of a header. What does not fit into one comes as `=?base64?…?=`.
fn decoded(value: &str) -> Option<String> {
    let Some(text) = value.strip_prefix("=?base64?").and_then(|text| text.strip_suffix("?="))
    else {
        return Some(value.to_owned());
    };
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::{Headers, decoded};

    #[test]
    fn values_may_be_encoded() {
        assert_eq!(decoded("task_get").as_deref(), Some("task_get"));
        assert_eq!(decoded("=?base64?dGFza19nZXQ=?=").as_deref(), Some("task_get"));
        assert_eq!(decoded("=?base64?!?="), None);
        assert_eq!(decoded("=?base64?/w==?="), None);
    }

    #[test]
    fn a_header_may_be_there_once() {
        let twice = vec!["a".to_owned(), "a".to_owned()];
        let headers = Headers { method: twice, ..Headers::default() };
        assert_eq!(headers.read().err(), Some("Mcp-Method"));
    }
}
