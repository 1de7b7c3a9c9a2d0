//! Traces of tools that earlier responders ran: what they reported, and what they changed.

pub(crate) mod eomt;
pub(crate) mod msert;
pub(crate) mod test_proxylogon;
