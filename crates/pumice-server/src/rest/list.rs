//! Lists: filters, order and pages, as Django REST framework has them.

use axum::{Json, extract::FromRequestParts, http::request::Parts};
use pumice_db::{Condition, Listing, Order, Page, UnknownField};
use serde_json::{Value, json};

use super::answer::{Answer, Refused};
use crate::{origin::Origin, refusal::Refusal};

/// The longest page.
const PAGE_LIMIT: u64 = 1000;

/// Parameters that are no filters.
const RESERVED: [&str; 9] =
    ["limit", "offset", "ordering", "format", "user", "token", "search", "all", "wait"];

/// What a list was asked for with.
pub(crate) struct ListQuery {
    pairs: Vec<(String, String)>,
    path: String,
    base: String,
}

impl<S: Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let base = parts.extensions.get::<Origin>().map(|origin| origin.base.clone()).unwrap_or_default();
        let pairs = pairs.map_err(|error| Refusal::Invalid(error.body_text()))?.0;
        Ok(Self { pairs, path: parts.uri.path().to_owned(), base })
    }
}

impl ListQuery {
    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter says yes.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value, "true" | "True" | "1" | ""))
    }

    /// The address under which the client knows us.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The part of the list that was asked for. What is no number, or less than nothing, is as if it were not there: so
    /// does Django REST framework (its `LimitOffsetPagination`).
    pub(crate) fn page(&self) -> Page {
        let number = |name: &str| self.get(name).and_then(|text| text.trim().parse::<u64>().ok());
        let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(Page::default().limit);
        Page { limit: limit.min(PAGE_LIMIT), offset: number("offset").unwrap_or(0).min(1 << 40) }
    }

    /// The filters. A name that is no field is ignored, as Django ignores it; a value that does not fit is refused.
    pub(crate) fn conditions(
        &self,
        condition: impl Fn(&str, &str) -> Result<Condition, UnknownField>,
    ) -> Result<Vec<Condition>, Refused> {
        let mut found = Vec::new();
        for (name, value) in &self.pairs {
            if RESERVED.contains(&name.as_str()) || value.is_empty() {
                continue;
            }
            match condition(name, value) {
                Ok(condition) => found.push(condition),
                Err(UnknownField::Name) => {}
                Err(error) => return Err(Refusal::Invalid(error.to_string()).into()),
            }
        }
        Ok(found)
    }

    /// The order; what is no field is ignored.
    pub(crate) fn orders(&self, order: impl Fn(&str) -> Option<Order>) -> Vec<Order> {
        self.get("ordering").unwrap_or_default().split(',').filter_map(|name| order(name.trim())).collect()
    }

    /// The answer: the part, the length of the whole, and where the neighbouring parts are.
    #[expect(clippy::unnecessary_wraps, reason = "it is how a handler ends")]
    pub(crate) fn answer<T>(&self, listing: &Listing<T>, one: impl Fn(&T) -> Value) -> Answer {
        let page = self.page();
        let shown = u64::try_from(listing.rows.len()).unwrap_or(u64::MAX);
        let next = page.offset.saturating_add(shown);
        let next = (shown > 0 && next < listing.total).then(|| self.url(page.limit, next));
        let previous =
            (page.offset > 0).then(|| self.url(page.limit, page.offset.saturating_sub(page.limit)));
        let results: Vec<_> = listing.rows.iter().map(one).collect();
        Ok(Json(json!({"count": listing.total, "next": next, "previous": previous, "results": results})))
    }

    /// A list that was read whole, cut to the part that was asked for.
    pub(crate) fn cut<T: Clone>(&self, all: Vec<T>) -> Listing<T> {
        let page = self.page();
        let (offset, limit) = (
            usize::try_from(page.offset).unwrap_or(usize::MAX),
            usize::try_from(page.limit).unwrap_or(usize::MAX),
        );
        let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
        Listing { total, rows: all.into_iter().skip(offset).take(limit).collect() }
    }

    fn url(&self, limit: u64, offset: u64) -> String {
        let mut pairs: Vec<_> = self
            .pairs
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "limit" | "offset" | "user" | "token"))
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        pairs.push(format!("limit={limit}"));
        if offset > 0 {
            pairs.push(format!("offset={offset}"));
        }
        format!("{}{}?{}", self.base, self.path, pairs.join("&"))
    }
}

/// Percent-encoded (RFC 3986, section 2.3).
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> ListQuery {
        let pairs =
            text.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into()));
        ListQuery { pairs: pairs.collect(), path: "/api/v0.2/jobs/".into(), base: "http://h".into() }
    }

    #[test]
    fn what_is_encoded_is_no_part_of_an_address() {
        assert_eq!(encoded("a b/../?x=1&é"), "a%20b%2F..%2F%3Fx%3D1%26%C3%A9");
    }

    #[test]
    fn neighbouring_pages_keep_the_filters_and_drop_the_token() {
        let query = query("state=Finished&limit=2&offset=2&user=u&token=t");
        let listing = Listing { total: 5, rows: vec![1, 2] };
        let answer = query.answer(&listing, |n| json!(n)).unwrap().0;
        assert_eq!(answer["next"], "http://h/api/v0.2/jobs/?state=Finished&limit=2&offset=4");
        assert_eq!(answer["previous"], "http://h/api/v0.2/jobs/?state=Finished&limit=2");
        assert_eq!((&answer["count"], &answer["results"]), (&json!(5), &json!([1, 2])));
    }

    #[test]
    fn the_last_page_has_no_next() {
        let answer = query("").answer(&Listing { total: 2, rows: vec![1, 2] }, |n| json!(n)).unwrap().0;
        assert_eq!((&answer["next"], &answer["previous"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn a_part_that_makes_no_sense_is_the_first() {
        let check = |asked: &str, limit: u64, offset: u64| {
            let page = query(asked).page();
            assert_eq!((page.limit, page.offset), (limit, offset), "{asked}");
        };
        check("limit=x&offset=y", 50, 0);
        check("limit=-1&offset=-5", 50, 0);
        check("limit=0&offset=", 50, 0);
        check("limit=1.5&offset=3", 50, 3);
        check("limit=100000&offset=7", PAGE_LIMIT, 7);
        check("limit=99999999999999999999999&offset=99999999999999999999999", 50, 0);
    }
}
