-- What other machines can reach, on each host's last day.
SELECT host, protocol, address, port, process, user_name
FROM programs
WHERE exposure IN ('all', 'address')
  AND day = (SELECT today FROM days WHERE days.host = programs.host)
ORDER BY host, protocol, port, address, process;
