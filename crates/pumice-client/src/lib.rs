//! The HTTP client of servers, for workers and people.
