-- What was done, and what is still to be sent.

CREATE TABLE audit (
    id $id,
    at BIGINT NOT NULL,
    username TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    message TEXT NOT NULL
);

CREATE INDEX audit_by_object ON audit (kind, object, id);

-- Callbacks that wait to be delivered.
CREATE TABLE callbacks (
    id $id,
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    method TEXT NOT NULL,
    content_type TEXT NOT NULL,
    header_name TEXT NOT NULL,
    header_value TEXT,
    dataset TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt BIGINT NOT NULL,
    -- waiting, delivered or given-up.
    state TEXT NOT NULL,
    last_error TEXT
);

CREATE INDEX callbacks_by_time ON callbacks (state, next_attempt);

-- Facts about the database itself, for example which library it was first filled from.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
