-- gaps_by_kind: what could not be seen, by kind and source of records, and on how many hosts.
SELECT kind, source, count(*) AS gaps, count(DISTINCT host) AS hosts, min(from_time) AS earliest, max(until_time) AS latest
FROM gaps
GROUP BY kind, source
