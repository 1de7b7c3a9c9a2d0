//! Lets a story happen without writing it, to learn whether its times fit.

use crate::server::Server;
use crate::story::{Scenario, happen};
use crate::{Error, Options, Patching};

/// Whether the story of these options ends before the patch and the collection, and its parts go together.
///
/// # Errors
/// When the options name no scenario, or a scenario's data are wrong.
pub(super) fn rehearse(options: &Options) -> Result<bool, Error> {
    if options.scenario.contains('+') {
        return Ok(false);
    }
    let scenario = Scenario::named(&options.scenario)?;
    let patch = match options.patching {
        Patching::AsInScenario => scenario.patch(options),
        Patching::At(time) => Some(time.into()),
        Patching::Never => None,
    };
    let server = Server::new(options, &scenario, patch)?;
    match happen(&scenario, &server) {
        Ok(_traces) => Ok(true),
        Err(Error::OutsideWindow | Error::PatchedTooEarly) => Ok(false),
        Err(error) => Err(error),
    }
}
