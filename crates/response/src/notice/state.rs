//! The states of a notice, and which may follow which.

use std::fmt;
use store::response::{NoticeRow, NoticeStepRow};

/// What is known of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Written; waits for a person to release it.
    Queued,
    /// May be sent.
    Released,
    /// Somebody began to send it, and nobody knows yet how that ended.
    InDoubt,
    /// A server took it, or a person posted it.
    Sent,
    Bounced,
    /// Something at the recipient's answered.
    Delivered,
    Acknowledged,
    /// They say that they acted. That is their word, not a verdict.
    Acted,
    /// They say that it is not so, or not theirs.
    Refuted,
    Suppressed,
    Retracted,
}

impl State {
    pub const ALL: [Self; 11] = [
        Self::Queued,
        Self::Released,
        Self::InDoubt,
        Self::Sent,
        Self::Bounced,
        Self::Delivered,
        Self::Acknowledged,
        Self::Acted,
        Self::Refuted,
        Self::Suppressed,
        Self::Retracted,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Released => "released",
            Self::InDoubt => "in_doubt",
            Self::Sent => "sent",
            Self::Bounced => "bounced",
            Self::Delivered => "delivered",
            Self::Acknowledged => "acknowledged",
            Self::Acted => "acted",
            Self::Refuted => "refuted",
            Self::Suppressed => "suppressed",
            Self::Retracted => "retracted",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// What may follow. A notice never becomes `Released` again once it may have been sent, unless it is certain that no
    /// server took it; and nothing brings back what was suppressed or retracted.
    pub fn followers(self) -> &'static [Self] {
        match self {
            Self::Queued => &[Self::Released, Self::Suppressed, Self::Retracted],
            Self::Released => &[Self::InDoubt, Self::Suppressed, Self::Retracted],
            Self::InDoubt => &[
                Self::Released,
                Self::Sent,
                Self::Bounced,
                Self::Delivered,
                Self::Acknowledged,
                Self::Acted,
                Self::Refuted,
                Self::Suppressed,
                Self::Retracted,
            ],
            Self::Sent => &[
                Self::Bounced,
                Self::Delivered,
                Self::Acknowledged,
                Self::Acted,
                Self::Refuted,
                Self::Retracted,
            ],
            // A copy of a bounced one may have come through after all, and then somebody answers.
            Self::Bounced | Self::Delivered => &[
                Self::Acknowledged,
                Self::Acted,
                Self::Refuted,
                Self::Retracted,
            ],
            Self::Acknowledged => &[Self::Acted, Self::Refuted, Self::Retracted],
            Self::Acted => &[Self::Refuted, Self::Retracted],
            Self::Refuted => &[Self::Acted, Self::Retracted],
            Self::Suppressed | Self::Retracted => &[],
        }
    }

    pub fn may_become(self, next: Self) -> bool {
        self.followers().contains(&next)
    }

    /// Whether the recipient may have it before them.
    pub fn may_have_arrived(self) -> bool {
        matches!(
            self,
            Self::InDoubt
                | Self::Sent
                | Self::Delivered
                | Self::Acknowledged
                | Self::Acted
                | Self::Refuted
        )
    }

    /// Whether the organisations it is about count as told, or about to be.
    pub fn counts(self) -> bool {
        !matches!(self, Self::Bounced | Self::Suppressed | Self::Retracted)
    }
}

/// A state that may not follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub notice: String,
    pub from: String,
    pub to: State,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}: it cannot become {}",
            self.notice,
            self.from,
            self.to.name()
        )
    }
}

impl std::error::Error for Refused {}

/// Takes a notice to its next state, and gives the row that says so; `steps` is how many it has.
///
/// This is the only place that changes the state of a notice.
pub fn step(
    notice: &mut NoticeRow,
    steps: usize,
    to: State,
    now: i64,
    person: Option<&str>,
    why: &str,
) -> Result<NoticeStepRow, Refused> {
    if !State::parse(&notice.state).is_some_and(|from| from.may_become(to)) {
        return Err(Refused {
            notice: notice.id.clone(),
            from: notice.state.clone(),
            to,
        });
    }
    to.name().clone_into(&mut notice.state);
    notice.changed = now;
    match to {
        State::Released if notice.released.is_none() => {
            notice.released = Some(now);
            notice.released_by = person.map(str::to_owned);
        }
        State::InDoubt => {
            notice.claimed = Some(now);
            notice.attempts += 1;
        }
        State::Sent => notice.sent = Some(now),
        _ => {}
    }
    Ok(row(notice, steps, now, person, why))
}

/// The row of the state that a notice is in, behind the `steps` that it has.
pub(super) fn row(
    notice: &NoticeRow,
    steps: usize,
    now: i64,
    person: Option<&str>,
    why: &str,
) -> NoticeStepRow {
    NoticeStepRow {
        notice: notice.id.clone(),
        step: i64::try_from(steps).unwrap_or(i64::MAX - 1) + 1,
        state: notice.state.clone(),
        time: now,
        person: person.map(str::to_owned),
        why: why.to_owned(),
    }
}
