//! Advisories of the [Common Security Advisory Framework 2.0](https://docs.oasis-open.org/csaf/csaf/v2.0/): the title,
//! the references and the fixed builds that a draft of a pack takes from them.
//!
//! A fixed build is a product version (`product_version`) that a vulnerability's `product_status` calls fixed, or the
//! end of a range (`product_version_range`, `<15.2.1118.40`) that it calls affected. What names no vulnerability, no
//! product of `knowledge/products.yaml`, or no build of four parts is told.

use crate::products::{Product, products};
use crate::types::{Vulnerability, YesNo};
use jiff::civil::Date;
use model::Build;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// What an advisory says, in the forms of a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advisory {
    pub title: String,
    /// Its publisher and id.
    pub source: String,
    pub references: Vec<String>,
    /// Rows without a judgement on later updates: `and_later_updates` is `no` in all of them.
    pub vulnerabilities: Vec<Vulnerability>,
    /// Vulnerabilities of which no fixed build could be read.
    pub without_builds: BTreeSet<String>,
    /// What is not understood, and why.
    pub refused: Vec<(String, String)>,
}

/// A leaf of the product tree.
#[derive(Clone, Debug, Default)]
struct Leaf {
    /// The names on the way to it, from the vendor on.
    names: String,
    /// Its own name.
    name: String,
    category: String,
}

/// Builds by what they fix, so that each stands in the draft once: vulnerability, product, build.
type Rows = BTreeMap<(String, String, Build), Vulnerability>;

impl Advisory {
    /// Whether a JSON file says of itself that it is a CSAF advisory.
    pub fn is_one(json: &Json) -> bool {
        json.pointer("/document/csaf_version").is_some()
    }

    /// Reads an advisory; the error says why it cannot be used at all.
    pub fn read(json: &Json) -> Result<Self, String> {
        let document = json.get("document").unwrap_or(&Json::Null);
        let version = text(document, "csaf_version");
        if version != "2.0" {
            return Err(format!(
                "is a CSAF advisory of version `{version}`; 2.0 is read"
            ));
        }
        let publisher = document.pointer("/publisher/name").and_then(Json::as_str);
        let id = document.pointer("/tracking/id").and_then(Json::as_str);
        let source: Vec<&str> = [publisher, id].into_iter().flatten().collect();
        let mut advisory = Self {
            title: text(document, "title").to_owned(),
            source: source.join(", "),
            references: urls(document),
            ..Self::default()
        };
        let leaves = leaves(json);
        let first_released = document.pointer("/tracking/initial_release_date");
        let first_released = first_released.and_then(Json::as_str).unwrap_or_default();
        let products = products();
        let mut rows = Rows::new();
        for vulnerability in list(json, "vulnerabilities") {
            advisory.references.extend(urls(vulnerability));
            let cve = text(vulnerability, "cve");
            if cve.is_empty() {
                let title = text(vulnerability, "title");
                let why = "is a vulnerability without a CVE id";
                advisory.refused.push((title.to_owned(), why.to_owned()));
                continue;
            }
            let before = rows.len();
            let released = text(vulnerability, "release_date");
            let released = [released, first_released]
                .into_iter()
                .find(|date| !date.is_empty());
            advisory.fixed_builds(
                vulnerability,
                &leaves,
                &products,
                released.unwrap_or_default(),
                &mut rows,
            );
            if rows.len() == before {
                advisory.without_builds.insert(cve.to_owned());
            }
        }
        advisory.vulnerabilities = rows.into_values().collect();
        let mut seen = BTreeSet::new();
        advisory.references.retain(|url| seen.insert(url.clone()));
        Ok(advisory)
    }

    /// The rows of one vulnerability.
    fn fixed_builds(
        &mut self,
        vulnerability: &Json,
        leaves: &BTreeMap<String, Leaf>,
        products: &[Product],
        released: &str,
        rows: &mut Rows,
    ) {
        let cve = text(vulnerability, "cve");
        let status = vulnerability.get("product_status").unwrap_or(&Json::Null);
        let ids = |of: &[&str]| -> Vec<&str> {
            let lists = of.iter().flat_map(|name| list(status, name));
            lists.filter_map(Json::as_str).collect()
        };
        let fixed = ids(&["fixed", "first_fixed"]);
        let affected = ids(&["known_affected", "first_affected", "last_affected"]);
        let fixed = fixed.into_iter().map(|id| (id, true));
        for (id, is_fixed) in fixed.chain(affected.into_iter().map(|id| (id, false))) {
            let Some(leaf) = leaves.get(id) else {
                let why = format!("is a product of {cve} that the advisory does not name");
                self.refused.push((id.to_owned(), why));
                continue;
            };
            let build = if is_fixed {
                fixed_version(leaf)
            } else {
                end_of_range(leaf)
            };
            let Some(build) = build else {
                // An affected product may go without a version; a fixed one should not.
                if is_fixed {
                    let why = format!("is fixed of {cve}, but names no build of four parts");
                    self.refused.push((leaf.names.clone(), why));
                }
                continue;
            };
            let Some(product) = product_of(products, leaf, &build) else {
                let why = format!("is of no product in knowledge/products.yaml ({cve})");
                self.refused.push((leaf.names.clone(), why));
                continue;
            };
            let remedy = remedy(vulnerability, id);
            let date = remedy.map_or(released, |remedy| match text(remedy, "date") {
                "" => released,
                date => date,
            });
            let key = (cve.to_owned(), product.to_owned(), build);
            rows.entry(key).or_insert_with(|| Vulnerability {
                cve: cve.to_owned(),
                product: product.to_owned(),
                fixed: build,
                and_later_updates: YesNo::No,
                released: day(date).unwrap_or_default(),
                update: update(leaf, remedy),
                source: self.source.clone(),
            });
        }
    }
}

/// Every product of the tree, by id.
fn leaves(json: &Json) -> BTreeMap<String, Leaf> {
    let mut found = BTreeMap::new();
    let tree = json.get("product_tree").unwrap_or(&Json::Null);
    for product in list(tree, "full_product_names") {
        let name = text(product, "name").to_owned();
        let leaf = Leaf {
            names: name.clone(),
            name,
            category: String::new(),
        };
        found.insert(text(product, "product_id").to_owned(), leaf);
    }
    // The parser bounds how deep branches nest; they are followed without recursion all the same.
    let branches = list(tree, "branches").iter();
    let mut waiting: Vec<(&Json, String)> = branches.map(|one| (one, String::new())).collect();
    while let Some((branch, above)) = waiting.pop() {
        let name = text(branch, "name");
        let names = format!("{above} {name}").trim().to_owned();
        if let Some(product) = branch.get("product") {
            let leaf = Leaf {
                names: format!("{names}: {}", text(product, "name")),
                name: name.to_owned(),
                category: text(branch, "category").to_owned(),
            };
            found.insert(text(product, "product_id").to_owned(), leaf);
        }
        let inner = list(branch, "branches").iter();
        waiting.extend(inner.map(|one| (one, names.clone())));
    }
    for relation in list(tree, "relationships") {
        let Some(product) = relation.get("full_product_name") else {
            continue;
        };
        if let Some(part) = found.get(text(relation, "product_reference")) {
            let names = format!("{}: {}", text(product, "name"), part.names);
            let leaf = Leaf {
                names,
                ..part.clone()
            };
            found.insert(text(product, "product_id").to_owned(), leaf);
        }
    }
    found
}

/// The build of a product that is fixed: its version, or the last word of its name that is a build.
fn fixed_version(leaf: &Leaf) -> Option<Build> {
    match leaf.category.as_str() {
        "product_version" => whole_build(&leaf.name),
        "product_version_range" => None,
        _ => leaf.name.split_whitespace().rev().find_map(whole_build),
    }
}

/// The first build behind a range of builds: `<15.2.1118.40`, `vers:generic/>=15.2|<15.2.1118.40`.
fn end_of_range(leaf: &Leaf) -> Option<Build> {
    if leaf.category != "product_version_range" {
        return None;
    }
    let range = leaf.name.rsplit('/').next()?;
    let ends = range.split('|').rev();
    ends.filter_map(|part| part.trim().rsplit_once('<'))
        .find_map(|(_, end)| whole_build(end.trim()))
}

/// A build of four parts; fewer do not tell the security update.
fn whole_build(text: &str) -> Option<Build> {
    let build: Build = text.parse().ok()?;
    build.revision.is_some().then_some(build)
}

/// The id of the product that a leaf is of, by its names and by its build.
fn product_of<'p>(products: &'p [Product], leaf: &Leaf, build: &Build) -> Option<&'p str> {
    let names = leaf.names.to_lowercase();
    let is_named = |product: &&Product| {
        let families = product.families.iter().map(|family| &family.name);
        let mut known = families.chain([&product.name]);
        known.any(|name| names.contains(&name.to_lowercase()))
    };
    let mut named = products.iter().filter(is_named);
    let product = named.find(|product| product.family_of(build).is_some())?;
    Some(&product.id)
}

/// The vendor's fix for a product.
fn remedy<'a>(vulnerability: &'a Json, product_id: &str) -> Option<&'a Json> {
    list(vulnerability, "remediations").iter().find(|remedy| {
        let mut products = list(remedy, "product_ids").iter();
        text(remedy, "category") == "vendor_fix" && products.any(|id| id == product_id)
    })
}

/// The name of the update: that of the product, and the number of the article about it where one is named.
fn update(leaf: &Leaf, remedy: Option<&Json>) -> String {
    let (_, name) = leaf.names.rsplit_once(": ").unwrap_or(("", &leaf.names));
    let article = remedy.and_then(|remedy| {
        let texts = [text(remedy, "details"), text(remedy, "url")];
        let words = texts.into_iter().flat_map(|text| {
            text.split(|c: char| !c.is_ascii_alphanumeric())
                .filter_map(|word| word.strip_prefix("KB"))
        });
        let is_number = |word: &&str| word.len() >= 6 && word.bytes().all(|b| b.is_ascii_digit());
        words.into_iter().find(is_number)
    });
    match article {
        Some(number) => format!("{name} KB{number}"),
        None => name.to_owned(),
    }
}

/// The day of a time: `2021-03-02T08:00:00.000Z`.
fn day(time: &str) -> Option<String> {
    let day = time.get(..10)?;
    day.parse::<Date>().ok().map(|day| day.to_string())
}

fn urls(of: &Json) -> Vec<String> {
    let references = list(of, "references").iter();
    let urls = references.map(|reference| text(reference, "url"));
    urls.filter(|url| !url.is_empty())
        .map(str::to_owned)
        .collect()
}

fn list<'a>(of: &'a Json, key: &str) -> &'a [Json] {
    of.get(key)
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Json, key: &str) -> &'a str {
    of.get(key).and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    fn check(json: &str, expected: &Expect) {
        let json = serde_json::from_str(json).unwrap();
        let mut shown = String::new();
        match Advisory::read(&json) {
            Err(why) => writeln!(shown, "{why}").unwrap(),
            Ok(advisory) => {
                let (title, source) = (&advisory.title, &advisory.source);
                writeln!(shown, "{title} ({source})").unwrap();
                for url in &advisory.references {
                    writeln!(shown, "{url}").unwrap();
                }
                for row in &advisory.vulnerabilities {
                    let (cve, product, fixed) = (&row.cve, &row.product, row.fixed);
                    let (released, update) = (&row.released, &row.update);
                    writeln!(shown, "{cve} {product} {fixed} {released} {update}").unwrap();
                }
                writeln!(shown, "without builds: {:?}", advisory.without_builds).unwrap();
                for (what, why) in &advisory.refused {
                    writeln!(shown, "refused {what:?}: {why}").unwrap();
                }
            }
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn fixed_builds_are_read_from_versions_and_from_the_ends_of_ranges() {
        check(
            r#"{"document": {"csaf_version": "2.0", "title": "A door", "publisher": {"name": "Vendor"},
                "tracking": {"id": "V-1", "initial_release_date": "2021-03-01T08:00:00Z"},
                "references": [{"url": "https://example.com/1"}, {"url": "https://example.com/1"}]},
              "product_tree": {"branches": [{"category": "vendor", "name": "Vendor", "branches": [
                {"category": "product_name", "name": "Microsoft Exchange Server 2019 CU8", "branches": [
                  {"category": "product_version", "name": "15.02.0792.010", "product": {"product_id": "1", "name": "Exchange CU8 Mar21SU"}},
                  {"category": "product_version_range", "name": "vers:generic/>=15.2.0.0|<15.2.792.10", "product": {"product_id": "2", "name": "Exchange CU8"}},
                  {"category": "product_version", "name": "15.2.792", "product": {"product_id": "3", "name": "Exchange CU8"}},
                  {"category": "product_version_range", "name": "<15.02.0721.013", "product": {"product_id": "4", "name": "Exchange CU7"}}]},
                {"category": "product_name", "name": "Another", "product": {"product_id": "5", "name": "Another 1.2.3.4"}}]}]},
              "vulnerabilities": [
                {"cve": "CVE-2021-99999", "product_status": {"fixed": ["1", "3", "9"], "known_affected": ["2", "4", "5"]},
                 "remediations": [{"category": "vendor_fix", "date": "2021-03-02T08:00:00.000Z", "details": "15.02.0721.013: KB5000871", "product_ids": ["4"]}]},
                {"cve": "CVE-2021-99998", "product_status": {"known_affected": ["5"]}, "references": [{"url": "https://example.com/2"}]},
                {"title": "No number"}]}"#,
            &expect![[r#"
                A door (Vendor, V-1)
                https://example.com/1
                https://example.com/2
                CVE-2021-99999 exchange 15.2.721.13 2021-03-02 Exchange CU7 KB5000871
                CVE-2021-99999 exchange 15.2.792.10 2021-03-01 Exchange CU8 Mar21SU
                without builds: {"CVE-2021-99998"}
                refused "Vendor Microsoft Exchange Server 2019 CU8 15.2.792: Exchange CU8": is fixed of CVE-2021-99999, but names no build of four parts
                refused "9": is a product of CVE-2021-99999 that the advisory does not name
                refused "No number": is a vulnerability without a CVE id
            "#]],
        );
    }

    #[test]
    fn other_versions_and_other_files_are_refused() {
        check(
            r#"{"document": {"csaf_version": "3.0"}}"#,
            &expect![[r"
                is a CSAF advisory of version `3.0`; 2.0 is read
            "]],
        );
        check(
            r#"{"document": {"csaf_version": 2}}"#,
            &expect![[r"
                is a CSAF advisory of version ``; 2.0 is read
            "]],
        );
        assert!(!Advisory::is_one(&Json::Null));
    }
}
