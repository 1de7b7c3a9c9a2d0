//! Windows' own state: registry hives, the web server's configuration, scheduled tasks.

use crate::formats::registry::{Data, Key, hive};
use crate::formats::utf16;
use crate::moment::{DAY, Moment};
use crate::server::Server;

impl Server {
    /// The SYSTEM hive.
    pub(crate) fn system_hive(&self) -> Vec<u8> {
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

    /// The SOFTWARE hive.
    pub(crate) fn software_hive(&self) -> Vec<u8> {
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

    /// `applicationHost.config`: sites, virtual directories, native modules.
    pub(crate) fn application_host(&self) -> String {
        let root = (
            "/",
            r"%SystemDrive%\inetpub\wwwroot".to_owned(),
            "DefaultAppPool",
        );
        let below = |folder: &str, directories: &[(&'static str, &str, &'static str)]| {
            let mut applications = vec![root.clone()];
            applications.extend(directories.iter().map(|(path, name, pool)| {
                let physical = format!(r"{}\{folder}\{name}", self.install);
                (*path, physical, *pool)
            }));
            applications
        };
        let mut sites = Vec::new();
        if self.has_exchange {
            let front = below(r"FrontEnd\HttpProxy", &FRONT_END);
            let bindings = ["*:80:", ":443:", "127.0.0.1:80:", "127.0.0.1:443:"];
            sites.push(site("Default Web Site", 1, &bindings, &front));
            let back = below("ClientAccess", &BACK_END);
            sites.push(site("Exchange Back End", 2, &["*:81:", "*:444:"], &back));
        } else {
            sites.push(site("Default Web Site", 1, &["*:80:"], &below("", &[])));
        }
        let mut modules = NATIVE_MODULES
            .iter()
            .map(|(name, image)| module(name, &format!(r"%windir%\System32\inetsrv\{image}")))
            .collect::<Vec<_>>();
        if self.has_exchange {
            for (name, image) in EXCHANGE_MODULES {
                modules.push(module(name, &format!(r"{}\{image}", self.install)));
            }
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<configuration>\r\n    <system.applicationHost>\r\n        <applicationPools>\r\n            <add name=\"DefaultAppPool\" />\r\n        </applicationPools>\r\n        <sites>\r\n{}            <siteDefaults>\r\n                <logFile logFormat=\"W3C\" directory=\"%SystemDrive%\\inetpub\\logs\\LogFiles\" />\r\n            </siteDefaults>\r\n        </sites>\r\n    </system.applicationHost>\r\n    <system.webServer>\r\n        <globalModules>\r\n{}        </globalModules>\r\n    </system.webServer>\r\n</configuration>\r\n",
            sites.concat(),
            modules.concat()
        )
    }
}

/// A web site and its applications: path, folder, application pool.
fn site(name: &str, id: u32, bindings: &[&str], applications: &[(&str, String, &str)]) -> String {
    let applications = applications.iter().map(|(path, folder, pool)| {
        format!(
            "                <application path=\"{path}\" applicationPool=\"{pool}\">\r\n                    <virtualDirectory path=\"/\" physicalPath=\"{folder}\" />\r\n                </application>\r\n"
        )
    });
    let bindings = bindings.iter().map(|binding| {
        let plain = binding.contains(":80:") || binding.contains(":81:");
        let protocol = if plain { "http" } else { "https" };
        format!(
            "                    <binding protocol=\"{protocol}\" bindingInformation=\"{binding}\" />\r\n"
        )
    });
    format!(
        "            <site name=\"{name}\" id=\"{id}\" serverAutoStart=\"true\">\r\n{}                <bindings>\r\n{}                </bindings>\r\n            </site>\r\n",
        applications.collect::<Vec<_>>().concat(),
        bindings.collect::<Vec<_>>().concat()
    )
}

fn module(name: &str, image: &str) -> String {
    format!("            <add name=\"{name}\" image=\"{image}\" />\r\n")
}

/// Scheduled tasks that every server has, as path and file.
pub(crate) fn tasks(registered: Moment) -> Vec<(String, Vec<u8>)> {
    TASKS
        .iter()
        .map(|(name, author, command, arguments)| {
            let mut bytes = vec![0xff, 0xfe];
            bytes.extend(utf16(&task_xml(
                registered, name, author, command, arguments,
            )));
            (format!(r"C:\Windows\System32\Tasks\{name}"), bytes)
        })
        .collect()
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

/// Native modules that Exchange itself adds.
const EXCHANGE_MODULES: [(&str, &str); 2] = [
    ("exppw", r"FrontEnd\HttpProxy\bin\exppw.dll"),
    ("kerbauth", r"Bin\kerbauth.dll"),
];
