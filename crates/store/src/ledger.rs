//! The database of a case: SQLite in its folder or PostgreSQL, by the same statements.

use crate::CaseError;
use crate::rows::{Bind, TableRow, bind};
use futures_util::TryStreamExt;
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Executor, Row};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The newest format of a ledger that this version writes and reads.
pub const FORMAT: u32 = 2;

/// What leads from each format to the next; the first makes a new ledger. `TEXT` is ordered by bytes in both databases.
const MIGRATIONS: [&[&[&str]]; FORMAT as usize] = [&[EVIDENCE], crate::response::TABLES];

/// What was seen and judged.
const EVIDENCE: &[&str] = &[
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE collections (id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, label TEXT NOT NULL, container TEXT NOT NULL, \
     taken BIGINT, taken_rule TEXT NOT NULL, items BIGINT NOT NULL, bytes BIGINT NOT NULL, records_in BIGINT NOT NULL, \
     events BIGINT NOT NULL, rejected TEXT NOT NULL, added BIGINT NOT NULL, seq BIGINT NOT NULL UNIQUE)",
    "CREATE TABLE locations (location TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, \
     collection TEXT NOT NULL REFERENCES collections (id))",
    "CREATE TABLE jobs (id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, owner TEXT, \
     token BIGINT NOT NULL, lease_until BIGINT, attempts BIGINT NOT NULL, collection TEXT, error TEXT, \
     seq BIGINT NOT NULL UNIQUE)",
    "CREATE INDEX jobs_state ON jobs (state, seq)",
    "CREATE TABLE hosts (host TEXT PRIMARY KEY, host_rule TEXT NOT NULL, as_of BIGINT, report_object TEXT, \
     dirty BIGINT NOT NULL, first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL)",
    "CREATE TABLE objects (name TEXT PRIMARY KEY, kind TEXT NOT NULL, collection TEXT, host TEXT, bytes BIGINT NOT NULL, \
     sha256 TEXT NOT NULL, rows BIGINT, first BIGINT, last BIGINT)",
    "CREATE INDEX objects_host ON objects (host)",
    "CREATE INDEX objects_collection ON objects (collection)",
    "CREATE TABLE parts (collection TEXT NOT NULL REFERENCES collections (id), host TEXT NOT NULL REFERENCES hosts (host), \
     rule TEXT NOT NULL, object TEXT NOT NULL REFERENCES objects (name), PRIMARY KEY (collection, host))",
    "CREATE INDEX parts_host ON parts (host)",
    "CREATE TABLE verdicts (seq BIGINT PRIMARY KEY, host TEXT NOT NULL REFERENCES hosts (host), campaign TEXT NOT NULL, \
     pack_version TEXT NOT NULL, verdict TEXT NOT NULL, stage TEXT, exposure TEXT NOT NULL, build TEXT, first BIGINT, \
     last BIGINT, patched BIGINT, sufficient BIGINT NOT NULL, as_of BIGINT, judged BIGINT NOT NULL, reasons TEXT NOT NULL, \
     why TEXT, report_object TEXT, current BIGINT NOT NULL)",
    "CREATE INDEX verdicts_host ON verdicts (host, campaign, seq)",
    "CREATE INDEX verdicts_first ON verdicts (first)",
    "CREATE TABLE coverage (host TEXT NOT NULL REFERENCES hosts (host), campaign TEXT NOT NULL, need TEXT NOT NULL, \
     seen DOUBLE PRECISION NOT NULL, missing_seconds BIGINT, gaps BIGINT NOT NULL, from_time BIGINT, until_time BIGINT, \
     PRIMARY KEY (host, campaign, need))",
    "CREATE TABLE findings (host TEXT NOT NULL REFERENCES hosts (host), id TEXT NOT NULL, campaign TEXT, rule TEXT NOT NULL, \
     title TEXT NOT NULL, level TEXT NOT NULL, stage TEXT, techniques TEXT NOT NULL, time BIGINT, last BIGINT, \
     count BIGINT NOT NULL, collection TEXT NOT NULL, item TEXT NOT NULL, line BIGINT, record BIGINT, byte BIGINT, \
     client TEXT, user_name TEXT, user_agent TEXT, path TEXT, sha256 TEXT, foothold_kind TEXT, foothold_path TEXT, \
     parameter TEXT, evidence TEXT NOT NULL, details TEXT NOT NULL, PRIMARY KEY (host, id))",
    "CREATE INDEX findings_time ON findings (time)",
    "CREATE INDEX findings_client ON findings (client)",
    "CREATE TABLE gaps (host TEXT NOT NULL REFERENCES hosts (host), number BIGINT NOT NULL, kind TEXT NOT NULL, source TEXT, \
     from_time BIGINT, until_time BIGINT, collection TEXT, item TEXT, line BIGINT, record BIGINT, byte BIGINT, \
     detail TEXT NOT NULL, PRIMARY KEY (host, number))",
    "CREATE TABLE audit (seq BIGINT PRIMARY KEY, time BIGINT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL, \
     previous TEXT NOT NULL, hash TEXT NOT NULL)",
    "CREATE TABLE taken (collection TEXT NOT NULL REFERENCES collections (id), item TEXT NOT NULL, \
     object TEXT NOT NULL REFERENCES objects (name), PRIMARY KEY (collection, item))",
    "CREATE INDEX taken_object ON taken (object)",
];

/// Values bound in one statement. SQLite takes 32,766 and PostgreSQL 65,535, but SQLite looks each `$n` up among all before it,
/// so that ten times the values cost a hundred times the time.
const BINDS_MAX: usize = 1_000;

/// How long a writer waits for another one, in milliseconds. Commits take milliseconds; a hundred may queue.
const BUSY_MS: u32 = 60_000;

/// Connections of one process: one writes, another reads beside it.
const CONNECTIONS_MAX: u32 = 4;

/// Key of the lock under which one writer after the other commits; any number that others do not take.
const WRITE_LOCK: i64 = 0x0A11_C1EA;

/// Key of the lock that a run holds.
pub(crate) const RUN_LOCK: i64 = 0x0A11_C1EB;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// The connection to the database.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) pool: AnyPool,
    pub(crate) kind: Kind,
}

impl Ledger {
    /// Connects; `create` makes the SQLite file where there is none.
    pub(crate) fn connect(runtime: Arc<Runtime>, url: &str) -> Result<Self, CaseError> {
        let kind = match url.split(':').next() {
            Some("sqlite") => Kind::Sqlite,
            Some("postgres" | "postgresql") => Kind::Postgres,
            _ => return Err(CaseError::DatabaseUrl(without_password(url))),
        };
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if kind == Kind::Sqlite {
                        connection.execute("PRAGMA journal_mode = WAL").await?;
                        connection.execute("PRAGMA synchronous = FULL").await?;
                        connection.execute("PRAGMA foreign_keys = ON").await?;
                        let busy = format!("PRAGMA busy_timeout = {BUSY_MS}");
                        connection.execute(AssertSqlSafe(busy)).await?;
                    }
                    Ok(())
                })
            })
            .acquire_timeout(Duration::from_mins(1));
        let pool = runtime.block_on(options.connect(url))?;
        Ok(Self {
            runtime,
            pool,
            kind,
        })
    }

    /// The address of a SQLite file, which is made where there is none.
    pub(crate) fn sqlite_url(path: &Path) -> String {
        let mut url = "sqlite://".to_owned();
        for byte in path.to_string_lossy().bytes() {
            if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
                url.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _infallible = write!(url, "%{byte:02X}");
            }
        }
        url + "?mode=rwc"
    }

    /// The format of what the database holds; 0 where it holds no case.
    pub(crate) fn format(&self) -> Result<u32, CaseError> {
        let asked = match self.kind {
            Kind::Sqlite => {
                "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
            }
            Kind::Postgres => {
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() \
                 AND table_name = 'meta'"
            }
        };
        if self.read(async |connection| count(connection, asked, vec![]).await)? == 0 {
            return Ok(0);
        }
        let found = self.read(async |connection| meta(connection, "format").await)?;
        let found = found.unwrap_or_default();
        match found.parse() {
            Ok(format) if format <= FORMAT => Ok(format),
            _ => Err(CaseError::Newer {
                found,
                known: FORMAT,
            }),
        }
    }

    /// Brings the ledger from the format it has to the newest.
    pub(crate) fn migrate(&self, from: u32) -> Result<(), CaseError> {
        if from >= FORMAT {
            return Ok(());
        }
        let kind = self.kind;
        self.write(async |connection| {
            for parts in MIGRATIONS.iter().skip(from as usize) {
                for statement in parts.iter().copied().flatten() {
                    let statement = match kind {
                        Kind::Sqlite => (*statement).to_owned(),
                        Kind::Postgres => statement.replace(" TEXT", " TEXT COLLATE \"C\""),
                    };
                    connection.execute(AssertSqlSafe(statement)).await?;
                }
            }
            set_meta(connection, "format", &FORMAT.to_string()).await
        })
    }

    /// Does `work` in one transaction, after every other writer's: wholly or not at all.
    pub(crate) fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, CaseError>,
    ) -> Result<T, CaseError> {
        self.runtime.block_on(async {
            let begin = match self.kind {
                // The lock is taken at once: a reader that becomes a writer could be refused it.
                Kind::Sqlite => "BEGIN IMMEDIATE",
                Kind::Postgres => "BEGIN",
            };
            let mut transaction = self.pool.begin_with(begin).await?;
            if self.kind == Kind::Postgres {
                let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WRITE_LOCK);
                lock.execute(&mut *transaction).await?;
            }
            match work(&mut transaction).await {
                Ok(done) => {
                    transaction.commit().await?;
                    Ok(done)
                }
                Err(problem) => {
                    transaction.rollback().await?;
                    Err(problem)
                }
            }
        })
    }

    /// Asks something.
    pub(crate) fn read<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, CaseError>,
    ) -> Result<T, CaseError> {
        self.runtime.block_on(async {
            let mut connection = self.pool.acquire().await?;
            work(&mut connection).await
        })
    }

    /// Calls `visit` for every row, as they come; `rest` follows the table's name and must be our own text.
    pub(crate) fn each<T: TableRow>(
        &self,
        rest: &str,
        binds: Vec<Bind>,
        visit: &mut dyn FnMut(T),
    ) -> Result<(), CaseError> {
        let sql = format!("SELECT {} FROM {} {rest}", T::columns(), T::TABLE);
        self.read(async |connection| {
            let mut statement = sqlx::query(AssertSqlSafe(sql));
            for value in binds {
                statement = bind(statement, value);
            }
            let mut rows = statement.fetch(connection);
            while let Some(row) = rows.try_next().await? {
                visit(T::read(&row)?);
            }
            Ok(())
        })
    }

    /// All rows.
    pub(crate) fn all<T: TableRow>(
        &self,
        rest: &str,
        binds: Vec<Bind>,
    ) -> Result<Vec<T>, CaseError> {
        let mut rows = Vec::new();
        self.each(rest, binds, &mut |row| rows.push(row))?;
        Ok(rows)
    }

    /// The row, if there is one.
    pub(crate) fn one<T: TableRow>(
        &self,
        rest: &str,
        binds: Vec<Bind>,
    ) -> Result<Option<T>, CaseError> {
        self.read(async |connection| one(connection, rest, binds).await)
    }
}

/// The address as it may be shown and stored.
pub(crate) fn without_password(url: &str) -> String {
    match url.parse::<url::Url>() {
        Ok(mut url) if url.password().is_some() => match url.set_password(None) {
            Ok(()) => url.to_string(),
            Err(()) => String::new(),
        },
        // `?password=…` is read by the driver, too.
        Ok(url) if url.query_pairs().any(|(name, _)| name == "password") => {
            let mut bare = url.clone();
            bare.set_query(None);
            let rest: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(name, _)| name != "password")
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            if !rest.is_empty() {
                bare.query_pairs_mut().extend_pairs(rest);
            }
            bare.to_string()
        }
        _ => url.to_owned(),
    }
}

pub(crate) async fn one<T: TableRow>(
    connection: &mut AnyConnection,
    rest: &str,
    binds: Vec<Bind>,
) -> Result<Option<T>, CaseError> {
    let sql = format!("SELECT {} FROM {} {rest}", T::columns(), T::TABLE);
    let mut statement = sqlx::query(AssertSqlSafe(sql));
    for value in binds {
        statement = bind(statement, value);
    }
    let row = statement.fetch_optional(connection).await?;
    Ok(row.as_ref().map(T::read).transpose()?)
}

pub(crate) async fn many<T: TableRow>(
    connection: &mut AnyConnection,
    rest: &str,
    binds: Vec<Bind>,
) -> Result<Vec<T>, CaseError> {
    let sql = format!("SELECT {} FROM {} {rest}", T::columns(), T::TABLE);
    let mut statement = sqlx::query(AssertSqlSafe(sql));
    for value in binds {
        statement = bind(statement, value);
    }
    let rows: Vec<AnyRow> = statement.fetch_all(connection).await?;
    Ok(rows.iter().map(T::read).collect::<Result<_, _>>()?)
}

/// Adds rows; `conflict` is what follows for those that are there already, such as `ON CONFLICT DO NOTHING`. Gives how many
/// rows were added or changed.
pub(crate) async fn insert<T: TableRow>(
    connection: &mut AnyConnection,
    rows: &[T],
    conflict: &str,
) -> Result<u64, CaseError> {
    let width = T::COLUMNS.len();
    let mut changed = 0;
    for some in rows.chunks(BINDS_MAX / width) {
        let mut number = 0;
        let places: Vec<String> = some
            .iter()
            .map(|_| {
                let places: Vec<String> = (0..width)
                    .map(|_| {
                        number += 1;
                        format!("${number}")
                    })
                    .collect();
                format!("({})", places.join(","))
            })
            .collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {} {conflict}",
            T::TABLE,
            T::columns(),
            places.join(",")
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for row in some {
            for value in row.binds() {
                statement = bind(statement, value);
            }
        }
        changed += statement.execute(&mut *connection).await?.rows_affected();
    }
    Ok(changed)
}

/// Executes a statement of ours; gives how many rows it changed.
pub(crate) async fn execute(
    connection: &mut AnyConnection,
    sql: &'static str,
    binds: Vec<Bind>,
) -> Result<u64, CaseError> {
    let mut statement = sqlx::query(sql);
    for value in binds {
        statement = bind(statement, value);
    }
    Ok(statement.execute(connection).await?.rows_affected())
}

/// A number that a statement gives; 0 where it gives null.
pub(crate) async fn count(
    connection: &mut AnyConnection,
    sql: &'static str,
    binds: Vec<Bind>,
) -> Result<i64, CaseError> {
    let mut statement = sqlx::query(sql);
    for value in binds {
        statement = bind(statement, value);
    }
    let row = statement.fetch_one(connection).await?;
    let number: Option<i64> = row.try_get(0)?;
    Ok(number.unwrap_or(0))
}

pub(crate) async fn meta(
    connection: &mut AnyConnection,
    key: &str,
) -> Result<Option<String>, CaseError> {
    let asked = sqlx::query("SELECT value FROM meta WHERE key = $1").bind(key.to_owned());
    let row = asked.fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

pub(crate) async fn set_meta(
    connection: &mut AnyConnection,
    key: &str,
    value: &str,
) -> Result<(), CaseError> {
    let text = |text: &str| Bind::Text(Some(text.to_owned()));
    execute(
        connection,
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        vec![text(key), text(value)],
    )
    .await?;
    Ok(())
}
