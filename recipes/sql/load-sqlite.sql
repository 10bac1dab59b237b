-- For the shell sqlite3, in the folder that has HOST/DAY.ndjson below `collected`. No column is split: a line has no
-- unit separator, because JSON escapes control characters.
CREATE TABLE lines (line TEXT);
.mode ascii
.separator "\037" "\n"
.import "|cat collected/*/*.ndjson" lines
