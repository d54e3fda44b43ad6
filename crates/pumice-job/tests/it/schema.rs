//! The JSON Schemas that are checked in.

use expect_test::expect_file;

#[test]
fn the_schemas_that_are_checked_in_are_those_of_the_table() {
    let shown = |schema| serde_json::to_string_pretty(&schema).unwrap() + "\n";
    expect_file!["../../../../docs/schemas/job.schema.json"].assert_eq(&shown(pumice_job::schema()));
    let definition = shown(pumice_job::test_definition_schema());
    expect_file!["../../../../docs/schemas/test-definition.schema.json"].assert_eq(&definition);
}
