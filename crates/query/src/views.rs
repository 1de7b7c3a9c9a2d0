//! The questions that come up in every campaign, as views. Each is a file of SQL that says what it answers.

/// A documented question.
#[derive(Debug)]
pub struct View {
    pub name: &'static str,
    pub sql: &'static str,
}

impl View {
    /// The first line of the file, without its name: what the view answers.
    pub fn answers(&self) -> &'static str {
        let line = self.sql.lines().next().unwrap_or_default();
        line.split_once(": ").map_or("", |(_, answers)| answers)
    }
}

macro_rules! view {
    ($name:literal) => {
        View {
            name: $name,
            sql: include_str!(concat!("../views/", $name, ".sql")),
        }
    };
}

/// Every view; one that reads another stands behind it.
pub const VIEWS: &[View] = &[
    view!("verdicts"),
    view!("addresses"),
    view!("user_agents"),
    view!("shared_shells"),
    view!("patch_dates"),
    view!("exploited_before_patched"),
    view!("verdict_counts"),
    view!("gaps_by_kind"),
    view!("epidemic_curve"),
    view!("first_comers"),
    view!("shell_visits"),
    view!("shell_reuse"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_says_what_it_answers() {
        for view in VIEWS {
            let begins = format!("-- {}: ", view.name);
            assert!(view.sql.starts_with(&begins), "{}", view.name);
            assert!(!view.answers().is_empty(), "{}", view.name);
        }
    }
}
