//! Exit codes and whose turn it is when something fails.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// Every host is clear, evicted or not affected for every campaign.
pub(crate) const ASSURED: u8 = 0;
/// Some host is not.
pub(crate) const NOT_ASSURED: u8 = 1;
/// The caller's turn: usage, or an input path that does not exist.
pub(crate) const USAGE: u8 = 2;
/// Nothing could be examined; a complete report was printed all the same.
pub(crate) const NOTHING_EXAMINED: u8 = 3;
/// Our own fault, or the environment's.
pub(crate) const FAULT: u8 = 4;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    /// What to do about it, for the caller.
    advice: Option<String>,
    source: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// The caller has to change something.
    pub(crate) fn usage(
        source: impl Into<Box<dyn Error + Send + Sync>>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            code: USAGE,
            advice: Some(advice.into()),
            source: source.into(),
        }
    }

    /// The environment or Allclear itself failed.
    pub(crate) fn fault(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            code: FAULT,
            advice: None,
            source: source.into(),
        }
    }

    /// Says what may help.
    pub(crate) fn with_advice(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    pub(crate) fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::fault(error)
    }
}

impl fmt::Display for Failure {
    /// The error with its whole chain of causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut cause = self.source.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
