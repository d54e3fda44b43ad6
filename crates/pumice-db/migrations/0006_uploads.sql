-- Files that people sent for their jobs. The bytes are in the artifact store, once for each digest; a row says that somebody
-- has shown to have them.

CREATE TABLE uploads (
    id $id,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    is_complete BIGINT NOT NULL,
    created BIGINT NOT NULL,
    -- When bytes came, or a job that names it was submitted or given, last.
    used BIGINT NOT NULL,
    UNIQUE (user_id, sha256)
);

CREATE INDEX uploads_by_digest ON uploads (sha256);

-- Which jobs name which files.
CREATE TABLE job_uploads (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    UNIQUE (job_id, sha256)
);

CREATE INDEX job_uploads_by_digest ON job_uploads (sha256);
