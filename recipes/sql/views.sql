-- Views over a table `lines` with one column `line`: the lines of `allears --ndjson` of many hosts and days.
-- The same text works in SQLite (3.38 or newer) and in DuckDB (1.3 or newer).

-- One row for each listener.
CREATE VIEW listeners AS
SELECT
  (line ->> '$.host') AS host,
  substr((line ->> '$.taken_at'), 1, 10) AS day,
  (line ->> '$.taken_at') AS taken_at,
  (line ->> '$.protocol') AS protocol,
  (line ->> '$.family') AS family,
  (line ->> '$.address') AS address,
  CAST((line ->> '$.port') AS INTEGER) AS port,
  (line ->> '$.path') AS path,
  (line ->> '$.exposure') AS exposure,
  CAST((line ->> '$.inode') AS BIGINT) AS inode,
  (line ->> '$.namespace') AS namespace,
  (line ->> '$.user') AS socket_user,
  (line ->> '$.unseen.reason') AS unseen,
  line
FROM lines
WHERE (line ->> '$.gap') IS NULL;

-- One row for each listener and holder; one without a process if no holder could be seen.
CREATE VIEW holders AS
SELECT
  listeners.*,
  CAST((holder.value ->> '$.pid') AS BIGINT) AS pid,
  (holder.value ->> '$.name') AS process,
  COALESCE((holder.value ->> '$.user'), (holder.value ->> '$.uid')) AS user_name,
  holder.value AS holder
FROM listeners, json_each(listeners.line, '$.holders') AS holder
UNION ALL
SELECT listeners.*, NULL, NULL, socket_user, NULL
FROM listeners
WHERE json_array_length(line, '$.holders') = 0;

-- What does not change when a server is started again: no pids and inodes.
CREATE VIEW programs AS
SELECT DISTINCT host, day, protocol, address, port, path, exposure, process, user_name, unseen
FROM holders;

-- What could not be read.
CREATE VIEW gaps AS
SELECT
  (line ->> '$.host') AS host,
  substr((line ->> '$.taken_at'), 1, 10) AS day,
  (line ->> '$.gap.what') AS what,
  (line ->> '$.gap.reason') AS reason,
  CAST((line ->> '$.gap.count') AS INTEGER) AS number
FROM lines
WHERE (line ->> '$.gap') IS NOT NULL;

-- The last day of each host, and the one before it.
CREATE VIEW days AS
SELECT host, today, (SELECT max(day) FROM listeners WHERE listeners.host = last.host AND day < today) AS yesterday
FROM (SELECT host, max(day) AS today FROM listeners GROUP BY host) AS last;
