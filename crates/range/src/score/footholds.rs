//! Footholds against the truth: which were found, which were not, and which were made up.

use super::pairs::{Pair, Pairs};
use super::rate::Rate;
use crate::truth::Foothold;
use model::FootholdState;
use model::report::FootholdReport;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FootholdScore {
    /// Footholds said that are true ones or were compiled of one, of footholds said.
    pub precision: Rate,
    /// True footholds found, of those of which something is left in the evidence.
    pub recall: Rate,
    /// Found footholds whose state (present, absent) is right, of found ones.
    pub states: Rate,
    /// Found footholds of which the report cannot say whether they are still there; they count as not right above.
    pub states_unknown: u64,
    /// True footholds of which nothing is left and which were not found.
    pub left_nothing: u64,
    pub missed: Vec<FootholdSeen>,
    pub invented: Vec<FootholdSeen>,
    /// Said to be there and gone, or said to be gone and there.
    pub state_wrong: Vec<FootholdSeen>,
}

/// A foothold on a host; where the report said it, the path is text from evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FootholdSeen {
    pub host: String,
    pub campaign: String,
    pub scenario: String,
    pub kind: String,
    pub path: String,
}

pub(crate) fn footholds(pairs: &Pairs<'_>) -> FootholdScore {
    footholds_of(pairs.all.iter())
}

/// The score of some hosts and campaigns only.
pub(crate) fn footholds_of<'a>(pairs: impl Iterator<Item = &'a Pair<'a>>) -> FootholdScore {
    let mut score = FootholdScore {
        precision: Rate::default(),
        recall: Rate::default(),
        states: Rate::default(),
        states_unknown: 0,
        left_nothing: 0,
        missed: Vec::new(),
        invented: Vec::new(),
        state_wrong: Vec::new(),
    };
    for pair in pairs.filter(|pair| !pair.is_anothers_intrusion()) {
        score.add(pair);
    }
    score.missed.sort();
    score.invented.sort();
    score.state_wrong.sort();
    score
}

impl FootholdScore {
    fn add(&mut self, pair: &Pair<'_>) {
        let truths: &[Foothold] = &pair.truth.footholds;
        let said: &[FootholdReport] = pair.said.map_or(&[], |said| &said.compromise.footholds);
        let matches = Matches::new(truths, said);
        for (foothold, right) in said.iter().zip(&matches.said_right) {
            self.precision.add(*right);
            if !right {
                let kind = foothold.kind.name();
                self.invented
                    .push(FootholdSeen::of(pair, kind, &foothold.path));
            }
        }
        for (foothold, found) in truths.iter().zip(&matches.found) {
            let seen = || FootholdSeen::of(pair, &foothold.kind, &foothold.path);
            let left = pair.truth.provable && !foothold.left_in.is_empty();
            if found.is_none() && !left {
                self.left_nothing += 1;
                continue;
            }
            self.recall.add(found.is_some());
            match found {
                None => self.missed.push(seen()),
                Some(Found::Compiled) => {}
                Some(Found::Itself(state)) => {
                    let right = match state {
                        FootholdState::Present => foothold.present,
                        FootholdState::AbsentVerified => !foothold.present,
                        FootholdState::Unknown => false,
                    };
                    self.states.add(right);
                    if *state == FootholdState::Unknown {
                        self.states_unknown += 1;
                    } else if !right {
                        self.state_wrong.push(seen());
                    }
                }
            }
        }
    }
}

impl FootholdSeen {
    fn of(pair: &Pair<'_>, kind: &str, path: &str) -> Self {
        Self {
            host: pair.host.host.clone(),
            campaign: pair.truth.campaign.clone(),
            scenario: pair.host.scenario.clone(),
            kind: kind.to_owned(),
            path: path.to_owned(),
        }
    }
}

/// How a true foothold was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Itself(FootholdState),
    /// Only by what was compiled of it, which says nothing of its own state.
    Compiled,
}

/// Which footholds of the two sides are the same.
struct Matches {
    /// For each of the truth's.
    found: Vec<Option<Found>>,
    /// For each of the report's.
    said_right: Vec<bool>,
}

impl Matches {
    /// By path first; what is left, one to one by hash; then by what was compiled of it.
    fn new(truths: &[Foothold], said: &[FootholdReport]) -> Self {
        let mut found = vec![None; truths.len()];
        let mut said_right = vec![false; said.len()];
        for (truth, found) in truths.iter().zip(&mut found) {
            for (foothold, right) in said.iter().zip(&mut said_right) {
                if is_same_path(&truth.path, &foothold.path) {
                    *right = true;
                    // What the report knows beats what it does not.
                    if !matches!(found, Some(Found::Itself(state)) if *state != FootholdState::Unknown)
                    {
                        *found = Some(Found::Itself(foothold.state));
                    }
                }
            }
        }
        for (truth, found) in truths.iter().zip(&mut found) {
            if found.is_some() || truth.sha256.is_empty() {
                continue;
            }
            let same = |foothold: &FootholdReport| {
                let hash = foothold.sha256.as_deref();
                hash.is_some_and(|hash| hash.eq_ignore_ascii_case(&truth.sha256))
            };
            let mut unmatched = said.iter().zip(&mut said_right);
            if let Some((foothold, right)) =
                unmatched.find(|(foothold, right)| !**right && same(foothold))
            {
                *right = true;
                *found = Some(Found::Itself(foothold.state));
            }
        }
        for (truth, found) in truths.iter().zip(&mut found) {
            for (foothold, right) in said.iter().zip(&mut said_right) {
                let mut compiled = truth.compiled.iter();
                if compiled.any(|path| is_same_path(path, &foothold.path)) {
                    *right = true;
                    found.get_or_insert(Found::Compiled);
                }
            }
        }
        Self { found, said_right }
    }
}

/// Whether both name the same file, whatever the case. Where only web logs show a page, a report knows it by its URL,
/// which is the end of its path.
fn is_same_path(truth: &str, said: &str) -> bool {
    let plain = |path: &str| path.trim().to_lowercase().replace('\\', "/");
    let (truth, said) = (plain(truth), plain(said));
    truth == said || said.len() > 1 && said.starts_with('/') && truth.ends_with(&said)
}

#[cfg(test)]
mod tests {
    use super::is_same_path;

    #[test]
    fn paths_are_the_same_whatever_their_case_and_by_their_url() {
        let path = r"C:\inetpub\wwwroot\aspnet_client\Log.aspx";
        assert!(is_same_path(
            path,
            r"c:\INETPUB\wwwroot\aspnet_client\log.aspx"
        ));
        assert!(is_same_path(path, "/aspnet_client/log.aspx"));
        assert!(!is_same_path(path, "log.aspx"));
        assert!(!is_same_path(path, "/"));
        assert!(!is_same_path(path, ""));
    }
}
