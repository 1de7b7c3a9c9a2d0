//! Which builds are known, and which of them a campaign's fixes protect.
//!
//! A build's first three parts name its cumulative update, the fourth its security update. Whether a build is fixed is
//! decided for each vulnerability within its own family of versions (15.0, 15.1, …) by the rows of
//! `vulnerabilities.csv`:
//!
//! - rows for its cumulative update: fixed from the highest of their last numbers on, vulnerable below the lowest;
//!   between the two, public tables disagree;
//! - no such row, but an earlier one that holds for all later updates: fixed;
//! - neither: no fix exists for it, and it is vulnerable whatever its last number.

use crate::problem::Problem;
use crate::tables::read_csv;
use crate::types::{BuildStatus, KnownBuild, Pack, Vulnerability, YesNo};
use model::Build;
use std::collections::{BTreeMap, BTreeSet};

/// The tables `knowledge/*/builds.csv`, by the name that messages give them; `build.rs` lists them.
const TABLES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builds.rs"));

const BUILD_COLUMNS: &[&str] = &["product", "build", "name", "released", "source"];

/// Every build that the tables of `knowledge/` list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildTable {
    /// By product, then by build.
    products: BTreeMap<String, BTreeMap<Build, KnownBuild>>,
}

impl BuildTable {
    /// The tables that come with Allclear.
    pub fn builtin() -> Self {
        let mut problems: Vec<Problem> = Vec::new();
        let mut rows = Vec::new();
        for &(name, table) in TABLES {
            rows.extend(read_csv(name, table, BUILD_COLUMNS, &mut problems));
        }
        assert!(problems.is_empty(), "a test reads the checked-in tables");
        Self::from_rows(rows)
    }

    /// A table of these rows; of two for the same build, the later counts.
    pub fn from_rows(rows: Vec<KnownBuild>) -> Self {
        let mut products: BTreeMap<String, BTreeMap<Build, KnownBuild>> = BTreeMap::new();
        for row in rows {
            let builds = products.entry(row.product.clone()).or_default();
            builds.insert(row.build, row);
        }
        Self { products }
    }

    /// The row for exactly this build.
    pub fn find(&self, product: &str, build: &Build) -> Option<&KnownBuild> {
        self.products.get(product)?.get(build)
    }

    /// The name of a build; with three parts, that of its cumulative update.
    pub fn name_of(&self, product: &str, build: &Build) -> Option<&str> {
        let row = match build.revision {
            Some(_) => self.find(product, build)?,
            None => *self.builds_of_cu(product, build).first()?,
        };
        Some(&row.name)
    }

    /// The known builds that share the first three parts of `build`, ascending.
    pub fn builds_of_cu(&self, product: &str, build: &Build) -> Vec<&KnownBuild> {
        let Some(builds) = self.products.get(product) else {
            return Vec::new();
        };
        let update = build.cumulative_update();
        builds
            .values()
            .filter(|known| known.build.cumulative_update() == update)
            .collect()
    }

    /// Every known build of a product, ascending.
    pub fn builds_of(&self, product: &str) -> impl Iterator<Item = &KnownBuild> {
        self.products
            .get(product)
            .into_iter()
            .flat_map(BTreeMap::values)
    }
}

/// Whether one vulnerability is fixed in a build.
enum Fix {
    /// The family is not affected by it, or the build holds the fix.
    Fixed,
    Vulnerable,
    /// No fix was made for this cumulative update.
    NeverFixed,
    /// The lowest and highest last number that tables give for the fix.
    Disputed(u32, u32),
}

impl Pack {
    /// How far this campaign's fixes protect a build of a product.
    ///
    /// A build that no table lists is unknown, unless every build of its cumulative update is vulnerable. A version of
    /// three parts is decided only where all known builds of that update agree.
    pub fn status_of(&self, product: &str, build: &Build, known: &BuildTable) -> BuildStatus {
        if !self.affects_family(product, build) {
            return BuildStatus::Unknown(format!(
                "the pack {} says nothing about version {}.{} of {product}",
                self.manifest.name, build.major, build.minor
            ));
        }
        let siblings = known.builds_of_cu(product, build);
        if siblings.is_empty() {
            return BuildStatus::Unknown(format!("no table knows a build that begins {build}"));
        }
        match build.revision {
            Some(revision) => {
                let is_listed = known.find(product, build).is_some();
                self.status_of_full(product, build, revision, is_listed)
            }
            None => self.status_of_cumulative_update(product, build, &siblings),
        }
    }

    /// The builds from which on the cumulative update of `build` is fixed against everything, ascending: more than
    /// one where tables disagree, none where no fix was made or where every build of it holds the fix.
    pub fn fixed_builds(&self, product: &str, build: &Build) -> Vec<Build> {
        let update = build.cumulative_update();
        let builds: BTreeSet<Build> = self
            .rows_of(product, build)
            .map(|row| row.fixed)
            .filter(|fixed| fixed.cumulative_update() == update)
            .collect();
        builds.into_iter().collect()
    }

    fn status_of_full(
        &self,
        product: &str,
        build: &Build,
        revision: u32,
        is_listed: bool,
    ) -> BuildStatus {
        let mut vulnerable = Vec::new();
        let mut never_fixed = true;
        let mut disputed = None;
        for (cve, rows) in self.rows_by_vulnerability(product, build) {
            match fix_of(&rows, build, revision) {
                Fix::Fixed => never_fixed = false,
                Fix::NeverFixed => vulnerable.push(cve.to_owned()),
                Fix::Vulnerable => {
                    never_fixed = false;
                    vulnerable.push(cve.to_owned());
                }
                Fix::Disputed(lowest, highest) => {
                    never_fixed = false;
                    disputed = Some((lowest, highest));
                }
            }
        }
        if !is_listed && !never_fixed && disputed.is_none() {
            return BuildStatus::Unknown(format!("no table lists the build {build}"));
        }
        if !vulnerable.is_empty() {
            return BuildStatus::Vulnerable(vulnerable);
        }
        match disputed {
            None => BuildStatus::Fixed,
            Some((lowest, highest)) => {
                let (major, minor, third) = build.cumulative_update();
                BuildStatus::Disputed(format!(
                    "public tables disagree about the build {build}: some say that {major}.{minor}.{third} is fixed \
                     from {major}.{minor}.{third}.{lowest} on, others from {major}.{minor}.{third}.{highest} on"
                ))
            }
        }
    }

    fn status_of_cumulative_update(
        &self,
        product: &str,
        build: &Build,
        siblings: &[&KnownBuild],
    ) -> BuildStatus {
        let statuses: Vec<BuildStatus> = siblings
            .iter()
            .filter_map(|known| {
                let revision = known.build.revision?;
                Some(self.status_of_full(product, &known.build, revision, true))
            })
            .collect();
        if !statuses.is_empty() && statuses.iter().all(|status| *status == BuildStatus::Fixed) {
            return BuildStatus::Fixed;
        }
        // What every known build is vulnerable to.
        let mut common: Option<BTreeSet<String>> = None;
        for status in &statuses {
            let these: BTreeSet<String> = match status {
                BuildStatus::Vulnerable(cves) => cves.iter().cloned().collect(),
                _ => BTreeSet::new(),
            };
            common = Some(match common {
                None => these,
                Some(common) => common.intersection(&these).cloned().collect(),
            });
        }
        match common {
            Some(cves) if !cves.is_empty() => BuildStatus::Vulnerable(cves.into_iter().collect()),
            _ => BuildStatus::Unknown(format!(
                "the version {build} has three parts, and of the builds it may stand for only some are fixed"
            )),
        }
    }

    fn affects_family(&self, product: &str, build: &Build) -> bool {
        self.rows_of(product, build).next().is_some()
    }

    /// The rows of a product for the family of versions that a build belongs to.
    fn rows_of<'a>(
        &'a self,
        product: &'a str,
        build: &'a Build,
    ) -> impl Iterator<Item = &'a Vulnerability> + 'a {
        self.vulnerabilities.iter().filter(move |row| {
            row.product == product
                && (row.fixed.major, row.fixed.minor) == (build.major, build.minor)
        })
    }

    fn rows_by_vulnerability<'a>(
        &'a self,
        product: &'a str,
        build: &'a Build,
    ) -> BTreeMap<&'a str, Vec<&'a Vulnerability>> {
        let mut by_cve: BTreeMap<&str, Vec<&Vulnerability>> = BTreeMap::new();
        for row in self.rows_of(product, build) {
            by_cve.entry(&row.cve).or_default().push(row);
        }
        by_cve
    }
}

/// Judges one build by the rows of one vulnerability in its family.
fn fix_of(rows: &[&Vulnerability], build: &Build, revision: u32) -> Fix {
    let update = build.cumulative_update();
    let own = rows
        .iter()
        .filter(|row| row.fixed.cumulative_update() == update)
        .filter_map(|row| row.fixed.revision);
    let (mut lowest, mut highest) = (None::<u32>, None::<u32>);
    for threshold in own {
        lowest = Some(lowest.map_or(threshold, |lowest| lowest.min(threshold)));
        highest = Some(highest.map_or(threshold, |highest| highest.max(threshold)));
    }
    if let (Some(lowest), Some(highest)) = (lowest, highest) {
        return if revision >= highest {
            Fix::Fixed
        } else if revision < lowest {
            Fix::Vulnerable
        } else {
            Fix::Disputed(lowest, highest)
        };
    }
    let holds_for_later = rows
        .iter()
        .any(|row| row.and_later_updates == YesNo::Yes && row.fixed.cumulative_update() < update);
    if holds_for_later {
        Fix::Fixed
    } else {
        Fix::NeverFixed
    }
}

#[cfg(test)]
mod tests;
