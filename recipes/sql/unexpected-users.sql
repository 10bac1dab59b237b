-- Programs that run as another user than expected. Replace the list by your own.
WITH expected (program, expected_user) AS (VALUES ('sshd', 'root'), ('nginx', 'www-data'), ('postgres', 'postgres'))
SELECT host, protocol, port, process, user_name, expected_user
FROM programs, expected
WHERE process = program
  AND user_name <> expected_user
  AND day = (SELECT today FROM days WHERE days.host = programs.host)
ORDER BY host, protocol, port, process;
