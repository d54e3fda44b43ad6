//! The platform seen from outside.

mod corpus;
mod families;
