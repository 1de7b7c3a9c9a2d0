-- verdict_counts: how many hosts have which verdict in which campaign.
SELECT campaign, verdict, count(*) AS hosts
FROM verdicts
GROUP BY campaign, verdict
