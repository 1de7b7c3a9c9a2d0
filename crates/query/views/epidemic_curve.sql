-- epidemic_curve: how a campaign spread, day by day (UTC).
-- `exploited`: hosts with their first effect on this day; `patched`: hosts patched on this day; `exposed`: hosts that were
-- open at the end of this day, of those that ever were known to be: patched later, or still vulnerable or only mitigated.
-- Hosts whose patch has no date are not counted as exposed. Days on which nothing happened have no row.
WITH hosts_of AS (
    SELECT campaign, host, exposure, CAST(patched AS DATE) AS patched_day,
           CASE WHEN stage IN ('exploited', 'foothold', 'hands_on', 'impact') THEN CAST(first AS DATE) END AS exploited_day
    FROM verdicts
),
changes AS (
    SELECT campaign, exploited_day AS day, 1 AS exploited, 0 AS patched FROM hosts_of WHERE exploited_day IS NOT NULL
    UNION ALL
    SELECT campaign, patched_day, 0, 1 FROM hosts_of WHERE patched_day IS NOT NULL
),
days AS (
    SELECT campaign, day, sum(exploited) AS exploited, sum(patched) AS patched FROM changes GROUP BY campaign, day
),
open AS (
    SELECT campaign, count(*) AS hosts
    FROM hosts_of
    WHERE patched_day IS NOT NULL OR exposure IN ('vulnerable', 'mitigated')
    GROUP BY campaign
)
SELECT days.campaign, days.day, days.exploited, days.patched,
       sum(days.exploited) OVER so_far AS exploited_so_far,
       coalesce(open.hosts, 0) - sum(days.patched) OVER so_far AS exposed
FROM days LEFT JOIN open ON days.campaign = open.campaign
WINDOW so_far AS (PARTITION BY days.campaign ORDER BY days.day)
