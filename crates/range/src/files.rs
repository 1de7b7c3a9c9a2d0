//! What lies on the simulated server's disk besides logs: the product's files, compiled pages, setup logs.

use crate::formats::pe::{Assembly, Image};
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::product::Described;
use crate::random::Random;
use crate::server::{Build, Server};
use crate::source::Source;
use crate::story::State;
use crate::windows::Windows;
use crate::{Error, KnownFile};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const SHIPPED: &str = include_str!("../data/shipped.json");

/// Application and address of pages of Exchange that people's requests had compiled.
const EXCHANGE_PAGES: [(&str, &str); 3] = [
    ("owa", "/owa/auth/logon.aspx"),
    ("owa", "/owa/auth/errorFE.aspx"),
    ("ecp", "/ecp/auth/TimeoutLogout.aspx"),
];

/// A file as it lies on the disk when the evidence is collected.
#[derive(Clone, Debug)]
pub(crate) struct DiskFile {
    pub(crate) source: Source,
    pub(crate) path: String,
    pub(crate) modified: Moment,
    pub(crate) bytes: Vec<u8>,
}

/// Files that the product ships, below its install folder.
#[derive(Debug, Deserialize)]
struct Shipped {
    scripts: Vec<String>,
    statics: Vec<String>,
    configs: Vec<String>,
    /// Path and size.
    binaries: Vec<(String, usize)>,
}

impl Server {
    /// The files of the server, and the table of those that its product ships, for the builds before and after the patch.
    pub(crate) fn disk(&self, state: &State) -> Result<(Vec<DiskFile>, Vec<KnownFile>), Error> {
        let mut files = self.windows_files(&Windows::new()?, state);
        if let Some(product) = &self.described {
            files.extend(self.described_files(product));
            files.extend(self.compiled_pages(&product.compiled));
            let known = self.described_known(product);
            return Ok((replaced(files, state), known));
        }
        if !self.has_exchange {
            return Ok((replaced(files, state), Vec::new()));
        }
        let shipped: Shipped = serde_json::from_str(SHIPPED)?;
        files.extend(self.product_files(&shipped));
        files.extend(self.compiled_pages(&EXCHANGE_PAGES));
        files.push(self.setup_log());
        files.extend(self.update_log());
        let known = [self.before, self.after]
            .into_iter()
            .flat_map(|build| {
                let rows = shipped.contents(build).into_iter();
                rows.map(move |(path, bytes)| KnownFile {
                    build: build.to_string(),
                    path: format!("\\{path}"),
                    sha256: hex(&Sha256::digest(&bytes)),
                })
            })
            .collect();
        Ok((replaced(files, state), known))
    }

    /// The product's files of the build that runs when the evidence is collected.
    fn product_files(&self, shipped: &Shipped) -> Vec<DiskFile> {
        let installed = self.installed();
        let (running, replaced) = match self.patch() {
            Some(patch) => (self.after, patch.boot.after(-4 * MINUTE)),
            None => (self.before, installed),
        };
        let files = shipped.contents(running).into_iter();
        files
            .map(|(path, bytes)| {
                let in_web = path.starts_with("FrontEnd") || path.starts_with("ClientAccess");
                let end = path.rsplit('.').next().unwrap_or("");
                let binary = matches!(end, "dll" | "exe");
                DiskFile {
                    source: if in_web {
                        Source::WebRoots
                    } else {
                        Source::ProductFiles
                    },
                    modified: if binary { replaced } else { installed },
                    path: format!("{}\\{path}", self.install),
                    bytes,
                }
            })
            .collect()
    }

    /// The files below the install folder that the described product ships, for the builds before and after the patch.
    fn described_known(&self, product: &Described) -> Vec<KnownFile> {
        let of_build = |build: Build| {
            let files = self.described_contents(product, build).into_iter();
            files.filter_map(move |(path, bytes)| {
                let (folder, _) = path.split_at_checked(self.install.len())?;
                folder
                    .eq_ignore_ascii_case(&self.install)
                    .then(|| KnownFile {
                        build: build.to_string(),
                        path: path[self.install.len()..].to_owned(),
                        sha256: hex(&Sha256::digest(&bytes)),
                    })
            })
        };
        [self.before, self.after]
            .into_iter()
            .flat_map(of_build)
            .collect()
    }

    /// When the cumulative update was installed.
    pub(crate) fn installed(&self) -> Moment {
        self.start
            .day_start()
            .after(-9 * DAY + 9 * HOUR + 41 * MINUTE)
    }

    /// When the product was installed first.
    pub(crate) fn first_installed(&self) -> Moment {
        self.installed().after(-400 * DAY)
    }

    fn windows_files(&self, windows: &Windows, state: &State) -> Vec<DiskFile> {
        let old = self.start.day_start().after(-400 * DAY);
        let mut files = vec![
            DiskFile {
                source: Source::WebRoots,
                path: r"C:\inetpub\wwwroot\iisstart.htm".into(),
                modified: old,
                bytes: b"<!DOCTYPE html>\r\n<html><head><title>IIS Windows Server</title></head><body><p>Synthetic start page.</p></body></html>\r\n".to_vec(),
            },
            DiskFile {
                source: Source::WebRoots,
                path: r"C:\inetpub\wwwroot\web.config".into(),
                modified: old,
                bytes: config_text("wwwroot").into_bytes(),
            },
            DiskFile {
                source: Source::IisConfig,
                path: r"C:\Windows\System32\inetsrv\config\applicationHost.config".into(),
                modified: self.installed().after(20 * MINUTE),
                bytes: self.application_host(windows, state).into_bytes(),
            },
            DiskFile {
                source: Source::SystemHive,
                path: r"C:\Windows\System32\config\SYSTEM".into(),
                modified: self.end,
                bytes: self.system_hive(windows, state),
            },
            DiskFile {
                source: Source::SoftwareHive,
                path: r"C:\Windows\System32\config\SOFTWARE".into(),
                modified: self.end,
                bytes: self.software_hive(),
            },
        ];
        for (path, bytes) in windows.task_files(old) {
            files.push(DiskFile {
                source: Source::Tasks,
                path,
                modified: old,
                bytes,
            });
        }
        files
    }

    /// What ASP.NET has compiled of the product's own pages.
    fn compiled_pages<T: AsRef<str>>(&self, pages: &[(T, T)]) -> Vec<DiskFile> {
        let mut files = Vec::new();
        let mut random = Random::new(self.seed, "compiled pages", 0);
        let since = self
            .outages
            .last()
            .map_or(self.start, |outage| outage.ready);
        for (application, page) in pages {
            let (application, page) = (application.as_ref(), page.as_ref());
            let time = since.after(random.between(5, 300) * MINUTE);
            files.extend(self.compiled(time, application, page, (&[], &[]), &mut random));
        }
        files
    }

    /// What ASP.NET writes when it compiles a page: its description and an assembly.
    pub(crate) fn compiled(
        &self,
        time: Moment,
        application: &str,
        page: &str,
        (names, literals): (&[String], &[String]),
        random: &mut Random,
    ) -> Vec<DiskFile> {
        const HEX: &str = "0123456789abcdef";
        // One folder for each application, as its name and configuration are hashed.
        let mut place = Random::new(self.seed, application, 0);
        let folder = format!(
            r"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\Temporary ASP.NET Files\{application}\{}\{}",
            place.text(HEX, 8),
            place.text(HEX, 8)
        );
        let assembly = format!(
            "App_Web_{}",
            random.text("abcdefghijklmnopqrstuvwxyz012345", 8)
        );
        let name = page.rsplit('/').next().unwrap_or(page);
        let class = page
            .trim_start_matches('/')
            .split_once('/')
            .map_or(page, |(_, rest)| rest)
            .replace(['/', '.'], "_")
            .to_lowercase();
        let description = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<preserve resultType=\"3\" virtualPath=\"{page}\" hash=\"{}\" filehash=\"ffff{}\" flags=\"110000\" assembly=\"{assembly}\" type=\"ASP.{class}\">\r\n    <filedeps>\r\n        <filedep name=\"{page}\" />\r\n    </filedeps>\r\n</preserve>\r\n",
            random.text(HEX, 8),
            random.text(HEX, 12)
        );
        let mut all_names = [
            "<Module>",
            "ASP",
            "Page_Load",
            "__BuildControlTree",
            "ProcessRequest",
            "mscorlib",
            "System.Web",
        ]
        .map(str::to_owned)
        .to_vec();
        all_names.push(class);
        all_names.push(format!("{assembly}.dll"));
        all_names.extend_from_slice(names);
        let image = Image {
            dll: true,
            version: None,
            version_text: String::new(),
            company: String::new(),
            product: String::new(),
            description: String::new(),
            original_name: format!("{assembly}.dll"),
            linked: time.timestamp(),
            assembly: Some(Assembly {
                names: all_names,
                literals: literals.to_vec(),
            }),
            padding_bytes: 0,
        };
        let file = |name: String, bytes: Vec<u8>| DiskFile {
            source: Source::TemporaryAspnet,
            path: format!("{folder}\\{name}"),
            modified: time,
            bytes,
        };
        vec![
            file(
                format!("{name}.{}.compiled", random.text(HEX, 8)),
                description.into_bytes(),
            ),
            file(format!("{assembly}.dll"), image.to_bytes()),
        ]
    }

    fn setup_log(&self) -> DiskFile {
        let installed = self.installed();
        let first = self.first_installed();
        let first_build = Build::parse(&self.release.first).unwrap_or(self.before);
        let mut text = [
            self.setup_run(first, "Install", first_build),
            self.setup_run(installed, "Upgrade", self.before),
        ]
        .concat();
        let mut last = installed;
        if let Some(patch) = self.patch().filter(|_| self.cumulative_update) {
            last = patch.stop.after(50 * SECOND);
            text.push_str(&self.setup_run(last, "Upgrade", self.after));
        }
        DiskFile {
            source: Source::SetupLog,
            path: r"C:\ExchangeSetupLogs\ExchangeSetup.log".into(),
            modified: last.after(50 * MINUTE),
            bytes: text.into_bytes(),
        }
    }

    /// One run of setup, as it appends to its log.
    fn setup_run(&self, begun: Moment, mode: &str, build: Build) -> String {
        let lines = self.world.setup_log.iter().map(|(seconds, line)| {
            let at = begun.after(seconds * SECOND).civil();
            let line = line
                .replace("{product}", &self.release.name)
                .replace("{build}", &build.to_string())
                .replace("{zone}", &self.calendar.zone.title)
                .replace("{netbios}", &self.netbios)
                .replace("{mode}", mode);
            format!(
                "[{:02}/{:02}/{:04} {:02}:{:02}:{:02}.{:04}] [0] {line}\r\n",
                at.month, at.day, at.year, at.hour, at.minute, at.second, at.millisecond
            )
        });
        lines.collect::<Vec<_>>().concat()
    }

    /// The log that a security update's installer leaves beside the setup log.
    fn update_log(&self) -> Option<DiskFile> {
        let outage = self.patch().filter(|_| !self.cumulative_update)?;
        let begun = outage.stop.after(50 * SECOND);
        let replaced = format!(
            "Update {} replaced files of version {} by {}.",
            self.security_update, self.before, self.after
        );
        let lines = [
            (0, "Stopping services for the installation of an update."),
            (4, "All services stopped."),
            (9, replaced.as_str()),
            (11, "Starting services."),
        ]
        .map(|(minutes, line)| {
            let at = begun.after(minutes * MINUTE).civil();
            let (hour, minute, second) = (at.hour, at.minute, at.second);
            format!("[{hour:02}:{minute:02}:{second:02}] {line}\r\n")
        });
        Some(DiskFile {
            source: Source::SetupLog,
            path: r"C:\ExchangeSetupLogs\ServiceControl.log".into(),
            modified: begun.after(11 * MINUTE),
            bytes: lines.concat().into_bytes(),
        })
    }
}

/// The files, with those that the story wrote in the place of their predecessors.
fn replaced(mut files: Vec<DiskFile>, state: &State) -> Vec<DiskFile> {
    files.retain(|file| {
        let written = |other: &DiskFile| other.path.eq_ignore_ascii_case(&file.path);
        !state.files.iter().any(written)
    });
    files.extend(state.files.iter().cloned());
    files
}

impl Shipped {
    /// Every shipped file of a build: its path below the install folder, and its synthetic content.
    fn contents(&self, build: Build) -> Vec<(String, Vec<u8>)> {
        let cumulative = build.cumulative();
        let mut files = Vec::new();
        for path in &self.scripts {
            let text = page_text(path, &cumulative, "Microsoft");
            files.push((path.clone(), text.into_bytes()));
        }
        for path in &self.statics {
            let text = format!(
                "/* Synthetic stand-in for {path}, {cumulative}. Not Microsoft's file. */\r\n"
            );
            files.push((path.replace("{cu}", &cumulative), text.into_bytes()));
        }
        for path in &self.configs {
            files.push((path.clone(), config_text(path).into_bytes()));
        }
        for (path, size) in &self.binaries {
            let maker = ("Microsoft Corporation", "Microsoft® Exchange");
            files.push((path.clone(), version_image(path, build, maker, *size)));
        }
        files
    }
}

/// A harmless script of our own words in the place of a shipped one. It changes with the cumulative update only.
pub(crate) fn page_text(path: &str, cumulative: &str, maker: &str) -> String {
    let name = path.rsplit('\\').next().unwrap_or(path);
    let note = format!(
        "Synthetic stand-in for {path}, {cumulative}. Written by the Allclear range; not {maker}'s file."
    );
    let class = name.replace('.', "_");
    match name.rsplit('.').next().unwrap_or("") {
        "asax" => {
            format!("<%-- {note} --%>\r\n<%@ Application Inherits=\"Synthetic.{class}\" %>\r\n")
        }
        "svc" => {
            format!("<%-- {note} --%>\r\n<%@ ServiceHost Service=\"Synthetic.{class}\" %>\r\n")
        }
        "ashx" => {
            format!("<%-- {note} --%>\r\n<%@ WebHandler Class=\"Synthetic.{class}\" %>\r\n")
        }
        "asmx" => format!("<%-- {note} --%>\r\n<%@ WebService Class=\"Synthetic.{class}\" %>\r\n"),
        "htm" => format!(
            "<!-- {note} -->\r\n<!DOCTYPE html>\r\n<html><head><title>{name}</title></head><body></body></html>\r\n"
        ),
        _ => format!(
            "<%@ Page Language=\"C#\" AutoEventWireup=\"false\" Inherits=\"Synthetic.{class}\" %>\r\n<%-- {note} --%>\r\n<!DOCTYPE html>\r\n<html>\r\n<head><title>{name}</title></head>\r\n<body class=\"signInBg\">\r\n    <div class=\"mouse\"><p>This page stands in for {name}.</p></div>\r\n</body>\r\n</html>\r\n"
        ),
    }
}

pub(crate) fn config_text(path: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- Synthetic: {path} -->\r\n<configuration>\r\n  <system.web>\r\n    <compilation defaultLanguage=\"c#\" debug=\"false\" />\r\n    <customErrors mode=\"Off\" />\r\n  </system.web>\r\n  <system.webServer>\r\n    <httpErrors errorMode=\"DetailedLocalOnly\" />\r\n  </system.webServer>\r\n</configuration>\r\n"
    )
}

/// A program that cannot run, with the build in its version resource.
pub(crate) fn version_image(
    path: &str,
    build: Build,
    (company, product): (&str, &str),
    size: usize,
) -> Vec<u8> {
    let name = path.rsplit('\\').next().unwrap_or(path);
    let dll = name.to_lowercase().ends_with(".dll");
    let mut image = Image {
        dll,
        version: Some(build.0),
        version_text: build.padded(),
        company: company.into(),
        product: product.into(),
        description: format!("Synthetic stand-in for {name}"),
        original_name: name.into(),
        linked: Moment(1_600_000_000_000 + i64::from(build.0[2]) * 1_000_000).timestamp(),
        assembly: dll.then(Assembly::default),
        padding_bytes: 0,
    };
    let least = image.to_bytes().len();
    image.padding_bytes = size.saturating_sub(least);
    image.to_bytes()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}
