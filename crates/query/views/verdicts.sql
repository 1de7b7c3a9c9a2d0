-- verdicts: what is held of each host and campaign now.
-- The rows of verdict_history that no later judgement has replaced.
SELECT host, campaign, pack_version, verdict, stage, exposure, build, first, last, patched, sufficient, as_of, judged,
       reasons, why
FROM verdict_history
WHERE current
