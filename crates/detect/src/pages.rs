//! Findings of the web-shell analysis.

use crate::engine::ItemDetection;
use crate::web_shell::{self, Kind, Sign};
use model::{At, Finding, FootholdKind, GapKind, Place, Stage};

impl ItemDetection<'_> {
    /// Analyses the bytes of a page or program.
    pub(crate) fn web_shell(&mut self, sha256: Option<&str>, bytes: &[u8]) {
        let analysis = web_shell::analyse(&self.path, bytes);
        for what in &analysis.not_seen {
            let detail = format!("The analysis for web shells did not see all of it: {what}.");
            self.gaps.push((GapKind::Partial, At::Item, detail));
        }
        // A shipped page holds nothing of an intruder, however odd its code is.
        let is_odd = !analysis.signs.is_empty();
        if is_odd && sha256.is_some_and(|digest| self.engine.ships_content(digest)) {
            return;
        }
        for sign in analysis.signs {
            let finding = self.of_sign(&sign, sha256);
            self.collected.add(finding);
        }
    }

    fn of_sign(&self, sign: &Sign, sha256: Option<&str>) -> Finding {
        let kind = match sign.kind {
            Kind::CompiledShell => FootholdKind::CompiledShell,
            _ => FootholdKind::WebShell,
        };
        let mut details = self.file_details(sha256);
        details.insert("language".to_owned(), sign.language.name().to_owned());
        let name = sign.kind.name();
        Finding {
            id: String::new(),
            rule: format!("analysis/web-shell/{}", name.replace('_', "-")),
            title: format!("Web-shell analysis: {}", name.replace('_', " ")),
            stage: sign.decisive.then_some(Stage::Foothold),
            campaign: None,
            level: if sign.decisive { "critical" } else { "medium" }.to_owned(),
            techniques: sign.techniques.iter().map(|&id| id.to_owned()).collect(),
            time: None,
            last: None,
            count: 1,
            place: Place::item("", &self.path).at(At::Line(sign.line)),
            author: "Allclear".to_owned(),
            reference: "https://attack.mitre.org/techniques/T1505/003/".to_owned(),
            evidence: sign.excerpt.clone(),
            meaning: sign.explanation.clone(),
            step: match (sign.decisive, kind) {
                (false, _) => "",
                (true, FootholdKind::CompiledShell) => "page_compiled",
                (true, _) => "shell_written",
            }
            .to_owned(),
            details,
            foothold: sign.decisive.then(|| self.foothold(kind, sha256)),
        }
    }
}
