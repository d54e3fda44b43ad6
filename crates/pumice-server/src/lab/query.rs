//! Jobs by conditions, as LAVA's custom queries have them (lava-compat 1.8, 7.2): a model, a field, an operator, a value.

use pumice_db::Condition;

use crate::refusal::Refusal;

/// The one entity that can be asked for, and the model of conditions where none is named.
pub(crate) const JOB: &str = "testjob";

/// The conditions of `testjob__FIELD__OPERATOR__VALUE,…`. The model may be left out, and the operator, which is then `exact`.
pub(crate) fn conditions(text: &str) -> Result<Vec<Condition>, Refusal> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
}

fn one(part: &str) -> Result<Condition, Refusal> {
    let own = part.strip_prefix("testjob__").unwrap_or(part);
    // A value may have `__` in it, a key of the metadata may not.
    let (metadata, rest) = own.strip_prefix("metadata__").map_or(("", own), |rest| ("metadata__", rest));
    let parts: Vec<&str> = rest.splitn(3, "__").collect();
    match parts.as_slice() {
        [field, operator, value] => condition(&format!("{metadata}{field}__{operator}"), value),
        [field, value] => condition(&format!("{metadata}{field}"), value),
        _ => {
            let message = format!("Bad request: `{part}` is not model__field__operator__value.");
            Err(Refusal::Invalid(message))
        }
    }
}

/// One condition by its name, `[testjob__]FIELD[__OPERATOR]`, and its value.
pub(crate) fn condition(name: &str, value: &str) -> Result<Condition, Refusal> {
    let own = name.strip_prefix("testjob__").unwrap_or(name);
    let (field, operator) = own.rsplit_once("__").unwrap_or((own, "exact"));
    let value = if field == "priority" { priority(value) } else { value };
    let name = if operator == "exact" { field } else { own };
    let wrong = |error| Refusal::Invalid(format!("Bad request: condition on `{name}`: {error}"));
    Condition::on_jobs(name, value).map_err(wrong)
}

/// LAVA's words for priorities (lava-compat 1.1).
fn priority(word: &str) -> &str {
    match word.to_ascii_lowercase().as_str() {
        "low" => "0",
        "medium" => "50",
        "high" => "100",
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_name_a_field_an_operator_and_a_value() {
        for (text, expected) in [
            ("", Some(0)),
            ("testjob__priority__exact__Medium", Some(1)),
            ("testjob__submitter__exact__ann,testjob__description__icontains__a__b", Some(2)),
            ("testjob__health__ne__Complete", Some(1)),
            ("priority__gt__50, submitter__ann", Some(2)),
            ("testjob__metadata__branch__exact__main", Some(1)),
            ("metadata__branch__main", Some(1)),
            ("nonsense", None),
            ("testcase__name__exact__boot", None),
            ("testjob__password__exact__x", None),
            ("testjob__id__exact__seven", None),
        ] {
            assert_eq!(conditions(text).ok().map(|found| found.len()), expected, "{text}");
        }
    }
}
