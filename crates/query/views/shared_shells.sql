-- shared_shells: shells that stand on more than one host.
-- A shell is shared by its content (sha256), by the parameter that it obeys, or by its path; `shared` says by which, `value`
-- which one. Windows paths do not tell case apart, so they are compared in lower case.
WITH shells AS (
    SELECT host, sha256, parameter, lower(coalesce(foothold_path, path)) AS path, time
    FROM findings
    WHERE foothold_kind IN ('web_shell', 'compiled_shell')
),
traits AS (
    SELECT 'sha256' AS shared, sha256 AS value, host, time FROM shells
    UNION ALL SELECT 'parameter', parameter, host, time FROM shells
    UNION ALL SELECT 'path', path, host, time FROM shells
)
SELECT shared, value, count(DISTINCT host) AS hosts, min(host) AS one_host, min(time) AS first_seen, max(time) AS last_seen
FROM traits
WHERE value IS NOT NULL AND value <> ''
GROUP BY shared, value
HAVING count(DISTINCT host) > 1
