//! Configuration of IIS and ASP.NET: `applicationHost.config` and `web.config`.
//!
//! Format: <https://learn.microsoft.com/iis/configuration/>; URL Rewrite rules: <https://learn.microsoft.com/iis/extensions/url-rewrite-module/>. A reader
//! sees one file; what the files of a server do together is worked out by [`effective`].

mod effective;
mod rewrite;

pub use effective::effective;

use crate::simple_record::SimpleRecord;
use crate::xml::{self, Element};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{
    At, Fact, GapKind, IisModule, Persistence, PersistenceKind, SourceName, VirtualDirectory,
};
use sha2::{Digest, Sha256};

/// Action of a rule that only takes inherited rules away; see [`effective`].
pub const CANCEL: &str = "cancel";

/// Name of a cancelling rule that takes all inherited rules away.
pub const CLEAR: &str = "<clear/>";

/// Place of the rules in `<globalRules>`: they run before all others, and nothing below the server takes them away.
pub const GLOBAL_RULES: &str = "<globalRules>";

/// Bytes in which a configuration shows what it is.
const HEAD_BYTES: usize = 16_384;

/// Sections whose entries are records: a section's name, and the names of its entries.
const RECORDED: [(&str, &[&str]); 8] = [
    ("globalModules", &["add", "remove", "clear"]),
    ("modules", &["add", "remove", "clear"]),
    ("handlers", &["add", "remove", "clear"]),
    ("httpModules", &["add", "remove", "clear"]),
    ("httpHandlers", &["add", "remove", "clear"]),
    ("isapiFilters", &["filter", "remove", "clear"]),
    ("isapiCgiRestriction", &["add", "remove", "clear"]),
    ("bindings", &["binding"]),
];

/// Elements that are records by themselves.
const RECORDED_ALONE: [&str; 5] = ["logFile", "httpLogging", "compilation", "pages", "identity"];

/// Attributes of `machineKey` that must not leave the evidence.
const SECRETS: [&str; 2] = ["validationKey", "decryptionKey"];

/// `applicationHost.config`: sites, virtual directories, modules and rules of the whole server.
#[derive(Debug)]
pub(crate) struct ServerConfig;

/// `web.config`: what one folder sets for itself and what lies below.
#[derive(Debug)]
pub(crate) struct FolderConfig;

impl Artifact for ServerConfig {
    fn kind(&self) -> &'static str {
        "iis.config"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let named_so = has_name(probe.path, "applicationhost.config");
        match (is_configuration(probe.head), named_so) {
            (true, true) => Match::Content,
            (true, false) if head_text(probe.head).contains("<system.applicationHost") => {
                Match::Content
            }
            (false, true) => Match::Path,
            _ => Match::No,
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::of("files", "iis_config"))
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::of("files", "iis_config");
        read(&source, item.path, "", content, sink);
    }
}

impl Artifact for FolderConfig {
    fn kind(&self) -> &'static str {
        "iis.web_config"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let named_so = has_name(probe.path, "web.config");
        match (is_configuration(probe.head), named_so) {
            (true, true) => Match::Content,
            (false, true) => Match::Path,
            _ => Match::No,
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::of("files", "web_config"))
    }

    fn read(&self, item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::of("files", "web_config");
        let folder = model::windows_path(model::parent(item.path));
        read(&source, item.path, &folder, content, sink);
    }
}

fn has_name(path: &str, name: &str) -> bool {
    model::file_name(path).eq_ignore_ascii_case(name)
}

fn head_text(head: &[u8]) -> std::borrow::Cow<'_, str> {
    xml::decoded(&head[..head.len().min(HEAD_BYTES)])
}

fn is_configuration(head: &[u8]) -> bool {
    head_text(head).contains("<configuration")
}

/// Whether a file is what the server uses now. IIS keeps earlier versions below `history` and one copy for each
/// application pool below `temp`; those are shown, but state nothing about the present.
fn is_current(path: &str) -> bool {
    let lower = path.to_ascii_lowercase().replace('/', "\\");
    !lower.contains("\\inetpub\\history\\") && !lower.contains("\\inetpub\\temp\\")
}

fn read(
    source: &SourceName,
    path: &str,
    location: &str,
    content: &mut dyn Content,
    sink: &mut dyn Sink,
) {
    let document = match xml::read(content) {
        Ok(document) if document.root.name == "configuration" => document,
        Ok(_) => return not_understood(sink, "its root is no `configuration`"),
        Err(reason) => return not_understood(sink, reason),
    };
    if let Some(fault) = document.fault {
        let detail = format!(
            "the configuration is read only in part: {fault}; IIS refuses such a file as a whole"
        );
        sink.gap(GapKind::Partial, At::Item, (None, None), &detail);
    }
    let mut walk = Walk {
        source,
        current: is_current(path),
        broken: document.fault.is_some(),
        inherited: true,
        sink,
    };
    walk.sections(&document.root, location);
}

fn not_understood(sink: &mut dyn Sink, reason: &str) {
    sink.rejected(At::Item, "not a configuration");
    let detail = format!("the configuration cannot be read: {reason}");
    sink.gap(GapKind::NotUnderstood, At::Item, (None, None), &detail);
}

/// The walk over one configuration.
struct Walk<'a> {
    source: &'a SourceName,
    current: bool,
    broken: bool,
    /// Whether applications below inherit what is being read.
    inherited: bool,
    sink: &'a mut dyn Sink,
}

impl Walk<'_> {
    /// Everything in `parent` that holds for `location`. `<location path="…">` holds the same for another place.
    fn sections(&mut self, parent: &Element, location: &str) {
        for element in &parent.children {
            match element.name.as_str() {
                "location" => {
                    let inner = inner_location(location, element.attribute("path"));
                    let outside = self.inherited;
                    self.inherited &=
                        element.attribute("inheritInChildApplications") != Some("false");
                    self.sections(element, &inner);
                    self.inherited = outside;
                }
                "rewrite" => self.rewrite(element, location),
                "sites" => self.sites(element),
                "machineKey" => self.machine_key(element, location),
                name => {
                    let section = RECORDED.iter().find(|(section, _)| *section == name);
                    if let Some((_, entries)) = section {
                        self.entries(element, entries, location);
                    } else {
                        if RECORDED_ALONE.contains(&name) {
                            self.record(element, name, location);
                        }
                        self.sections(element, location);
                    }
                }
            }
        }
    }

    fn entries(&mut self, section: &Element, names: &[&str], location: &str) {
        for entry in &section.children {
            if !names.contains(&entry.name.as_str()) {
                continue;
            }
            let kind = format!("{}/{}", section.name, entry.name);
            self.record(entry, &kind, location);
            // A managed module names a type of a library that lies in a `bin` folder or the assembly cache.
            let managed = entry.attribute("type").filter(|of| !of.is_empty());
            if let ("modules/add", Some(of)) = (kind.as_str(), managed) {
                self.fact(
                    entry,
                    Fact::Persistence(Persistence {
                        kind: PersistenceKind::IisModule,
                        name: entry.attribute("name").unwrap_or_default().to_owned(),
                        command: of.to_owned(),
                        changed: None,
                        clock: String::new(),
                        author: String::new(),
                    }),
                );
            }
            if kind == "globalModules/add" {
                self.fact(
                    entry,
                    Fact::IisModule(IisModule {
                        name: entry.attribute("name").unwrap_or_default().to_owned(),
                        image: entry.attribute("image").unwrap_or_default().to_owned(),
                    }),
                );
            }
        }
    }

    fn sites(&mut self, sites: &Element) {
        for site in sites.children_named("site") {
            let name = site.attribute("name").unwrap_or_default();
            let id = site.attribute("id").and_then(|id| id.parse().ok());
            self.record(site, "site", name);
            for application in site.children_named("application") {
                let base = application.attribute("path").unwrap_or("/");
                for directory in application.children_named("virtualDirectory") {
                    let url_path = joined_url(base, directory.attribute("path").unwrap_or("/"));
                    self.virtual_directory(directory, name, id, &url_path);
                }
            }
            // Bindings and log settings of the site.
            self.sections(site, name);
        }
        for defaults in sites.children_named("siteDefaults") {
            self.sections(defaults, "");
        }
    }

    fn virtual_directory(
        &mut self,
        element: &Element,
        site: &str,
        site_id: Option<u32>,
        url_path: &str,
    ) {
        let physical_path = element.attribute("physicalPath").unwrap_or_default();
        let id = site_id.map(|id| id.to_string()).unwrap_or_default();
        let record = SimpleRecord::new(self.source, At::Line(element.line))
            .with("element", "virtualDirectory")
            .with("site", site)
            .with("site_id", id)
            .with("path", url_path)
            .with("physicalPath", physical_path);
        self.sink.record(&record);
        let Some(site_id) = site_id else {
            let detail = "a site has no id, so its logs cannot be told";
            let at = At::Line(element.line);
            self.sink
                .gap(GapKind::NotUnderstood, at, (None, None), detail);
            return;
        };
        self.fact(
            element,
            Fact::VirtualDirectory(VirtualDirectory {
                site: site.to_owned(),
                site_id,
                url_path: url_path.to_owned(),
                physical_path: physical_path.to_owned(),
            }),
        );
    }

    fn rewrite(&mut self, section: &Element, location: &str) {
        for rules in &section.children {
            let inbound = matches!(rules.name.as_str(), "rules" | "globalRules");
            for entry in rules.children.iter().filter(|_| inbound) {
                self.rewrite_record(entry, &rules.name, location);
            }
            if !inbound || !self.current {
                continue;
            }
            let place = if rules.name == "globalRules" {
                GLOBAL_RULES
            } else {
                location
            };
            for (line, mut rule) in rewrite::rules_of(rules, place) {
                if rule.action != CANCEL {
                    rule.faults.extend(self.faults_of_the_file());
                }
                self.sink.fact(At::Line(line), Fact::RewriteRule(rule));
            }
        }
    }

    fn faults_of_the_file(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.broken {
            faults.push("its configuration file is damaged, and IIS refuses it".to_owned());
        }
        if !self.inherited {
            faults.push("the applications below its place do not inherit it".to_owned());
        }
        faults
    }

    fn rewrite_record(&mut self, entry: &Element, collection: &str, location: &str) {
        let url = entry.child("match");
        let action = entry.child("action");
        let record = SimpleRecord::new(self.source, At::Line(entry.line))
            .with("element", format!("{collection}/{}", entry.name))
            .with("location", location)
            .with("name", entry.attribute("name").unwrap_or_default())
            .with("enabled", entry.attribute("enabled").unwrap_or_default())
            .with(
                "patternSyntax",
                entry.attribute("patternSyntax").unwrap_or_default(),
            )
            .with(
                "stopProcessing",
                entry.attribute("stopProcessing").unwrap_or_default(),
            )
            .with(
                "pattern",
                url.and_then(|url| url.attribute("url")).unwrap_or_default(),
            )
            .with("conditions", rewrite::conditions_of(entry).join(" ; "))
            .with(
                "action",
                action
                    .and_then(|action| action.attribute("type"))
                    .unwrap_or_default(),
            )
            .with(
                "action_url",
                action
                    .and_then(|action| action.attribute("url"))
                    .unwrap_or_default(),
            );
        self.sink.record(&record);
    }

    /// Keys are shown as a hash only: it tells whether two servers share one, and whether it was changed.
    fn machine_key(&mut self, element: &Element, location: &str) {
        let mut record = SimpleRecord::new(self.source, At::Line(element.line))
            .with("element", "machineKey")
            .with("location", location);
        for (name, value) in &element.attributes {
            let secret = SECRETS.contains(&name.as_str());
            if !secret {
                record = record.with(name.as_str(), value.as_str());
            } else if value.starts_with("AutoGenerate") {
                record = record.with(name.as_str(), "generated by the server");
            } else {
                record = record.with(format!("{name}_sha256"), sha256(value));
            }
        }
        self.sink.record(&record);
    }

    fn record(&mut self, element: &Element, kind: &str, location: &str) {
        let mut record = SimpleRecord::new(self.source, At::Line(element.line))
            .with("element", kind.to_owned())
            .with("location", location.to_owned());
        for (name, value) in &element.attributes {
            let shown = if name.eq_ignore_ascii_case("password") {
                "not shown"
            } else {
                value.as_str()
            };
            record = record.with(name.as_str(), shown);
        }
        self.sink.record(&record);
    }

    fn fact(&mut self, element: &Element, fact: Fact) {
        if self.current {
            self.sink.fact(At::Line(element.line), fact);
        }
    }
}

/// The place that `<location path="…">` inside a configuration of `outer` speaks of. Places of folders are paths of
/// Windows, those of the server are of the form `Default Web Site/owa`.
fn inner_location(outer: &str, path: Option<&str>) -> String {
    let path = path.unwrap_or_default().trim_matches('/');
    match (outer, path) {
        (outer, "" | ".") => outer.to_owned(),
        ("", path) => path.to_owned(),
        (outer, path) if outer.contains('\\') => {
            format!("{outer}\\{}", path.replace('/', "\\"))
        }
        (outer, path) => format!("{outer}/{path}"),
    }
}

/// `/owa` and `/` are `/owa`; `/` and `/aspnet_client` are `/aspnet_client`.
fn joined_url(application: &str, directory: &str) -> String {
    let joined = format!(
        "{}/{}",
        application.trim_end_matches('/'),
        directory.trim_start_matches('/')
    );
    match joined.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

fn sha256(text: &str) -> String {
    use std::fmt::Write;
    let mut hex = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        let _infallible = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests;
