//! The lab's state machine: what a state and an event lead to, with no clock and no I/O.
