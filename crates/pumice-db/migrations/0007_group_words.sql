-- What the nodes of MultiNode groups have said and were told, in order: a server that is started again goes on from it. A
-- group's rows are removed when its last job has ended.

CREATE TABLE group_words (
    id $id,
    target_group TEXT NOT NULL,
    -- The job's number.
    node TEXT NOT NULL,
    -- heard, gone or said.
    kind TEXT NOT NULL,
    -- The line, or why the node is gone, as JSON; empty where its job is complete.
    line TEXT NOT NULL
);

CREATE INDEX group_words_by_group ON group_words (target_group, id);
