//! The way from a build to a fixed one, in the pack's words.

use crate::builds::BuildTable;
use crate::products::products;
use crate::shipped_files::ShippedFiles;
use crate::types::{BuildStatus, Pack};
use model::Build;
use std::fmt::Write as _;
use std::sync::OnceLock;

impl Pack {
    /// What to do to patch a host that runs this build: the advice for its cumulative update, what must be done
    /// before, how it is verified, and where a table knows it, the hash of the file that proves it. Empty where the
    /// build is fixed, or where the pack has no advice for it.
    pub fn patch_path(&self, product: &str, build: &Build, known: &BuildTable) -> Vec<String> {
        if self.status_of(product, build, known) == BuildStatus::Fixed {
            return Vec::new();
        }
        let update = build.cumulative_update();
        let mut advice = Vec::new();
        let paths = self.remediation.patch.iter().filter(|path| {
            path.product == product
                && path.from.cumulative_update() <= update
                && update <= path.until.cumulative_update()
        });
        for path in paths {
            let name = known
                .name_of(product, build)
                .map_or_else(|| build.to_string(), |name| format!("{name} ({build})"));
            advice.push(format!("From {name}: {}", path.text));
            if !path.prerequisites.is_empty() {
                advice.push(format!("Before that: {}", path.prerequisites));
            }
            advice.push(format!("Verify: {}", path.verified_by));
        }
        if !advice.is_empty() {
            advice.extend(self.proof_of_patch(product, build));
        }
        advice
    }

    /// A sentence with the hashes that prove, on disk, that the fix for this cumulative update was installed.
    fn proof_of_patch(&self, product: &str, build: &Build) -> Option<String> {
        let proof = update_proofs()
            .iter()
            .find(|proof| proof.product == product)?;
        // Where tables disagree, only the later build proves the fix.
        let fixed = self.fixed_builds(product, build).pop()?;
        let hashes = proof.files.shipped(fixed, &proof.path);
        if hashes.is_empty() {
            return None;
        }
        let mut sentence = format!("In {fixed}, {} has SHA-256", proof.path);
        for hash in hashes {
            sentence.push(' ');
            for byte in hash {
                write!(sentence, "{byte:02x}").expect("writing to a string cannot fail");
            }
        }
        Some(sentence)
    }
}

/// A product's file that differs in every security update, and the table that knows its hashes.
struct UpdateProof {
    product: String,
    path: String,
    files: ShippedFiles,
}

/// Read once: the table is large, and a fleet asks for every host.
fn update_proofs() -> &'static [UpdateProof] {
    static PROOFS: OnceLock<Vec<UpdateProof>> = OnceLock::new();
    PROOFS.get_or_init(|| {
        let files = ShippedFiles::builtin();
        let mut proofs = Vec::new();
        for product in products() {
            for binary in product
                .binaries
                .iter()
                .filter(|binary| binary.proves_update)
            {
                proofs.push(UpdateProof {
                    product: product.id.clone(),
                    path: binary.path.clone(),
                    files: files.clone(),
                });
            }
        }
        proofs
    })
}
