-- Tables for the examples in resources.toml. Only `make up` runs this, on its SQLite record at every
-- start.
CREATE TABLE IF NOT EXISTS demo_blogs (id INTEGER PRIMARY KEY, title TEXT NOT NULL, author TEXT NOT NULL);
INSERT OR IGNORE INTO demo_blogs (id, title, author) VALUES
  (1, 'Redis at the edge', 'alice'), (2, 'Stale while revalidate', 'bob'), (3, 'One fetch for everybody', 'carol');
CREATE TABLE IF NOT EXISTS demo_profiles (user_id TEXT PRIMARY KEY, name TEXT NOT NULL);
INSERT OR IGNORE INTO demo_profiles (user_id, name) VALUES ('alice', 'Alice'), ('bob', 'Bob');
