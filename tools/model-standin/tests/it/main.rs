//! The stand-in from the outside: every line of reference/fastmodels.md 9.1 and 9.3 at the level of the program.
//!
//! Most tests need no kernel: a script plays the guest. Those in `boots` start a real one and skip, saying why,
//! where there is no QEMU or no guest (`cargo xtask guests` makes them).

#[cfg(test)]
mod boots;
#[cfg(test)]
mod debuggers;
#[cfg(test)]
mod licences;
#[cfg(test)]
mod model;
#[cfg(test)]
mod options;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod terminals;
