//! Lists over HTTP: which page is asked for, and what every list answers beside its items.
//!
//! A page is asked for by `limit` and either `offset` or `cursor`. The answer names the cursor of
//! the next page in its body and, as a link, in its head.

use std::ops::Deref;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header::LINK, request::Parts},
    response::{IntoResponse, Response},
};
use octopoid_domain::Refusal;
use octopoid_store::lists::{Listed, OFFSET_MAX, Page, Start};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    listing::{List, Listing},
    problem::Problem,
    query::Params,
};

/// The page size where the query names none.
const LIMIT_DEFAULT: i64 = 50;
/// The largest page.
const LIMIT_MAX: i64 = 500;

/// The query of a list.
pub(crate) struct ListQuery {
    params: Params,
    path: String,
}

impl<S: Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = parts.uri.path().to_owned();
        Ok(Self { params: Params::from_request_parts(parts, state).await?, path })
    }
}

impl Deref for ListQuery {
    type Target = Params;

    fn deref(&self) -> &Params {
        &self.params
    }
}

impl ListQuery {
    /// The page of a list that is read in pages: 50 rows if the query does not say, 500 at most.
    pub(crate) fn page(&self) -> Result<Page, Problem> {
        let limit = self.integer("limit").unwrap_or(LIMIT_DEFAULT).clamp(0, LIMIT_MAX);
        let offset = self.integer("offset").unwrap_or(0).max(0);
        match self.get("cursor") {
            Some(_) if offset > 0 => Err(Refusal::invalid(
                "offset and cursor cannot be combined: a cursor says where the page starts",
            )
            .into()),
            Some(cursor) => Ok(Page::after(limit, cursor)),
            None if offset > OFFSET_MAX => Err(Refusal::invalid(format!(
                "Invalid value for offset: at most {OFFSET_MAX}; to read further, pass the \
                 next_cursor of each answer as cursor"
            ))
            .into()),
            None => Ok(Page::at(limit, offset)),
        }
    }

    /// The page of a list that comes whole if the query does not say otherwise, up to a bound.
    pub(crate) fn whole(&self, max: i64) -> Page {
        self.whole_of(self.integer("limit"), max)
    }

    /// The same with the limit that counts, if one does.
    pub(crate) fn whole_of(&self, limit: Option<i64>, max: i64) -> Page {
        let limit = limit.unwrap_or(max).clamp(0, max);
        match self.get("cursor") {
            Some(cursor) => Page::after(limit, cursor),
            None => Page::first(limit),
        }
    }

    /// The page of a list that has no offset: 50 rows if the query does not say, 500 at most.
    pub(crate) fn stretch(&self) -> Page {
        self.whole_of(Some(self.length()), LIMIT_MAX)
    }

    /// The length of such a page.
    pub(crate) fn length(&self) -> i64 {
        self.integer("limit").unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)
    }

    /// Whether the query asks for a page of any kind.
    pub(crate) fn has_page(&self) -> bool {
        ["limit", "offset", "cursor"].iter().any(|name| self.get(name).is_some())
    }

    /// The answer, with a link to the next page if there is one.
    pub(crate) fn answer<T>(&self, body: T, next_cursor: Option<&str>) -> Linked<T> {
        let next = next_cursor.and_then(|cursor| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, value) in self.pairs() {
                if name != "cursor" && name != "offset" {
                    query.append_pair(name, value);
                }
            }
            query.append_pair("cursor", cursor);
            let link = format!("<{}?{}>; rel=\"next\"", self.path, query.finish());
            HeaderValue::try_from(link).ok()
        });
        Linked { body, next }
    }
}

/// A page of a list, and the link to the next one.
pub(crate) struct Linked<T> {
    body: T,
    next: Option<HeaderValue>,
}

impl<T: List> IntoResponse for Linked<T> {
    fn into_response(self) -> Response {
        let mut response = Listing(self.body).into_response();
        if let Some(next) = self.next {
            response.headers_mut().insert(LINK, next);
        }
        response
    }
}

/// The answer of a list.
pub(crate) type ListAnswer<T> = Result<Linked<T>, Problem>;

/// The page information of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Paging {
    /// The number of matching rows; null on a page that starts at a cursor.
    total: Option<i64>,
    /// Null on a page that starts at a cursor.
    offset: Option<i64>,
    limit: i64,
    /// Present and true if at least `total` rows match, because counting was stopped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total_is_partial: bool,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

impl Paging {
    pub(crate) fn of<T>(listed: &Listed<T>, page: &Page) -> Self {
        Self {
            total: listed.total,
            offset: match page.start {
                Start::Offset(offset) => Some(offset),
                Start::Cursor(_) => None,
            },
            limit: page.limit,
            total_is_partial: listed.total_is_partial,
            next_cursor: listed.next_cursor.clone(),
        }
    }

    /// For a list that came whole: its limit is what it has.
    pub(crate) fn unlimited(self) -> Self {
        Self { limit: self.total.unwrap_or(self.limit), ..self }
    }
}

#[cfg(test)]
mod tests {
    use octopoid_store::lists::Start;

    use super::{ListQuery, Params};

    fn query(query: &str) -> ListQuery {
        ListQuery { params: Params::parse(query).unwrap(), path: "/list".to_owned() }
    }

    fn page(text: &str) -> (i64, i64) {
        let page = query(text).page().unwrap();
        let Start::Offset(offset) = page.start else { panic!("no cursor is in {text}") };
        (page.limit, offset)
    }

    #[test]
    fn numbers_are_read_up_to_the_first_other_character() {
        for (query, expected) in [
            ("", (50, 0)),
            ("limit=3abc&offset=2.9", (3, 2)),
            ("limit=1e3", (1, 0)),
            ("limit=%202&offset=+7", (2, 7)),
            ("limit=abc&offset=NaN", (50, 0)),
            ("limit=&offset=", (50, 0)),
            ("limit=0", (0, 0)),
            ("limit=-1&offset=-5", (0, 0)),
            ("limit=1000", (500, 0)),
            ("limit=99999999999999999999", (500, 0)),
            ("offset=10000", (50, 10_000)),
        ] {
            assert_eq!(page(query), expected, "{query}");
        }
    }

    #[test]
    fn a_large_offset_is_refused_and_so_is_one_beside_a_cursor() {
        for refused in ["offset=10001", "offset=99999999999999999999", "offset=1&cursor=1a"] {
            assert!(query(refused).page().is_err(), "{refused}");
        }
        for taken in ["offset=0&cursor=1a", "offset=-1&cursor=1a", "cursor=1a"] {
            let page = query(taken).page().unwrap();
            assert!(matches!(page.start, Start::Cursor(cursor) if cursor == "1a"), "{taken}");
        }
    }

    #[test]
    fn a_list_that_comes_whole_may_be_asked_for_in_pages() {
        for (text, limit) in
            [("", 1_000), ("limit=2", 2), ("limit=5000", 1_000), ("offset=7", 1_000)]
        {
            let page = query(text).whole(1_000);
            assert!(matches!(page.start, Start::Offset(0)), "{text}");
            assert_eq!(page.limit, limit, "{text}");
        }
    }

    #[test]
    fn the_link_keeps_the_query_but_for_where_the_page_starts() {
        let query = query("queue=a%20b&offset=3&limit=2&cursor=x&queue=c");
        let linked = query.answer((), Some("1f"));
        let link = "</list?queue=a+b&limit=2&queue=c&cursor=1f>; rel=\"next\"";
        assert_eq!(linked.next.unwrap(), link);
        assert!(query.answer((), None).next.is_none());
    }
}
