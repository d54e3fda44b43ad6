//! The lab's server: routes by domain, pages, background tasks.
