-- user_agents: who used this user agent, where and when.
-- One row for each agent, address and host in any event.
SELECT user_agent, src_ip, host, min(time) AS first_seen, max(time) AS last_seen, count(*) AS events
FROM events
WHERE user_agent IS NOT NULL
GROUP BY user_agent, src_ip, host
