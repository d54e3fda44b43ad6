//! What runs in the guest: test definitions, the overlay tree, the signal grammar.
