-- Development only: the shift of business time, which `social-wallet clock` moves and every service adds.

CREATE SCHEMA IF NOT EXISTS development;
CREATE TABLE IF NOT EXISTS development.clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    shift interval NOT NULL
);
INSERT INTO development.clock (shift) VALUES ('0') ON CONFLICT DO NOTHING;
GRANT USAGE ON SCHEMA development TO PUBLIC;
GRANT SELECT ON development.clock TO PUBLIC;
