//! Organisations and what they own, as they are after merges.

use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use store::response::{AliasRow, AssetRow, ContactRow, MergeRow, ObservationRow, OrganisationRow};
use store::{Case, CaseError};

/// Merges in a row that are followed; a ring of merges ends here.
const MERGES_MAX: usize = 64;

/// What can be owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetKind {
    Host,
    Address,
    Network,
    Domain,
    Certificate,
}

impl AssetKind {
    pub const ALL: [Self; 5] = [
        Self::Host,
        Self::Address,
        Self::Network,
        Self::Domain,
        Self::Certificate,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Address => "address",
            Self::Network => "network",
            Self::Domain => "domain",
            Self::Certificate => "certificate",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The value in the form in which assets are compared; `None` where it is no value of this kind.
    pub fn normalise(self, value: &str) -> Option<String> {
        let value = value.trim();
        match self {
            Self::Host | Self::Domain => {
                let name = value.trim_end_matches('.').to_lowercase();
                let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
                (!name.is_empty() && name.len() <= 253 && name.chars().all(plain)).then_some(name)
            }
            Self::Address => {
                let address: IpAddr = value.parse().ok()?;
                Some(address.to_canonical().to_string())
            }
            Self::Network => {
                let network: IpNet = value.parse().ok()?;
                Some(network.trunc().to_string())
            }
            Self::Certificate => {
                let digest: String = value.chars().filter(|c| *c != ':').collect();
                let hex = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
                hex.then(|| digest.to_lowercase())
            }
        }
    }
}

/// A name in the form in which names are compared: small letters and digits, one blank between words.
pub fn folded(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for word in name.split(|c: char| !c.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

/// An organisation with everything that belongs to it and to those merged into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Organisation {
    pub row: OrganisationRow,
    /// Names it is also known by, those of merged organisations among them.
    pub aliases: BTreeSet<String>,
    /// Kind and value.
    pub assets: BTreeSet<(AssetKind, String)>,
    /// Ids of the organisations that were merged into it.
    pub merged: BTreeSet<String>,
}

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// The organisation's id.
    One(&'a str),
    /// Several claim it, in order of id.
    Several(Vec<&'a str>),
    Nobody,
}

/// The registry of a case.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    organisations: BTreeMap<String, Organisation>,
    /// From the id of a merged organisation to the one that was kept.
    kept: BTreeMap<String, String>,
    by_asset: BTreeMap<(AssetKind, String), BTreeSet<String>>,
    /// By folded name.
    by_name: BTreeMap<String, BTreeSet<String>>,
    /// Lengths of prefix that occur, the longest first.
    prefixes: BTreeSet<std::cmp::Reverse<u8>>,
    /// Networks and domains in which a provider's customers sit: being in one tells nothing of whose a server is.
    shared: BTreeSet<(AssetKind, String)>,
}

/// What a statement from outside says that may tell whose server it speaks of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traces<'a> {
    /// A name that the server itself answers to.
    pub host: Option<&'a str>,
    pub address: Option<&'a str>,
    /// The organisation as the list names it.
    pub organisation: Option<&'a str>,
    /// A name that somebody gave the address.
    pub reverse: Option<&'a str>,
}

impl<'a> From<&'a ObservationRow> for Traces<'a> {
    fn from(row: &'a ObservationRow) -> Self {
        let asset = |kind: AssetKind| (row.asset_kind == kind.name()).then_some(row.asset.as_str());
        Self {
            host: row.host.as_deref().or(asset(AssetKind::Host)),
            address: row.address.as_deref().or(asset(AssetKind::Address)),
            organisation: row.organisation.as_deref(),
            reverse: row.reverse.as_deref(),
        }
    }
}

impl Registry {
    /// Reads the registry of a case.
    pub fn load(case: &Case) -> Result<Self, CaseError> {
        let registry = Self::of(case.rows()?, &case.rows()?, &case.rows()?, &case.rows()?);
        Ok(registry.with_providers(&case.rows_where("role", "provider")?))
    }

    /// Says in which networks and domains customers sit: those that contacts of providers speak for.
    #[must_use]
    pub fn with_providers(mut self, contacts: &[ContactRow]) -> Self {
        for contact in contacts.iter().filter(|contact| contact.role == "provider") {
            if let Some(kind) = AssetKind::parse(&contact.scope) {
                self.shared.insert((kind, contact.subject.clone()));
            }
        }
        self
    }

    /// The registry that these rows make. Rows of organisations that are not there, and kinds that are not known, are left
    /// out; the ledger's own keys see to it that there are none.
    pub fn of(
        organisations: Vec<OrganisationRow>,
        aliases: &[AliasRow],
        assets: &[AssetRow],
        merges: &[MergeRow],
    ) -> Self {
        let into: BTreeMap<&str, &str> = merges
            .iter()
            .filter(|merge| merge.undone.is_none())
            .map(|merge| (merge.merged.as_str(), merge.kept.as_str()))
            .collect();
        let mut registry = Self::default();
        for row in organisations {
            let mut kept = row.id.as_str();
            for _ in 0..MERGES_MAX {
                match into.get(kept) {
                    Some(next) => kept = next,
                    None => break,
                }
            }
            if kept != row.id {
                registry.kept.insert(row.id.clone(), kept.to_owned());
            }
            let organisation = Organisation {
                row,
                aliases: BTreeSet::new(),
                assets: BTreeSet::new(),
                merged: BTreeSet::new(),
            };
            let id = organisation.row.id.clone();
            registry.organisations.insert(id, organisation);
        }
        for (merged, kept) in &registry.kept {
            let Some(organisation) = registry.organisations.remove(merged) else {
                continue;
            };
            if let Some(kept) = registry.organisations.get_mut(kept) {
                kept.aliases.insert(organisation.row.name);
                kept.merged.insert(merged.clone());
            }
        }
        for alias in aliases {
            if let Some(organisation) = registry.at_mut(&alias.organisation) {
                organisation.aliases.insert(alias.name.clone());
            }
        }
        for (id, organisation) in &registry.organisations {
            let names = organisation.aliases.iter().chain([&organisation.row.name]);
            for name in names {
                let ids = registry.by_name.entry(folded(name)).or_default();
                ids.insert(id.clone());
            }
        }
        for asset in assets {
            let Some(kind) = AssetKind::parse(&asset.kind) else {
                continue;
            };
            let Some(organisation) = registry.at_mut(&asset.organisation) else {
                continue;
            };
            organisation.assets.insert((kind, asset.value.clone()));
            let id = organisation.row.id.clone();
            if kind == AssetKind::Network
                && let Ok(network) = asset.value.parse::<IpNet>()
            {
                registry
                    .prefixes
                    .insert(std::cmp::Reverse(network.prefix_len()));
            }
            let owners = registry.by_asset.entry((kind, asset.value.clone()));
            owners.or_default().insert(id);
        }
        registry
    }

    fn at_mut(&mut self, id: &str) -> Option<&mut Organisation> {
        let id = self.kept.get(id).map_or(id, String::as_str);
        self.organisations.get_mut(id)
    }

    /// The organisations that stand for themselves, in order of id.
    pub fn organisations(&self) -> impl ExactSizeIterator<Item = &Organisation> {
        self.organisations.values()
    }

    /// The organisation with this id, or the one it was merged into.
    pub fn organisation(&self, id: &str) -> Option<&Organisation> {
        let id = self.kept.get(id).map_or(id, String::as_str);
        self.organisations.get(id)
    }

    /// Whose an asset is; the value in its normal form. A host belongs to the owner of its domain, an address to the owner
    /// of its network, where nobody claims it itself: the longest name or prefix counts. What lies where a provider's
    /// customers sit is nobody's by that alone.
    pub fn owner(&self, kind: AssetKind, value: &str) -> Owner<'_> {
        let exact = self.exact(kind, value);
        if exact != Owner::Nobody {
            return exact;
        }
        match kind {
            AssetKind::Host | AssetKind::Domain => self.owner_of_domain(value),
            AssetKind::Address => self.owner_of_network(value),
            AssetKind::Network | AssetKind::Certificate => Owner::Nobody,
        }
    }

    /// Whose server a statement speaks of: by the name that it answers to, its address, the organisation's name in the list, the
    /// network it is in, the name that somebody gave its address; the first of these that one organisation alone has.
    pub fn whose<'a>(&'a self, traces: &Traces<'_>) -> Owner<'a> {
        let mut several = Owner::Nobody;
        let address = || {
            traces
                .address
                .map(|address| self.exact(AssetKind::Address, address))
        };
        let steps: [&dyn Fn() -> Option<Owner<'a>>; 5] = [
            &|| traces.host.map(|host| self.owner(AssetKind::Host, host)),
            &address,
            &|| traces.organisation.map(|name| self.named(name)),
            // Where several have the very address, whoever has the network around it is none of them.
            &|| match address()? {
                Owner::Nobody => Some(self.owner_of_network(traces.address?)),
                _ => None,
            },
            &|| {
                traces
                    .reverse
                    .map(|reverse| self.owner(AssetKind::Host, reverse))
            },
        ];
        for step in steps {
            match step() {
                Some(Owner::One(one)) => return Owner::One(one),
                Some(claimed @ Owner::Several(_)) if several == Owner::Nobody => several = claimed,
                _ => {}
            }
        }
        several
    }

    fn owner_of_domain(&self, value: &str) -> Owner<'_> {
        let mut rest = value;
        loop {
            let key = (AssetKind::Domain, rest.to_owned());
            if self.shared.contains(&key) {
                return Owner::Nobody;
            }
            let owner = owner_among(self.by_asset.get(&key));
            if owner != Owner::Nobody {
                return owner;
            }
            match rest.split_once('.') {
                Some((_, parent)) => rest = parent,
                None => return Owner::Nobody,
            }
        }
    }

    fn owner_of_network(&self, value: &str) -> Owner<'_> {
        let Ok(address) = value.parse::<IpAddr>() else {
            return Owner::Nobody;
        };
        for std::cmp::Reverse(length) in &self.prefixes {
            let Ok(network) = IpNet::new(address, *length) else {
                continue;
            };
            let key = (AssetKind::Network, network.trunc().to_string());
            let owner = owner_among(self.by_asset.get(&key));
            if owner != Owner::Nobody {
                return if self.shared.contains(&key) {
                    Owner::Nobody
                } else {
                    owner
                };
            }
        }
        Owner::Nobody
    }

    fn exact(&self, kind: AssetKind, value: &str) -> Owner<'_> {
        // The key is owned, and lookups come by the hundred thousand; a copy of a short text is what that costs.
        owner_among(self.by_asset.get(&(kind, value.to_owned())))
    }

    /// Who has this name, or is also known by it; signs and capitals do not matter.
    pub fn named(&self, name: &str) -> Owner<'_> {
        owner_among(self.by_name.get(&folded(name)))
    }

    /// Who has this id, name or asset, each as a person would write it.
    pub fn find(&self, text: &str) -> Owner<'_> {
        if let Some(organisation) = self.organisation(text) {
            return Owner::One(&organisation.row.id);
        }
        let named = self.named(text);
        if named != Owner::Nobody {
            return named;
        }
        // A network would be found by the address in it as well: the narrower question comes first.
        let kinds = [
            AssetKind::Address,
            AssetKind::Network,
            AssetKind::Certificate,
            AssetKind::Host,
        ];
        for kind in kinds {
            if let Some(value) = kind.normalise(text) {
                let owner = self.owner(kind, &value);
                if owner != Owner::Nobody {
                    return owner;
                }
            }
        }
        Owner::Nobody
    }
}

fn owner_among(owners: Option<&BTreeSet<String>>) -> Owner<'_> {
    let mut owners = owners.into_iter().flatten().map(String::as_str);
    match (owners.next(), owners.next()) {
        (None, _) => Owner::Nobody,
        (Some(one), None) => Owner::One(one),
        (Some(one), Some(two)) => Owner::Several([one, two].into_iter().chain(owners).collect()),
    }
}
