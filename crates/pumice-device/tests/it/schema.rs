//! The JSON Schema that is checked in.

use expect_test::expect_file;

#[test]
fn the_schema_that_is_checked_in_is_that_of_the_table() {
    let shown = serde_json::to_string_pretty(&pumice_device::schema()).unwrap() + "\n";
    expect_file!["../../../../docs/schemas/device.schema.json"].assert_eq(&shown);
}
