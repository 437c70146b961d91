//! Path and query parameters.

use std::borrow::Cow;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use octopoid_domain::{Refusal, text::shown};

use crate::problem::Problem;

/// So many values may a filter name.
const VALUES_MAX: usize = 1_000;

/// The query's parameters. The first of several with one name counts.
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Params {
    /// Reads a query string; what cannot be decoded is taken as it stands.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        match pairs.iter().find(|(_, value)| value.contains('\0')) {
            None => Ok(Self(pairs)),
            Some((name, _)) => Err(nul(name).into()),
        }
    }

    /// A parameter that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(&**value)
    }

    /// Whether a parameter is there, empty or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// The same as [`get`](Self::get), owned.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A list, separated by commas; empty if the parameter is not there.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, Problem> {
        let values = self.get(name).map(|list| list.split(',').map(str::to_owned).collect());
        let values: Vec<_> = values.unwrap_or_default();
        if values.len() > VALUES_MAX {
            let text = format!("Too many values in {name}: at most {VALUES_MAX}");
            return Err(Refusal::invalid(text).into());
        }
        Ok(values)
    }

    /// `true` or `false` in any case, 1 or 0; anything else says nothing.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// A number, up to the first other character.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(leading_integer)
    }

    /// All parameters, decoded.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// The integer a text begins with, as the first server read numbers: `3abc` is 3.
fn leading_integer(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return None;
    }
    let magnitude = digits[..length].parse::<i64>().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

fn nul(name: &str) -> Refusal {
    let name = shown(name);
    Refusal::invalid(format!("Invalid value for {name}: text must not contain NUL"))
}

/// The parameters of the path, decoded, in order.
pub(crate) struct Segments<const N: usize>(pub(crate) [String; N]);

/// The only parameter of the path, decoded.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync, const N: usize> FromRequestParts<S> for Segments<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let invalid = || Problem::from(Refusal::invalid("The path is not valid UTF-8"));
        let raw = RawPathParams::from_request_parts(parts, state).await.map_err(|_| invalid())?;
        let mut values = Vec::with_capacity(N);
        for (name, value) in &raw {
            if value.contains('\0') {
                return Err(nul(name).into());
            }
            values.push(value.to_owned());
        }
        values.try_into().map(Self).map_err(|_| invalid())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Segments([value]) = Segments::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The refusal of a request that names no scope and whose key, if any, has none either.
pub(crate) fn missing(text: &'static str) -> Problem {
    Refusal::Invalid(Cow::Borrowed(text)).into()
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn the_first_of_repeated_parameters_counts() {
        let params = Params::parse("a=1&a=2&b=x+y%20z&c=%zz").unwrap();
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), Some("x y z"));
        assert_eq!(params.get("c"), Some("%zz"));
        assert!(Params::parse("a=%00").is_err());
    }

    #[test]
    fn a_filter_names_a_thousand_values_at_most() {
        let values = |count: usize| Params::parse(&format!("a={}", vec!["x"; count].join(",")));
        assert_eq!(values(1_000).unwrap().list("a").unwrap().len(), 1_000);
        assert!(values(1_001).unwrap().list("a").is_err());
        assert!(values(0).unwrap().list("a").unwrap().is_empty());
    }
}
