//! `allclear pack new`: a draft of a pack, from nothing or from what others have published.

use super::args::PackNew;
use super::line;
use crate::exit::Failure;
use crate::{Outcome, output, settings};
use detect::IndicatorList;
use pack::{Advisory, Draft, FILL_IN, Indicator, PackFiles};
use serde_json::Value as Json;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// What became of one file.
struct Taken {
    file: String,
    /// `12 indicators`, `3 fixed builds`, …
    what: Vec<String>,
    refused: Vec<(String, String)>,
}

pub(super) fn run(arguments: &PackNew) -> Outcome {
    let name = arguments.name.as_str();
    let mut draft = Draft::new(name).map_err(|error| {
        Failure::usage(
            error,
            "use lower-case letters, digits, `-` and `_`, such as front-door",
        )
    })?;
    if PackFiles::builtin().iter().any(|known| known.name == name) {
        return Err(Failure::usage(
            format!("a built-in pack is named {name}"),
            "give yours another name",
        ));
    }
    let folder = if arguments.output == Path::new(".") {
        Path::new(name).to_owned()
    } else {
        arguments.output.join(name)
    };
    if folder.exists() {
        return Err(exists(&folder));
    }
    let mut taken = Vec::new();
    for file in &arguments.from {
        taken.push(take(&mut draft, file)?);
    }
    let files = draft.files();
    write(&folder, &files)?;
    let marks = pack::lint_files(&files).len();
    output::to_standard_output(&mut |out| {
        for one in &taken {
            tell(out, one)?;
        }
        for path in files.files.keys() {
            line(out, 0, &folder.join(path).display().to_string())?;
        }
        let place = folder.display();
        let told = format!(
            "{marks} places to fill in or to mend: `allclear pack lint {place}` tells them"
        );
        line(out, 0, &told)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn tell(out: &mut dyn Write, taken: &Taken) -> io::Result<()> {
    let what = match taken.what.as_slice() {
        [] => "a title".to_owned(),
        what => what.join(", "),
    };
    line(out, 0, &format!("from {}: {what}", taken.file))?;
    for (value, why) in &taken.refused {
        let value = match value.as_str() {
            "" => "it".to_owned(),
            value => format!("`{value}`"),
        };
        line(out, 1, &format!("not used: {value} {why}"))?;
    }
    Ok(())
}

/// Takes over what a file holds.
fn take(draft: &mut Draft, path: &Path) -> Result<Taken, Failure> {
    let bytes = settings::read(path)?;
    let file = path.display().to_string();
    let advice = "give a CSAF 2.0 advisory, a STIX 2.1 bundle, a MISP event, CHIRP YAML or a list of indicators";
    let text = String::from_utf8_lossy(&bytes);
    let json: Option<Json> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok();
    let taken = match json.filter(Advisory::is_one) {
        Some(json) => {
            let advisory = Advisory::read(&json)
                .map_err(|why| Failure::usage(format!("{file}: {why}"), advice))?;
            take_advisory(draft, file, advisory)
        }
        None => take_list(
            draft,
            file,
            &IndicatorList::read(&path.display().to_string(), &bytes),
        ),
    };
    if let (true, Some((value, why))) = (taken.what.is_empty(), taken.refused.first()) {
        let subject = match value.as_str() {
            "" => "it".to_owned(),
            value => format!("`{value}`"),
        };
        return Err(Failure::usage(
            format!("nothing of {} can be used: {subject} {why}", taken.file),
            advice,
        ));
    }
    Ok(taken)
}

fn take_advisory(draft: &mut Draft, file: String, mut advisory: Advisory) -> Taken {
    let refused = std::mem::take(&mut advisory.refused);
    let what = counted(&[
        (advisory.vulnerabilities.len(), "fixed builds"),
        (
            advisory.without_builds.len(),
            "vulnerabilities without a fixed build",
        ),
        (advisory.references.len(), "references"),
    ]);
    draft.add_advisory(advisory);
    Taken {
        file,
        what,
        refused,
    }
}

fn take_list(draft: &mut Draft, file: String, list: &IndicatorList) -> Taken {
    let mut refused = list.refused.clone();
    draft.add_title(&list.title);
    draft.add_references(list.references.iter().cloned());
    let unnamed = list.vulnerabilities.iter().filter(|cve| {
        let mut rows = draft.vulnerabilities.iter();
        !rows.any(|row| row.cve == **cve)
    });
    let unnamed: Vec<String> = unnamed.cloned().collect();
    draft.without_builds.extend(unnamed);
    let source = match (list.publisher.as_str(), list.title.as_str()) {
        ("", "") => match list.references.as_slice() {
            [] => format!("{FILL_IN} who published {}", base_name(&file)),
            references => references.join(" "),
        },
        (one, "") | ("", one) => one.to_owned(),
        (publisher, title) => format!("{publisher}, {title}"),
    };
    let before = draft.indicators();
    let mut twice = 0;
    for listed in &list.indicators {
        let meaning = match listed.meaning.as_str() {
            "" => format!("{FILL_IN} what it shows"),
            meaning => meaning.to_owned(),
        };
        let known = draft.indicators();
        let added = draft.add_indicator(Indicator {
            r#type: listed.r#type.to_owned(),
            value: listed.value.clone(),
            meaning,
            confidence: listed.confidence,
            first_seen: listed.first_seen.clone(),
            source: source.clone(),
        });
        match added {
            Ok(()) if draft.indicators() == known => twice += 1,
            Ok(()) => {}
            Err(why) => refused.push((listed.value.clone(), why)),
        }
    }
    for rule in &list.rules {
        draft.yara.push(rule.text.clone());
        if let Some(files) = &rule.files {
            let why = "is the pattern of the only files that a YARA rule is meant for; a pack cannot say so";
            refused.push((files.clone(), why.to_owned()));
        }
    }
    let what = counted(&[
        (draft.indicators() - before, "indicators"),
        (twice, "indicators that the draft holds already"),
        (list.rules.len(), "texts of YARA rules"),
        (list.vulnerabilities.len(), "vulnerabilities"),
        (list.references.len(), "references"),
    ]);
    Taken {
        file,
        what,
        refused,
    }
}

/// What there is any of, with its number.
fn counted(of: &[(usize, &str)]) -> Vec<String> {
    let some = of.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}"))
        .collect()
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Makes the folder, which must not be there, and its files.
fn write(folder: &Path, files: &PackFiles) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::usage(
            format!("cannot make {}: {error}", folder.display()),
            "name a folder that exists and that you may write to with --output",
        )
    };
    fs::create_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(folder),
        _ => failed(error),
    })?;
    for (path, bytes) in &files.files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut file = fs::File::create_new(&path).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
    }
    Ok(())
}

fn exists(folder: &Path) -> Failure {
    Failure::usage(
        format!("{} exists already", folder.display()),
        "give another name or folder; nothing is overwritten",
    )
}
