//! The platform command: any simulator with a console, from one declarative file.
