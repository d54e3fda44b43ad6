//! Device types, device dictionaries, their templates, and the model library.
