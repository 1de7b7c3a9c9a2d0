//! Logs of Internet Information Services: requests in the W3C extended format, and traces of failed requests.

pub(crate) mod failed_request;
pub(crate) mod w3c;
