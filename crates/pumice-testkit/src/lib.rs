//! For tests only: the scripted machine, the fake world, contexts, the conformance suite.
