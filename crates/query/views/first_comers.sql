-- first_comers: which address was the first to enter each host.
-- The earliest finding of a host that proves effect and names an address.
WITH acts AS (
    SELECT host, campaign, client, time, rule, item, line, record,
           row_number() OVER (PARTITION BY host, campaign ORDER BY time, client, id) AS turn
    FROM findings
    WHERE time IS NOT NULL AND client IS NOT NULL AND client <> '' AND stage IN ('exploited', 'foothold', 'hands_on', 'impact')
)
SELECT host, campaign, client, time, rule, item, line, record FROM acts WHERE turn = 1
