-- The catalog. Times are Unix milliseconds, sizes bytes, flags 0 or 1. Digests are text, as on the wire.
-- AUTOINCREMENT: an id that was given once must never name another row, as callers remember answers by id.

CREATE TABLE owner (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name_key       TEXT NOT NULL UNIQUE, -- the name in ASCII lower case
    name           TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('user', 'organisation')),
    quota          INTEGER,              -- NULL: the server's default; -1: none
    layer_limit    INTEGER,              -- the same
    used_bytes     INTEGER NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),
    reserved_bytes INTEGER NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0),
    created_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
    owner         INTEGER PRIMARY KEY REFERENCES owner (id) ON DELETE CASCADE,
    password_hash TEXT,
    admin         INTEGER NOT NULL,
    disabled      INTEGER NOT NULL
) STRICT;

CREATE TABLE member (
    organisation INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    account      INTEGER NOT NULL REFERENCES account (owner) ON DELETE CASCADE,
    role         TEXT NOT NULL CHECK (role IN ('owner', 'writer', 'reader')),
    PRIMARY KEY (organisation, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_account ON member (account);

CREATE TABLE token (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account     INTEGER NOT NULL REFERENCES account (owner) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    secret_hash BLOB NOT NULL UNIQUE,
    scopes      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER,
    used_at     INTEGER,
    used_from   TEXT
) STRICT;
CREATE INDEX token_account ON token (account, id);

CREATE TABLE repository (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    owner      INTEGER NOT NULL REFERENCES owner (id),
    name       TEXT NOT NULL UNIQUE,
    visibility TEXT NOT NULL CHECK (visibility IN ('private', 'public')),
    bytes      INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX repository_owner ON repository (owner, name);

CREATE TABLE blob (
    digest     TEXT PRIMARY KEY,
    size       INTEGER NOT NULL,
    object_key TEXT NOT NULL,
    damaged    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- For the sweep after a kill, which has objects and looks for their blobs.
CREATE INDEX blob_object_key ON blob (object_key);

CREATE TABLE repository_blob (
    repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest     TEXT NOT NULL REFERENCES blob (digest),
    linked_at  INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blob_digest ON repository_blob (digest);

-- How many of the owner's repositories link the blob: it counts once for the owner's quota.
CREATE TABLE owner_blob (
    owner        INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    digest       TEXT NOT NULL,
    repositories INTEGER NOT NULL CHECK (repositories >= 0),
    PRIMARY KEY (owner, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE upload (
    id          TEXT PRIMARY KEY,
    repository  INTEGER NOT NULL REFERENCES repository (id),
    account     INTEGER,
    algorithm   TEXT NOT NULL,
    received    INTEGER NOT NULL,
    hash_state  BLOB NOT NULL,
    store_state BLOB NOT NULL,
    reserved    INTEGER NOT NULL CHECK (reserved >= 0),
    started_at  INTEGER NOT NULL,
    touched_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_touched ON upload (touched_at);
CREATE INDEX upload_repository ON upload (repository);

CREATE TABLE manifest (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    repository    INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest        TEXT NOT NULL,
    media_type    TEXT NOT NULL,
    size          INTEGER NOT NULL,
    subject       TEXT,
    artifact_type TEXT,
    annotations   TEXT,
    pushed_at     INTEGER NOT NULL,
    pulled_at     INTEGER,
    content       BLOB NOT NULL, -- the last column: the others are read without its pages
    UNIQUE (repository, digest)
) STRICT;
CREATE INDEX manifest_subject ON manifest (repository, subject, digest) WHERE subject IS NOT NULL;

-- What a manifest needs in its repository; a child is a manifest, or a blob in a build cache's index.
CREATE TABLE manifest_reference (
    repository INTEGER NOT NULL,
    digest     TEXT NOT NULL,
    manifest   INTEGER NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
    child      INTEGER NOT NULL,
    PRIMARY KEY (repository, digest, manifest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_reference_manifest ON manifest_reference (manifest);

CREATE TABLE tag (
    repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    moved_at   INTEGER NOT NULL,
    PRIMARY KEY (repository, name),
    FOREIGN KEY (repository, digest) REFERENCES manifest (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_digest ON tag (repository, digest);

-- What a tag named before it moved or was deleted.
CREATE TABLE tag_history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    repository  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    digest      TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    account     INTEGER
) STRICT;
CREATE INDEX tag_history_name ON tag_history (repository, name, id);

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    account INTEGER,
    token   INTEGER,
    address TEXT,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail  TEXT
) STRICT;
CREATE INDEX audit_account ON audit (account, id);
CREATE INDEX audit_target ON audit (target, id);

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row. It grows with every change of who may do what, so that other processes forget what they remember.
CREATE TABLE generation (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO generation (id, value) VALUES (1, 0);
