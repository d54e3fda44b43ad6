//! `pumice schema`: what editors and other programs check jobs, devices and test definitions with.

use crate::{
    cli::{SchemaArgs, SchemaOf},
    exit::Exit,
    terminal::print,
};

pub(crate) fn main(args: &SchemaArgs) -> Exit {
    let schema = match args.of {
        SchemaOf::Job => pumice_job::schema(),
        SchemaOf::Device => pumice_device::schema(),
        SchemaOf::TestDefinition => pumice_job::test_definition_schema(),
    };
    print(&format!("{schema:#}"));
    Exit::Success
}
