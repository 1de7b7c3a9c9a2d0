//! Questions over a small case: golden answers, refusals, bounds, and that nothing is read that need not be.

#![expect(
    clippy::disallowed_methods,
    reason = "golden answers are files of this test"
)]

mod kit;

use kit::{HOSTILE, TestCase, limits, request};
use query::{Csv, JsonLines, Parquet, QueryError, Questions, Sink, Table};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

fn answer(questions: &Questions, sql: &str, format: &str) -> String {
    let mut out: Vec<u8> = Vec::new();
    let mut sink: Box<dyn Sink> = match format {
        "csv" => Box::new(Csv::new(&mut out)),
        "json" => Box::new(JsonLines::new(&mut out)),
        _ => Box::new(Table::new(&mut out)),
    };
    let asked = questions.ask(sql, None, sink.as_mut());
    drop(sink);
    match asked {
        Ok(_) => String::from_utf8(out).expect("answers are UTF-8"),
        Err(error) => format!("{error}\n"),
    }
}

/// Every file of `tests/slt`: a query, `----`, its answer as a table, an empty line; `UPDATE_EXPECT` fills the answers in.
#[test]
fn golden_questions_have_their_answers() {
    let case = TestCase::small();
    let questions = case.questions();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|file| file.expect("it is read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file is read");
        let answered = answered(&questions, &text);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &answered).expect("the file is written");
            continue;
        }
        assert_eq!(
            text,
            answered,
            "{}: run `cargo xtask bless`, and read what changed",
            file.display()
        );
    }
}

fn answered(questions: &Questions, text: &str) -> String {
    let mut answered = String::new();
    for block in text.trim_end().split("\n\n") {
        let (asked, _) = block.split_once("\n----").unwrap_or((block, ""));
        let comment = asked.lines().all(|line| line.starts_with('#'));
        writeln!(answered, "{asked}").expect("a string takes all");
        if !comment {
            let sql: Vec<&str> = asked
                .lines()
                .filter(|line| !line.starts_with('#'))
                .collect();
            writeln!(answered, "----").expect("a string takes all");
            for line in answer(questions, &sql.join("\n"), "table").lines() {
                // A row without any value is an empty line, which would end the answer here.
                let line = if line.is_empty() { "(absent)" } else { line };
                writeln!(answered, "{line}").expect("a string takes all");
            }
        }
        answered.push('\n');
    }
    answered
}

#[test]
fn only_questions_are_answered() {
    let case = TestCase::small();
    let questions = case.questions();
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "DROP TABLE events",
        "INSERT INTO hosts (host) VALUES ('x')",
        "DELETE FROM hosts",
        "UPDATE hosts SET host = 'x'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "PREPARE p AS SELECT 1",
        "TRUNCATE TABLE hosts",
        "BEGIN",
        "SHOW datafusion.execution.batch_size",
    ] {
        let error = questions.rows(sql, 1).err();
        assert!(
            matches!(error, Some(QueryError::NotAQuestion(_))),
            "{sql}: {error:?}"
        );
    }
    for sql in [
        "SELECT 1; DROP TABLE events",
        "SELECT * FROM '/etc/passwd'",
        "SELECT no_such FROM hosts",
        "SELEKT 1",
        "",
    ] {
        let error = questions.rows(sql, 1).err();
        assert!(
            matches!(error, Some(QueryError::NotUnderstood(_))),
            "{sql}: {error:?}"
        );
    }
    for sql in [
        "SELECT 1",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "VALUES (1)",
        "SHOW TABLES",
        "DESCRIBE hosts",
        "EXPLAIN SELECT 1",
    ] {
        questions
            .rows(sql, 10_000)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[test]
fn an_answer_that_was_cut_says_so() {
    let case = TestCase::small();
    let questions = case.questions();
    let (_, _, whole) = questions
        .rows("SELECT * FROM hosts", 4)
        .expect("it is answered");
    assert_eq!((whole.rows, whole.cut), (4, false));
    let (_, _, cut) = questions
        .rows("SELECT * FROM hosts", 3)
        .expect("it is answered");
    assert_eq!((cut.rows, cut.cut), (3, true));
}

#[test]
fn a_question_that_takes_too_long_ends() {
    let case = TestCase::small();
    let short = query::Limits {
        deadline: Duration::from_millis(300),
        ..limits(case.folder.path())
    };
    let questions = case.questions_within(short);
    let endless = "SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b WHERE a.value % 7 = b.value % 5";
    let error = questions.rows(endless, 1).err();
    assert!(
        matches!(error, Some(QueryError::Deadline { .. })),
        "{error:?}"
    );
}

#[test]
fn what_does_not_fit_into_memory_spills_and_what_cannot_says_so() {
    let case = TestCase::small();
    let tight = query::Limits {
        memory_bytes: 64 << 20,
        // What merges sorted runs cannot spill; two at once would need more.
        threads: std::num::NonZeroUsize::MIN,
        ..limits(case.folder.path())
    };
    let questions = case.questions_within(tight);
    let sorted = "SELECT value, repeat('x', 200) || value AS wide FROM generate_series(1, 600000) ORDER BY wide DESC";
    let mut out = Vec::new();
    let answer = questions
        .ask(sorted, None, &mut JsonLines::new(&mut out))
        .expect("a sort spills");
    assert_eq!(answer.rows, 600_000);
    let kept = "SELECT array_agg(repeat('x', 200) || value) FROM generate_series(1, 600000)";
    let error = questions.rows(kept, 1).err();
    assert!(
        matches!(error, Some(QueryError::Memory { .. })),
        "{error:?}"
    );
}

#[test]
fn an_object_that_the_ledger_does_not_name_is_not_there() {
    let case = TestCase::small();
    assert!(case.objects().join("events/c-9/GHOST.parquet").is_file());
    let hosts = answer(
        &case.questions(),
        "SELECT DISTINCT host FROM events WHERE host = 'GHOST'",
        "json",
    );
    assert_eq!(hosts, "");
}

#[test]
fn a_damaged_case_is_told_as_such() {
    let case = TestCase::small();
    std::fs::remove_file(case.objects().join("events/c-1/EX01.parquet")).expect("it is there");
    let error = case
        .questions()
        .rows("SELECT max(url_path) FROM events", 1)
        .err();
    assert!(matches!(error, Some(QueryError::Case(_))), "{error:?}");
}

/// The plan with what running it measured.
fn measured(questions: &Questions, sql: &str) -> String {
    answer(questions, &format!("EXPLAIN ANALYZE VERBOSE {sql}"), "csv")
}

#[test]
fn a_host_is_found_without_opening_the_others() {
    let case = TestCase::small();
    // Whoever opened the others would fail.
    for other in [
        "events/c-2/EX02.parquet",
        "events/c-3/~2E~2E~2F~1B~5B31mEX99.parquet",
    ] {
        std::fs::write(case.objects().join(other), b"no Parquet").expect("it is written");
    }
    let questions = case.questions();
    for filter in [
        "host = 'EX01'",
        "host IN ('EX01', 'EX77')",
        "collection = 'c-1'",
        "host > 'EX' AND host < 'EX02'",
        "time < TIMESTAMP '2021-03-01T00:00:00Z'",
    ] {
        let sql = format!(
            "SELECT count(user_agent) AS n FROM events WHERE {filter} AND user_agent IS NOT NULL"
        );
        let n = answer(&questions, &sql, "json");
        assert!(n == "{\"n\":3}\n" || n == "{\"n\":1}\n", "{filter}: {n}");
    }
    let joined = "SELECT count(e.user_agent) AS n FROM events e JOIN hosts h ON e.host = h.host WHERE h.host = 'EX01'";
    assert_eq!(answer(&questions, joined, "json"), "{\"n\":3}\n");
}

#[test]
fn an_address_is_found_by_bloom_filters_and_a_day_by_statistics() {
    let mut case = TestCase::empty();
    // Two row groups would take 131,072 rows; two files show the same, as each has its own filter.
    let line = |host: u32, at: u32| {
        let time = format!("2021-03-0{}T00:{:02}:{:02}Z", host + 1, at / 60, at % 60);
        request(
            &time,
            &format!("10.{host}.{}.{}", at / 250, at % 250),
            "/owa/",
            "Mozilla/5.0",
        )
    };
    for host in 0..3 {
        let lines: Vec<_> = (0..600).map(|at| line(host, at)).collect();
        case.events(&format!("c-{host}"), &format!("EX{host}"), &lines);
    }
    let questions = case.questions();
    let by_address = measured(&questions, "SELECT * FROM events WHERE src_ip = '10.1.0.7'");
    assert!(
        by_address.contains("row_groups_pruned_statistics=3 total → 1 matched"),
        "{by_address}"
    );
    // Sorts between the least and the greatest address of EX1, and is none of them: only the bloom filter can tell.
    let absent = measured(
        &questions,
        "SELECT * FROM events WHERE src_ip = '10.1.1.99999'",
    );
    assert!(
        absent.contains("row_groups_pruned_bloom_filter=1 total → 0 matched"),
        "{absent}"
    );
    let by_day = measured(
        &questions,
        "SELECT * FROM events WHERE time >= TIMESTAMP '2021-03-03T00:00:00Z'",
    );
    assert!(
        !by_day.contains("c-0/") && !by_day.contains("c-1/"),
        "{by_day}"
    );
}

#[test]
fn evidence_neither_steers_a_terminal_nor_runs_in_a_spreadsheet() {
    let case = TestCase::small();
    let questions = case.questions();
    let sql = "SELECT host, url_path, user_agent FROM events WHERE collection = 'c-3'";
    let table = answer(&questions, sql, "table");
    assert!(
        table.chars().all(|c| c == '\n' || !c.is_control()) && !table.contains('\u{202e}'),
        "{table:?}"
    );
    assert!(
        table.contains("<U+001B>[31mEX99") && table.contains("<U+202E>"),
        "{table}"
    );
    let csv = answer(
        &questions,
        "SELECT url_path || '' AS \"=a\", '=1+1' AS b, -1 AS c FROM events WHERE collection = 'c-3'",
        "csv",
    );
    assert_eq!(csv, "'=a,b,c\n/=cmd|' /C calc'!A0,'=1+1,-1\n");
    let json = answer(
        &questions,
        "SELECT host, user_agent FROM events WHERE collection = 'c-3'",
        "json",
    );
    assert!(
        !json.contains('\u{1b}') && !json.contains('\u{202e}'),
        "{json:?}"
    );
    let value: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(value["host"], HOSTILE);
    // Names of hosts are no SQL.
    let none = answer(
        &questions,
        "SELECT host FROM hosts WHERE host = ''' OR 1=1 --'",
        "json",
    );
    assert_eq!(none, "");
}

#[test]
fn an_answer_in_parquet_keeps_its_types() {
    let case = TestCase::small();
    let questions = case.questions();
    let mut out: Vec<u8> = Vec::new();
    let sql = "SELECT time, host, http_status, fields FROM events WHERE host = 'EX01' ORDER BY time, line";
    questions
        .ask(sql, None, &mut Parquet::new(&mut out))
        .expect("it is answered");
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), &out).expect("it is written");
    let open = std::fs::File::options()
        .read(true)
        .open(file.path())
        .expect("it is there");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(open)
        .expect("it is Parquet");
    let types: Vec<String> = reader
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().to_string())
        .collect();
    assert_eq!(types[..3], ["Timestamp(µs, \"UTC\")", "Utf8", "Int32"]);
    let rows: usize = reader
        .build()
        .expect("it is read")
        .map(|batch| batch.expect("it is read").num_rows())
        .sum();
    assert_eq!(rows, 4);
}

#[test]
fn the_order_of_the_ledger_changes_no_answer() {
    let case = TestCase::small();
    let mut turned = TestCase::small();
    turned.ledger.objects.reverse();
    for rows in turned.ledger.tables.values_mut() {
        rows.reverse();
    }
    let (one, other) = (case.questions(), turned.questions());
    for view in query::VIEWS {
        let rows = |questions| {
            let mut lines: Vec<String> =
                answer(questions, &format!("SELECT * FROM {}", view.name), "json")
                    .lines()
                    .map(str::to_owned)
                    .collect();
            lines.sort();
            lines
        };
        assert_eq!(rows(&one), rows(&other), "{}", view.name);
    }
}
