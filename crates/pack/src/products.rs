//! `knowledge/products.yaml`: how a product shows that it is installed, or that it is not.

use crate::tables::read_yaml;
use model::Build;
use serde::{Deserialize, Serialize};

const PRODUCTS: &str = include_str!("../../../knowledge/products.yaml");

/// A product that campaigns go for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The word used in packs and facts: `exchange`.
    pub id: String,
    pub name: String,
    /// Versions that are sold and updated apart from one another.
    pub families: Vec<Family>,
    /// Folders that setup proposes, without drive: `\Program Files\…`.
    pub install_folders: Vec<String>,
    /// Folders below the install folder whose trees are those of URLs, with a leading backslash.
    pub web_roots: Vec<String>,
    /// Keys below `HKEY_LOCAL_MACHINE\SOFTWARE` that an installation writes.
    pub registry_keys: Vec<String>,
    /// What the values of such keys tell.
    pub setup_values: Vec<SetupValues>,
    /// Names of its services; `*` stands for any end.
    pub services: Vec<String>,
    /// Files whose version or hash tells the build that really runs.
    pub binaries: Vec<ProductBinary>,
    pub absence: Absence,
    /// Where these facts come from.
    pub source: String,
}

/// One family of versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    pub name: String,
    pub versions: Vec<VersionPrefix>,
}

/// The first two parts of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionPrefix {
    pub major: u32,
    pub minor: u32,
}

/// Values that the installer of a product writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupValues {
    /// Below the root of SOFTWARE.
    pub key: String,
    /// Value with the folder.
    pub install_path: String,
    /// Value with the whole build, which updates keep current; empty where none is.
    #[serde(default)]
    pub build: String,
    /// Values with the three numbers of the update level; empty where they are none.
    #[serde(default)]
    pub update_level: Vec<String>,
}

/// A file that tells the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductBinary {
    /// Path below the install folder, with a leading backslash.
    pub path: String,
    /// Whether its content differs in every security update, so that it proves that the update reached the disk.
    #[serde(default)]
    pub proves_update: bool,
    /// Whether its version is the product's build.
    #[serde(default)]
    pub tells_build: bool,
    /// Other names that the same file goes by in collections.
    #[serde(default)]
    pub also_named: Vec<String>,
}

/// What must have been seen before anybody says that the product is not on a host. All of it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    pub registry_hives: Vec<HiveAbsence>,
}

/// A hive that was read as a whole and lacks every trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HiveAbsence {
    /// Source name of the hive: `windows.registry:software`.
    pub source: String,
    /// Keys below the hive's root that must not be there.
    #[serde(default)]
    pub without_keys: Vec<String>,
    /// Services that must not be there; `*` stands for any end.
    #[serde(default)]
    pub without_services: Vec<String>,
}

impl Product {
    /// The family that a build belongs to.
    pub fn family_of(&self, build: &Build) -> Option<&Family> {
        self.families.iter().find(|family| {
            let mut versions = family.versions.iter();
            versions.any(|version| (version.major, version.minor) == (build.major, build.minor))
        })
    }

    /// Whether a service's name is one of this product's; case is ignored.
    pub fn owns_service(&self, service: &str) -> bool {
        self.services.iter().any(|name| matches_name(name, service))
    }
}

impl HiveAbsence {
    /// Whether this hive must not hold a service of this name; case is ignored.
    pub fn forbids_service(&self, service: &str) -> bool {
        let mut names = self.without_services.iter();
        names.any(|name| matches_name(name, service))
    }
}

/// Every product of `knowledge/products.yaml`.
pub fn products() -> Vec<Product> {
    let mut problems = Vec::new();
    read_yaml("products.yaml", PRODUCTS, &mut problems)
        .expect("a test reads the checked-in table of products")
}

/// The product of this id.
pub fn product(id: &str) -> Option<Product> {
    products().into_iter().find(|product| product.id == id)
}

/// Whether `name` fits a pattern that may end in `*`; case is ignored.
fn matches_name(pattern: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    match pattern.to_lowercase().strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchange_is_known_by_its_services_and_families() {
        let exchange = product("exchange").unwrap();
        assert!(exchange.owns_service("msexchangeADTopology"));
        assert!(!exchange.owns_service("W3SVC"));
        let family = |build: &str| {
            let build = build.parse().unwrap();
            exchange.family_of(&build).map(|family| family.name.clone())
        };
        assert_eq!(
            family("15.0.1497.12").as_deref(),
            Some("Exchange Server 2013")
        );
        assert_eq!(
            family("14.3.513.0").as_deref(),
            Some("Exchange Server 2010")
        );
        assert_eq!(family("16.0.1.0"), None);
        assert!(product("no-such-product").is_none());
    }

    #[test]
    fn absence_asks_for_the_registry_hives() {
        for product in products() {
            let hives = &product.absence.registry_hives;
            assert!(!hives.is_empty(), "{}", product.id);
            for hive in hives {
                assert!(hive.source.starts_with("windows.registry:"));
                assert!(!hive.without_keys.is_empty() || !hive.without_services.is_empty());
            }
        }
    }
}
