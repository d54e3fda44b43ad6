//! The vocabulary from outside.

mod causes;
