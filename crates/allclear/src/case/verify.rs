//! `allclear case verify` and `allclear case forget`.

use super::open::now;
use super::{Forget, Verify, failure, open};
use crate::exit;
use crate::{Outcome, output};
use std::process::ExitCode;
use store::micros;

pub(super) fn run(verify: &Verify) -> Outcome {
    let case = open(&verify.at)?;
    // Objects of a run that goes on are named by nobody yet.
    let found = if verify.repair {
        let run = case.begin_run().map_err(failure)?;
        case.verify_and_repair(&run)
    } else {
        case.verify()
    };
    let found = found.map_err(failure)?;
    output::to_standard_output(&mut |out| {
        writeln!(
            out,
            "{} objects of {} bytes and {} links of the audit chain were read",
            found.objects, found.bytes, found.audit
        )?;
        let lists = [
            ("missing", &found.missing),
            ("changed", &found.damaged),
            ("refers to what is not there", &found.unresolved),
            ("named by no commit", &found.unnamed),
        ];
        for (what, names) in lists {
            for name in names {
                writeln!(out, "{what}: {}", report::visible(name))?;
            }
        }
        if let Some(link) = found.audit_broken {
            writeln!(
                out,
                "the audit chain is broken at link {link}: it was changed, or one before it is gone"
            )?;
        }
        let verdict = if found.whole() {
            "the case is whole"
        } else {
            "the case is damaged"
        };
        writeln!(out, "{verdict}")
    })?;
    Ok(ExitCode::from(if found.whole() {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }))
}

pub(super) fn forget(forget: &Forget) -> Outcome {
    let case = open(&forget.at)?;
    let _run = case.begin_run().map_err(failure)?;
    let now = micros(now());
    let what = &forget.what;
    let done = match (&what.host, &what.collection) {
        (Some(host), _) => case.forget_host(host, now),
        (None, Some(collection)) => case.forget_collection(collection, now),
        (None, None) => return Ok(ExitCode::SUCCESS),
    };
    let done = done.map_err(failure)?;
    output::to_standard_output(&mut |out| {
        writeln!(out, "{} objects removed", done.objects)?;
        for host in &done.hosts {
            writeln!(out, "nothing is left of {}", report::visible(host))?;
        }
        for host in &done.to_judge {
            let host = report::visible(host);
            writeln!(out, "{host} is to be judged again: `allclear case judge`")?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
