//! What the rewrite rules of a server's configuration files do together.
//!
//! A place inherits the rules of the places above it. Settings for a place stand, the stronger last, in a `<location>` of
//! applicationHost.config and in the web.config of its folder; `<clear/>` and `<remove>` there take away what was
//! inherited. The folder of a web.config becomes a place by the virtual directories that lie in it.

use super::{CANCEL, CLEAR, GLOBAL_RULES};
use model::{RewriteRule, VirtualDirectory};

/// Where one rule stands: its place, and how strong the file that states it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    /// `Default Web Site/owa` in lower case; empty is the server, and [`GLOBAL_RULES`] stands beside all places.
    place: String,
    /// As configured.
    shown: String,
    /// 0 for applicationHost.config, 1 for a web.config.
    strength: u8,
}

/// Works out which rules act. `rules` are the facts as the readers state them, in any order, each with the original
/// path of its item; `directories` are all virtual directories of the same collection.
///
/// Out come the acting rules, each with the index of the fact it comes from, its place as `Default Web Site/owa`,
/// and the places in which it is cancelled. A rule of a folder that several virtual directories use comes out for each.
/// Facts that only cancel do not come out.
pub fn effective(
    rules: &[(RewriteRule, String)],
    directories: &[VirtualDirectory],
) -> Vec<(usize, RewriteRule)> {
    let standings: Vec<Vec<Standing>> = rules
        .iter()
        .map(|(rule, path)| standings(rule, path, directories))
        .collect();
    let mut acting = Vec::new();
    for (index, (rule, _)) in rules.iter().enumerate() {
        if rule.action == CANCEL {
            continue;
        }
        for standing in &standings[index] {
            let mut rule = rule.clone();
            rule.location.clone_from(&standing.shown);
            rule.cancelled_in = cancelled_in(&rule.name, standing, rules, &standings);
            acting.push((index, rule));
        }
        if standings[index].is_empty() {
            let mut rule = rule.clone();
            rule.faults
                .push("no virtual directory is known to lie in its folder".to_owned());
            acting.push((index, rule));
        }
    }
    acting
}

fn cancelled_in(
    name: &str,
    standing: &Standing,
    rules: &[(RewriteRule, String)],
    standings: &[Vec<Standing>],
) -> Vec<String> {
    let mut places = Vec::new();
    for ((cancel, _), cancel_standings) in rules.iter().zip(standings) {
        let names_it = cancel.name == CLEAR || cancel.name == name;
        if cancel.action != CANCEL || !names_it {
            continue;
        }
        for at in cancel_standings {
            let outweighs = at.place == standing.place && at.strength > standing.strength;
            if outweighs || is_below(&at.place, &standing.place) {
                places.push(at.shown.clone());
            }
        }
    }
    places.sort();
    places.dedup();
    places
}

/// The places at which a rule stands; none where nobody knows.
fn standings(rule: &RewriteRule, path: &str, directories: &[VirtualDirectory]) -> Vec<Standing> {
    if rule.location == GLOBAL_RULES {
        return vec![Standing {
            place: GLOBAL_RULES.to_owned(),
            shown: String::new(),
            strength: 0,
        }];
    }
    if !model::file_name(path).eq_ignore_ascii_case("web.config") {
        return vec![Standing::new(rule.location.clone(), 0)];
    }
    let folder = comparable(&rule.location);
    let mut found = Vec::new();
    for directory in directories {
        let physical = comparable(&directory.physical_path);
        let Some(rest) = below_folder(&folder, &physical) else {
            continue;
        };
        let url = directory.url_path.trim_matches('/');
        let inner = [url, &rest]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("/");
        let shown = format!("{}/{inner}", directory.site);
        found.push((
            physical.len(),
            Standing::new(shown.trim_end_matches('/').to_owned(), 1),
        ));
    }
    // Of directories inside one another, the innermost says what the folder is.
    let innermost = found.iter().map(|(length, _)| *length).max();
    found
        .into_iter()
        .filter(|(length, _)| Some(*length) == innermost)
        .map(|(_, standing)| standing)
        .collect()
}

impl Standing {
    fn new(shown: String, strength: u8) -> Self {
        Self {
            place: shown.trim_matches('/').to_lowercase(),
            shown,
            strength,
        }
    }
}

/// A physical path for comparing: without drive, as configurations write `%SystemDrive%` for it.
fn comparable(path: &str) -> String {
    let path = model::windows_path(path).to_lowercase();
    let path = path.strip_prefix("%systemdrive%").unwrap_or(&path);
    let without_drive = match path.as_bytes() {
        [b'a'..=b'z', b':', ..] => path.get(2..).unwrap_or_default(),
        _ => path,
    };
    without_drive.trim_end_matches('\\').to_owned()
}

/// The rest of `folder` below `parent` as part of a URL; empty where they are the same.
fn below_folder(folder: &str, parent: &str) -> Option<String> {
    let rest = folder.strip_prefix(parent)?;
    if rest.is_empty() {
        return Some(String::new());
    }
    rest.strip_prefix('\\').map(|rest| rest.replace('\\', "/"))
}

/// Whether a place lies below another; everything lies below the server.
fn is_below(place: &str, above: &str) -> bool {
    match place.strip_prefix(above) {
        Some(rest) if above.is_empty() => !rest.is_empty(),
        Some(rest) => rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(location: &str, name: &str, action: &str) -> RewriteRule {
        RewriteRule {
            location: location.to_owned(),
            name: name.to_owned(),
            enabled: true,
            pattern: ".*".to_owned(),
            conditions: vec!["{HTTP_COOKIE} =~ (.*)Something(.*)".to_owned()],
            action: action.to_owned(),
            cancelled_in: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn directory(site: &str, url_path: &str, physical_path: &str) -> VirtualDirectory {
        VirtualDirectory {
            site: site.to_owned(),
            site_id: 1,
            url_path: url_path.to_owned(),
            physical_path: physical_path.to_owned(),
        }
    }

    fn directories() -> Vec<VirtualDirectory> {
        vec![
            directory("Default Web Site", "/", "%SystemDrive%\\inetpub\\wwwroot"),
            directory(
                "Default Web Site",
                "/owa",
                "D:\\V15\\FrontEnd\\HttpProxy\\owa",
            ),
            directory(
                "Default Web Site",
                "/ecp",
                "D:\\V15\\FrontEnd\\HttpProxy\\ecp",
            ),
        ]
    }

    const SERVER: &str = "C:\\Windows\\System32\\inetsrv\\config\\applicationHost.config";
    const ROOT: &str = "C:\\inetpub\\wwwroot\\web.config";
    const OWA: &str = "D:\\V15\\FrontEnd\\HttpProxy\\owa\\web.config";

    #[test]
    fn clear_in_a_child_cancels_an_inherited_rule_there_only() {
        let rules = [
            (
                rule("C:\\inetpub\\wwwroot", "Abort", "AbortRequest"),
                ROOT.to_owned(),
            ),
            (
                rule("D:\\V15\\FrontEnd\\HttpProxy\\owa", CLEAR, CANCEL),
                OWA.to_owned(),
            ),
        ];
        let acting = effective(&rules, &directories());
        assert_eq!(acting.len(), 1);
        assert_eq!(acting[0].0, 0);
        assert_eq!(acting[0].1.location, "Default Web Site");
        assert_eq!(acting[0].1.cancelled_in, ["Default Web Site/owa"]);
    }

    #[test]
    fn remove_takes_one_name_and_a_parent_cancels_nothing() {
        let rules = [
            (
                rule("Default Web Site", "Abort", "AbortRequest"),
                SERVER.to_owned(),
            ),
            (
                rule("Default Web Site/ecp", "Other", CANCEL),
                SERVER.to_owned(),
            ),
            (
                rule("Default Web Site/owa", "Local", "AbortRequest"),
                SERVER.to_owned(),
            ),
            (rule("", CLEAR, CANCEL), SERVER.to_owned()),
        ];
        let acting = effective(&rules, &directories());
        assert!(acting.iter().all(|(_, rule)| rule.cancelled_in.is_empty()));
    }

    #[test]
    fn the_folders_own_file_outweighs_the_servers_location() {
        let rules = [
            (
                rule("Default Web Site/owa", "Abort", "AbortRequest"),
                SERVER.to_owned(),
            ),
            (
                rule("D:\\V15\\FrontEnd\\HttpProxy\\owa", "Abort", CANCEL),
                OWA.to_owned(),
            ),
            (
                rule("D:\\V15\\FrontEnd\\HttpProxy\\owa", "Abort", "AbortRequest"),
                OWA.to_owned(),
            ),
        ];
        let acting = effective(&rules, &directories());
        assert_eq!(acting[0].1.cancelled_in, ["Default Web Site/owa"]);
        // Stated anew behind the removal, it acts.
        assert_eq!(acting[1].1.location, "Default Web Site/owa");
        assert!(acting[1].1.cancelled_in.is_empty());
    }

    #[test]
    fn global_rules_are_cancelled_by_nothing_below() {
        let rules = [
            (
                rule(GLOBAL_RULES, "Abort", "AbortRequest"),
                SERVER.to_owned(),
            ),
            (
                rule("Default Web Site/ecp", CLEAR, CANCEL),
                SERVER.to_owned(),
            ),
        ];
        let acting = effective(&rules, &directories());
        assert_eq!(acting[0].1.location, "");
        assert!(acting[0].1.cancelled_in.is_empty());
    }

    #[test]
    fn without_the_servers_directories_nobody_knows_where_a_rule_acts() {
        let rules = [(
            rule("C:\\inetpub\\wwwroot", "Abort", "AbortRequest"),
            ROOT.to_owned(),
        )];
        let acting = effective(&rules, &[]);
        assert_eq!(acting[0].1.faults.len(), 1);
    }
}
