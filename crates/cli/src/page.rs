//! Lists that are read page by page.

use std::num::NonZeroUsize;

use octopoid_client::{Listed, Query, Result};

/// The most items of a page.
const PAGE_MAX: usize = 500;

/// How much of a list is wanted.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Page {
    /// Show at most so many.
    #[arg(long, default_value = "50", value_name = "NUMBER")]
    limit: NonZeroUsize,
}

/// The parameters that say which items a list has.
#[derive(Debug, Default)]
pub(crate) struct Filters(Vec<(&'static str, String)>);

impl Filters {
    /// The same with a parameter, if there is a value.
    pub(crate) fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.0.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// The same with a list of values, unless it is empty.
    pub(crate) fn with_all(self, name: &'static str, values: &[String]) -> Self {
        let list = (!values.is_empty()).then(|| values.join(","));
        self.with(name, list)
    }

    /// The parameters as a query.
    pub(crate) fn query(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, &**value)).collect()
    }
}

impl Page {
    /// Reads pages until there are enough items, or no more. A page has at most `page_max` items.
    pub(crate) async fn read<T>(
        &self,
        filters: &Filters,
        page_max: Option<usize>,
        ask: impl AsyncFn(Query<'_>) -> Result<Listed<T>>,
    ) -> Result<Listed<T>> {
        let mut all = Listed { items: Vec::new(), total: 0, next_cursor: None };
        let wanted = self.limit.get();
        loop {
            let missing = wanted - all.items.len();
            let limit = missing.min(page_max.unwrap_or(PAGE_MAX)).to_string();
            let cursor = all.next_cursor.take().unwrap_or_default();
            let mut query = filters.query();
            query.extend([("limit", &*limit), ("cursor", &*cursor)]);
            let page = ask(&query).await?;
            all.items.extend(page.items);
            all.total = page.total;
            all.next_cursor = page.next_cursor;
            if all.next_cursor.is_none() || all.items.len() >= wanted {
                return Ok(all);
            }
        }
    }
}
