//! The environment that a server wants for a job's process: LAVA's `env.yaml` (lava-compat 2.6).

use pumice_types::SourceId;

/// Whether the worker's own environment is left out, and which variables are set.
pub(crate) fn environment(text: &str) -> (bool, Vec<(String, String)>) {
    let (node, _) = pumice_yaml::parse(text, SourceId::default());
    let Some(node) = node else { return (false, Vec::new()) };
    let purge = node.get("purge").and_then(pumice_yaml::Node::as_bool).unwrap_or(false);
    let mut variables = Vec::new();
    for entry in
        node.get("overrides").and_then(|overrides| overrides.as_map()).into_iter().flat_map(|map| map.iter())
    {
        let (name, value) = (entry.key.clone(), entry.value.text());
        // What cannot be a variable is left out (`environ(7)`).
        if !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0') {
            variables.push((name, value));
        }
    }
    (purge, variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, purge: bool, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(environment(text), (purge, expected));
    }

    #[test]
    fn overrides_become_variables_and_anything_else_is_let_be() {
        check(
            "purge: true\noverrides:\n  LC_ALL: C.UTF-8\n  N: 3\n",
            true,
            &[("LC_ALL", "C.UTF-8"), ("N", "3")],
        );
        check("", false, &[]);
        check("overrides: 7", false, &[]);
        check("overrides: {'a=b': c, ok: 'yes'}", false, &[("ok", "yes")]);
        check("{{{", false, &[]);
    }
}
