-- shell_visits: which address used which shell on which host, and who came first.
-- From findings that show a shell at work (a foothold, or hands on the keyboard) and name an address. `turn` is 1 for the
-- first comer. An address is no person: two turns can be one intruder with two addresses.
WITH visits AS (
    SELECT host, lower(coalesce(foothold_path, path)) AS shell, client, min(time) AS first_seen, max(coalesce(last, time)) AS last_seen,
           sum(count) AS requests
    FROM findings
    WHERE client IS NOT NULL AND client <> '' AND coalesce(foothold_path, path) IS NOT NULL AND time IS NOT NULL
      AND stage IN ('foothold', 'hands_on', 'impact')
    GROUP BY host, lower(coalesce(foothold_path, path)), client
)
SELECT host, shell, client, first_seen, last_seen, requests,
       row_number() OVER (PARTITION BY host, shell ORDER BY first_seen, client) AS turn
FROM visits
