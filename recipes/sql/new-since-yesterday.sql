-- What listens on a host's last day and did not on the day before: a new place, or another program at the same place.
SELECT host, protocol, address, port, process, user_name
FROM programs AS now
WHERE day = (SELECT today FROM days WHERE days.host = now.host)
  AND NOT EXISTS (
    SELECT 1
    FROM programs AS before
    WHERE before.host = now.host
      AND before.day = (SELECT yesterday FROM days WHERE days.host = now.host)
      AND before.protocol = now.protocol
      AND COALESCE(before.address, before.path) = COALESCE(now.address, now.path)
      AND COALESCE(before.port, 0) = COALESCE(now.port, 0)
      AND COALESCE(before.process, '') = COALESCE(now.process, '')
  )
ORDER BY host, protocol, port, address, process;
