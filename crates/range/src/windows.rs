//! Windows' own state: registry hives, the web server's configuration, scheduled tasks.

use crate::Error;
use crate::calendar::Summer;
use crate::formats::registry::{Data, Key, hive};
use crate::formats::utf16;
use crate::moment::{DAY, Moment};
use crate::product::Hive;
use crate::server::Server;
use crate::story::{Setting, State};
use jiff::Timestamp;
use serde::Deserialize;

const WINDOWS: &str = include_str!("../data/windows.json");
const APPLICATION_HOST: &str = include_str!("../data/applicationHost.config");
const TASK: &str = include_str!("../data/task.xml");

/// What every server has, and what Exchange adds.
#[derive(Debug, Deserialize)]
pub(crate) struct Windows {
    /// Path below the task folder, author, command, arguments.
    tasks: Vec<(String, String, String, String)>,
    /// Name, title, command.
    services: Vec<(String, String, String)>,
    /// Name, title, program in the product's folder of programs.
    exchange_services: Vec<(String, String, String)>,
    /// Path in the URL, folder, application pool.
    front_end: Vec<(String, String, String)>,
    back_end: Vec<(String, String, String)>,
    /// Name, and file in the web server's folder.
    modules: Vec<(String, String)>,
    /// Name, and file in the product's folder.
    exchange_modules: Vec<(String, String)>,
}

impl Windows {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(serde_json::from_str(WINDOWS)?)
    }

    /// Scheduled tasks, as path and file.
    pub(crate) fn task_files(&self, registered: Moment) -> Vec<(String, Vec<u8>)> {
        self.tasks
            .iter()
            .map(|(name, author, command, arguments)| {
                let xml = task_xml(registered, [name, author, command, arguments]);
                let mut bytes = vec![0xff, 0xfe];
                bytes.extend(utf16(&xml));
                (format!(r"C:\Windows\System32\Tasks\{name}"), bytes)
            })
            .collect()
    }
}

impl Server {
    /// The SYSTEM hive.
    pub(crate) fn system_hive(&self, windows: &Windows, state: &State) -> Vec<u8> {
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
        for key in ["ComputerName", "ActiveComputerName"] {
            control
                .key(&format!(r"Control\ComputerName\{key}"), old)
                .value("ComputerName", self.host.clone());
        }
        let zone = &self.calendar.zone;
        let active = self.calendar.offset_minutes(self.end);
        let summer = match zone.summer {
            Summer::None => 0,
            Summer::Eu | Summer::Us => -60,
        };
        control
            .key(r"Control\TimeZoneInformation", old)
            .value("TimeZoneKeyName", zone.key.clone())
            .value("StandardName", zone.key.clone())
            .value("Bias", signed(-zone.minutes))
            .value("ActiveTimeBias", signed(-active))
            .value("StandardBias", 0)
            .value("DaylightBias", signed(summer));
        control
            .key(r"Services\Tcpip\Parameters", old)
            .value("Hostname", self.host.clone())
            .value("Domain", self.domain.clone())
            .value("NV Hostname", self.host.clone());
        control
            .key(r"Control\ProductOptions", old)
            .value("ProductType", "ServerNT");
        for (name, title, image) in &windows.services {
            service(control, name, title, image.clone(), old);
        }
        if self.has_exchange {
            for (name, title, program) in &windows.exchange_services {
                let image = format!(r#""{}\Bin\{program}""#, self.install);
                service(control, name, title, image, old);
            }
        }
        if let Some(product) = &self.described {
            for (name, title, image) in &product.services {
                let image = self.described_text(image, self.before);
                service(control, name, title, image, old);
            }
            self.described_keys(product, Hive::System, control);
        }
        for (_, setting) in &state.settings {
            if let Setting::Service {
                name,
                title,
                image,
                written,
            } = setting
            {
                service(control, name, title, image.clone(), written.timestamp());
            }
        }
        let path = r"\SystemRoot\System32\Config\SYSTEM";
        hive(&root, "ROOT", path, self.end.timestamp())
    }

    /// The SOFTWARE hive.
    pub(crate) fn software_hive(&self) -> Vec<u8> {
        let old = self.start.after(-400 * DAY).timestamp();
        let mut root = Key::new(old);
        root.key(r"Microsoft\Windows NT\CurrentVersion", old)
            .value("ProductName", "Windows Server 2016 Standard")
            .value("CurrentVersion", "6.3")
            .value("CurrentBuild", "14393")
            .value("UBR", 4_225)
            .value("InstallDate", 1_561_888_800)
            .value("SystemRoot", r"C:\Windows");
        let defender = r"%ProgramFiles%\Windows Defender\MSASCuiL.exe";
        let tools = r#""C:\Program Files\VMware\VMware Tools\vmtoolsd.exe" -n vmusr"#;
        root.key(r"Microsoft\Windows\CurrentVersion\Run", old)
            .value("SecurityHealth", Data::ExpandSz(defender.into()))
            .value("VMware User Process", tools);
        root.key(r"Microsoft\Windows\CurrentVersion\RunOnce", old);
        root.key(r"Microsoft\InetStp", old)
            .value("MajorVersion", 10)
            .value("MinorVersion", 0)
            .value("VersionString", "Version 10.0");
        if self.has_exchange {
            self.exchange_keys(&mut root);
        }
        if let Some(product) = &self.described {
            self.described_keys(product, Hive::Software, &mut root);
        }
        let path = r"\SystemRoot\System32\Config\SOFTWARE";
        hive(&root, "ROOT", path, self.end.timestamp())
    }

    /// What Exchange's setup and its update write into the registry. An update leaves the version of the cumulative update
    /// in place.
    fn exchange_keys(&self, root: &mut Key) {
        const ROLES: [&str; 3] = ["ClientAccessRole", "MailboxRole", "FrontendTransportRole"];
        let installed = self.installed().timestamp();
        let (running, last) = match self.patch() {
            Some(patch) => (self.after, patch.boot.timestamp()),
            None => (self.before, installed),
        };
        let folder = format!(r"{}\", self.install);
        let level = if self.cumulative_update {
            running
        } else {
            self.before
        };
        let [major, minor, build, revision] = level.0.map(u32::from);
        root.key(r"Microsoft\ExchangeServer\v15\Setup", last)
            .value("MsiInstallPath", folder.clone())
            .value("MsiProductMajor", major)
            .value("MsiProductMinor", minor)
            .value("MsiBuildMajor", build)
            .value("MsiBuildMinor", revision)
            .value("NewestBuild", build)
            .value("CurrentBuild", build << 16)
            .value("OwaVersion", running.to_string())
            .value("OwaBasicVersion", running.to_string())
            .value("Services", folder);
        let version = level.to_string();
        for role in ROLES {
            root.key(&format!(r"Microsoft\ExchangeServer\v15\{role}"), installed)
                .value("ConfiguredVersion", version.clone())
                .value("UnpackedVersion", version.clone());
        }
        let (product, update) = (&self.release.name, &self.release.update);
        let uninstall = r"Microsoft\Windows\CurrentVersion\Uninstall\Microsoft Exchange v15";
        root.key(uninstall, installed)
            .value("DisplayName", format!("{product} {update}"))
            .value("DisplayVersion", version)
            .value("InstallLocation", self.install.clone())
            .value("Publisher", "Microsoft Corporation");
        if self.patch().is_some() && !self.cumulative_update {
            let short = product.trim_start_matches("Microsoft ");
            let number = &self.security_update;
            let name = format!("Security Update for {short} {update} ({number})");
            let patch = r"Microsoft\Windows\CurrentVersion\Installer\UserData\S-1-5-18\Products\AE1D439464EB1B8488741FFA028E291C\Patches\5D3B5C0E0E1F4D7488A3F0A7C1B2D3E4";
            root.key(patch, last)
                .value("DisplayName", name)
                .value("Installed", Moment::from(last).compact_day())
                .value("State", 1);
        }
    }

    /// `applicationHost.config`: sites, virtual directories, native modules.
    pub(crate) fn application_host(&self, windows: &Windows, state: &State) -> String {
        let mut sites = Vec::new();
        if self.has_exchange {
            let mut front = self.applications("FrontEnd\\HttpProxy", &windows.front_end);
            for (_, setting) in &state.settings {
                if let Setting::VirtualDirectory { path, folder } = setting {
                    front.push_str(&application(path, folder, "DefaultAppPool"));
                }
            }
            let bindings = ["*:80:", ":443:", "127.0.0.1:80:", "127.0.0.1:443:"];
            sites.push(site("Default Web Site", 1, &bindings, &front));
            let back = self.applications("ClientAccess", &windows.back_end);
            sites.push(site("Exchange Back End", 2, &["*:81:", "*:444:"], &back));
        } else {
            let root = self.applications("", &[]);
            sites.push(site("Default Web Site", 1, &["*:80:"], &root));
        }
        for described in self.described.iter().flat_map(|product| &product.sites) {
            let text = |text: &String| self.described_text(text, self.before);
            let mut applications = application("/", &text(&described.root), &described.pool);
            for (path, folder, pool) in &described.applications {
                applications.push_str(&application(path, &text(folder), pool));
            }
            for (_, setting) in &state.settings {
                if let Setting::VirtualDirectory { path, folder } = setting {
                    applications.push_str(&application(path, folder, &described.pool));
                }
            }
            let bindings = binding(&described.protocol, &format!("*:{}:", described.port));
            let (name, id) = (&described.name, described.id);
            sites.push(site_of(name, id, &bindings, &applications));
        }
        let mut modules = windows
            .modules
            .iter()
            .map(|(name, image)| module(name, &format!(r"%windir%\System32\inetsrv\{image}")))
            .collect::<Vec<_>>();
        if self.has_exchange {
            for (name, image) in &windows.exchange_modules {
                modules.push(module(name, &format!(r"{}\{image}", self.install)));
            }
        }
        for (name, image) in self.described.iter().flat_map(|product| &product.modules) {
            modules.push(module(name, &self.described_text(image, self.before)));
        }
        for (_, setting) in &state.settings {
            if let Setting::Module { name, image } = setting {
                modules.push(module(name, image));
            }
        }
        let config = APPLICATION_HOST
            .replace("{sites}", &sites.concat())
            .replace("{modules}", &modules.concat());
        windows_lines(&config)
    }

    /// The elements of a site's applications: the root, and those below a folder of the product.
    fn applications(&self, folder: &str, below: &[(String, String, String)]) -> String {
        let mut elements = vec![application(
            "/",
            r"%SystemDrive%\inetpub\wwwroot",
            "DefaultAppPool",
        )];
        elements.extend(below.iter().map(|(path, name, pool)| {
            let folder = format!(r"{}\{folder}\{name}", self.install);
            application(path, &folder, pool)
        }));
        elements.concat()
    }
}

/// A scheduled task's file, as text: name, author, command and arguments.
pub(crate) fn task_xml(
    registered: Moment,
    [name, author, command, arguments]: [&str; 4],
) -> String {
    windows_lines(TASK)
        .replace("{date}", registered.to_string().trim_end_matches('Z'))
        .replace("{name}", name)
        .replace("{author}", author)
        .replace("{command}", command)
        .replace("{arguments}", arguments)
}

/// An application of a web site, with its folder.
fn application(path: &str, folder: &str, pool: &str) -> String {
    format!(
        "                <application path=\"{path}\" applicationPool=\"{pool}\">\n                    <virtualDirectory path=\"/\" physicalPath=\"{folder}\" />\n                </application>\n"
    )
}

fn service(control: &mut Key, name: &str, title: &str, image: String, written: Timestamp) {
    control
        .key(&format!(r"Services\{name}"), written)
        .value("DisplayName", title)
        .value("ImagePath", Data::ExpandSz(image))
        .value("ObjectName", "LocalSystem")
        .value("Start", 2)
        .value("Type", 16)
        .value("ErrorControl", 1);
}

/// A signed number as a value of 32 bits keeps it.
fn signed(number: i64) -> u32 {
    let number = i32::try_from(number).expect("minutes of a day fit");
    u32::from_le_bytes(number.to_le_bytes())
}

fn site(name: &str, id: u32, bindings: &[&str], applications: &str) -> String {
    let bindings = bindings.iter().map(|binding| {
        let plain = binding.contains(":80:") || binding.contains(":81:");
        let protocol = if plain { "http" } else { "https" };
        self::binding(protocol, binding)
    });
    let bindings = bindings.collect::<Vec<_>>().concat();
    site_of(name, id, &bindings, applications)
}

fn binding(protocol: &str, binding: &str) -> String {
    format!(
        "                    <binding protocol=\"{protocol}\" bindingInformation=\"{binding}\" />\n"
    )
}

fn site_of(name: &str, id: u32, bindings: &str, applications: &str) -> String {
    format!(
        "            <site name=\"{name}\" id=\"{id}\" serverAutoStart=\"true\">\n{applications}                <bindings>\n{bindings}                </bindings>\n            </site>\n"
    )
}

fn module(name: &str, image: &str) -> String {
    format!("            <add name=\"{name}\" image=\"{image}\" />\n")
}

/// A template's text with the line ends of Windows, however it was checked out.
fn windows_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}
