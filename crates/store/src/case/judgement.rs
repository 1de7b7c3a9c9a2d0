//! Judgements of hosts: the latest is kept whole, of those before it the verdicts.

use super::{Case, audit, object_row, short, text};
use crate::CaseError;
use crate::judged::Judged;
use crate::ledger::{count, execute, insert, many, one};
use crate::objects::{hex, host_key};
use crate::rows::{HostRow, ObjectRow, VerdictRow};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

/// A verdict that is another one than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub campaign: String,
    /// Absent where the host was not judged for this campaign before.
    pub before: Option<String>,
    pub now: String,
}

impl Case {
    /// Takes the judgement of a host: its rows replace the ones before, and verdicts that differ from the current ones in
    /// anything but the time of judging become the current ones. Gives the verdicts whose word is another.
    ///
    /// Coverage is replaced for the campaigns of this judgement; verdicts of campaigns it does not name stay current.
    pub fn commit_host(&self, judged: &Judged, now: i64) -> Result<Vec<Changed>, CaseError> {
        let host = &judged.host;
        let hash = hex(&Sha256::digest(&judged.report));
        let name = format!("reports/{}-{}.json.zst", host_key(host), short(&hash));
        let contents = self.objects.put_bytes(&name, &judged.report)?;
        let report = ObjectRow {
            host: Some(host.clone()),
            ..object_row(name.clone(), "report", &contents)
        };
        let (changed, unused) = self.ledger.write(async |connection| {
            let known = one::<HostRow>(connection, "WHERE host = $1", vec![text(host)]).await?;
            let row = HostRow {
                host: host.clone(),
                host_rule: judged.host_rule.clone(),
                as_of: judged.as_of,
                report_object: Some(name.clone()),
                dirty: match &known {
                    Some(known) if known.dirty != judged.dirty => known.dirty,
                    _ => 0,
                },
                first_seen: known.as_ref().map_or(now, |known| known.first_seen),
                last_seen: known.as_ref().map_or(now, |known| known.last_seen),
            };
            let conflict = "ON CONFLICT (host) DO UPDATE SET host_rule = excluded.host_rule, as_of = excluded.as_of, \
                            report_object = excluded.report_object, dirty = excluded.dirty";
            insert(connection, &[row], conflict).await?;
            insert(connection, &[report], "ON CONFLICT (name) DO NOTHING").await?;
            let (changed, appended) = append_verdicts(connection, judged, &name, now).await?;
            replace_rows(connection, judged).await?;
            if appended > 0 {
                let words = judged.verdicts.iter();
                let words: serde_json::Map<String, serde_json::Value> = words
                    .map(|row| (row.campaign.clone(), row.verdict.clone().into()))
                    .collect();
                let detail = json!({ "host": host, "verdicts": words, "report": contents.sha256, "why": judged.why });
                audit::append(connection, now, "judged", &detail).await?;
            }
            let unused = unused_reports(connection, host).await?;
            Ok((changed, unused))
        })?;
        for name in unused {
            self.objects.delete(&name)?;
        }
        Ok(changed)
    }
}

/// Adds verdicts that differ from the current ones; gives those whose word is another, and how many were added.
async fn append_verdicts(
    connection: &mut AnyConnection,
    judged: &Judged,
    report: &str,
    now: i64,
) -> Result<(Vec<Changed>, usize), CaseError> {
    let rest = "WHERE host = $1 AND current = 1";
    let current = many::<VerdictRow>(connection, rest, vec![text(&judged.host)]).await?;
    let mut seq = count(connection, "SELECT MAX(seq) FROM verdicts", vec![]).await?;
    let mut changed = Vec::new();
    let mut added = Vec::new();
    for row in &judged.verdicts {
        let before = current.iter().find(|known| known.campaign == row.campaign);
        if before.is_some_and(|before| same_judgement(before, row)) {
            continue;
        }
        seq += 1;
        if before.is_none_or(|before| before.verdict != row.verdict) {
            changed.push(Changed {
                campaign: row.campaign.clone(),
                before: before.map(|before| before.verdict.clone()),
                now: row.verdict.clone(),
            });
        }
        execute(
            connection,
            "UPDATE verdicts SET current = 0 WHERE host = $1 AND campaign = $2 AND current = 1",
            vec![text(&judged.host), text(&row.campaign)],
        )
        .await?;
        added.push(VerdictRow {
            seq,
            judged: now,
            why: Some(judged.why.clone()),
            report_object: Some(report.to_owned()),
            current: true,
            ..row.clone()
        });
    }
    insert(connection, &added, "").await?;
    Ok((changed, added.len()))
}

/// Whether two rows say the same, whenever and why they were said.
fn same_judgement(known: &VerdictRow, new: &VerdictRow) -> bool {
    let bare = |row: &VerdictRow| VerdictRow {
        seq: 0,
        judged: 0,
        why: None,
        report_object: None,
        current: true,
        reasons: row.reasons.replace('\0', "\u{fffd}"),
        ..row.clone()
    };
    bare(known) == bare(new)
}

/// Replaces what is kept of the host's latest judgement only.
async fn replace_rows(connection: &mut AnyConnection, judged: &Judged) -> Result<(), CaseError> {
    let host = || text(&judged.host);
    for row in &judged.verdicts {
        let sql = "DELETE FROM coverage WHERE host = $1 AND campaign = $2";
        execute(connection, sql, vec![host(), text(&row.campaign)]).await?;
    }
    execute(
        connection,
        "DELETE FROM findings WHERE host = $1",
        vec![host()],
    )
    .await?;
    execute(connection, "DELETE FROM gaps WHERE host = $1", vec![host()]).await?;
    insert(connection, &judged.coverage, "ON CONFLICT DO NOTHING").await?;
    insert(connection, &judged.findings, "ON CONFLICT DO NOTHING").await?;
    insert(connection, &judged.gaps, "").await?;
    Ok(())
}

/// Takes reports of the host off the ledger that neither it nor a verdict refers to; gives their names.
pub(super) async fn unused_reports(
    connection: &mut AnyConnection,
    host: &str,
) -> Result<Vec<String>, CaseError> {
    let rest = "WHERE kind = 'report' AND host = $1 \
                AND name NOT IN (SELECT report_object FROM hosts WHERE host = $1 AND report_object IS NOT NULL) \
                AND name NOT IN (SELECT report_object FROM verdicts WHERE host = $1 AND report_object IS NOT NULL)";
    let unused = many::<ObjectRow>(connection, rest, vec![text(host)]).await?;
    for object in &unused {
        let sql = "DELETE FROM objects WHERE name = $1";
        execute(connection, sql, vec![text(&object.name)]).await?;
    }
    Ok(unused.into_iter().map(|object| object.name).collect())
}
