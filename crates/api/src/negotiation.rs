//! Which format a client accepts: `Accept`, `Accept-Encoding` and `If-None-Match`.

use axum::http::{HeaderMap, HeaderName, header};

/// Whether a client prefers a page to JSON, as a browser does when it opens an address. Programs
/// take anything, or say nothing, and get JSON.
pub(crate) fn prefers_page(headers: &HeaderMap) -> bool {
    let accept = elements(headers, header::ACCEPT);
    quality(&accept, &["text/html", "text/*", "*/*"])
        > quality(&accept, &["application/json", "application/*", "*/*"])
}

/// Whether a client takes an answer that is compressed with gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    quality(&elements(headers, header::ACCEPT_ENCODING), &["gzip", "*"]) > 0.0
}

/// Whether a client already has what this `ETag` names.
pub(crate) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let elements = elements(headers, header::IF_NONE_MATCH);
    elements.iter().any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// The elements of a header that is a list.
fn elements(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|element| element.trim().to_owned()).collect()
}

/// The quality, from 0 to 1, with which a client takes something that has these names, the most
/// specific first. The first name that the client lists decides.
fn quality(elements: &[String], names: &[&str]) -> f32 {
    let listed = |name: &&str| {
        elements.iter().find_map(|element| {
            let mut parts = element.split(';').map(str::trim);
            parts.next().filter(|listed| listed.eq_ignore_ascii_case(name))?;
            let is_weight =
                |part: &str| part.get(..2).is_some_and(|q| q.eq_ignore_ascii_case("q="));
            let weight = parts.find(|part| is_weight(part));
            Some(weight.map_or(1.0, |weight| weight[2..].parse().unwrap_or(0.0)))
        })
    };
    names.iter().find_map(listed).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

    use super::{has, prefers_page, takes_gzip};

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_static(value));
        values.map(|value| (name.clone(), value)).collect()
    }

    #[test]
    fn browsers_prefer_pages_and_programs_do_not() {
        let prefers = |accept: &[&'static str]| prefers_page(&headers(&header::ACCEPT, accept));
        for browser in [
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"][..],
            &["text/html, application/xhtml+xml, image/jxr, */*;q=0.1"],
            &["text/html"],
            &["Text/HTML; charset=utf-8"],
            &["text/*"],
            &["application/json;q=0.5", "text/html;Q=0.6"],
            &["application/json; q=0, */*"],
        ] {
            assert!(prefers(browser), "{browser:?}");
        }
        for program in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/json"],
            &["application/json, text/html"],
            &["application/json, text/html;q=0.9, */*;q=0.8"],
            &["text/html;q=0, */*"],
            &["text/html;q=many"],
            &["text/plain, */*"],
            &["image/*"],
            &["text/htmlx"],
        ] {
            assert!(!prefers(program), "{program:?}");
        }
    }

    #[test]
    fn gzip_is_taken_where_it_is_not_excluded() {
        let takes =
            |values: &[&'static str]| takes_gzip(&headers(&header::ACCEPT_ENCODING, values));
        for yes in [&["gzip"][..], &["gzip, deflate, br, zstd"], &["br", "GZIP;q=0.1"], &["*"]] {
            assert!(takes(yes), "{yes:?}");
        }
        for no in [&[][..], &[""], &["br"], &["gzip;q=0"], &["gzip; q=0, *"], &["*;q=0"], &["gz"]] {
            assert!(!takes(no), "{no:?}");
        }
    }

    #[test]
    fn what_a_client_has_is_known_by_its_tag() {
        let has = |values: &[&'static str]| has(&headers(&header::IF_NONE_MATCH, values), "\"a\"");
        for yes in [&["\"a\""][..], &["W/\"a\""], &["\"b\", \"a\""], &["\"b\"", "W/\"a\""], &["*"]]
        {
            assert!(has(yes), "{yes:?}");
        }
        for no in [&[][..], &[""], &["a"], &["\"b\""], &["\"aa\""], &["w/\"a\""]] {
            assert!(!has(no), "{no:?}");
        }
    }
}
