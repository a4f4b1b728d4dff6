-- The trash of retention: what a plan has taken out of repositories, and until when it can be brought back.

CREATE TABLE trash_run (
    id         BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    plan       TEXT COLLATE "C" NOT NULL, -- the hash of the plan
    account    BIGINT,
    applied_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX trash_run_expires ON trash_run (expires_at);

-- A manifest as it was. It is served to nobody.
CREATE TABLE trash_manifest (
    id            BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    run           BIGINT NOT NULL REFERENCES trash_run (id) ON DELETE CASCADE,
    repository    BIGINT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest        TEXT COLLATE "C" NOT NULL,
    media_type    TEXT COLLATE "C" NOT NULL,
    size          BIGINT NOT NULL,
    subject       TEXT COLLATE "C",
    artifact_type TEXT COLLATE "C",
    annotations   TEXT COLLATE "C",
    pushed_at     BIGINT NOT NULL,
    pulled_at     BIGINT,
    content       BYTEA NOT NULL,
    UNIQUE (repository, digest, run)
);
CREATE INDEX trash_manifest_run ON trash_manifest (run);

-- What it needs to come back; collection leaves that alone.
CREATE TABLE trash_reference (
    repository BIGINT NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    manifest   BIGINT NOT NULL REFERENCES trash_manifest (id) ON DELETE CASCADE,
    child      BIGINT NOT NULL,
    PRIMARY KEY (repository, digest, manifest)
);
CREATE INDEX trash_reference_manifest ON trash_reference (manifest);

CREATE TABLE trash_tag (
    run        BIGINT NOT NULL REFERENCES trash_run (id) ON DELETE CASCADE,
    repository BIGINT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    name       TEXT COLLATE "C" NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    moved_at   BIGINT NOT NULL,
    PRIMARY KEY (run, repository, name)
);
CREATE INDEX trash_tag_repository ON trash_tag (repository, name);
-- When an image lost its last tag.
CREATE INDEX tag_history_digest ON tag_history (repository, digest);
