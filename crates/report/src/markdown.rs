//! stub
use model::report::Report;
use std::io::{self, Write};
/// x
pub fn markdown(_r: &Report, _o: &mut dyn Write) -> io::Result<()> {
    Ok(())
}
