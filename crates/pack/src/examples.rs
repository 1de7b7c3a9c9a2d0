//! Examples of a pack: for each rule, one case that must match and one that must not.
//!
//! Every `examples/*.yaml` holds one or more YAML documents, parted by `---`. One document is one example:
//!
//! ```yaml
//! rule: 6f0c1f5e-6f5b-4f0e-9a51-2f6f6b0f8f10   # `id` of a Sigma rule, or name of a YARA rule
//! matches: true                                # false: the rule must leave this alone
//! record:                                      # for Sigma rules: one record
//!   source: exchange.httpproxy:ecp             #   its full source name, lower case
//!   fields:                                    #   field names as readers emit them; numbers and booleans are
//!     path: /ecp/y.js                          #   taken as text
//!     status: 241
//! ---
//! rule: short_server_script
//! matches: false
//! file:                                        # for YARA rules: a file
//!   path: C:\inetpub\wwwroot\plain.aspx        #   original Windows path
//!   text: |                                    #   exactly one of `text`, `base64`, `xor_hex`
//!     <html>nothing here</html>
//! ```
//!
//! - `text`: the bytes as UTF-8, for harmless content.
//! - `base64`: standard alphabet with padding; white space is ignored.
//! - `xor_hex`: hexadecimal digits, each byte XORed with `0x5A`; white space is ignored. For what an antivirus would
//!   delete: neither the file nor its Base64 stands in the repository.
//!
//! A rule may have any number of examples, but needs at least one of each kind (`matches: true` and `false`).
