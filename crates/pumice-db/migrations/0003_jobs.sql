-- Jobs. The row holds what lists and the scheduler read; long texts stand in their own table.

CREATE TABLE jobs (
    id $id,
    -- MultiNode: the number people see (`12.1`), the group, and the role in it.
    sub_id TEXT,
    target_group TEXT,
    role TEXT,
    submitter_id BIGINT NOT NULL REFERENCES users (id),
    description TEXT NOT NULL,
    requested_device_type TEXT,
    requested_device TEXT,
    requested_worker TEXT,
    actual_device TEXT,
    worker TEXT,
    -- One column, one state machine: submitted, scheduled, running, cancelling, complete, incomplete, cancelled.
    state TEXT NOT NULL,
    priority BIGINT NOT NULL,
    visibility TEXT NOT NULL,
    is_health_check BIGINT NOT NULL,
    submit_time BIGINT NOT NULL,
    start_time BIGINT,
    end_time BIGINT,
    -- A waiting job is cancelled at this time.
    queue_deadline BIGINT,
    -- Which giving of it to a worker is meant: each has a higher number than the one before.
    fence BIGINT NOT NULL,
    -- How often it was lost with its worker, and how often handed back.
    losses BIGINT NOT NULL,
    returns BIGINT NOT NULL,
    -- What it asks of the lab, as JSON of the scheduler; empty until the submission is whole.
    request TEXT NOT NULL,
    error_type TEXT,
    error_msg TEXT,
    -- The cause with its evidence, as JSON.
    failure TEXT,
    failure_comment TEXT,
    metadata TEXT NOT NULL
);

CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_device ON jobs (actual_device, id);
CREATE INDEX jobs_by_type ON jobs (requested_device_type, id);
CREATE INDEX jobs_by_submitter ON jobs (submitter_id, id);
CREATE INDEX jobs_by_group ON jobs (target_group);
-- Few rows at any time: what a device does is read from here.
CREATE INDEX jobs_active ON jobs (actual_device, state) WHERE state IN ('scheduled', 'running', 'cancelling');
CREATE INDEX jobs_by_end ON jobs (end_time);

CREATE TABLE job_texts (
    job_id BIGINT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    -- What the worker gets, as the server wrote it.
    definition TEXT NOT NULL,
    -- What was submitted, comments and all.
    original TEXT NOT NULL,
    -- The whole of a MultiNode job; empty for others.
    multinode TEXT NOT NULL
);

-- What the worker was given when it started the job.
CREATE TABLE job_configurations (
    job_id BIGINT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    dispatcher TEXT NOT NULL,
    env TEXT NOT NULL,
    env_dut TEXT NOT NULL
);

CREATE TABLE job_tags (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    tag_id BIGINT NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, tag_id)
);

CREATE TABLE job_viewing_groups (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    group_id BIGINT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, group_id)
);

-- The metadata tree as paths (`a__b`) to scalars, so that both engines filter it alike.
CREATE TABLE job_metadata (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    value TEXT NOT NULL
);

CREATE INDEX job_metadata_by_path ON job_metadata (path, value);
CREATE INDEX job_metadata_by_job ON job_metadata (job_id);
