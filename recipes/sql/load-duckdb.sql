-- Run in the folder that has HOST/DAY.ndjson below `collected`.
CREATE TABLE lines AS SELECT json AS line FROM read_ndjson_objects('collected/*/*.ndjson');
