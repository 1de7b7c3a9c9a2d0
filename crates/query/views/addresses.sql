-- addresses: first and last seen of an address over all hosts.
-- One row for each source address in any event. Ask for one with WHERE src_ip = '…': only the row groups whose bloom filter
-- may hold it are read.
SELECT src_ip,
       min(time) AS first_seen,
       max(time) AS last_seen,
       first_value(host ORDER BY time NULLS LAST, host) AS first_host,
       count(DISTINCT host) AS hosts,
       count(*) AS events
FROM events
WHERE src_ip IS NOT NULL
GROUP BY src_ip
