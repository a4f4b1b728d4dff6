-- The trash of retention: what a plan has taken out of repositories, and until when it can be brought back.

CREATE TABLE trash_run (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    plan       TEXT NOT NULL, -- the hash of the plan
    account    INTEGER,
    applied_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX trash_run_expires ON trash_run (expires_at);

-- A manifest as it was. It is served to nobody.
CREATE TABLE trash_manifest (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    run           INTEGER NOT NULL REFERENCES trash_run (id) ON DELETE CASCADE,
    repository    INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest        TEXT NOT NULL,
    media_type    TEXT NOT NULL,
    size          INTEGER NOT NULL,
    subject       TEXT,
    artifact_type TEXT,
    annotations   TEXT,
    pushed_at     INTEGER NOT NULL,
    pulled_at     INTEGER,
    content       BLOB NOT NULL,
    UNIQUE (repository, digest, run)
) STRICT;
CREATE INDEX trash_manifest_run ON trash_manifest (run);

-- What it needs to come back; collection leaves that alone.
CREATE TABLE trash_reference (
    repository INTEGER NOT NULL,
    digest     TEXT NOT NULL,
    manifest   INTEGER NOT NULL REFERENCES trash_manifest (id) ON DELETE CASCADE,
    child      INTEGER NOT NULL,
    PRIMARY KEY (repository, digest, manifest)
) STRICT, WITHOUT ROWID;
CREATE INDEX trash_reference_manifest ON trash_reference (manifest);

CREATE TABLE trash_tag (
    run        INTEGER NOT NULL REFERENCES trash_run (id) ON DELETE CASCADE,
    repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    moved_at   INTEGER NOT NULL,
    PRIMARY KEY (run, repository, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX trash_tag_repository ON trash_tag (repository, name);
-- When an image lost its last tag.
CREATE INDEX tag_history_digest ON tag_history (repository, digest);
