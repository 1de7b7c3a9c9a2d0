// Files of the campaign, by structure and in our own words. Texts that an antivirus would take for the shell itself
// are written as hexadecimal digits.

rule exported_mailbox_with_server_script
{
    meta:
        description = "Mailbox file that holds a server script"
        author = "Allclear"
        reference = "https://github.com/hvs-consulting/ioc_signatures"
        level = "critical"
        techniques = "T1505.003,T1036.008"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The file begins as an exported mailbox and holds a server script: the export that this campaign plants its shells with."
        allclear_foothold = "web_shell"
    strings:
        // A tag that makes script run on the server.
        $server_script = { 3C (53 | 73) (43 | 63) (52 | 72) (49 | 69) (50 | 70) (54 | 74) [1-160] (52 | 72) (55 | 75) (4E | 6E) (41 | 61) (54 | 74) }
        $page = { 3C 25 [0-8] 40 [0-8] (50 | 70) (41 | 61) (47 | 67) (45 | 65) }
        $handler = { 3C 25 [0-8] 40 [0-8] (57 | 77) (45 | 65) (42 | 62) (48 | 68 | 53 | 73) }
        // Code between percent tags that asks for what the client sent.
        $asks = /<%[^%]{0,200}request\s*[\.\[\(]/ nocase
    condition:
        uint32be(0) == 0x2142444E and any of them
}

rule certificate_request_with_server_script
{
    meta:
        description = "Certificate request or certificate that holds a server script"
        author = "Allclear"
        reference = "https://github.com/Neo23x0/signature-base"
        level = "critical"
        techniques = "T1505.003,T1036.008"
        allclear_stage = "foothold"
        allclear_step = "shell_written"
        allclear_meaning = "The file begins as a certificate request and holds a server script in its fields: the second way in which this campaign plants shells."
        allclear_foothold = "web_shell"
    strings:
        $server_script = { 3C (53 | 73) (43 | 63) (52 | 72) (49 | 69) (50 | 70) (54 | 74) [1-160] (52 | 72) (55 | 75) (4E | 6E) (41 | 61) (54 | 74) }
        $page = { 3C 25 [0-8] 40 [0-8] (50 | 70) (41 | 61) (47 | 67) (45 | 65) }
        $asks = /<%[^%]{0,200}request\s*[\.\[\(]/ nocase
    condition:
        uint8(0) == 0x30 and (uint8(1) == 0x82 or uint8(1) == 0x81) and filesize < 64KB and any of them
}

rule virtual_directory_named_as_a_device
{
    meta:
        description = "Configuration of the web server that serves a folder with the name of a device"
        author = "Allclear"
        reference = "https://www.huntress.com/blog/rapid-response-microsoft-exchange-servers-still-vulnerable-to-proxyshell-exploit"
        level = "critical"
        techniques = "T1505.004,T1564"
        allclear_stage = "foothold"
        allclear_step = "hidden_directory"
        allclear_meaning = "The web server serves a folder with the name of a device, which Windows itself does not open: where intruders of this campaign hid their shells."
    strings:
        $sites = "<sites" nocase ascii wide
        $device = /physicalPath\s{0,4}=\s{0,4}"[^"]{0,200}\\(con|aux|nul|prn|com[1-9]|lpt[1-9])(\\[^"]{0,200})?"/ nocase ascii wide
    condition:
        filesize < 4MB and $sites and $device
}

// Others have hidden shells in such folders too, so these are leads; a script that stands there convicts by itself.
rule virtual_directory_with_a_known_name
{
    meta:
        description = "Configuration of the web server that serves a folder whose name is known from the campaign"
        author = "Allclear"
        reference = "https://www.huntress.com/blog/rapid-response-microsoft-exchange-servers-still-vulnerable-to-proxyshell-exploit"
        level = "critical"
        techniques = "T1505.004,T1564"
        allclear_stage = "none_seen"
        allclear_step = "hidden_directory"
        allclear_meaning = "The web server serves a folder below ProgramData with a name that intruders of this campaign gave; look at what stands in it."
    strings:
        $sites = "<sites" nocase ascii wide
        $known = /physicalPath\s{0,4}=\s{0,4}"([a-z]:|%systemdrive%)\\(programdata|users\\all users)\\(com|who|zing|zoo|xyz)(\\[^"]{0,200})?"/ nocase ascii wide
    condition:
        filesize < 4MB and $sites and $known
}

rule virtual_directory_outside_of_web_roots
{
    meta:
        description = "Configuration of the web server that serves a folder below ProgramData or of a user"
        author = "Allclear"
        reference = "https://www.huntress.com/blog/rapid-response-microsoft-exchange-servers-still-vulnerable-to-proxyshell-exploit"
        level = "high"
        techniques = "T1505.004"
        allclear_stage = "none_seen"
        allclear_step = "hidden_directory"
        allclear_meaning = "The web server serves a folder below ProgramData or of a user. Some products do so; intruders of this campaign hid shells there."
    strings:
        $sites = "<sites" nocase ascii wide
        $folder = /physicalPath\s{0,4}=\s{0,4}"(([a-z]:|%systemdrive%)\\(programdata|users)|%programdata%|%allusersprofile%|%public%)\\[^"]{1,200}"/ nocase ascii wide
    condition:
        filesize < 4MB and $sites and $folder
}
