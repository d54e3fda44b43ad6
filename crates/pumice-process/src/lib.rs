//! Child processes that leave nothing behind: groups, cgroups, limits, the ledger, the kill of a tree.
