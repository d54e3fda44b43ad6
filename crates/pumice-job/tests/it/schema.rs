//! The JSON Schema that is checked in.

use expect_test::expect_file;

#[test]
fn the_schema_that_is_checked_in_is_the_one_of_the_table() {
    let schema = serde_json::to_string_pretty(&pumice_job::schema()).unwrap() + "\n";
    expect_file!["../../../../docs/schemas/job.schema.json"].assert_eq(&schema);
}
