-- Scrub: what was found of damaged blobs, and how far the walk that rehashes all of them is.

-- A row for each blob that is marked as damaged. It goes when the blob is whole again, or gone.
CREATE TABLE damage (
    digest   TEXT COLLATE "C" PRIMARY KEY REFERENCES blob (digest) ON DELETE CASCADE,
    found    TEXT COLLATE "C" NOT NULL,    -- what was found instead, for people
    found_at BIGINT NOT NULL
);
INSERT INTO damage (digest, found, found_at)
    SELECT digest, 'found before this release', CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT)
    FROM blob WHERE damaged = 1;

-- One row: the round under way and the end of the last one.
CREATE TABLE scrub (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    started_at BIGINT,                     -- of the round under way
    position   TEXT COLLATE "C" NOT NULL,  -- the last digest that was hashed; empty before the first
    blobs      BIGINT NOT NULL,            -- hashed in this round
    bytes      BIGINT NOT NULL,            -- the same
    damaged    BIGINT NOT NULL,            -- found in this round
    ended_at   BIGINT,                     -- of the last full round
    held_by    TEXT COLLATE "C" NOT NULL,  -- whose turn it is, of several replicas
    held_until BIGINT NOT NULL
);
INSERT INTO scrub (id, position, blobs, bytes, damaged, held_by, held_until) VALUES (1, '', 0, 0, 0, '', 0);
