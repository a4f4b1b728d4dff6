-- Scrub: what was found of damaged blobs, and how far the walk that rehashes all of them is.

-- A row for each blob that is marked as damaged. It goes when the blob is whole again, or gone.
CREATE TABLE damage (
    digest   TEXT PRIMARY KEY REFERENCES blob (digest) ON DELETE CASCADE,
    found    TEXT NOT NULL,    -- what was found instead, for people
    found_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO damage (digest, found, found_at)
    SELECT digest, 'found before this release', unixepoch('now') * 1000 FROM blob WHERE damaged = 1;

-- One row: the round under way and the end of the last one.
CREATE TABLE scrub (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    started_at INTEGER,          -- of the round under way
    position   TEXT NOT NULL,    -- the last digest that was hashed; empty before the first
    blobs      INTEGER NOT NULL, -- hashed in this round
    bytes      INTEGER NOT NULL, -- the same
    damaged    INTEGER NOT NULL, -- found in this round
    ended_at   INTEGER,          -- of the last full round
    held_by    TEXT NOT NULL,    -- whose turn it is, of several replicas
    held_until INTEGER NOT NULL
) STRICT;
INSERT INTO scrub (id, position, blobs, bytes, damaged, held_by, held_until) VALUES (1, '', 0, 0, 0, '', 0);
