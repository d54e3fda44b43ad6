//! Job and device to a plan: every step, every timeout, every mistake, before anything starts.
