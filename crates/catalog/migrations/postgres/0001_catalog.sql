-- The catalog. Times are Unix milliseconds, sizes bytes, flags 0 or 1. Digests are text, as on the wire.
-- Text is compared bytewise: names and tags are paged in that order.

CREATE TABLE owner (
    id             BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name_key       TEXT COLLATE "C" NOT NULL UNIQUE, -- the name in ASCII lower case
    name           TEXT COLLATE "C" NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL CHECK (kind IN ('user', 'organisation')),
    quota          BIGINT,              -- NULL: the server's default; -1: none
    layer_limit    BIGINT,              -- the same
    used_bytes     BIGINT NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),
    reserved_bytes BIGINT NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0),
    created_at     BIGINT NOT NULL
);

CREATE TABLE account (
    owner         BIGINT PRIMARY KEY REFERENCES owner (id) ON DELETE CASCADE,
    password_hash TEXT COLLATE "C",
    admin         BIGINT NOT NULL,
    disabled      BIGINT NOT NULL
);

CREATE TABLE member (
    organisation BIGINT NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    account      BIGINT NOT NULL REFERENCES account (owner) ON DELETE CASCADE,
    role         TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'writer', 'reader')),
    PRIMARY KEY (organisation, account)
);
CREATE INDEX member_account ON member (account);

CREATE TABLE token (
    id          BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    account     BIGINT NOT NULL REFERENCES account (owner) ON DELETE CASCADE,
    name        TEXT COLLATE "C" NOT NULL,
    secret_hash BYTEA NOT NULL UNIQUE,
    scopes      TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    revoked_at  BIGINT,
    used_at     BIGINT,
    used_from   TEXT COLLATE "C"
);
CREATE INDEX token_account ON token (account, id);

CREATE TABLE repository (
    id         BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    owner      BIGINT NOT NULL REFERENCES owner (id),
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    visibility TEXT COLLATE "C" NOT NULL CHECK (visibility IN ('private', 'public')),
    bytes      BIGINT NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    created_at BIGINT NOT NULL
);
CREATE INDEX repository_owner ON repository (owner, name);

CREATE TABLE blob (
    digest     TEXT COLLATE "C" PRIMARY KEY,
    size       BIGINT NOT NULL,
    object_key TEXT COLLATE "C" NOT NULL,
    damaged    BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
-- For the sweep after a kill, which has objects and looks for their blobs.
CREATE INDEX blob_object_key ON blob (object_key);

CREATE TABLE repository_blob (
    repository BIGINT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest     TEXT COLLATE "C" NOT NULL REFERENCES blob (digest),
    linked_at  BIGINT NOT NULL,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX repository_blob_digest ON repository_blob (digest);

-- How many of the owner's repositories link the blob: it counts once for the owner's quota.
CREATE TABLE owner_blob (
    owner        BIGINT NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    digest       TEXT COLLATE "C" NOT NULL,
    repositories BIGINT NOT NULL CHECK (repositories >= 0),
    PRIMARY KEY (owner, digest)
);

CREATE TABLE upload (
    id          TEXT COLLATE "C" PRIMARY KEY,
    repository  BIGINT NOT NULL REFERENCES repository (id),
    account     BIGINT,
    algorithm   TEXT COLLATE "C" NOT NULL,
    received    BIGINT NOT NULL,
    hash_state  BYTEA NOT NULL,
    store_state BYTEA NOT NULL,
    reserved    BIGINT NOT NULL CHECK (reserved >= 0),
    started_at  BIGINT NOT NULL,
    touched_at  BIGINT NOT NULL
);
CREATE INDEX upload_touched ON upload (touched_at);
CREATE INDEX upload_repository ON upload (repository);

CREATE TABLE manifest (
    id            BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
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
    UNIQUE (repository, digest)
);
CREATE INDEX manifest_subject ON manifest (repository, subject, digest) WHERE subject IS NOT NULL;

-- What a manifest needs in its repository; a child is a manifest, or a blob in a build cache's index.
CREATE TABLE manifest_reference (
    repository BIGINT NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    manifest   BIGINT NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
    child      BIGINT NOT NULL,
    PRIMARY KEY (repository, digest, manifest)
);
CREATE INDEX manifest_reference_manifest ON manifest_reference (manifest);

CREATE TABLE tag (
    repository BIGINT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    name       TEXT COLLATE "C" NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    moved_at   BIGINT NOT NULL,
    PRIMARY KEY (repository, name),
    FOREIGN KEY (repository, digest) REFERENCES manifest (repository, digest)
);
CREATE INDEX tag_digest ON tag (repository, digest);

-- What a tag named before it moved or was deleted.
CREATE TABLE tag_history (
    id          BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    repository  BIGINT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    name        TEXT COLLATE "C" NOT NULL,
    digest      TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    account     BIGINT
);
CREATE INDEX tag_history_name ON tag_history (repository, name, id);

CREATE TABLE audit (
    id      BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at      BIGINT NOT NULL,
    account BIGINT,
    token   BIGINT,
    address TEXT COLLATE "C",
    action  TEXT COLLATE "C" NOT NULL,
    target  TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    detail  TEXT COLLATE "C"
);
CREATE INDEX audit_account ON audit (account, id);
CREATE INDEX audit_target ON audit (target, id);

CREATE TABLE setting (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BYTEA NOT NULL
);

-- One row. It grows with every change of who may do what, so that other processes forget what they remember.
CREATE TABLE generation (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    value BIGINT NOT NULL
);
INSERT INTO generation (id, value) VALUES (1, 0);
