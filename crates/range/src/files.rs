//! What lies on the simulated server's disk besides logs: programs, web folders, configuration, hives, tasks.

use crate::formats::pe::{Assembly, Image};
use crate::formats::registry::{Data, Key, hive};
use crate::formats::utf16;
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::{Build, Server};
use crate::source::Source;
use crate::{Error, KnownFile};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const SHIPPED: &str = include_str!("../data/shipped.json");

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
    pub(crate) fn disk(&self) -> Result<(Vec<DiskFile>, Vec<KnownFile>), Error> {
        let mut files = self.windows_files();
        let mut known = Vec::new();
        if self.has_exchange {
            let shipped: Shipped = serde_json::from_str(SHIPPED)?;
            let patched = self.patch().is_some();
            let running = if patched { self.after } else { self.before };
            let installed = self.installed();
            let replaced = self.patch().map(|outage| outage.boot.after(-4 * MINUTE));
            for build in [self.before, self.after] {
                for (path, bytes) in shipped.contents(build) {
                    known.push(KnownFile {
                        build: build.to_string(),
                        path: format!("\\{path}"),
                        sha256: hex(&Sha256::digest(&bytes)),
                    });
                    if build != running {
                        continue;
                    }
                    let binary = path
                        .rsplit('.')
                        .next()
                        .is_some_and(|end| matches!(end, "dll" | "exe"));
                    let in_web = path.starts_with("FrontEnd") || path.starts_with("ClientAccess");
                    files.push(DiskFile {
                        source: if in_web {
                            Source::WebRoots
                        } else {
                            Source::ProductFiles
                        },
                        path: format!("{}\\{path}", self.install),
                        modified: replaced.filter(|_| binary).unwrap_or(installed),
                        bytes,
                    });
                }
            }
            files.extend(self.compiled_pages());
            files.push(self.setup_log(installed));
            if let Some(log) = self.update_log() {
                files.push(log);
            }
        }
        Ok((files, known))
    }

    /// When the cumulative update was installed.
    fn installed(&self) -> Moment {
        self.start
            .day_start()
            .after(-9 * DAY + 9 * HOUR + 41 * MINUTE)
    }

    fn windows_files(&self) -> Vec<DiskFile> {
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
                bytes: self.application_host().into_bytes(),
            },
            DiskFile {
                source: Source::SystemHive,
                path: r"C:\Windows\System32\config\SYSTEM".into(),
                modified: self.end,
                bytes: self.system_hive(),
            },
            DiskFile {
                source: Source::SoftwareHive,
                path: r"C:\Windows\System32\config\SOFTWARE".into(),
                modified: self.end,
                bytes: self.software_hive(),
            },
        ];
        for (name, author, command, arguments) in TASKS {
            let xml = task_xml(old, name, author, command, arguments);
            let mut bytes = vec![0xff, 0xfe];
            bytes.extend(utf16(&xml));
            files.push(DiskFile {
                source: Source::Tasks,
                path: format!(r"C:\Windows\System32\Tasks\{name}"),
                modified: old,
                bytes,
            });
        }
        files
    }

    fn system_hive(&self) -> Vec<u8> {
        let old = self.start.after(-400 * DAY).timestamp();
        let booted = self
            .outages
            .last()
            .map_or(self.start, |outage| outage.boot)
            .timestamp();
        let mut root = Key::new(old);
        root.key("Select", booted)
            .value("Current", 1)
            .value("Default", 1)
            .value("Failed", 0)
            .value("LastKnownGood", 1);
        let control = root.key("ControlSet001", old);
        control
            .key(r"Control\ComputerName\ComputerName", old)
            .value("ComputerName", self.host.clone());
        control
            .key(r"Control\ComputerName\ActiveComputerName", booted)
            .value("ComputerName", self.host.clone());
        let (name, _, offset) = &self.zone;
        let bias = i32::try_from(-offset).expect("a zone is less than a day from UTC");
        let bias = u32::from_le_bytes(bias.to_le_bytes());
        control
            .key(r"Control\TimeZoneInformation", old)
            .value("TimeZoneKeyName", name.clone())
            .value("StandardName", name.clone())
            .value("Bias", bias)
            .value("ActiveTimeBias", bias)
            .value("StandardBias", 0)
            .value("DaylightBias", u32::from_le_bytes((-60_i32).to_le_bytes()));
        control
            .key(r"Services\Tcpip\Parameters", old)
            .value("Hostname", self.host.clone())
            .value("Domain", self.domain.clone())
            .value("NV Hostname", self.host.clone());
        control
            .key(r"Control\ProductOptions", old)
            .value("ProductType", "ServerNT");
        let exchange =
            EXCHANGE_SERVICES
                .iter()
                .filter(|_| self.has_exchange)
                .map(|(name, title, program)| {
                    (
                        *name,
                        *title,
                        format!("\"{}\\Bin\\{program}\"", self.install),
                    )
                });
        let windows = WINDOWS_SERVICES
            .iter()
            .map(|(name, title, program)| (*name, *title, (*program).to_owned()));
        for (name, title, image) in windows.chain(exchange) {
            control
                .key(&format!(r"Services\{name}"), old)
                .value("DisplayName", title)
                .value("ImagePath", Data::ExpandSz(image))
                .value("ObjectName", "LocalSystem")
                .value("Start", 2)
                .value("Type", 16)
                .value("ErrorControl", 1);
        }
        hive(
            &root,
            "ROOT",
            r"\SystemRoot\System32\Config\SYSTEM",
            self.end.timestamp(),
        )
    }

    fn software_hive(&self) -> Vec<u8> {
        let old = self.start.after(-400 * DAY).timestamp();
        let installed = self.installed().timestamp();
        let mut root = Key::new(old);
        root.key(r"Microsoft\Windows NT\CurrentVersion", old)
            .value("ProductName", "Windows Server 2016 Standard")
            .value("CurrentVersion", "6.3")
            .value("CurrentBuild", "14393")
            .value("UBR", 4_225)
            .value("InstallDate", 1_561_888_800)
            .value("SystemRoot", r"C:\Windows");
        root.key(r"Microsoft\Windows\CurrentVersion\Run", old)
            .value(
                "SecurityHealth",
                Data::ExpandSz(r"%ProgramFiles%\Windows Defender\MSASCuiL.exe".into()),
            )
            .value(
                "VMware User Process",
                r#""C:\Program Files\VMware\VMware Tools\vmtoolsd.exe" -n vmusr"#,
            );
        root.key(r"Microsoft\Windows\CurrentVersion\RunOnce", old);
        root.key(r"Microsoft\InetStp", old)
            .value("MajorVersion", 10)
            .value("MinorVersion", 0)
            .value("VersionString", "Version 10.0");
        if self.has_exchange {
            let last = self
                .patch()
                .map_or(installed, |outage| outage.boot.timestamp());
            let [major, minor, build, revision] = self.before.0;
            let owa = if self.patch().is_some() {
                self.after
            } else {
                self.before
            };
            root.key(r"Microsoft\ExchangeServer\v15\Setup", last)
                .value("MsiInstallPath", format!("{}\\", self.install))
                .value("MsiProductMajor", u32::from(major))
                .value("MsiProductMinor", u32::from(minor))
                .value("MsiBuildMajor", u32::from(build))
                .value("MsiBuildMinor", u32::from(revision))
                .value("NewestBuild", u32::from(build))
                .value("CurrentBuild", u32::from(build) << 16)
                .value("OwaVersion", owa.to_string())
                .value("OwaBasicVersion", owa.to_string())
                .value("Services", format!("{}\\", self.install))
                .value(
                    "ForefrontInstallPath",
                    format!("{}\\FIP-FS\\", self.install),
                );
            for role in [
                "ClientAccessRole",
                "MailboxRole",
                "FrontendTransportRole",
                "UnifiedMessagingRole",
            ] {
                root.key(&format!(r"Microsoft\ExchangeServer\v15\{role}"), installed)
                    .value("ConfiguredVersion", self.before.to_string())
                    .value("UnpackedVersion", self.before.to_string());
            }
            root.key(
                r"Microsoft\Windows\CurrentVersion\Uninstall\Microsoft Exchange v15",
                installed,
            )
            .value(
                "DisplayName",
                format!("{} {}", self.product.name, self.product.update),
            )
            .value("DisplayVersion", self.before.to_string())
            .value("InstallLocation", self.install.clone())
            .value("Publisher", "Microsoft Corporation");
            if self.patch().is_some() {
                let number = &self.world.security_update;
                let name = format!(
                    "Security Update for {} {} ({number})",
                    self.product.name.trim_start_matches("Microsoft "),
                    self.product.update
                );
                let patches = r"Microsoft\Windows\CurrentVersion\Installer\UserData\S-1-5-18\Products\AE1D439464EB1B8488741FFA028E291C\Patches";
                root.key(
                    &format!(r"{patches}\5D3B5C0E0E1F4D7488A3F0A7C1B2D3E4"),
                    last,
                )
                .value("DisplayName", name)
                .value("Installed", Moment::from(last).compact_day())
                .value("State", 1);
            }
        }
        hive(
            &root,
            "ROOT",
            r"\SystemRoot\System32\Config\SOFTWARE",
            self.end.timestamp(),
        )
    }

    fn application_host(&self) -> String {
        let mut sites = String::new();
        let directory = |out: &mut String, path: &str, physical: &str, pool: &str| {
            out.push_str(&format!(
                "                <application path=\"{path}\" applicationPool=\"{pool}\">\r\n                    <virtualDirectory path=\"/\" physicalPath=\"{physical}\" />\r\n                </application>\r\n"
            ));
        };
        let open_site = |sites: &mut String,
                             name: &str,
                             id: u32,
                             bindings: &[&str],
                             directories: &str| {
            sites.push_str(&format!("            <site name=\"{name}\" id=\"{id}\" serverAutoStart=\"true\">\r\n{directories}                <bindings>\r\n"));
            for binding in bindings {
                let protocol = if binding.contains(":80:") || binding.contains(":81:") {
                    "http"
                } else {
                    "https"
                };
                sites.push_str(&format!("                    <binding protocol=\"{protocol}\" bindingInformation=\"{binding}\" />\r\n"));
            }
            sites.push_str("                </bindings>\r\n            </site>\r\n");
        };
        let mut front = String::new();
        directory(
            &mut front,
            "/",
            r"%SystemDrive%\inetpub\wwwroot",
            "DefaultAppPool",
        );
        if self.has_exchange {
            let install = &self.install;
            for (path, folder, pool) in FRONT_END {
                directory(
                    &mut front,
                    path,
                    &format!("{install}\\FrontEnd\\HttpProxy\\{folder}"),
                    pool,
                );
            }
            let mut back = String::new();
            directory(
                &mut back,
                "/",
                r"%SystemDrive%\inetpub\wwwroot",
                "DefaultAppPool",
            );
            for (path, folder, pool) in BACK_END {
                directory(
                    &mut back,
                    path,
                    &format!("{install}\\ClientAccess\\{folder}"),
                    pool,
                );
            }
            open_site(
                &mut sites,
                "Default Web Site",
                1,
                &["*:80:", ":443:", "127.0.0.1:80:", "127.0.0.1:443:"],
                &front,
            );
            open_site(
                &mut sites,
                "Exchange Back End",
                2,
                &["*:81:", "*:444:"],
                &back,
            );
        } else {
            open_site(&mut sites, "Default Web Site", 1, &["*:80:"], &front);
        }
        let mut modules = String::new();
        for (name, image) in NATIVE_MODULES {
            modules.push_str(&format!("            <add name=\"{name}\" image=\"%windir%\\System32\\inetsrv\\{image}\" />\r\n"));
        }
        if self.has_exchange {
            for (name, image) in [
                ("exppw", r"FrontEnd\HttpProxy\bin\exppw.dll"),
                ("kerbauth", r"Bin\kerbauth.dll"),
            ] {
                modules.push_str(&format!(
                    "            <add name=\"{name}\" image=\"{}\\{image}\" />\r\n",
                    self.install
                ));
            }
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<configuration>\r\n    <system.applicationHost>\r\n        <applicationPools>\r\n            <add name=\"DefaultAppPool\" />\r\n            <add name=\"MSExchangeOWAAppPool\" managedRuntimeVersion=\"v4.0\" />\r\n            <add name=\"MSExchangeECPAppPool\" managedRuntimeVersion=\"v4.0\" />\r\n        </applicationPools>\r\n        <sites>\r\n{sites}            <siteDefaults>\r\n                <logFile logFormat=\"W3C\" directory=\"%SystemDrive%\\inetpub\\logs\\LogFiles\" />\r\n            </siteDefaults>\r\n        </sites>\r\n    </system.applicationHost>\r\n    <system.webServer>\r\n        <globalModules>\r\n{modules}        </globalModules>\r\n    </system.webServer>\r\n</configuration>\r\n"
        )
    }

    /// What ASP.NET has compiled of the product's own pages.
    fn compiled_pages(&self) -> Vec<DiskFile> {
        let mut files = Vec::new();
        let mut random = Random::new(self.seed, "compiled pages", 0);
        let since = self
            .outages
            .last()
            .map_or(self.start, |outage| outage.ready);
        for (application, page) in [
            ("owa", "/owa/auth/logon.aspx"),
            ("owa", "/owa/auth/errorFE.aspx"),
            ("ecp", "/ecp/auth/TimeoutLogout.aspx"),
        ] {
            let time = since.after(random.between(5, 300) * MINUTE);
            files.extend(self.compiled(time, application, page, &[], &mut random));
        }
        files
    }

    /// What ASP.NET writes when it compiles a page: its description and an assembly.
    pub(crate) fn compiled(
        &self,
        time: Moment,
        application: &str,
        page: &str,
        literals: &[String],
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
        let mut names = [
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
        names.push(class);
        names.push(format!("{assembly}.dll"));
        if !literals.is_empty() {
            // What the compiler of JScript leaves in every page that evaluates text.
            names.push(["Microsoft.JScr", "ipt"].concat());
            names.push(["JScriptEval", "uate"].concat());
        }
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
                names,
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

    fn setup_log(&self, installed: Moment) -> DiskFile {
        let mut text = String::new();
        let first = installed.after(-700 * DAY);
        let first_build = Build::parse(&self.product.first).unwrap_or(self.before);
        self.setup_run(first, "Install", first_build, &mut text);
        self.setup_run(installed, "Upgrade", self.before, &mut text);
        DiskFile {
            source: Source::SetupLog,
            path: r"C:\ExchangeSetupLogs\ExchangeSetup.log".into(),
            modified: installed.after(50 * MINUTE),
            bytes: text.into_bytes(),
        }
    }

    fn setup_run(&self, begun: Moment, mode: &str, build: Build, text: &mut String) {
        let rule = "**********************************************";
        let lines = [
            (0, rule.to_owned()),
            (0, format!("Starting {} Setup", self.product.name)),
            (0, rule.to_owned()),
            (12, format!("Local time zone: {}.", self.zone.1)),
            (
                14,
                "Operating system version: Microsoft Windows NT 6.2.9200.0.".to_owned(),
            ),
            (15, format!("Setup version: {build}.")),
            (
                16,
                format!("Logged on user: {}\\Administrator.", self.netbios),
            ),
            (
                90,
                format!("Command Line Parameter Name='mode', Value='{mode}'."),
            ),
            (
                91,
                "Command Line Parameter Name='iacceptexchangeserverlicenseterms', Value=''."
                    .to_owned(),
            ),
            (
                300,
                "RuntimeAssembly was started with the following command: '/mode:".to_owned()
                    + mode
                    + "'.",
            ),
            (
                40 * SECOND,
                format!(
                    "The following roles have been unpacked: BridgeheadRole ClientAccessRole MailboxRole UnifiedMessagingRole FrontendTransportRole CafeRole. Installed version {build}."
                ),
            ),
            (
                44 * MINUTE,
                format!("Installing Exchange {build} to '{}'.", self.install),
            ),
            (
                48 * MINUTE,
                "The Exchange Server setup operation completed successfully.".to_owned(),
            ),
            (48 * MINUTE + 400, "End of Setup".to_owned()),
            (48 * MINUTE + 400, rule.to_owned()),
        ];
        for (after, line) in lines {
            let at = begun.after(after).civil();
            text.push_str(&format!(
                "[{:02}/{:02}/{:04} {:02}:{:02}:{:02}.{:04}] [0] {line}\r\n",
                at.month, at.day, at.year, at.hour, at.minute, at.second, at.millisecond
            ));
        }
    }

    /// The log that a security update's installer leaves beside the setup log.
    fn update_log(&self) -> Option<DiskFile> {
        let outage = self.patch()?;
        let mut text = String::new();
        let begun = outage.stop.after(50 * SECOND);
        for (after, line) in [
            (
                0,
                "Stopping services for the installation of an update.".to_owned(),
            ),
            (4 * MINUTE, "All services stopped.".to_owned()),
            (
                9 * MINUTE,
                format!(
                    "Update {} replaced files of version {} by {}.",
                    self.world.security_update, self.before, self.after
                ),
            ),
            (11 * MINUTE, "Starting services.".to_owned()),
        ] {
            let at = begun.after(after).civil();
            text.push_str(&format!(
                "[{:02}:{:02}:{:02}] {line}\r\n",
                at.hour, at.minute, at.second
            ));
        }
        Some(DiskFile {
            source: Source::SetupLog,
            path: r"C:\ExchangeSetupLogs\ServiceControl.log".into(),
            modified: begun.after(11 * MINUTE),
            bytes: text.into_bytes(),
        })
    }
}

impl Shipped {
    /// Every shipped file of a build: its path below the install folder, and its synthetic content.
    fn contents(&self, build: Build) -> Vec<(String, Vec<u8>)> {
        let cumulative = build.cumulative();
        let mut files = Vec::new();
        for path in &self.scripts {
            files.push((path.clone(), script_text(path, &cumulative).into_bytes()));
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
            files.push((path.clone(), binary(path, build, *size)));
        }
        files
    }
}

/// A harmless script of our own words in the place of a shipped one. It changes with the cumulative update only.
fn script_text(path: &str, cumulative: &str) -> String {
    let name = path.rsplit('\\').next().unwrap_or(path);
    let note = format!(
        "Synthetic stand-in for {path}, {cumulative}. Written by the Allclear range; not Microsoft's file."
    );
    let class = name.replace('.', "_");
    match name.rsplit('.').next().unwrap_or("") {
        "asax" => {
            format!("<%-- {note} --%>\r\n<%@ Application Inherits=\"Synthetic.{class}\" %>\r\n")
        }
        "svc" => {
            format!("<%-- {note} --%>\r\n<%@ ServiceHost Service=\"Synthetic.{class}\" %>\r\n")
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

fn config_text(path: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- Synthetic: {path} -->\r\n<configuration>\r\n  <system.web>\r\n    <compilation defaultLanguage=\"c#\" debug=\"false\" />\r\n    <customErrors mode=\"Off\" />\r\n  </system.web>\r\n  <system.webServer>\r\n    <httpErrors errorMode=\"DetailedLocalOnly\" />\r\n  </system.webServer>\r\n</configuration>\r\n"
    )
}

fn binary(path: &str, build: Build, size: usize) -> Vec<u8> {
    let name = path.rsplit('\\').next().unwrap_or(path);
    let dll = name.to_lowercase().ends_with(".dll");
    let mut image = Image {
        dll,
        version: Some(build.0),
        version_text: build.padded(),
        company: "Microsoft Corporation".into(),
        product: "Microsoft® Exchange".into(),
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

fn task_xml(
    registered: Moment,
    name: &str,
    author: &str,
    command: &str,
    arguments: &str,
) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task version=\"1.4\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\r\n  <RegistrationInfo>\r\n    <Date>{}</Date>\r\n    <Author>{author}</Author>\r\n    <URI>\\{name}</URI>\r\n  </RegistrationInfo>\r\n  <Triggers>\r\n    <CalendarTrigger>\r\n      <StartBoundary>2019-07-01T03:00:00</StartBoundary>\r\n      <Enabled>true</Enabled>\r\n      <ScheduleByDay>\r\n        <DaysInterval>1</DaysInterval>\r\n      </ScheduleByDay>\r\n    </CalendarTrigger>\r\n  </Triggers>\r\n  <Principals>\r\n    <Principal id=\"Author\">\r\n      <UserId>S-1-5-18</UserId>\r\n      <RunLevel>LeastPrivilege</RunLevel>\r\n    </Principal>\r\n  </Principals>\r\n  <Settings>\r\n    <Enabled>true</Enabled>\r\n  </Settings>\r\n  <Actions Context=\"Author\">\r\n    <Exec>\r\n      <Command>{command}</Command>\r\n      <Arguments>{arguments}</Arguments>\r\n    </Exec>\r\n  </Actions>\r\n</Task>",
        registered.to_string().trim_end_matches('Z')
    )
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const TASKS: [(&str, &str, &str, &str); 5] = [
    (
        r"Microsoft\Windows\UpdateOrchestrator\Schedule Scan",
        "Microsoft Corporation",
        r"%systemroot%\system32\usoclient.exe",
        "StartScan",
    ),
    (
        r"Microsoft\Windows\Windows Defender\Windows Defender Scheduled Scan",
        "Microsoft Corporation",
        r"%ProgramFiles%\Windows Defender\MpCmdRun.exe",
        "Scan -ScheduleJob -ScanTrigger 55",
    ),
    (
        r"Microsoft\Windows\Defrag\ScheduledDefrag",
        "Microsoft Corporation",
        r"%windir%\system32\defrag.exe",
        "-c -h -o -$",
    ),
    (
        r"Microsoft\Windows\Time Synchronization\SynchronizeTime",
        "Microsoft Corporation",
        r"%windir%\system32\sc.exe",
        "start w32time task_started",
    ),
    (
        "Nightly Backup",
        "Administrator",
        r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
        r"-NoProfile -File C:\Scripts\backup.ps1",
    ),
];

const WINDOWS_SERVICES: [(&str, &str, &str); 8] = [
    (
        "W3SVC",
        "World Wide Web Publishing Service",
        r"%windir%\system32\svchost.exe -k iissvcs",
    ),
    (
        "WAS",
        "Windows Process Activation Service",
        r"%windir%\system32\svchost.exe -k iissvcs",
    ),
    (
        "EventLog",
        "Windows Event Log",
        r"%SystemRoot%\System32\svchost.exe -k LocalServiceNetworkRestricted",
    ),
    (
        "Schedule",
        "Task Scheduler",
        r"%systemroot%\system32\svchost.exe -k netsvcs",
    ),
    (
        "LanmanServer",
        "Server",
        r"%SystemRoot%\system32\svchost.exe -k smbsvcs",
    ),
    (
        "WinDefend",
        "Windows Defender Service",
        r#""%ProgramFiles%\Windows Defender\MsMpEng.exe""#,
    ),
    (
        "W32Time",
        "Windows Time",
        r"%SystemRoot%\system32\svchost.exe -k LocalService",
    ),
    (
        "VMTools",
        "VMware Tools",
        r#""C:\Program Files\VMware\VMware Tools\vmtoolsd.exe""#,
    ),
];

const EXCHANGE_SERVICES: [(&str, &str, &str); 8] = [
    (
        "MSExchangeADTopology",
        "Microsoft Exchange Active Directory Topology",
        "Microsoft.Exchange.Directory.TopologyService.exe",
    ),
    (
        "MSExchangeHM",
        "Microsoft Exchange Health Manager",
        "MSExchangeHMHost.exe",
    ),
    (
        "MSExchangeIS",
        "Microsoft Exchange Information Store",
        "Microsoft.Exchange.Store.Service.exe",
    ),
    (
        "MSExchangeMailboxAssistants",
        "Microsoft Exchange Mailbox Assistants",
        "MSExchangeMailboxAssistants.exe",
    ),
    (
        "MSExchangeTransport",
        "Microsoft Exchange Transport",
        "MSExchangeTransport.exe",
    ),
    (
        "MSExchangeFrontEndTransport",
        "Microsoft Exchange Frontend Transport",
        "MSExchangeFrontendTransport.exe",
    ),
    (
        "MSExchangeServiceHost",
        "Microsoft Exchange Service Host",
        "Microsoft.Exchange.ServiceHost.exe",
    ),
    (
        "MSExchangeUM",
        "Microsoft Exchange Unified Messaging",
        "umservice.exe",
    ),
];

const FRONT_END: [(&str, &str, &str); 10] = [
    ("/owa", "owa", "MSExchangeOWAAppPool"),
    ("/ecp", "ecp", "MSExchangeECPAppPool"),
    ("/EWS", "EWS", "MSExchangeServicesAppPool"),
    (
        "/Autodiscover",
        "Autodiscover",
        "MSExchangeAutodiscoverAppPool",
    ),
    (
        "/Microsoft-Server-ActiveSync",
        "sync",
        "MSExchangeSyncAppPool",
    ),
    ("/OAB", "OAB", "MSExchangeOABAppPool"),
    (
        "/PowerShell",
        "PowerShell",
        "MSExchangePowerShellFrontEndAppPool",
    ),
    ("/Rpc", "rpc", "MSExchangeRpcProxyFrontEndAppPool"),
    ("/mapi", "mapi", "MSExchangeMapiFrontEndAppPool"),
    ("/API", "rest", "MSExchangeRestFrontEndAppPool"),
];

const BACK_END: [(&str, &str, &str); 7] = [
    ("/owa", "owa", "MSExchangeOWAAppPool"),
    ("/ecp", "ecp", "MSExchangeECPAppPool"),
    ("/EWS", r"exchweb\EWS", "MSExchangeServicesAppPool"),
    (
        "/Autodiscover",
        "Autodiscover",
        "MSExchangeAutodiscoverAppPool",
    ),
    ("/OAB", "OAB", "MSExchangeOABAppPool"),
    (
        "/mapi/emsmdb",
        r"mapi\emsmdb",
        "MSExchangeMapiMailboxAppPool",
    ),
    (
        "/mapi/nspi",
        r"mapi\nspi",
        "MSExchangeMapiAddressBookAppPool",
    ),
];

const NATIVE_MODULES: [(&str, &str); 14] = [
    ("UriCacheModule", "cachuri.dll"),
    ("FileCacheModule", "cachfile.dll"),
    ("TokenCacheModule", "cachtokn.dll"),
    ("HttpCacheModule", "cachhttp.dll"),
    ("StaticCompressionModule", "compstat.dll"),
    ("DefaultDocumentModule", "defdoc.dll"),
    ("DirectoryListingModule", "dirlist.dll"),
    ("ProtocolSupportModule", "protsup.dll"),
    ("StaticFileModule", "static.dll"),
    ("AnonymousAuthenticationModule", "authanon.dll"),
    ("RequestFilteringModule", "modrqflt.dll"),
    ("CustomErrorModule", "custerr.dll"),
    ("HttpLoggingModule", "loghttp.dll"),
    ("IsapiModule", "isapi.dll"),
];
