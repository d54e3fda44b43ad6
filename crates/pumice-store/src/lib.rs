//! Artifacts: fetched, verified, kept once by digest, leased to jobs, evicted by age and size.
