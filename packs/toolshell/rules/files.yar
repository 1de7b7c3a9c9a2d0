// Files of the campaign, by structure and in our own words. Texts that an antivirus would take for the page itself are
// written as hexadecimal digits.

rule page_prints_machine_keys
{
    meta:
        description = "Page that asks ASP.NET for its machine keys and prints them"
        author = "Allclear"
        reference = "https://www.microsoft.com/en-us/security/blog/2025/07/22/disrupting-active-exploitation-of-on-premises-sharepoint-vulnerabilities/"
        level = "critical"
        techniques = "T1505.003"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The page prints the keys by which ASP.NET signs the state of pages: whoever asked for it comes back after the patch."
        allclear_foothold = "web_shell"
    strings:
        // A tag that makes script run on the server, or a page's head.
        $server_script = { 3C 73 63 72 69 70 74 [1-120] 72 75 6E 61 74 }
        $page = { 3C 25 [0-8] ( 50 | 70 ) 61 67 65 }
        // MachineKeySection, GetApplicationConfig
        $section = { 4D 61 63 68 69 6E 65 4B 65 79 53 65 63 74 69 6F 6E }
        $call = { 47 65 74 41 70 70 6C 69 63 61 74 69 6F 6E 43 6F 6E 66 69 67 }
        $validation = "ValidationKey" nocase
        $decryption = "DecryptionKey" nocase
    condition:
        filesize < 64KB and ($server_script or $page) and $section and ($call or $validation or $decryption)
}

rule compiled_page_prints_machine_keys
{
    meta:
        description = "Compiled page that asks ASP.NET for its machine keys"
        author = "Allclear"
        reference = "https://github.com/Neo23x0/signature-base/blob/master/yara/expl_sharepoint_jul25.yar"
        level = "critical"
        techniques = "T1505.003"
        allclear_stage = "foothold"
        allclear_step = "page_compiled"
        allclear_meaning = "The page was compiled, so it was there and was asked for; it prints the keys by which ASP.NET signs the state of pages."
        allclear_foothold = "compiled_shell"
    strings:
        $section = "System.Web.Configuration.MachineKeySection" wide
        $call = "GetApplicationConfig" wide
        $page = "FrameworkInitialize"
        $name = "spinstall" ascii wide nocase
    condition:
        uint16(0) == 0x5A4D and filesize < 1MB and ($section and $call or $page and $name)
}

rule machine_keys_in_a_file_for_everybody
{
    meta:
        description = "Script, style or text file that holds nothing but machine keys"
        author = "Allclear"
        reference = "https://www.microsoft.com/en-us/security/blog/2025/07/22/disrupting-active-exploitation-of-on-premises-sharepoint-vulnerabilities/"
        level = "critical"
        techniques = "T1552"
        allclear_stage = "hands_on"
        allclear_step = "keys_taken"
        allclear_meaning = "The file holds machine keys in the form in which the intruders' page prints them; it lies where it can be fetched, so they are to be taken as known."
    strings:
        // Key, kind, key, kind, mode: hexadecimal digits between bars.
        $printed = /[0-9A-F]{40,128}\|(HMACSHA(1|256|384|512)|SHA1|AES|3DES|MD5|Auto)\|[0-9A-F]{32,64}\|(Auto|AES|3DES|DES)\|(Framework(20SP1|20SP2|45)|Compatibility)?/ nocase ascii wide
    condition:
        filesize < 8KB and $printed
}
