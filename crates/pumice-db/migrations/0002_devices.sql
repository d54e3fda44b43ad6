-- What the lab has: kinds of device, devices, and the hosts that run them.

CREATE TABLE device_types (
    name TEXT PRIMARY KEY,
    description TEXT,
    display BIGINT NOT NULL,
    owners_only BIGINT NOT NULL,
    health_disabled BIGINT NOT NULL,
    health_frequency BIGINT NOT NULL,
    health_denominator TEXT NOT NULL,
    architecture TEXT,
    processor TEXT,
    cpu_model TEXT,
    bits BIGINT,
    cores TEXT,
    core_count BIGINT,
    template TEXT,
    health_check TEXT
);

CREATE TABLE aliases (
    name TEXT PRIMARY KEY,
    device_type TEXT NOT NULL REFERENCES device_types (name) ON DELETE CASCADE
);

CREATE TABLE tags (
    id $id,
    name TEXT NOT NULL UNIQUE,
    description TEXT
);

CREATE TABLE workers (
    hostname TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    health TEXT NOT NULL,
    description TEXT,
    last_ping BIGINT NOT NULL,
    job_limit BIGINT NOT NULL,
    version TEXT,
    -- Raised to make every token given out so far invalid.
    token_generation BIGINT NOT NULL,
    -- The number of its last session; it never repeats.
    epoch BIGINT NOT NULL,
    config TEXT,
    env TEXT,
    env_dut TEXT,
    -- What the worker last said of itself, as JSON of the worker protocol.
    offer TEXT
);

CREATE TABLE devices (
    hostname TEXT PRIMARY KEY,
    device_type TEXT NOT NULL REFERENCES device_types (name),
    worker TEXT REFERENCES workers (hostname),
    -- What it does follows from the jobs on it and is not kept.
    health TEXT NOT NULL,
    description TEXT,
    device_version TEXT,
    physical_owner BIGINT REFERENCES users (id) ON DELETE SET NULL,
    physical_group BIGINT REFERENCES groups (id) ON DELETE SET NULL,
    dictionary TEXT,
    last_health_job BIGINT,
    -- When its last health check was submitted (milliseconds of the scheduler), and how many jobs ended on it since.
    last_check BIGINT,
    jobs_since_check BIGINT NOT NULL,
    -- How many jobs at once.
    slots BIGINT NOT NULL,
    -- The worker offered it by itself; such a row may be refreshed by the worker.
    is_offered BIGINT NOT NULL,
    is_synced BIGINT NOT NULL
);

CREATE INDEX devices_by_type ON devices (device_type);
CREATE INDEX devices_by_worker ON devices (worker);

CREATE TABLE device_tags (
    device TEXT NOT NULL REFERENCES devices (hostname) ON DELETE CASCADE,
    tag_id BIGINT NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (device, tag_id)
);

-- How many may use a licence at once, in the whole lab.
CREATE TABLE licences (
    name TEXT PRIMARY KEY,
    seats BIGINT NOT NULL
);
