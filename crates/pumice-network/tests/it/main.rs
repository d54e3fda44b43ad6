//! Networks, from the outside.

mod switch;
