//! The registry of a case, and how organisations stand.

use response::registry::{AssetKind, Owner, Registry};
use response::standing::{Answer, standings};
use store::response::{AssetRow, ImportRow, MergeRow, ObservationRow, OrganisationRow};
use store::{Case, Settings};

const NOW: i64 = 1_614_643_200_000_000;

fn organisation(id: &str) -> OrganisationRow {
    OrganisationRow {
        id: id.to_owned(),
        name: format!("Organisation {id}"),
        origin: "imported".to_owned(),
        ..OrganisationRow::default()
    }
}

fn asset(kind: AssetKind, value: &str, organisation: &str) -> AssetRow {
    AssetRow {
        kind: kind.name().to_owned(),
        value: value.to_owned(),
        organisation: organisation.to_owned(),
        origin: "imported".to_owned(),
        ..AssetRow::default()
    }
}

fn observation(id: &str, asset: &str, claim: &str, seen: i64) -> ObservationRow {
    ObservationRow {
        id: id.to_owned(),
        import: "list".to_owned(),
        campaign: "proxylogon".to_owned(),
        asset_kind: "address".to_owned(),
        asset: asset.to_owned(),
        claim: claim.to_owned(),
        method: "scan".to_owned(),
        seen: Some(seen),
        detail: "{}".to_owned(),
        ..ObservationRow::default()
    }
}

#[test]
fn a_merge_joins_what_two_organisations_have_until_it_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case::create(&folder.path().join("case"), &Settings::default(), NOW).unwrap();
    let mut merge = MergeRow {
        id: "m1".to_owned(),
        kept: "a".to_owned(),
        merged: "b".to_owned(),
        why: "one certificate".to_owned(),
        made: NOW,
        ..MergeRow::default()
    };
    case.change(NOW, async |change| {
        change.put(&[organisation("a"), organisation("b")]).await?;
        let assets = [
            asset(AssetKind::Network, "192.0.2.0/24", "a"),
            asset(AssetKind::Address, "192.0.2.7", "b"),
            asset(AssetKind::Domain, "example.org", "b"),
        ];
        change.put(&assets).await?;
        change.put(&[merge.clone()]).await?;
        let import = ImportRow {
            id: "list".to_owned(),
            ..ImportRow::default()
        };
        change.put(&[import]).await?;
        let rows = [
            observation("o1", "192.0.2.7", "vulnerable", NOW),
            observation("o2", "192.0.2.7", "web_shell", NOW),
            observation("o3", "192.0.2.9", "patched", NOW),
        ];
        change.put(&rows).await
    })
    .unwrap();
    let observations: Vec<ObservationRow> = case.rows().unwrap();
    let registry = Registry::load(&case).unwrap();
    assert_eq!(
        registry.owner(AssetKind::Host, "mail.example.org"),
        Owner::One("a")
    );
    let all = standings(&registry, &observations, &[]);
    let [one] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(one.servers.len(), 2);
    assert_eq!(one.facts.web_shell, Answer::Yes);
    assert_eq!(one.facts.clear, Answer::Undetermined);

    merge.undone = Some(NOW + 1);
    case.change(NOW + 1, async |change| change.put(&[merge]).await)
        .unwrap();
    let registry = Registry::load(&case).unwrap();
    assert_eq!(
        registry.owner(AssetKind::Address, "192.0.2.7"),
        Owner::One("b")
    );
    let all = standings(&registry, &observations, &[]);
    let of: Vec<_> = all
        .iter()
        .map(|standing| (standing.organisation.as_str(), standing.facts.vulnerable))
        .collect();
    assert_eq!(of, [("a", Answer::No), ("b", Answer::Yes)]);
}
