//! Lists that come into a registry: once, in any order, and never over what a person vouched for.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod lists;

#[expect(
    clippy::print_stderr,
    dead_code,
    reason = "the store's own helpers: tests look at files of their own and use what they need"
)]
#[path = "../../store/tests/support/mod.rs"]
mod support;

use lists::{Given, registry};
use proptest::prelude::*;
use response::import::{Kind, Outcome, Rows, Tables};
use response::registry::{AssetKind, Owner};
use store::response::{ImportRow, MergeRow};
use support::{NOW, Place};

const ORGANISATIONS: &str = "id,name,sector,country,size,domains,aliases\n\
                             b1,Blue Mill Ltd,Energy,gb,small,bluemill.example,Blue Mill;BML\n\
                             g1,Green Farm,,de,,green.example,\n";

fn given(kind: Kind, text: &str) -> Given {
    Given {
        kind,
        manual: false,
        text: text.to_owned(),
    }
}

fn manual(kind: Kind, text: &str) -> Given {
    Given {
        manual: true,
        ..given(kind, text)
    }
}

/// The registry after these lists.
fn after<'a>(lists: impl Iterator<Item = &'a Given>) -> Rows {
    let mut rows = Rows::default();
    for list in lists {
        list.plan(&mut rows);
    }
    rows
}

#[test]
fn the_same_list_again_changes_nothing() {
    let mut rows = Rows::default();
    let list = given(Kind::Organisations, ORGANISATIONS);
    let first = list.plan(&mut rows);
    assert_eq!(
        (
            first.counts().added,
            first.assets.len(),
            first.aliases.len()
        ),
        (2, 2, 2)
    );
    let before = rows.clone();
    let again = list.plan(&mut rows);
    assert!(!again.changes());
    assert_eq!(again.counts().unchanged, 2);
    assert_eq!(rows, before);
}

#[test]
fn every_refusal_has_its_reason_and_the_sum_is_right() {
    let mut rows = Rows::default();
    given(Kind::Organisations, ORGANISATIONS).plan(&mut rows);
    given(Kind::Organisations, "name\nBlue Mill\n").plan(&mut rows);
    let contacts = "scope,subject,role,address,verified\n\
                    organisation,g1,owner,it@green.example,no\n\
                    organisation,g1,owner,it@green.example,yes\n\
                    organisation,Red,owner,it@red.example,\n\
                    organisation,blue mill,owner,it@blue.example,\n\
                    domain,not a domain,abuse,abuse@x.example,\n\
                    country,Germany,national_cert,cert@x.example,\n\
                    organisation,g1,boss,it@green.example,\n\
                    organisation,g1,owner,it at green.example,\n\
                    organisation,g1,owner,\"it@green.example, evil@x.example\",\n";
    let planned = given(Kind::Contacts, contacts).plan(&mut rows);
    let why: Vec<_> = planned
        .lines
        .iter()
        .map(|line| match &line.outcome {
            Outcome::Refused { why } => why,
            _ => "taken",
        })
        .collect();
    assert_eq!(
        why,
        [
            "taken",
            "only a manual import can call a contact verified",
            "no such organisation is known",
            "several organisations have this name",
            "a domain is not well formed",
            "the country is no code of two letters",
            "the role is none of owner, abuse, provider, sector_cert, national_cert",
            "taken",
            "an e-mail address is not well formed",
        ]
    );
    // An address without a sign is a letter: nobody is written to that way by mistake.
    assert_eq!(planned.contacts[1].channel, "letter");
    let counts = planned.counts();
    assert_eq!(counts.rows_in, counts.accepted + counts.refusals());
}

#[test]
fn an_imported_row_never_changes_a_manual_one() {
    let mut rows = Rows::default();
    given(Kind::Organisations, ORGANISATIONS).plan(&mut rows);
    let by_hand = manual(
        Kind::Organisations,
        "id,name,sector\nb1,Blue Mill plc,water\n",
    )
    .plan(&mut rows);
    assert_eq!(by_hand.counts().changed, 1);
    let later = given(Kind::Organisations, ORGANISATIONS).plan(&mut rows);
    assert_eq!(
        (later.counts().manual_stands, later.counts().unchanged),
        (1, 1)
    );
    assert!(!later.changes());
    // What the manual row does not speak of can still be added to.
    let more = given(
        Kind::Assets,
        "kind,value,organisation\naddress,2001:DB8::1,b1\n",
    )
    .plan(&mut rows);
    assert_eq!(more.assets[0].value, "2001:db8::1");
}

#[test]
fn a_list_that_contradicts_itself_is_refused_where_it_does() {
    let mut rows = Rows::default();
    let list = "id,name,sector\na,A,\na,A,health\na,A,energy\na,Other,\n";
    let planned = given(Kind::Organisations, list).plan(&mut rows);
    let outcomes: Vec<bool> = planned
        .lines
        .iter()
        .map(|line| matches!(line.outcome, Outcome::Refused { .. }))
        .collect();
    assert_eq!(outcomes, [false, false, true, true]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Lists that do not contradict each other, cut into pieces and shuffled.
    #[test]
    fn the_order_of_lists_does_not_matter(
        order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        repeated in 0..6_usize,
    ) {
        let lists = [
            given(Kind::Organisations, "id,name,sector\na,Ash,energy\nb,Birch,\n"),
            given(Kind::Organisations, "id,name,country\na,Ash,nl\nc,Cedar,be\n"),
            given(Kind::Organisations, "id,name,country,domains\nb,Birch,de,birch.example\n"),
            given(Kind::Organisations, "id,name,aliases\nc,Cedar,Zeder|Le Cedre\n"),
            given(Kind::Organisations, "id,name,networks\na,Ash,192.0.2.0/24;2001:db8::/48\n"),
            given(Kind::Responders, "name,hours,skills\nTeam One,80,windows;exchange\n"),
        ];
        let straight = after(lists.iter());
        let shuffled = after(order.iter().chain([&repeated]).map(|at| &lists[*at]));
        prop_assert_eq!(straight, shuffled);
    }

    #[test]
    fn a_merge_and_its_undoing_leave_everything_as_it_was(kept in 0..4_usize, merged in 0..4_usize) {
        prop_assume!(kept != merged);
        let lists = [
            given(Kind::Organisations, "id,name,domains\no0,Ash,a.example\no1,Birch,b.example\no2,Ash,c.example\no3,Elm,a.example\n"),
            given(Kind::Assets, "kind,value,organisation\naddress,192.0.2.7,o1\naddress,192.0.2.7,o3\nnetwork,192.0.2.0/24,o0\n"),
        ];
        let tables = lists::tables(lists.iter());
        let before = registry(&tables);
        let merge = MergeRow {
            id: "m".to_owned(),
            kept: format!("o{kept}"),
            merged: format!("o{merged}"),
            made: NOW,
            ..MergeRow::default()
        };
        let while_merged = registry(&Tables { merges: vec![merge.clone()], ..tables.clone() });
        prop_assert_eq!(while_merged.organisations().len(), 3);
        let at = while_merged.organisation(&merge.merged).map(|one| one.row.id.clone());
        prop_assert_eq!(at, Some(merge.kept.clone()));
        let undone = MergeRow { undone: Some(NOW + 1), ..merge };
        let after = registry(&Tables { merges: vec![undone], ..tables });
        let all = |registry: &response::registry::Registry| {
            registry.organisations().cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(all(&before), all(&after));
        for value in ["192.0.2.7", "192.0.2.8"] {
            prop_assert_eq!(before.owner(AssetKind::Address, value), after.owner(AssetKind::Address, value));
        }
    }
}

macro_rules! suite {
    ($($test:ident,)+) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&super::Place::sqlite()); })+
        }
        mod postgres {
            $(#[test] fn $test() {
                if let Some(place) = super::Place::postgres() {
                    super::$test(&place);
                }
            })+
        }
    };
}

suite! {
    what_is_written_is_what_is_read,
}

fn what_is_written_is_what_is_read(place: &Place) {
    let case = place.create();
    let lists = [
        given(Kind::Organisations, ORGANISATIONS),
        given(
            Kind::Contacts,
            "organisation,address,language\nBML,it@bluemill.example,en\n",
        ),
        given(
            Kind::Responders,
            "name,hours,skills,languages\nTeam,37.5,exchange,de;en\n",
        ),
    ];
    let mut rows = Rows::default();
    for list in &lists {
        let planned = list.plan(&mut rows);
        case.change(NOW, async |change| {
            let import = ImportRow {
                id: "i".to_owned(),
                ..ImportRow::default()
            };
            change.put(&[import]).await?;
            change.put(&planned.organisations).await?;
            change.put(&planned.aliases).await?;
            change.put(&planned.assets).await?;
            change.put(&planned.contacts).await?;
            change.put(&planned.responders).await?;
            change
                .note("registry imported", &serde_json::json!({}))
                .await
        })
        .unwrap();
    }
    assert_eq!(Rows::of(Tables::load(&case).unwrap()), rows);
    let registry = response::registry::Registry::load(&case).unwrap();
    assert_eq!(registry.find("blue-mill ltd"), Owner::One("b1"));
    assert_eq!(registry.find("mail.green.example"), Owner::One("g1"));
    assert!(case.verify().unwrap().whole());
}
