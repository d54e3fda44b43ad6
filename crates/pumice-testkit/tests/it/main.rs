//! Readers of bytes from outside, met with damaged ones.

mod hostile;
