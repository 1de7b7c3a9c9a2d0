-- shell_reuse: who used a shell after somebody else, and how many days later.
SELECT later.host, later.shell, earlier.client AS first_client, earlier.first_seen AS first_used,
       later.client AS later_client, later.first_seen AS later_used,
       date_part('epoch', later.first_seen - earlier.first_seen) / 86400 AS days_later
FROM shell_visits AS later JOIN shell_visits AS earlier ON later.host = earlier.host AND later.shell = earlier.shell
WHERE earlier.turn = 1 AND later.turn > 1
