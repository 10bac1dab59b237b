-- Listeners with holders that could not be seen, with the reason, on each host's last day.
SELECT DISTINCT host, protocol, address, port, unseen, socket_user
FROM listeners
WHERE unseen IS NOT NULL
  AND day = (SELECT today FROM days WHERE days.host = listeners.host)
ORDER BY host, protocol, port, address;
