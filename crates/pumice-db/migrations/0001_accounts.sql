-- People, groups, what they may do, and the secrets they log in with.
-- $id is the engine's own way to say: an integer key, never used twice.

CREATE TABLE users (
    id $id,
    username TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    email TEXT NOT NULL,
    is_active BIGINT NOT NULL,
    is_staff BIGINT NOT NULL,
    is_superuser BIGINT NOT NULL,
    password_hash TEXT,
    date_joined BIGINT NOT NULL,
    last_login BIGINT
);

CREATE TABLE groups (
    id $id,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE group_members (
    group_id BIGINT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX group_members_by_user ON group_members (user_id);

-- Permissions on everything of a kind, named app.model.codename as LAVA's clients name them.
CREATE TABLE user_permissions (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    app TEXT NOT NULL,
    model TEXT NOT NULL,
    codename TEXT NOT NULL,
    PRIMARY KEY (user_id, app, model, codename)
);

CREATE TABLE group_permissions (
    group_id BIGINT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    app TEXT NOT NULL,
    model TEXT NOT NULL,
    codename TEXT NOT NULL,
    PRIMARY KEY (group_id, app, model, codename)
);

-- Permissions on one device, device type or worker.
CREATE TABLE object_permissions (
    id $id,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    group_id BIGINT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    UNIQUE (kind, object, group_id, permission)
);

-- Only the SHA-256 of a token is kept; it is 256 random bits, so no salt is needed.
CREATE TABLE tokens (
    id $id,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created BIGINT NOT NULL,
    last_used BIGINT,
    expires BIGINT
);

CREATE TABLE web_sessions (
    hash TEXT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

-- Sent to workers in place of their names, so they are kept as they are.
CREATE TABLE artifact_tokens (
    id $id,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    UNIQUE (user_id, name)
);
