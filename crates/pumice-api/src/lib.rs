//! The wire types between server, workers and clients, versioned.
