//! `pumice`: puts an operating-system image on a virtual platform and says whether it works.

fn main() {}
