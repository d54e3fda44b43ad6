//! What a job leaves behind: log records, results, exporters, in our formats and LAVA's.
