//! The page of figures, as Markdown.

use super::loads::grouped;
use super::plot::told_seconds;
use super::results::{Row, Section, Table};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The machine and the versions that took part.
pub(super) struct Setting {
    /// Without a name: processor, cores, memory, system, compiler.
    pub(super) machine: String,
    pub(super) versions: BTreeMap<String, String>,
    pub(super) once_over_seconds: f64,
}

const METHOD: &str = "\
All tools read the same files, from the page cache where they fit. In each round every tool runs once, one after the other, so
that whatever else the machine does meets all of them; the median round by wall time is told, with its CPU time and memory. CPU
time is that of all processes of a tool. Memory is the peak of what all its processes hold together, pages that several of them
share counted once, looked at twenty times a second. What is measured on one core is held to one processor by `taskset`, where
that is installed. \"Times ours\" is a tool's wall time divided by Allclear's on the same number of cores: above one, Allclear is
faster. MB are 10^6 bytes of the files that a tool reads.";

/// The whole page; plots lie in the folder `benchmarks` beside it.
pub(super) fn page(sections: &[Section], setting: &Setting) -> String {
    let mut page = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`; run it to renew them.\n\n## Method\n\n",
    );
    // Writing to a text cannot fail, here and below.
    let _ = write!(
        page,
        "{METHOD} A peer whose first run takes longer than {:.0} s is not run again.\n\n{}\n\n",
        setting.once_over_seconds, setting.machine
    );
    if !setting.versions.is_empty() {
        page.push_str("| tool | version, and where it is from |\n| --- | --- |\n");
        for (name, version) in &setting.versions {
            let _ = writeln!(page, "| {} | {} |", cell(name), cell(version));
        }
        page.push('\n');
    }
    goals(sections, &mut page);
    for section in sections {
        page.push_str(&told(section));
    }
    page
}

/// What should be shown, of all workloads, in one table.
fn goals(sections: &[Section], page: &mut String) {
    if sections.iter().all(|section| section.goals.is_empty()) {
        return;
    }
    page.push_str("## What it should show\n\n| workload | goal | measured | holds |\n| --- | --- | --- | --- |\n");
    for section in sections {
        for goal in &section.goals {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} |",
                cell(&section.name),
                cell(&goal.what),
                cell(&goal.measured),
                if goal.holds { "yes" } else { "**no**" }
            );
        }
    }
    page.push('\n');
}

/// One workload.
fn told(section: &Section) -> String {
    let mut told = format!(
        "## {}\n\n{}\n\nLoad: {}. Commit {}, scale {}, {} rounds.\n\n![{}](benchmarks/{}.svg)\n\n",
        section.title,
        section.about,
        section.load,
        section.commit,
        section.scale,
        section.rounds,
        section.title,
        section.name,
    );
    told.push_str(&rows(section));
    for absent in &section.absent {
        let _ = writeln!(told, "\nLeft out: {absent}.");
    }
    for note in &section.notes {
        let _ = writeln!(told, "\n{note}");
    }
    for table in section.tables.iter().filter(|table| !table.rows.is_empty()) {
        told.push_str(&extra(table));
    }
    told.push_str("\nCommands:\n\n```\n");
    for row in &section.rows {
        let _ = writeln!(told, "# {}\n{}", row.name, row.command);
    }
    told.push_str("```\n\n");
    told
}

/// The table of times of one workload.
pub(super) fn rows(section: &Section) -> String {
    let mut table = String::from(
        "| tool | does | cores | wall s | least to most | CPU s | peak MB | MB/s | times ours | rules | hits |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in &section.rows {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} | {:.0} | {} | {} | {} |",
            cell(&row.name),
            cell(&row.does),
            row.cores,
            told_seconds(row.cost.wall_seconds),
            if row.runs > 1 {
                format!(
                    "{} to {}",
                    told_seconds(row.least_seconds),
                    told_seconds(row.most_seconds)
                )
            } else {
                "1 run".to_owned()
            },
            optional(row.cost.cpu_seconds.map(told_seconds)),
            optional(
                row.peak_megabytes()
                    .map(|megabytes| format!("{megabytes:.0}"))
            ),
            row.pace(),
            optional(times_ours(row, section)),
            optional(row.rules.map(grouped)),
            optional(row.hits.map(grouped)),
        );
    }
    table
}

/// The shorter table that README.md shows.
pub(super) fn readme(section: &Section) -> String {
    let ours = section.rows.first();
    let mut table = format!(
        "`cargo xtask bench --scale {} --rounds {}` at {}: {}, median of {} rounds\n\n\
         | tool | does | wall s | CPU s | peak MB | MB/s | time of allclear / its time |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
        section.scale, section.rounds, section.commit, section.load, section.rounds
    );
    for row in &section.rows {
        let _ = writeln!(
            table,
            "| {} | {} | {:.1} | {} | {} | {:.0} | {} |",
            cell(&row.name),
            cell(&row.does),
            row.cost.wall_seconds,
            optional(row.cost.cpu_seconds.map(|seconds| format!("{seconds:.1}"))),
            optional(
                row.peak_megabytes()
                    .map(|megabytes| format!("{megabytes:.1}"))
            ),
            row.pace(),
            optional(ours.map(|ours| format!("{:.2}", ours.seconds() / row.seconds()))),
        );
    }
    for absent in &section.absent {
        let name = absent.split(':').next().unwrap_or(absent);
        let _ = writeln!(table, "| {} | not run | | | | | |", cell(name));
    }
    table
}

/// A row's time by that of our first row on as many cores.
fn times_ours(row: &Row, section: &Section) -> Option<String> {
    let mut ours = section.rows.iter();
    let ours = ours.find(|ours| ours.ours && ours.cores == row.cores)?;
    Some(format!("{:.2}", row.seconds() / ours.seconds()))
}

fn extra(table: &Table) -> String {
    let mut told = format!("\n{}:\n\n| {} |\n|", table.title, table.head.join(" | "));
    for _ in &table.head {
        told.push_str(" --- |");
    }
    told.push('\n');
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        let _ = writeln!(told, "| {} |", cells.join(" | "));
    }
    told
}

fn optional(value: Option<String>) -> String {
    value.unwrap_or_default()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::plot::tests::section;
    use super::super::results::Goal;
    use super::*;

    #[test]
    fn the_page_says_everything_that_was_measured() {
        let mut section = section();
        section.goals.push(Goal {
            what: "fast".to_owned(),
            measured: "2.0".to_owned(),
            holds: false,
        });
        section.tables.push(Table {
            title: "Rules".to_owned(),
            head: vec!["rule".to_owned(), "id".to_owned()],
            rows: vec![vec!["a|b".to_owned(), "1".to_owned()]],
        });
        let setting = Setting {
            machine: "Two cores.".to_owned(),
            versions: [("rg".to_owned(), "13".to_owned())].into(),
            once_over_seconds: 60.0,
        };
        let page = page(&[section], &setting);
        for part in [
            "| rg | 13 |",
            "| evtx-hunt | fast | 2.0 | **no** |",
            "| we | all | 1 | 2.00 | 2.00 to 2.00 | 2.00 | 20 | 50 | 1.00 |  | 12 |",
            "| they <2> | all | 1 | 400 | 400 to 400 | 400 | 20 | 0 | 200.00 |  | 12 |",
            "Left out: chainsaw: not run.",
            "| a\\|b | 1 |",
            "# we\nrun we\n",
            "![Rules & logs](benchmarks/evtx-hunt.svg)",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }
}
