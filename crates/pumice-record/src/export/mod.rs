//! Results in the forms that others read (lava-compat 7.4).
