//! Lists of results, and how they count.

use std::collections::BTreeMap;

use pumice_types::{CaseResult, JobId};

use crate::{
    Case, Condition, DbError, Listing, Order, Page, Reader, UnknownField,
    case::{COLUMNS, case},
    query::{self, Field, Kind, Where, field},
    row::params,
};

const FIELDS: &[Field] = &[
    field("id", Kind::Int, "c.id"),
    field("name", Kind::Text, "c.name"),
    field("result", Kind::Text, "c.result"),
    field("units", Kind::Text, "c.units"),
    field("unit", Kind::Text, "c.units"),
    field("measurement", Kind::Number, "c.measurement"),
    field("test_set", Kind::Int, "c.set_id"),
    field("test_set__id", Kind::Int, "c.set_id"),
    field("metadata", Kind::Text, "c.metadata"),
    field("start_log_line", Kind::Int, "c.start_log_line"),
    field("end_log_line", Kind::Int, "c.end_log_line"),
    field("logged", Kind::Time, "c.logged"),
    field("suite", Kind::Int, "c.suite_id"),
    field("suite__id", Kind::Int, "c.suite_id"),
    field("suite__name", Kind::Text, "x.name"),
    field("test_set__name", Kind::Text, "z.name"),
];

impl Condition {
    /// A condition on results.
    pub fn on_cases(name: &str, value: &str) -> Result<Self, UnknownField> {
        query::condition(FIELDS, name, value)
    }
}

impl Order {
    /// An order of results.
    pub fn of_cases(name: &str) -> Option<Self> {
        query::order(FIELDS, name)
    }
}

impl Reader {
    /// Results of a job that fit all conditions; suite by suite in the order they came, where `orders` do not say
    /// otherwise.
    pub async fn cases(
        &mut self,
        id: JobId,
        conditions: &[Condition],
        orders: &[Order],
        page: Page,
    ) -> Result<Listing<Case>, DbError> {
        let mut clause = Where::default();
        clause.and("c.job_id = $?", params![id]);
        clause.all(conditions);
        let filter = clause.clause();
        let joins = "cases c JOIN suites x ON x.id = c.suite_id LEFT JOIN test_sets z ON z.id = c.set_id";
        let total =
            self.count(format!("SELECT COUNT(*) AS n FROM {joins}{filter}"), clause.params.clone()).await?;
        let sql = format!("SELECT {COLUMNS}{filter}{}", query::tail(orders, "c.suite_id, c.id", page));
        let rows = self.rows(sql, clause.params).await?.iter().map(case).collect::<Result<_, _>>()?;
        Ok(Listing { total, rows })
    }

    /// How many results of each kind each suite of a job has.
    pub async fn result_counts(
        &mut self,
        id: JobId,
    ) -> Result<BTreeMap<i64, BTreeMap<&'static str, u64>>, DbError> {
        let sql =
            "SELECT suite_id, result, COUNT(*) AS n FROM cases WHERE job_id = $1 GROUP BY suite_id, result";
        let mut counts: BTreeMap<i64, BTreeMap<&'static str, u64>> = BTreeMap::new();
        for row in self.rows(sql, params![id]).await? {
            if let Some(result) = CaseResult::from_word(&row.text("result")?) {
                let count = u64::try_from(row.int("n")?).unwrap_or(0);
                counts.entry(row.int("suite_id")?).or_default().insert(result.as_str(), count);
            }
        }
        Ok(counts)
    }

    /// How a case fared lately: the results of the same name in the same suite of the newest jobs of the same name,
    /// newest first.
    pub async fn case_history(
        &mut self,
        of: &Case,
        description: &str,
        limit: u64,
    ) -> Result<Vec<Case>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} JOIN jobs j ON j.id = c.job_id WHERE c.name = $1 AND x.name = $2 AND j.description = $3 \
             ORDER BY c.id DESC LIMIT {limit}"
        );
        self.rows(sql, params![&of.name, &of.suite, description]).await?.iter().map(case).collect()
    }
}
