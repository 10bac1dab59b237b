-- Ports that different programs hold, on one host or on several. Each of their hosts and programs has a row.
SELECT DISTINCT protocol, port, host, process
FROM programs
WHERE process IS NOT NULL
  AND day = (SELECT today FROM days WHERE days.host = programs.host)
  AND (
    SELECT count(DISTINCT other.process)
    FROM programs AS other
    WHERE other.protocol = programs.protocol
      AND other.port = programs.port
      AND other.day = (SELECT today FROM days WHERE days.host = other.host)
  ) > 1
ORDER BY protocol, port, host, process;
