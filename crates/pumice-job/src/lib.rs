//! Job definitions: YAML text to a typed, spanned job, with every mistake found on the way.
