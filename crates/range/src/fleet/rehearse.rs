//! Lets a story happen without writing it, to learn whether its times fit.

use crate::story::{Scenario, lengthened, unfold};
use crate::{Error, Options};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// When each actor of a story did something for the first time.
pub(super) type Begun = BTreeMap<String, Timestamp>;

/// What happens by these options; nothing where their scenarios do not go together, or where their story does not end
/// before the patch and the collection.
///
/// # Errors
/// When the options name no scenario, or a scenario's data are wrong.
pub(super) fn rehearse(options: &Options) -> Result<Option<Begun>, Error> {
    let story = Scenario::named(&options.scenario)
        .and_then(|scenario| unfold(&scenario, &lengthened(options, &scenario)));
    match fitting(story)? {
        None => Ok(None),
        Some(story) => {
            let mut begun = Begun::new();
            for step in story.traces.steps {
                let first = begun.entry(step.actor).or_insert(step.time);
                *first = step.time.min(*first);
            }
            Ok(Some(begun))
        }
    }
}

/// Nothing in the place of an error that says that something does not fit.
pub(super) fn fitting<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(whole) => Ok(Some(whole)),
        Err(
            Error::Contradiction { .. }
            | Error::NeverBegun(_)
            | Error::OutsideWindow
            | Error::PatchedTooEarly,
        ) => Ok(None),
        Err(error) => Err(error),
    }
}
