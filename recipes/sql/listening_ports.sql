-- The columns and values of osquery's table `listening_ports`, for each host and day. Load views.sql before.
--
-- protocol: 6 TCP, 17 UDP, 136 UDP-Lite, 132 SCTP, 33 DCCP, 0 Unix. family: 2 IPv4, 10 IPv6, 1 Unix. pid and fd are -1
-- for a socket whose holder is unknown. A socket with several descriptors has a row for each; osquery shows one of them.
-- net_namespace is the inode of another network namespace (--all-namespaces), and NULL for that of allears itself.
CREATE VIEW listening_ports AS
WITH descriptors AS (
  SELECT holders.*, CAST(CAST(fd.value AS VARCHAR) AS BIGINT) AS fd
  FROM holders, json_each(holders.holder, '$.descriptors') AS fd
  UNION ALL
  SELECT holders.*, -1
  FROM holders
  WHERE holder IS NULL OR json_array_length(holder, '$.descriptors') = 0
)
SELECT
  COALESCE(pid, -1) AS pid,
  COALESCE(port, 0) AS port,
  CASE protocol WHEN 'tcp' THEN 6 WHEN 'udp' THEN 17 WHEN 'udplite' THEN 136 WHEN 'sctp' THEN 132 WHEN 'dccp' THEN 33 ELSE 0 END AS protocol,
  CASE family WHEN 'ipv4' THEN 2 WHEN 'ipv6' THEN 10 ELSE 1 END AS family,
  COALESCE(address, '') AS address,
  fd,
  inode AS socket,
  COALESCE(path, '') AS path,
  replace(replace(namespace, 'net:[', ''), ']', '') AS net_namespace,
  host,
  day
FROM descriptors;
