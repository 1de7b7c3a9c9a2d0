//! Lets a story happen without writing it, to learn whether its times fit.

use crate::story::{Scenario, lengthened, unfold};
use crate::{Error, Options};

/// Whether the scenarios of these options go together, and their story ends before the patch and the collection.
///
/// # Errors
/// When the options name no scenario, or a scenario's data are wrong.
pub(super) fn rehearse(options: &Options) -> Result<bool, Error> {
    let story = Scenario::named(&options.scenario)
        .and_then(|scenario| unfold(&scenario, &lengthened(options, &scenario)));
    match story {
        Ok(_story) => Ok(true),
        Err(
            Error::Contradiction { .. }
            | Error::NeverBegun(_)
            | Error::OutsideWindow
            | Error::PatchedTooEarly,
        ) => Ok(false),
        Err(error) => Err(error),
    }
}
