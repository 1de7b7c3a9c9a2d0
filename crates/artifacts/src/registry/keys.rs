//! Which keys of which hive are looked at.

/// A hive's part in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    System,
    Software,
    /// Of one user.
    User,
    Sam,
    /// Of programs that Windows took stock of.
    Amcache,
    /// Known, and without keys that are looked at.
    Other,
}

impl Role {
    /// The instance in the name of its source; empty where the file's name tells it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Software => "software",
            Self::User => "ntuser",
            Self::Sam => "sam",
            Self::Amcache => "amcache",
            Self::Other => "",
        }
    }
}

/// Keys below the root that show which hive it is.
pub(super) const SIGNS: [(&str, Role); 6] = [
    ("Select", Role::System),
    ("ControlSet001", Role::System),
    ("Microsoft", Role::Software),
    ("SAM", Role::Sam),
    ("Software", Role::User),
    ("Root", Role::Amcache),
];

/// File names of hives.
const FILE_NAMES: [(&str, Role); 9] = [
    ("system", Role::System),
    ("software", Role::Software),
    ("ntuser.dat", Role::User),
    ("default", Role::User),
    ("sam", Role::Sam),
    ("security", Role::Other),
    ("usrclass.dat", Role::Other),
    ("components", Role::Other),
    ("amcache.hve", Role::Amcache),
];

/// The hive that a file of this name is.
pub(super) fn role_of_path(path: &str) -> Option<Role> {
    let name = model::file_name(path).to_ascii_lowercase();
    FILE_NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, role)| *role)
}

/// Where a hive stands in the registry of a running system. The user of `NTUSER.DAT` is known by its folder only.
pub(super) fn prefix(role: Option<Role>, path: &str) -> String {
    match role {
        Some(Role::System) => "HKLM\\System\\CurrentControlSet".to_owned(),
        Some(Role::Software) => "HKLM\\SOFTWARE".to_owned(),
        Some(Role::Sam) => "HKLM\\SAM".to_owned(),
        Some(Role::User) => {
            let folder = model::parent(path).to_owned();
            format!("HKU\\{}", model::file_name(&folder))
        }
        Some(Role::Amcache | Role::Other) | None => "HKLM".to_owned(),
    }
}

/// What a tool of earlier responders leaves behind.
pub(super) struct ToolTrace {
    pub(super) tool: &'static str,
    pub(super) key: &'static str,
    pub(super) value: &'static str,
}

pub(super) const TOOLS: &[ToolTrace] = &[ToolTrace {
    tool: "EOMT",
    key: "MSERTBootstrap",
    value: "PatchState",
}];

/// Keys whose every value is run at logon, below SOFTWARE or a user's `Software`.
pub(super) const RUN_KEYS: &[&str] = &[
    "Microsoft\\Windows\\CurrentVersion\\Run",
    "Microsoft\\Windows\\CurrentVersion\\RunOnce",
    "Microsoft\\Windows\\CurrentVersion\\RunServices",
    "Microsoft\\Windows\\CurrentVersion\\RunServicesOnce",
    "Microsoft\\Windows\\CurrentVersion\\Explorer\\SharedTaskScheduler",
    "Microsoft\\Windows\\CurrentVersion\\ShellServiceObjectDelayLoad",
    "Microsoft\\Windows NT\\CurrentVersion\\Terminal Server\\Install\\Software\\Microsoft\\Windows\\CurrentVersion\\Run",
    "Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer\\Run",
    "WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Run",
    "WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\RunOnce",
];

/// Keys of which some values are run or loaded.
pub(super) const RUN_VALUES: &[(&str, &[&str])] = &[
    (
        "Microsoft\\Windows NT\\CurrentVersion\\Winlogon",
        &["Shell", "Userinit", "Taskman", "VmApplet"],
    ),
    (
        "Microsoft\\Windows NT\\CurrentVersion\\Windows",
        &["AppInit_DLLs", "Load", "Run"],
    ),
    ("Microsoft\\Command Processor", &["AutoRun"]),
    (
        "WOW6432Node\\Microsoft\\Windows NT\\CurrentVersion\\Windows",
        &["AppInit_DLLs"],
    ),
];

/// Values of a user's hive outside of `Software`.
pub(super) const USER_VALUES: &[(&str, &[&str])] = &[
    ("Environment", &["UserInitMprLogonScript"]),
    ("Control Panel\\Desktop", &["SCRNSAVE.EXE"]),
];

/// Values of the control set whose programs or libraries Windows loads by itself.
pub(super) const SYSTEM_VALUES: &[(&str, &[&str])] = &[
    (
        "Control\\Lsa",
        &[
            "Authentication Packages",
            "Security Packages",
            "Notification Packages",
        ],
    ),
    ("Control\\Lsa\\OSConfig", &["Security Packages"]),
    (
        "Control\\Session Manager",
        &["BootExecute", "SetupExecute", "Execute"],
    ),
    ("Control\\SecurityProviders", &["SecurityProviders"]),
    (
        "Control\\Terminal Server\\WinStations\\RDP-Tcp",
        &["InitialProgram"],
    ),
];

/// Keys of the control set whose subkeys each name a library.
pub(super) const SYSTEM_VALUES_BELOW: &[(&str, &str)] = &[
    ("Control\\Print\\Monitors", "Driver"),
    ("Services\\W32Time\\TimeProviders", "DllName"),
];

/// Keys of the control set whose every value is a library that is loaded into programs.
pub(super) const SYSTEM_KEYS: &[&str] = &["Control\\Session Manager\\AppCertDlls"];

/// Keys whose subkeys name a program that is run in place of, or after, another.
pub(super) const RUN_VALUES_BELOW: &[(&str, &str)] = &[
    (
        "Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options",
        "Debugger",
    ),
    (
        "Microsoft\\Windows NT\\CurrentVersion\\SilentProcessExit",
        "MonitorProcess",
    ),
    (
        "WOW6432Node\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options",
        "Debugger",
    ),
    ("Microsoft\\Active Setup\\Installed Components", "StubPath"),
    (
        "Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\Notify",
        "DLLName",
    ),
];

/// Lists of programs that can be uninstalled.
pub(super) const UNINSTALL: &[&str] = &[
    "Microsoft\\Windows\\CurrentVersion\\Uninstall",
    "WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall",
];
