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
        // Where tables disagree, only the later build proves the fix.
        let fixed = match self.fixed_builds(product, build).last() {
            Some(fixed) => fixed.to_string(),
            None => "a fixed build".to_owned(),
        };
        let fill = |text: &str| text.replace("{fixed}", &fixed);
        for path in paths {
            let name = match known.name_of(product, build) {
                Some(name) => format!("{name} ({build})"),
                None => unlisted(product, build),
            };
            advice.push(format!("From {name}: {}", fill(&path.text)));
            if !path.prerequisites.is_empty() {
                advice.push(format!("Before that: {}", fill(&path.prerequisites)));
            }
            advice.push(format!("Verify: {}", fill(&path.verified_by)));
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

/// Names a build that no table lists by its family.
fn unlisted(product: &str, build: &Build) -> String {
    let product = crate::products::product(product);
    match product
        .as_ref()
        .and_then(|product| product.family_of(build))
    {
        Some(family) => format!("{} ({build}, which no table lists)", family.name),
        None => build.to_string(),
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

#[cfg(test)]
mod tests {
    use crate::{BuildTable, builtin_packs};
    use expect_test::{Expect, expect};

    fn check(build: &str, expected: &Expect) {
        let packs = builtin_packs();
        let pack = packs.iter().find(|pack| pack.manifest.name == "proxylogon");
        let advice =
            pack.unwrap()
                .patch_path("exchange", &build.parse().unwrap(), &BuildTable::builtin());
        expected.assert_eq(&advice.join("\n"));
    }

    #[test]
    fn an_update_for_this_level_comes_with_the_hash_that_proves_it() {
        check(
            "15.1.2176.4",
            &expect![[r"
                From Exchange Server 2016 CU19 Feb21SU (15.1.2176.4): Install KB5000871 for this CU, which was a supported one and holds all earlier fixes too; then CU23 and its newest security update.
                Before that: run the .msp file from an elevated command prompt: without elevation it reports success and leaves files old
                Verify: ExSetup.exe shows 15.1.2176.9 or later, and Microsoft.Exchange.FrontEndHttpProxy.dll has the hash of that build
                In 15.1.2176.9, \FrontEnd\HttpProxy\bin\Microsoft.Exchange.FrontEndHttpProxy.dll has SHA-256 a7ef7107b652e2a120294acff89a997ad5f44a32e07a9cb7aa9d803039e6ca31"]],
        );
    }

    #[test]
    fn a_level_without_an_update_goes_to_a_newer_one() {
        check(
            "15.1.1261",
            &expect![[r"
            From Exchange Server 2016 CU7 (15.1.1261): No update was made for this level. Install CU20 or later (CU20 is the first that holds these fixes), best CU23, then its newest security update.
            Before that: .NET Framework 4.8, which CU15 and later need and this level does not support: install .NET with Exchange's services stopped and the CU right after it, or go by way of CU14 with .NET 4.7.2; schema and Active Directory prepared by the CU's setup
            Verify: ExSetup.exe shows 15.1.2242.4 or later"]],
        );
    }

    #[test]
    fn a_disputed_build_is_told_the_later_one() {
        check(
            "15.1.1415.8",
            &expect![[r"
            From Exchange Server 2016 CU8 Mar21SU (15.1.1415.8): Install KB5000871 for this CU today as a stopgap, which closes only the weaknesses of March 2021; then CU20 or later, best CU23, and its newest security update. Public tables disagree about the build that this stopgap gives: only 15.1.1415.10 (CU8) and 15.1.1466.16 (CU9) or later are fixed by all of them, so do not rest on a lower one.
            Before that: run the .msp file from an elevated command prompt: without elevation it reports success and leaves files old; for CU20 or later, .NET Framework 4.8 by way of CU14 with .NET 4.7.2, or with Exchange's services stopped
            Verify: ExSetup.exe shows 15.1.1415.10, or 15.1.2242.4 or later; no table of hashes knows these builds"]],
        );
    }

    #[test]
    fn a_build_that_no_table_lists_is_named_by_its_family() {
        check(
            "15.2.792.11",
            &expect![[r"
            From Exchange Server 2019 and Subscription Edition (15.2.792.11, which no table lists): Install KB5000871 for this CU, which was a supported one and holds all earlier fixes too; then the newest CU and its newest security update.
            Before that: run the .msp file from an elevated command prompt: without elevation it reports success and leaves files old
            Verify: ExSetup.exe shows 15.2.792.10 or later, and Microsoft.Exchange.FrontEndHttpProxy.dll has the hash of that build
            In 15.2.792.10, \FrontEnd\HttpProxy\bin\Microsoft.Exchange.FrontEndHttpProxy.dll has SHA-256 c57d9c6368d0e5d8466f975401b8f04abec048a192903bdea5ad43877edc6bdd"]],
        );
    }

    #[test]
    fn fixed_builds_and_other_products_get_no_advice() {
        check("15.1.2176.9", &expect![[r""]]);
        check("16.0.1.1", &expect![[r""]]);
    }
}
