//! Checks what the range made, in this process.

use model::report::Report;
use model::{Answer, Attestation, Place};
use pipeline::Judgement;
use pipeline::job::Knowledge;
use pipeline::supervise::Crew;
use std::path::Path;

/// Judges everything below `path` by one pack, with the files that the range's product ships: a table as
/// `known-files.csv`.
pub(crate) fn report(
    campaign: &str,
    path: &Path,
    known: &[u8],
    attestations: &[range::Attestation],
    workers: u64,
) -> Report {
    let knowledge = Knowledge {
        builtin_packs: true,
        ..Knowledge::default()
    };
    let packs = pipeline::worker::packs(&knowledge).expect("the built-in packs load");
    let packs: Vec<_> = packs
        .into_iter()
        .filter(|pack| pack.manifest.name == campaign)
        .collect();
    let mut shipped = pack::shipped_files::ShippedFiles::builtin();
    shipped.merge(
        pack::shipped_files::ShippedFiles::from_csv(known, "range").expect("the range's table"),
    );
    let builds = pack::BuildTable::builtin();
    let products = pack::products();
    let questions = pack::questions();
    let review = pack::Review::builtin();
    let attestations: Vec<Attestation> = attestations.iter().map(stated).collect();
    let judgement = Judgement {
        packs: &packs,
        knowledge: assess::Knowledge {
            builds: &builds,
            products: &products,
            shipped: &shipped,
            questions: &questions,
            review: &review,
        },
        host: None,
        as_of: None,
        attestations: &attestations,
    };
    let crew = Crew {
        workers,
        command: None,
        item_seconds: 120,
        seconds_per_mib: 2,
    };
    let collections =
        evidence::discover(&[path.to_path_buf()], &knowledge.options).expect("the path exists");
    pipeline::check(
        &collections,
        &knowledge,
        &crew,
        &judgement,
        &mut |_, _| Ok(()),
        &mut |_| {},
    )
    .expect("workers run in this process")
}

fn stated(attestation: &range::Attestation) -> Attestation {
    Attestation {
        host: attestation.host.clone(),
        campaign: attestation.campaign.clone(),
        gate: attestation.gate.clone(),
        answer: Answer::ALL
            .into_iter()
            .find(|answer| answer.name() == attestation.answer)
            .expect("one of the answers"),
        by: attestation.by.clone(),
        role: attestation.role.clone(),
        time: attestation.time,
        statement: attestation.statement.clone(),
        place: Place::default(),
    }
}
