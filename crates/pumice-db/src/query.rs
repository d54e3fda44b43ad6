//! Conditions and orders that come from a request, checked against tables of known fields.
//!
//! The names are Django's, as LAVA's clients send them (lava-compat 7.3): `submit_time__gt`,
//! `requested_device_type__name__in`. No text of a request becomes SQL; only values travel, as parameters.

use std::fmt;

use crate::{Timestamp, row::Param, words::JOB_STATES};

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Equal.
    Exact,
    /// Another.
    Ne,
    /// Equal but for large and small letters.
    IExact,
    /// One of a comma-separated list.
    In,
    /// Holds it.
    Contains,
    /// Holds it, whatever the letters' size.
    IContains,
    /// Begins with it.
    StartsWith,
    /// Ends with it.
    EndsWith,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Whether there is none.
    IsNull,
}

impl Lookup {
    fn from_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "exact" => Self::Exact,
            "ne" => Self::Ne,
            "iexact" => Self::IExact,
            "in" => Self::In,
            "contains" => Self::Contains,
            "icontains" => Self::IContains,
            "startswith" => Self::StartsWith,
            "endswith" => Self::EndsWith,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "isnull" => Self::IsNull,
            _ => return None,
        })
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    /// A number that need not be whole.
    Number,
    Flag,
    Time,
    /// The job's state column, asked by LAVA's state word.
    State,
    /// The job's state column, asked by LAVA's health word.
    Health,
    /// Another closed list, kept as the word LAVA shows.
    Word,
}

/// A field that may be asked for: its name, what it holds, where it is, and what stands around the comparison
/// (`$` is its place) when it is in another table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) sql: &'static str,
    pub(crate) around: &'static str,
    pub(crate) sorts: bool,
}

/// A field of the table itself.
pub(crate) const fn field(name: &'static str, kind: Kind, sql: &'static str) -> Field {
    Field { name, kind, sql, around: "$", sorts: true }
}

/// A field of another table.
pub(crate) const fn related(
    name: &'static str,
    kind: Kind,
    sql: &'static str,
    around: &'static str,
) -> Field {
    Field { name, kind, sql, around, sorts: false }
}

/// Another table whose fields may be asked for behind `prefix__`; `around` is how it is joined, `$` the comparison.
/// `prefix` alone, and `prefix__LOOKUP`, ask for the first of its fields, which is its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relation {
    pub(crate) prefix: &'static str,
    pub(crate) fields: &'static [Field],
    pub(crate) around: &'static str,
}

/// One condition of a list, ready to be asked.
#[derive(Clone, Debug)]
pub struct Condition {
    sql: String,
    params: Vec<Param>,
}

/// A request named a field that is not there, or a value that does not fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownField {
    /// No such field: LAVA ignores those.
    Name,
    /// The field is there and the value does not fit.
    Value {
        /// The field.
        field: String,
        /// What would fit.
        expected: &'static str,
    },
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("no such field"),
            Self::Value { field, expected } => write!(f, "`{field}` must be {expected}"),
        }
    }
}

impl std::error::Error for UnknownField {}

/// An order: a field, and whether the greatest comes first.
#[derive(Clone, Debug)]
pub struct Order(String);

/// Which part of a list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// At most so many.
    pub limit: u64,
    /// After so many.
    pub offset: u64,
}

impl Default for Page {
    /// The first fifty, as LAVA's REST.
    fn default() -> Self {
        Self { limit: 50, offset: 0 }
    }
}

/// Part of a list and how long the whole is.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// The length of the whole list.
    pub total: u64,
    /// The part.
    pub rows: Vec<T>,
}

pub(crate) fn condition(fields: &[Field], name: &str, value: &str) -> Result<Condition, UnknownField> {
    let find = |wanted: &str| fields.iter().find(|field| field.name == wanted);
    if let Some(field) = find(name) {
        return compare(field, Lookup::Exact, value);
    }
    let (stem, suffix) = name.rsplit_once("__").ok_or(UnknownField::Name)?;
    let field = find(stem).ok_or(UnknownField::Name)?;
    let lookup = Lookup::from_suffix(suffix).ok_or(UnknownField::Name)?;
    compare(field, lookup, value)
}

/// A condition on a table's own fields, or else on those of its relations.
pub(crate) fn related_condition(
    fields: &[Field],
    relations: &[Relation],
    name: &str,
    value: &str,
) -> Result<Condition, UnknownField> {
    let own = condition(fields, name, value);
    if !matches!(own, Err(UnknownField::Name)) {
        return own;
    }
    let relation = relations.iter().find_map(|relation| {
        let rest = name.strip_prefix(relation.prefix)?;
        let rest = rest.strip_prefix("__").or_else(|| rest.is_empty().then_some(""))?;
        Some((relation, rest))
    });
    let (relation, rest) = relation.ok_or(UnknownField::Name)?;
    if rest == "isnull" {
        // Whether there is nothing that is related.
        let none =
            flag(value).ok_or(UnknownField::Value { field: name.to_owned(), expected: "true or false" })?;
        let sql = put_into(relation.around, "1 = 1");
        return Ok(Condition { sql: if none { format!("NOT {sql}") } else { sql }, params: Vec::new() });
    }
    let key = relation.fields.first().map_or("", |field| field.name);
    let inner = match condition(relation.fields, rest, value) {
        Err(UnknownField::Name) if rest.is_empty() => condition(relation.fields, key, value)?,
        Err(UnknownField::Name) => condition(relation.fields, &format!("{key}__{rest}"), value)?,
        found => found?,
    };
    Ok(Condition { sql: put_into(relation.around, &inner.sql), params: inner.params })
}

/// A comparison at its place in what stands around it.
fn put_into(around: &str, comparison: &str) -> String {
    // `$?` in the comparison is a placeholder, not a place.
    around.replace('$', &format!("({})", comparison.replace('$', "\u{1}"))).replace('\u{1}', "$")
}

pub(crate) fn order(fields: &[Field], name: &str) -> Option<Order> {
    let (name, direction) = name.strip_prefix('-').map_or((name, "ASC"), |name| (name, "DESC"));
    let field = fields.iter().find(|field| field.sorts && field.name == name)?;
    Some(Order(format!("{} {direction}", field.sql)))
}

/// A condition on a tree kept as paths: `name` is `KEY[__KEY…][__LOOKUP]`.
pub(crate) fn on_path(name: &str, value: &str, exists: &str) -> Result<Condition, UnknownField> {
    let (path, lookup) = match name.rsplit_once("__") {
        Some((stem, suffix)) => match Lookup::from_suffix(suffix) {
            Some(lookup) => (stem, lookup),
            None => (name, Lookup::Exact),
        },
        None => (name, Lookup::Exact),
    };
    if lookup == Lookup::IsNull {
        let missing = flag(value).ok_or(UnknownField::Name)?;
        let not = if missing { "NOT " } else { "" };
        return Ok(Condition {
            sql: format!("{not}{exists} md.path = $?)"),
            params: vec![Param::from(path)],
        });
    }
    let inner = compare(&field("metadata", Kind::Text, "md.value"), lookup, value)?;
    let params = std::iter::once(Param::from(path)).chain(inner.params).collect();
    Ok(Condition { sql: format!("{exists} md.path = $? AND {})", inner.sql), params })
}

impl Condition {
    /// Several conditions as one; true when there are none.
    pub(crate) fn joined(parts: Vec<(String, Vec<Param>)>, operator: &str) -> Self {
        if parts.is_empty() {
            return Self { sql: "1 = 1".to_owned(), params: Vec::new() };
        }
        let (texts, params): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let sql = format!("({})", texts.join(&format!(" {operator} ")));
        Self { sql, params: params.into_iter().flatten().collect() }
    }
}

fn compare(field: &Field, lookup: Lookup, value: &str) -> Result<Condition, UnknownField> {
    let sql = field.sql;
    let values: Vec<&str> =
        if lookup == Lookup::In { value.split(',').map(str::trim).collect() } else { vec![value] };
    let mut params = Vec::new();
    let comparison = if lookup == Lookup::IsNull {
        match flag(value) {
            Some(true) => format!("{sql} IS NULL"),
            Some(false) => format!("{sql} IS NOT NULL"),
            None => return Err(misfit(field, "true or false")),
        }
    } else if matches!(field.kind, Kind::State | Kind::Health) {
        let wanted: Vec<Param> = JOB_STATES
            .iter()
            .filter(|(_, _, state, health)| {
                let word = if field.kind == Kind::State { state.as_str() } else { health.as_str() };
                values.iter().any(|value| word.eq_ignore_ascii_case(value))
            })
            .map(|(_, column, ..)| Param::from(*column))
            .collect();
        one_of(sql, wanted, &mut params)
    } else {
        let wanted = values.iter().map(|value| bind(field, value)).collect::<Result<Vec<_>, _>>()?;
        let ordered = |operator: &str| format!("{sql} {operator} $?");
        let template = match lookup {
            Lookup::In => one_of(sql, wanted.clone(), &mut params),
            Lookup::Exact => ordered("="),
            Lookup::Ne => ordered("<>"),
            Lookup::Lt => ordered("<"),
            Lookup::Lte => ordered("<="),
            Lookup::Gt => ordered(">"),
            Lookup::Gte => ordered(">="),
            _ if !matches!(field.kind, Kind::Text | Kind::Word) => return Err(UnknownField::Name),
            Lookup::IExact => format!("lower({sql}) = lower($?)"),
            // What `LIKE` means of letters' size differs between the engines; these do not.
            Lookup::Contains => format!("replace({sql}, $?, '') <> {sql}"),
            Lookup::IContains => format!("replace(lower({sql}), lower($?), '') <> lower({sql})"),
            Lookup::StartsWith => format!("substr({sql}, 1, length($?)) = $?"),
            Lookup::EndsWith => {
                format!("length({sql}) >= length($?) AND substr({sql}, length({sql}) - length($?) + 1) = $?")
            }
            Lookup::IsNull => return Err(UnknownField::Name),
        };
        if params.is_empty() {
            params = template.matches("$?").filter_map(|_| wanted.first().cloned()).collect();
        }
        template
    };
    Ok(Condition { sql: put_into(field.around, &comparison), params })
}

fn one_of(sql: &str, wanted: Vec<Param>, params: &mut Vec<Param>) -> String {
    if wanted.is_empty() {
        return "1 = 0".to_owned();
    }
    let places = vec!["$?"; wanted.len()].join(", ");
    params.extend(wanted);
    format!("{sql} IN ({places})")
}

fn bind(field: &Field, value: &str) -> Result<Param, UnknownField> {
    match field.kind {
        Kind::Int => value.trim().parse::<i64>().map(Param::from).map_err(|_| misfit(field, "a number")),
        Kind::Number => {
            let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            number.map(Param::from).ok_or_else(|| misfit(field, "a number"))
        }
        Kind::Flag => flag(value).map(Param::from).ok_or_else(|| misfit(field, "true or false")),
        Kind::Time => Timestamp::parse(value)
            .map(Param::from)
            .ok_or_else(|| misfit(field, "a time such as 2026-11-22T10:00:00Z")),
        Kind::Word => {
            let mut letters = value.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            Ok(Param::from(
                first
                    .into_iter()
                    .chain(letters.map(|letter| letter.to_ascii_lowercase()))
                    .collect::<String>(),
            ))
        }
        _ => Ok(Param::from(value)),
    }
}

fn misfit(field: &Field, expected: &'static str) -> UnknownField {
    UnknownField::Value { field: field.name.to_owned(), expected }
}

fn flag(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// A `WHERE` clause that grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Where {
    parts: Vec<String>,
    pub(crate) params: Vec<Param>,
}

impl Where {
    /// Adds a condition; `$?` in `sql` stands for the next parameter.
    pub(crate) fn and(&mut self, sql: impl Into<String>, params: Vec<Param>) {
        self.parts.push(sql.into());
        self.params.extend(params);
    }

    pub(crate) fn all(&mut self, conditions: &[Condition]) {
        for condition in conditions {
            self.and(condition.sql.clone(), condition.params.clone());
        }
    }

    /// ` WHERE …` with numbered placeholders, or nothing.
    pub(crate) fn clause(&self) -> String {
        if self.parts.is_empty() {
            String::new()
        } else {
            numbered(&format!(" WHERE {}", self.parts.join(" AND ")))
        }
    }
}

/// Numbers the placeholders `$?` from 1.
pub(crate) fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 8);
    for (index, part) in sql.split("$?").enumerate() {
        if index > 0 {
            text.push('$');
            text.push_str(&index.to_string());
        }
        text.push_str(part);
    }
    text
}

/// ` ORDER BY … LIMIT … OFFSET …`; `last` decides between equals.
pub(crate) fn tail(orders: &[Order], last: &str, page: Page) -> String {
    let mut keys: Vec<&str> = orders.iter().map(|order| order.0.as_str()).collect();
    keys.push(last);
    format!(
        " ORDER BY {} LIMIT {} OFFSET {}",
        keys.join(", "),
        page.limit.min(1 << 31),
        page.offset.min(1 << 62)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        field("id", Kind::Int, "j.id"),
        field("description", Kind::Text, "j.description"),
        field("submit_time", Kind::Time, "j.submit_time"),
        field("state", Kind::State, "j.state"),
        field("health", Kind::Health, "j.state"),
        related("tags__name", Kind::Text, "t.name", "EXISTS (SELECT 1 FROM tags t WHERE $)"),
    ];

    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        let found = match condition(FIELDS, name, value) {
            Ok(condition) => format!("{} <- {} values", condition.sql, condition.params.len()),
            Err(error) => format!("refused: {error}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn conditions_name_known_fields_and_bind_their_values() {
        check("id", "7", "(j.id = $?) <- 1 values");
        check("id__in", "7, 8,9", "(j.id IN ($?, $?, $?)) <- 3 values");
        check("submit_time__gt", "2026-11-22T10:00:00Z", "(j.submit_time > $?) <- 1 values");
        check("description__startswith", "x", "(substr(j.description, 1, length($?)) = $?) <- 2 values");
        check(
            "tags__name__in",
            "a,b",
            "EXISTS (SELECT 1 FROM tags t WHERE (t.name IN ($?, $?))) <- 2 values",
        );
    }

    #[test]
    fn a_relation_is_asked_by_its_fields_or_its_key() {
        const OF_TYPE: Relation = Relation {
            prefix: "kind",
            fields: &[field("name", Kind::Text, "y.name"), field("cores", Kind::Int, "y.cores")],
            around: "EXISTS (SELECT 1 FROM types y WHERE y.name = j.kind AND $)",
        };
        let sql = |name: &str| related_condition(FIELDS, &[OF_TYPE], name, "7").map(|found| found.sql);
        let of_type =
            |inner: &str| Ok(format!("EXISTS (SELECT 1 FROM types y WHERE y.name = j.kind AND (({inner})))"));
        assert_eq!(sql("kind"), of_type("y.name = $?"));
        assert_eq!(sql("kind__in"), of_type("y.name IN ($?)"));
        assert_eq!(sql("kind__cores__gt"), of_type("y.cores > $?"));
        assert_eq!(sql("id"), Ok("(j.id = $?)".to_owned()));
        let isnull =
            |value| related_condition(FIELDS, &[OF_TYPE], "kind__isnull", value).map(|found| found.sql);
        let any = "EXISTS (SELECT 1 FROM types y WHERE y.name = j.kind AND (1 = 1))";
        assert_eq!((isnull("true"), isnull("false")), (Ok(format!("NOT {any}")), Ok(any.to_owned())));
        assert!(matches!(isnull("x"), Err(UnknownField::Value { .. })));
        assert_eq!(sql("kind__password"), Err(UnknownField::Name));
        assert_eq!(sql("kinds"), Err(UnknownField::Name));
    }

    #[test]
    fn a_state_is_asked_in_lavas_words() {
        check("state", "Finished", "(j.state IN ($?, $?, $?)) <- 3 values");
        check("health__in", "complete,Canceled", "(j.state IN ($?, $?)) <- 2 values");
        check("state", "Nonsense", "(1 = 0) <- 0 values");
    }

    #[test]
    fn what_is_unknown_or_does_not_fit_is_refused() {
        check("password", "x", "refused: no such field");
        check("id__regex", "x", "refused: no such field");
        check("id__contains", "1", "refused: no such field");
        check("id", "seven", "refused: `id` must be a number");
        check(
            "submit_time__lt",
            "soon",
            "refused: `submit_time` must be a time such as 2026-11-22T10:00:00Z",
        );
    }

    #[test]
    fn placeholders_are_numbered_over_all_conditions() {
        let mut clause = Where::default();
        clause.all(&[condition(FIELDS, "id", "7").unwrap(), condition(FIELDS, "id__in", "8,9").unwrap()]);
        assert_eq!(clause.clause(), " WHERE (j.id = $1) AND (j.id IN ($2, $3))");
    }
}
