-- What the tests said. Cases are only ever added; a name may come more than once.

CREATE TABLE suites (
    id $id,
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    UNIQUE (job_id, name)
);

CREATE TABLE test_sets (
    id $id,
    suite_id BIGINT NOT NULL REFERENCES suites (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    UNIQUE (suite_id, name)
);

CREATE TABLE cases (
    id $id,
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    suite_id BIGINT NOT NULL REFERENCES suites (id) ON DELETE CASCADE,
    set_id BIGINT REFERENCES test_sets (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    result TEXT NOT NULL,
    measurement DOUBLE PRECISION,
    units TEXT NOT NULL,
    -- JSON; the order of the keys is kept.
    metadata TEXT NOT NULL,
    start_log_line BIGINT,
    end_log_line BIGINT,
    logged BIGINT NOT NULL,
    -- Where in the log it was said: the same line sent twice is one result.
    log_line BIGINT NOT NULL,
    UNIQUE (job_id, log_line)
);

CREATE INDEX cases_by_suite ON cases (suite_id, id);

-- Files a job left behind; the bytes are in the artifact store.
CREATE TABLE attachments (
    id $id,
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    content_type TEXT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (job_id, name)
);
