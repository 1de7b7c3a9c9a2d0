-- patch_dates: when each host was patched against each campaign, and with what build.
-- `patched` is absent where nothing dates it; `exposure` says whether the host is open now.
SELECT campaign, host, exposure, build, patched
FROM verdicts
WHERE exposure <> 'not_affected'
